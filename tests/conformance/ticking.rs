//! Services with tickers, alone and beside a `start`. Paused time.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use group::{
    Context, Cron, Ending, FailedRun, Group, Outcome, Permanent, Report, Restart, Role, Service, Shutdown, service,
};
use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};
use tracing::Level;

use crate::support::{Journal, failures, in_time, listen, logged_at, millis, secs, text_at};

/// A journal whose entries say at which second they were written.
struct Diary {
    begun: Instant,
    journal: Journal,
}

impl Diary {
    fn of(journal: &Journal) -> Self {
        Self { begun: Instant::now(), journal: journal.clone() }
    }

    fn note(&self, what: &str) {
        self.journal.write(format!("{what} at {}", self.begun.elapsed().as_secs()));
    }
}

/// Starts the group, and stops it when this entry is written. Returns its report, and how long the stop took.
async fn stopped_when(group: &mut Group, journal: &Journal, entry: &str) -> (Report, Duration) {
    let running = group.start().await.unwrap();
    journal.until(entry).await;
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    (report, asked.elapsed())
}

struct Ticks {
    diary: Diary,
    takes: Duration,
}

#[service(register = false)]
impl Ticks {
    #[every("10s")]
    async fn tick(&self) {
        self.diary.note("ticks");
        sleep(self.takes).await;
        self.diary.note("ticked");
    }

    async fn stop(&self) {
        self.diary.note("stops");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_only_ticks_is_ready_at_once_and_runs_until_it_is_stopped() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Ticks { diary: Diary::of(&journal), takes: Duration::ZERO });
    let (report, took) = stopped_when(&mut group, &journal, "ticked at 20").await;
    assert!(report.is_clean(), "{report}");
    let ticks = report.service("ticks").unwrap();
    assert_eq!((ticks.ready_at(), ticks.ending(), took), (Some(Duration::ZERO), Ending::Stopped, Duration::ZERO));
    assert_eq!(journal.take(), ["ticks at 10", "ticked at 10", "ticks at 20", "ticked at 20", "stops at 20"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_run_is_finished_and_none_follows() {
    let journal = Journal::default();
    let mut group = Group::new();
    // The next tick is due long before this one has ended.
    group.add(Ticks { diary: Diary::of(&journal), takes: secs(24) }).stop_timeout(secs(60));
    group.configure("ticks", |spec| spec.stop_timeout(secs(30)));
    let (report, took) = stopped_when(&mut group, &journal, "ticks at 10").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (journal.take(), took),
        (vec!["ticks at 10".into(), "ticked at 34".into(), "stops at 34".into()], secs(24))
    );
}

#[tokio::test(start_paused = true)]
async fn a_last_run_that_takes_too_long_is_aborted() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Ticks { diary: Diary::of(&journal), takes: secs(24) });
    let (report, took) = stopped_when(&mut group, &journal, "ticks at 10").await;
    assert_eq!((report.outcome(), took), (Outcome::UncleanStop, secs(10)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_long_run_delays_the_next_which_is_not_made_up_for() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Ticks { diary: Diary::of(&journal), takes: secs(24) }).stop_timeout(secs(60));
    let _ = stopped_when(&mut group, &journal, "ticks at 58").await;
    let ticks: Vec<String> = journal.take().into_iter().filter(|entry| entry.starts_with("ticks")).collect();
    assert_eq!(ticks, ["ticks at 10", "ticks at 34", "ticks at 58"]);
}

struct Two(Diary);

#[service(register = false)]
impl Two {
    #[every("10s")]
    async fn slow(&self) {
        self.0.note("slow");
        sleep(secs(25)).await;
    }

    #[every("10s")]
    fn fast(&self) {
        self.0.note("fast");
    }
}

#[tokio::test(start_paused = true)]
async fn tickers_do_not_wait_for_one_another() {
    let journal = Journal::default();
    let _ = stopped_when(Group::new().add(Two(Diary::of(&journal))), &journal, "fast at 30").await;
    let mut entries = journal.take();
    entries.sort();
    assert_eq!(entries, ["fast at 10", "fast at 20", "fast at 30", "slow at 10"]);
}

struct Fails {
    diary: Diary,
    panics: bool,
}

#[service(register = false)]
impl Fails {
    #[every("10s")]
    async fn tick(&self) -> Result<(), &'static str> {
        self.diary.note("ticks");
        assert!(!self.panics, "no disk");
        Err("disk full")
    }

