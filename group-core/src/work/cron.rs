//! What is done at certain times of the day, as a cron expression says.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::base::error::BoxError;
use crate::base::sync::Latch;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::service::shutdown::Shutdown;
use crate::spec::cron::Cron;

/// How long to trust a clock that may be set, on a machine that may sleep.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A clock that is set back by no more than this makes nothing tick twice. Vixie's cron draws the
/// line there, too.
const SET_BACK: SignedDuration = SignedDuration::from_hours(3);

impl Context {
    /// Ticks when a cron expression says so, until the service is asked to stop.
    ///
    /// As with [`every`](Self::every), a ticker never overlaps itself, does not tick while the service
    /// stops, and finishes its last run. What a long run misses is not made up for; what the machine
    /// slept through is, by one run. Once this is awaited, the service is waited for at the stop, as one
    /// that takes [`Shutdown`] is.
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
    /// In a `#[service]` block, that is `#[cron("0 3 * * *", tz = "Europe/Berlin")]` on a method.
    ///
    /// # Errors
    ///
    /// When the expression or its time zone is none: [`Spec::cron`](crate::Spec::cron) finds that
    /// before anything is built. The first error that a run returns, which is the last run then.
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
    keep(&times(cron)?, &shutdown.cx.member().stop_waiters().latch, Timestamp::now, tick).await
}

/// Whether a cron expression can be kept.
///
/// # Errors
///
/// When the expression or its time zone cannot be read, or when it never comes.
pub(crate) fn check(cron: &Cron) -> Result<(), BoxError> {
    match times(cron)?.after(Timestamp::now()) {
        Some(_) => Ok(()),
        None => Err(format!("`{}` never comes", cron.expression).into()),
    }
}

fn times(Cron { expression, tz }: &Cron) -> Result<Times, BoxError> {
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
    Ok(Times { pattern, tz })
}

/// What an expression says, in its time zone.
struct Times {
    pattern: croner::Cron,
    tz: TimeZone,
}

impl Times {
    fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = moment.to_zoned(self.tz.clone());
        Some(self.pattern.find_next_occurrence(&moment, false).ok()?.timestamp())
    }
}

async fn keep<F, Fut>(times: &Times, stop: &Latch, clock: impl Fn() -> Timestamp, mut tick: F) -> Result<(), BoxError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    // Until when everything has been done.
    let mut done = clock();
    loop {
        let now = clock();
        if done.duration_since(now) > SET_BACK {
            done = now;
        }
        let Some(next) = times.after(done) else {
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
        let times = times(&cron).unwrap();
        let mut moments = Vec::new();
        let mut moment = at(after);
        for _ in 0..count {
            moment = times.after(moment).unwrap();
            moments.push(moment.to_string());
        }
        moments
    }

    #[test]
    fn it_is_utc_unless_it_says_otherwise() {
        assert_eq!(next(&Cron::new("0 3 * * *"), "2026-01-01T03:00:00Z", 1), ["2026-01-02T03:00:00Z"]);
        let berlin = Cron::new("0 3 * * *").tz("Europe/Berlin");
        assert_eq!(next(&berlin, "2026-01-01T03:00:00Z", 1), ["2026-01-02T02:00:00Z"]);
    }

    #[test]
    fn where_the_clocks_change_a_time_of_the_day_comes_once() {
        let berlin = Cron::new("30 2 * * *").tz("Europe/Berlin");
        // From 02:00 to 03:00.
        assert_eq!(next(&berlin, "2026-03-28T12:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        // From 03:00 back to 02:00.
        assert_eq!(next(&berlin, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    /// Keeps this expression on a clock that shows this time at first, and runs on with tokio's paused
    /// one, a day long. Returns when it ticked, in seconds; each run takes as long as said.
    async fn ticks(cron: &str, now: &str, takes: Duration, set: impl Fn(Duration) -> SignedDuration) -> Vec<u64> {
        let times = times(&Cron::new(cron.to_owned())).unwrap();
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
        let (kept, ()) = tokio::join!(keep(&times, &stop, clock, tick), a_day);
        kept.unwrap();
        ticks
    }

    const HOUR: u64 = 60 * 60;

    #[tokio::test(start_paused = true)]
    async fn it_ticks_when_the_expression_says_so() {
        let none = |_| SignedDuration::ZERO;
        let ticks = ticks("0 3,15 * * *", "2026-01-01T01:00:00.5Z", Duration::from_secs(1), none).await;
        assert_eq!(ticks, [2 * HOUR - 1, 14 * HOUR - 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_long_run_misses_is_not_made_up_for() {
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
    async fn a_clock_that_is_set_back_far_was_wrong_before() {
        let back = |passed| {
            if passed < Duration::from_secs(2 * HOUR) { SignedDuration::ZERO } else { SignedDuration::from_hours(-50) }
        };
        let ticks = ticks("0 3 * * *", "2026-01-05T02:00:00Z", Duration::ZERO, back).await;
        assert_eq!(ticks, [HOUR, 3 * HOUR]);
    }
}
