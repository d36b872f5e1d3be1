//! Tickers at certain times of the day, given by a cron expression.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::base::error::BoxError;
use crate::base::sync::Latch;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::service::shutdown::Shutdown;
use crate::spec::cron::Cron;

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
    /// the stop, as for one that takes [`Shutdown`].
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
    /// before anything is built. And the first error that a run returns: the ticker ends with it.
    pub async fn cron<F, Fut>(&self, cron: impl Into<Cron>, tick: F) -> Result<(), BoxError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output: ServiceResult>,
    {
        run(&self.shutdown(), &cron.into(), tick).await
    }
}

pub(crate) async fn run<F, Fut>(shutdown: &Shutdown, cron: &Cron, tick: F) -> Result<(), BoxError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    keep(&timetable(cron)?, &shutdown.cx.member().stop_waiters().latch, Timestamp::now, tick).await
}

/// Checks that a cron expression is valid and has a next time.
///
/// # Errors
///
/// If the expression or its time zone cannot be read, or if no time ever matches.
pub(crate) fn check(cron: &Cron) -> Result<(), BoxError> {
    match timetable(cron)?.after(Timestamp::now()) {
        Some(_) => Ok(()),
        None => Err(format!("`{}` never comes", cron.expression).into()),
    }
}

fn timetable(Cron { expression, tz }: &Cron) -> Result<Timetable, BoxError> {
    let pattern = expression.parse().map_err(|reason: croner::errors::CronError| {
        let reason = reason.to_string();
        let reason = reason.trim_end_matches('.');
        format!(
            "`{expression}` is no cron expression ({reason}): \
             expected `minute hour day month weekday`, as in `0 3 * * *`"
        )
    })?;
    let tz = TimeZone::get(tz).map_err(|_| {
        format!("this machine knows no time zone `{tz}`: expected a name as in `Europe/Berlin`, or `UTC`")
    })?;
    Ok(Timetable { pattern, tz })
}

/// The times that match an expression, in its time zone.
struct Timetable {
    pattern: croner::Cron,
    tz: TimeZone,
}

impl Timetable {
    /// Returns the first time after a moment.
    fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = moment.to_zoned(self.tz.clone());
        Some(self.pattern.find_next_occurrence(&moment, false).ok()?.timestamp())
    }
}

/// Ticks at the times of a timetable, on this clock, until `stop` is set.
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
        let Some(next) = timetable.after(done) else {
            stop.wait().await;
            return Ok(());
        };
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

    fn next(cron: &Cron, after: &str, count: usize) -> Vec<String> {
        let timetable = timetable(cron).unwrap();
        let mut moments = Vec::new();
        let mut moment = at(after);
        for _ in 0..count {
            moment = timetable.after(moment).unwrap();
            moments.push(moment.to_string());
        }
        moments
    }

    #[test]
    fn the_time_zone_is_utc_by_default() {
        assert_eq!(next(&Cron::new("0 3 * * *"), "2026-01-01T03:00:00Z", 1), ["2026-01-02T03:00:00Z"]);
        let berlin = Cron::new("0 3 * * *").tz("Europe/Berlin");
        assert_eq!(next(&berlin, "2026-01-01T03:00:00Z", 1), ["2026-01-02T02:00:00Z"]);
    }

    #[test]
    fn when_the_clocks_change_a_time_of_the_day_comes_once() {
        let berlin = Cron::new("30 2 * * *").tz("Europe/Berlin");
        // From 02:00 to 03:00.
        assert_eq!(next(&berlin, "2026-03-28T12:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        // From 03:00 back to 02:00.
        assert_eq!(next(&berlin, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    /// Runs a ticker for a day, on a clock that begins at `now` and runs on with tokio's paused one. Each run
    /// takes `takes`. Returns the times of the runs, in seconds.
    async fn ticks(cron: &str, now: &str, takes: Duration, set: impl Fn(Duration) -> SignedDuration) -> Vec<u64> {
        let timetable = timetable(&Cron::new(cron.to_owned())).unwrap();
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