    #[every("1s")]
    async fn other(&self) {}
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_of_a_run_is_the_failure_of_the_service() {
    for (panics, words) in [(false, "disk full"), (true, "panicked: no disk, at ")] {
        let journal = Journal::default();
        let report = in_time(Group::new().add(Fails { diary: Diary::of(&journal), panics }).run()).await;
        assert_eq!((report.outcome(), report.ended_at()), (Outcome::RunFailed, secs(10)), "{report}");
        assert!(report.to_string().contains(&format!("`fails` failed: in `tick`: {words}")), "{report}");
        assert_eq!(report.failures().len(), 1, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_ticker_failed_can_be_started_again() {
    let journal = Journal::default();
    let mut group = Group::new();
    let restart = Restart::on_failure().max(1).backoff(millis(1), millis(1));
    group.add(Fails { diary: Diary::of(&journal), panics: false }).configure("fails", |spec| spec.restart(restart));
    let report = in_time(group.run()).await;
    assert_eq!((report.outcome(), report.service("fails").unwrap().restarts()), (Outcome::RunFailed, 1), "{report}");
    assert_eq!(journal.take(), ["ticks at 10", "ticks at 20"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_can_do_without_a_ticker() {
    let journal = Journal::default();
    let mut group = Group::new();
    group
        .add(Fails { diary: Diary::of(&journal), panics: false })
        .configure("fails", |spec| spec.critical(false))
        .add_fn("main", || sleep(secs(60)))
        .configure("main", |spec| spec.role(Role::Main));
    let report = in_time(group.run()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.ended_at(), journal.take()), (secs(60), vec!["ticks at 10".into()]));
}

/// A `start` of each kind, beside a ticker.
struct Hears(Diary);
struct Deaf(Diary);
struct Ended(Diary);
struct EndedByStop(Diary, Notify);

macro_rules! ticks_beside {
    ($service:ident { $($methods:tt)* }) => {
        #[service(register = false)]
        impl $service {
            $($methods)*

            #[every("10s")]
            async fn tick(&self) {
                self.0.note("ticks");
                sleep(secs(5)).await;
                self.0.note("ticked");
            }
        }
    };
}

ticks_beside!(Hears {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
        self.0.note("start ends");
    }
});

ticks_beside!(Deaf {
    async fn start(&self) {
        pending::<()>().await;
    }
});

ticks_beside!(Ended {
    async fn start(&self) {
        self.0.note("start ends");
    }
});

ticks_beside!(EndedByStop {
    async fn start(&self) {
        self.1.notified().await;
        self.0.note("start ends");
    }

    async fn stop(&self) {
        self.0.note("stops");
        self.1.notify_one();
    }
});

/// The entries of such a service when it is stopped during a tick.
async fn entries<S: Service>(service: impl FnOnce(Diary) -> S) -> Vec<String> {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(service(Diary::of(&journal)));
    let (report, took) = stopped_when(&mut group, &journal, "ticks at 10").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(took, secs(5), "{report}");
    journal.take()
}

#[tokio::test(start_paused = true)]
async fn beside_a_start_of_each_kind_the_last_run_is_finished() {
    let (start_ends, ticks) = ("start ends at 10", ["ticks at 10", "ticked at 15"]);
    assert_eq!(entries(Hears).await, [ticks[0], start_ends, ticks[1]]);
    assert_eq!(entries(Deaf).await, ticks);
    assert_eq!(entries(Ended).await, ["start ends at 0", ticks[0], ticks[1]]);
    let all = [ticks[0], ticks[1], "stops at 15", "start ends at 15"];
    assert_eq!(entries(|diary| EndedByStop(diary, Notify::new())).await, all, "`stop` may close what the run uses");
}

/// Real sockets, and so real time.
struct Web(Journal);

#[service(register = false, http = "127.0.0.1:0")]
impl Web {
    #[get("/")]
    async fn home(&self) -> &'static str {
        "home"
    }

    #[every("1ms")]
    async fn tick(&self) {
        self.0.write("ticks");
    }
}

#[tokio::test]
async fn beside_routes_a_ticker_ticks() {
    let journal = Journal::default();
    let running = Group::new().add(Web(journal.clone())).start().await.unwrap();
    journal.until("ticks").await;
    assert_eq!(text_at(running.local_addr("web").unwrap(), "/").await, "home");
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

struct Nightly;

#[service(register = false)]
impl Nightly {
    #[cron("0 3 * * *", tz = "Europe/Berlin")]
    async fn sweep(&self) {}

    #[cron("@hourly")]
    async fn dust(&self) {}
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_the_night_stops_at_once() {
    let running = Group::new().add(Nightly).start().await.unwrap();
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

struct Never;

#[service(register = false)]
impl Never {
    async fn start(&self) {}

    #[cron("0 25 * * *")]
    async fn tick(&self) {}
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_is_none_is_told_before_anything_is_built() {
    let line = line!() - 6;
    let report = in_time(Group::new().add(Never).run()).await;
    assert_eq!(report.exit_code(), 78, "{report}");
    let place = format!("{}:{line}", file!());
    assert_eq!(
        failures(&report),
        [format!(
            "`never` cannot tick ({place}): `0 25 * * *` is no cron expression (Component error: Number out of bounds): \
             expected `minute hour day month weekday`, as in `0 3 * * *`"
        )]
    );
}

#[tokio::test(start_paused = true)]
async fn by_hand_too() {
    for (cron, words) in [
        (Cron::new("0 3 * *"), "`0 3 * *` is no cron expression"),
        (Cron::new("0 3 * * *").tz("Europe/Belin"), "this machine knows no time zone `Europe/Belin`"),
        (Cron::new("0 3 31 2 *"), "`0 3 31 2 *` never comes"),
    ] {
        let mut group = Group::new();
        let report = in_time(group.add_fn("night", || async {}).configure("night", |spec| spec.cron(cron)).run()).await;
        assert_eq!(report.exit_code(), 78, "{report}");
        let place = format!("`night` cannot tick ({}:", file!());
        assert!(failures(&report)[0].starts_with(&place) && failures(&report)[0].contains(words), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_hand_a_period_of_zero_is_a_failure_of_the_service() {
    let mut group = Group::new();
    group.add_fn("eager", |cx: Context| async move { cx.every(Duration::ZERO, || async {}).await });
    let report = in_time(group.run()).await;
    assert_eq!(failures(&report), ["`eager` failed to start: a ticker needs a period that is longer than zero"]);
}

/// No `Shutdown` is taken: to tick, or to take messages, is to hear of the stop.
#[tokio::test(start_paused = true)]
async fn by_hand_a_service_that_ticks_or_takes_messages_is_waited_for() {
    let journal = Journal::default();
    let diary = || Diary::of(&journal);
    let (every, cron, messages) = (diary(), diary(), diary());
    let mut group = Group::new();
    group.add_fn("every", |cx: Context| async move {
        let run = async || {
            every.note("ticks");
            sleep(secs(5)).await;
            every.note("ticked");
        };
        let result = cx.every(secs(10), run).await;
        every.note("every ends");
        result
    });
    group.add_fn("cron", |cx: Context| async move {
        let result = cx.cron(Cron::new("0 3 31 1 *").tz("Europe/Berlin"), || async {}).await;
        cron.note("cron ends");
        result
    });
    group.add_fn("messages", |cx: Context| async move {
        let result = cx.for_each(futures_util::stream::pending::<()>(), 16, |()| async {}).await;
        messages.note("for_each ends");
        result.map(drop)
    });
    let (report, took) = stopped_when(&mut group, &journal, "ticks at 10").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (journal.take(), took),
        (
            ["ticks at 10", "for_each ends at 10", "cron ends at 10", "ticked at 15", "every ends at 15"]
                .map(String::from)
                .to_vec(),
            secs(5)
        )
    );
}

/// The machine's clock, and so real time.
#[tokio::test]
async fn by_hand_it_ticks_when_the_expression_says_so() {
    let journal = Journal::default();
    let ticks = journal.clone();
    let mut group = Group::new();
    group.add_fn("each-second", |cx: Context| async move {
        cx.cron("* * * * * *", || async { ticks.write("ticks") }).await
    });
    let (report, _) = stopped_when(&mut group, &journal, "ticks").await;
    assert!(report.is_clean(), "{report}");
}

/// The machine's clock, and so real time.
#[tokio::test]
async fn when_no_time_of_an_expression_is_left_the_log_says_so() {
    listen();
    let soon = (Timestamp::now() + secs(2)).to_zoned(TimeZone::UTC).strftime("%-S %-M %-H %-d %-m * %Y").to_string();
    let journal = Journal::default();
    let (ticks, expression) = (journal.clone(), soon.clone());
    let mut group = Group::new();
    group.add_fn("once", |cx: Context| async move {
        cx.cron(Cron::new(expression), || async { ticks.write("ticks") }).await
    });
    let (report, _) = stopped_when(&mut group, &journal, "ticks").await;
    assert!(report.is_clean(), "it waits for the stop: {report}");
    assert_eq!(logged_at(Level::WARN), [format!("WARN once: `{soon} in UTC` never comes again")]);
}

/// Fails as often as it is told.
struct Sweeper {
    diary: Diary,
    fails: AtomicUsize,
}

impl Sweeper {
    fn new(journal: &Journal, fails: usize) -> Self {
        Self { diary: Diary::of(journal), fails: AtomicUsize::new(fails) }
    }

    fn run(&self) -> Result<(), &'static str> {
        self.diary.note("sweeps");
        let fails = self.fails.load(Ordering::Relaxed);
        self.fails.store(fails.saturating_sub(1), Ordering::Relaxed);
        match fails {
            0 => Ok(()),
            1 => panic!("no broom"),
            _ => Err("disk full"),
        }
    }
}

mod logs {
    use super::{Sweeper, service};

    pub(super) struct Logs(pub(super) Sweeper);

    #[service(register = false)]
    impl Logs {
        fn new() -> Result<Self, &'static str> {
            Err("it is added by hand")
        }

        #[every("10s", on_error = "log")]
        async fn sweep(&self) -> Result<(), &'static str> {
            self.0.run()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_ticker_that_logs_its_errors_goes_on() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(logs::Logs(Sweeper::new(&journal, 2)));
    let (report, _) = stopped_when(&mut group, &journal, "sweeps at 30").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.take(), ["sweeps at 10", "sweeps at 20", "sweeps at 30"]);
    let report = report.to_string();
    assert!(report.contains("survived: `logs` failed: in `sweep`: disk full\n"), "{report}");
    assert!(report.contains("survived: `logs` failed: in `sweep`: panicked: no broom, at tests/conf"), "{report}");
}

struct Retries(Sweeper);

#[service(register = false)]
impl Retries {
    fn new() -> Result<Self, &'static str> {
        Err("it is added by hand")
    }

    #[every("10s", on_error = "retry")]
    async fn sweep(&self) -> Result<(), &'static str> {
        self.0.run()
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_is_tried_again_with_a_backoff() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Retries(Sweeper::new(&journal, 6)));
    let running = group.start().await.unwrap();
    journal.until("sweeps at 20").await;
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.failures().len(), 6, "{report}");
    // After at most 100, 200, 400, 800, 1600 and 3200 ms.
    let runs = journal.take();
    assert_eq!((&*runs[0], runs.len()), ("sweeps at 10", 8), "{runs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_to_be_tried_again_does_not_hold_the_stop() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Retries(Sweeper::new(&journal, usize::MAX)));
    let running = group.start().await.unwrap();
    sleep(secs(500)).await;
    let asked = Instant::now();
    let report = running.stop().await;
    assert!(report.is_clean() && asked.elapsed() < millis(1), "{:?} {report}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_retry_can_mend_waits_for_the_next_run() {
    let journal = Journal::default();
    let diary = Diary::of(&journal);
    let mut group = Group::new();
    group.add_fn("sweeper", |cx: Context| async move {
        let sweep = || {
            diary.note("sweeps");
            async { Err::<(), _>(Permanent::new("no such disk")) }
        };
        cx.every(secs(10), sweep).on_error(FailedRun::Retry).await
    });
    let (report, _) = stopped_when(&mut group, &journal, "sweeps at 20").await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.take(), ["sweeps at 10", "sweeps at 20"]);
}

#[tokio::test]
async fn a_cron_by_hand_logs_its_errors() {
    let ran = Arc::new(Semaphore::new(0));
    let runs = Arc::clone(&ran);
    let mut group = Group::new();
    group.add_fn("sweeper", |cx: Context| async move {
        let sweep = || {
            runs.add_permits(1);
            async { Err::<(), _>("disk full") }
        };
        cx.cron("* * * * * *", sweep).on_error(FailedRun::Log).await
    });
    let running = group.start().await.unwrap();
    // The first one was told when the second one runs.
    in_time(ran.acquire_many(2)).await.unwrap().forget();
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(failures(&report)[0], "`sweeper` failed: in `cron`");
}
