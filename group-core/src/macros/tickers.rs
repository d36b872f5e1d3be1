//! Tickers, for the emitted code.

#[cfg(not(feature = "cron"))]
pub use self::no_cron::{Cron, cron};
pub use crate::work::ticker::FailedRun;

use std::future::{Future, ready};
use std::marker::Send;
use std::pin::Pin;
use std::time::Duration;

use crate::__private::result::Result;
use crate::service::context::Context;
#[cfg(feature = "cron")]
use crate::spec::cron::Cron;
#[cfg(feature = "cron")]
use crate::work::cron;
use crate::work::every;
use crate::work::ticker::{self, Ticker};

/// The future of one run of a ticker. A named type, so that rustc points at the code that does not fit it.
pub type Ticking = Pin<Box<dyn Future<Output = Result> + Send>>;

/// Starts a ticker that calls a method at a fixed interval.
pub fn every(
    cx: &Context,
    method: &'static str,
    period: Duration,
    on_error: FailedRun,
    tick: impl FnMut() -> Ticking + Send + 'static,
) {
    let ticker = Ticker::beside_start(cx, method, on_error, tick);
    ticker::spawn(cx, method, async move { every::every(&ticker, period).await });
}

/// Starts a ticker that calls a method at the times of a cron expression.
#[cfg(feature = "cron")]
pub fn cron(
    cx: &Context,
    method: &'static str,
    cron: Cron,
    on_error: FailedRun,
    tick: impl FnMut() -> Ticking + Send + 'static,
) {
    let ticker = Ticker::beside_start(cx, method, on_error, tick);
    ticker::spawn(cx, method, async move { cron::run(&ticker, &cron).await });
}

#[cfg(not(feature = "cron"))]
mod no_cron {
    //! A stub, so that [`__cron`](crate::__cron) reports the only error.

    use crate::service::context::Context;
    use crate::work::ticker::FailedRun;

    #[derive(Clone, Copy, Debug)]
    pub struct Cron;

    impl Cron {
        #[must_use]
        pub fn new(_: &str) -> Self {
            Self
        }

        #[must_use]
        pub fn tz(self, _: &str) -> Self {
            self
        }
    }

    pub fn cron(
        _: &Context,
        _: &'static str,
        _: Cron,
        _: FailedRun,
        _: impl FnMut() -> crate::__private::tickers::Ticking + Send + 'static,
    ) {
    }
}

/// The `start` of a service that has only tickers.
///
/// # Errors
///
/// Never.
pub fn only_ticks(cx: &Context) -> std::future::Ready<Result> {
    cx.member().set_listens_to_stop(true);
    ready(Ok(()))
}
