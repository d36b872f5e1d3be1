//! Tickers at certain times of the day, given by a cron expression.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::base::error::BoxError;
use crate::base::sync::Latch;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::spec::cron::Cron;
use crate::work::ticker::{Ticker, Ticks};
use crate::work::timetable::Timetable;

/// The longest sleep between two looks at the clock: it may be set meanwhile, and the machine may sleep.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A clock that is set back by no more than this makes nothing tick twice. Vixie's cron has the same limit.
const SET_BACK: SignedDuration = SignedDuration::from_hours(3);

impl Context {
    /// Runs `tick` at the times of a cron expression, until the service is asked to stop. Needs the feature `cron`.
    ///
    /// As with [`every`](Self::every), a ticker never overlaps itself, does not tick while the service
    /// stops, and finishes its last run. Times that pass during a long run are skipped; times that pass while
    /// the machine sleeps are made up for by one run. Once this is awaited, the group waits for the service at
    /// the stop, as for one that takes [`Shutdown`](crate::Shutdown).
    ///
    /// ```
    /// use group::{Context, Cron, Group};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group.add_fn("janitor", |cx: Context| async move {
    ///     let every_night = Cron::new("0 3 * * *").tz("Europe/Berlin");
    ///     cx.cron(every_night, || async { println!("it is three o'clock") }).await
    /// });
    /// # let running = group.start().await.unwrap();
    /// # assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    ///
    /// In a `#[service]` block, the same is `#[cron("0 3 * * *", tz = "Europe/Berlin")]` on a method.
    ///
    /// # Errors
    ///
    /// If the expression or its time zone is invalid: with [`Spec::cron`](crate::Spec::cron), the group finds that
    /// before anything is built. If a next time cannot be found. And the first error that a run returns, unless
    /// [`Ticks::on_error`] says otherwise: the ticker ends with it.
    pub fn cron<'a, F, Fut>(&'a self, cron: impl Into<Cron>, tick: F) -> Ticks<'a>
    where
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output: ServiceResult> + Send + 'a,
    {
        let cron = cron.into();
        Ticks::new(move |on_error| {
            Box::pin(async move { run(&Ticker::of_start(self, "cron", on_error, tick), &cron).await })
        })
    }
}

/// Ticks at the times of a cron expression.
pub(crate) async fn run<F, Fut>(ticker: &Ticker<F>, cron: &Cron) -> Result<(), BoxError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    ticker.shutdown.look();
    let member = ticker.cx.member();
    let stop = &member.stop_waiters().latch;
    keep(&Timetable::of(cron)?, stop, Timestamp::now, || ticker.run()).await?;
    if !stop.is_set() {
        let service = member.spec.get_name();
        tracing::warn!(target: "group", service, "{service}: `{cron}` never comes again");
        stop.wait().await;
    }
    Ok(())
}

/// Ticks at the times of a timetable, on this clock, until `stop` is set or no time is left.
async fn keep<F, Fut>(
    timetable: &Timetable,
    stop: &Latch,
    clock: impl Fn() -> Timestamp,
    mut tick: F,
) -> Result<(), BoxError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    // All times up to this one are done.
    let mut done = clock();
    loop {
        let now = clock();
        if done.duration_since(now) > SET_BACK {
            done = now;
        }
        let Some(next) = timetable.after(done)? else { return Ok(()) };
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        tokio::select! {
            biased;
            () = stop.wait() => return Ok(()),
            () = tokio::time::sleep(wait.min(LOOK_AGAIN)) => {}
        }
        if clock() >= next {
            tick().await.into_result()?;
            done = clock().max(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// Runs a ticker for a day, on a clock that begins at `now` and runs on with tokio's paused one. Each run
    /// takes `takes`. Returns the times of the runs, in seconds.
    async fn ticks(cron: &str, now: &str, takes: Duration, set: impl Fn(Duration) -> SignedDuration) -> Vec<u64> {
        let timetable = Timetable::of(&Cron::new(cron.to_owned())).unwrap();
        let (begun, now, stop) = (Instant::now(), at(now), Latch::default());
        let clock = || now + SignedDuration::try_from(begun.elapsed()).unwrap() + set(begun.elapsed());
        let mut ticks = Vec::new();
        let tick = || {
            ticks.push(begun.elapsed().as_secs());
            sleep(takes)
        };
        let a_day = async {
            sleep(Duration::from_secs(24 * 60 * 60)).await;
            stop.set();
        };
        let (kept, ()) = tokio::join!(keep(&timetable, &stop, clock, tick), a_day);
        kept.unwrap();
        ticks
    }

    const HOUR: u64 = 60 * 60;

    #[tokio::test(start_paused = true)]
    async fn it_ticks_at_the_times_of_the_expression() {
        let none = |_| SignedDuration::ZERO;
        let ticks = ticks("0 3,15 * * *", "2026-01-01T01:00:00.5Z", Duration::from_secs(1), none).await;
        assert_eq!(ticks, [2 * HOUR - 1, 14 * HOUR - 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn times_during_a_long_run_are_skipped() {
        let none = |_| SignedDuration::ZERO;
        let ticks = ticks("0 */8 * * *", "2026-01-01T07:00:00Z", Duration::from_secs(9 * HOUR), none).await;
        assert_eq!(ticks, [HOUR, 17 * HOUR]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_forward_is_noticed() {
        let forward = |passed| {
            if passed < Duration::from_secs(HOUR) { SignedDuration::ZERO } else { SignedDuration::from_hours(5) }
        };
        let ticks = ticks("0 3 * * *", "2026-01-01T00:00:00Z", Duration::ZERO, forward).await;
        assert_eq!(ticks, [HOUR, 22 * HOUR]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_a_little_makes_nothing_tick_twice() {
        let back = |passed| {
            if passed < Duration::from_secs(2 * HOUR) { SignedDuration::ZERO } else { SignedDuration::from_hours(-2) }
        };
        let ticks = ticks("0 1 * * *", "2026-01-01T00:00:00Z", Duration::ZERO, back).await;
        assert_eq!(ticks, [HOUR]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_far_is_believed() {
        let back = |passed| {
            if passed < Duration::from_secs(2 * HOUR) { SignedDuration::ZERO } else { SignedDuration::from_hours(-50) }
        };
        let ticks = ticks("0 3 * * *", "2026-01-05T02:00:00Z", Duration::ZERO, back).await;
        assert_eq!(ticks, [HOUR, 3 * HOUR]);
    }
}
