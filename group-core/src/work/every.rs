//! Tickers at a fixed interval.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::base::error::BoxError;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::work::ticker::{Ticker, Ticks};

impl Context {
    /// Runs `tick` at a fixed interval until the service is asked to stop, for the first time after one period.
    ///
    /// A ticker never overlaps itself, does not tick while the service stops, and finishes its last
    /// run. A run that takes longer than the period delays the next; missed ticks are skipped. Once this is
    /// awaited, the group waits for the service at the stop, as for one that takes [`Shutdown`](crate::Shutdown).
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
    /// The first error that a run returns, unless [`Ticks::on_error`] says otherwise: the ticker ends with it. And if the
    /// period is zero.
    pub fn every<'a, F, Fut>(&'a self, period: Duration, tick: F) -> Ticks<'a>
    where
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output: ServiceResult> + Send + 'a,
    {
        Ticks::new(move |on_error| {
            Box::pin(async move { every(&Ticker::of_start(self, "every", on_error, tick), period).await })
        })
    }
}

/// Ticks at a fixed interval.
pub(crate) async fn every<F, Fut>(ticker: &Ticker<F>, period: Duration) -> Result<(), BoxError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    if period.is_zero() {
        return Err("a ticker needs a period that is longer than zero".into());
    }
    let Some(first) = Instant::now().checked_add(period) else {
        // The first tick is too far away to be represented.
        ticker.shutdown.requested().await;
        return Ok(());
    };
    let mut ticks = interval_at(first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = ticker.shutdown.requested() => return Ok(()),
            _ = ticks.tick() => ticker.run().await?,
        }
    }
}
