//! Tickers, as the macros use them.

#[cfg(not(feature = "cron"))]
pub use self::no_cron::{Cron, cron};

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

/// A tick on its way. A type, so that rustc points at what cannot be one.
pub type Ticking = Pin<Box<dyn Future<Output = Result> + Send>>;

/// What a method does again and again, while the service runs.
pub fn every(cx: &Context, method: &'static str, period: Duration, tick: impl FnMut() -> Ticking + Send + 'static) {
    every::spawn(cx, method, |shutdown| async move { every::every(&shutdown, period, tick).await });
}

/// The same, when an expression says so.
#[cfg(feature = "cron")]
pub fn cron(cx: &Context, method: &'static str, cron: Cron, tick: impl FnMut() -> Ticking + Send + 'static) {
    every::spawn(cx, method, |shutdown| async move { cron::run(&shutdown, &cron, tick).await });
}

#[cfg(not(feature = "cron"))]
mod no_cron {
    //! What is left of it, so that [`__cron`](crate::__cron) alone says that there is none.

    use crate::service::context::Context;

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

    pub fn cron(_: &Context, _: &'static str, _: Cron, _: impl FnMut() -> crate::__private::tickers::Ticking + Send + 'static) {}
}

/// The `start` of a service that only ticks.
///
/// # Errors
///
/// Never.
pub fn only_ticks(cx: &Context) -> std::future::Ready<Result> {
    cx.member().set_listens_to_stop(true);
    ready(Ok(()))
}
