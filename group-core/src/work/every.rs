//! Tickers at a fixed interval.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::base::error::BoxError;
use crate::base::panic::caught;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::service::shutdown::Shutdown;

impl Context {
    /// Runs `tick` at a fixed interval until the service is asked to stop, for the first time after one period.
    ///
    /// A ticker never overlaps itself, does not tick while the service stops, and finishes its last
    /// run. A run that takes longer than the period delays the next; missed ticks are skipped. Once this is
    /// awaited, the group waits for the service at the stop, as for one that takes [`Shutdown`].
    ///
    /// ```
    /// use group::{Context, Group};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group.add_fn("reporter", |cx: Context| async move {
    ///     cx.every(Duration::from_secs(30), || async { println!("still here") }).await
    /// });
    /// # let running = group.start().await.unwrap();
    /// # assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    ///
    /// In a `#[service]` block, the same is `#[every("30s")]` on a method.
    ///
    /// # Errors
    ///
    /// The first error that a run returns: the ticker ends with it. And if the period is zero.
    pub fn every<'a, F, Fut>(&'a self, period: Duration, tick: F) -> Ticks<'a>
    where
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output: ServiceResult> + Send + 'a,
    {
        Box::pin(async move { every(self, &self.shutdown(), "every", period, tick).await })
    }
}

/// The future of a ticker, from [`Context::every`] and `Context::cron`. It ticks while it is awaited.
///
/// Boxed, so that rustc reports a tick that returns something else once, and not at the `.await`, too.
pub type Ticks<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// Ticks at a fixed interval. The runs are counted under the ticker's name.
pub(crate) async fn every<F, Fut>(
    cx: &Context,
    shutdown: &Shutdown,
    name: &str,
    period: Duration,
    mut tick: F,
) -> Result<(), BoxError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    if period.is_zero() {
        return Err("a ticker needs a period that is longer than zero".into());
    }
    let Some(first) = Instant::now().checked_add(period) else {
        // The first tick is too far away to be represented.
        shutdown.requested().await;
        return Ok(());
    };
    let mut ticks = interval_at(first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(()),
            _ = ticks.tick() => counted(cx, name, tick()).await?,
        }
    }
}

/// Runs one tick of the ticker of this name, and counts it.
pub(super) async fn counted<R: ServiceResult>(
    cx: &Context,
    name: &str,
    tick: impl Future<Output = R>,
) -> Result<(), BoxError> {
    let begun = Instant::now();
    let result = tick.await.into_result();
    #[cfg(feature = "metrics")]
    cx.member().measures().ticker(name).count(result.is_ok(), begun.elapsed());
    #[cfg(not(feature = "metrics"))]
    let _ = (cx, name, begun);
    result
}

/// Runs a ticker in a task beside `start`. Its failure is the failure of the service, and names the method.
pub(crate) fn spawn<T, Fut>(cx: &Context, method: &'static str, ticker: T)
where
    T: FnOnce(Context, Shutdown) -> Fut,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let ticker = caught(cx.clone().noting_polls(ticker(cx.clone(), Shutdown::beside_start(cx.clone()))));
    cx.spawn_ticker(async move {
        let result = ticker.await.and_then(|result| result);
        result.map_err(|error| InMethod { method, error }.into())
    });
}

/// An error, with the name of the method that it came from.
#[derive(Debug)]
struct InMethod {
    method: &'static str,
    error: BoxError,
}

impl fmt::Display for InMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in `{}`", self.method)
    }
}

impl Error for InMethod {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
