//! Starting a service again.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use group::{
    BoxError, Context, Ending, Event, Group, Outcome, Permanent, Report, Restart, Role, Running, Service, Shutdown,
    Spec, State, StopReason,
};
use tokio::time::{Instant, sleep};
use tracing::Level;

use crate::support::{
    Act::{Fail, Hang, Panic, Return, Take},
    Journal, NOT_FIRED,
    Point::{Build, Run, StartLater, Stop},
    Probe, Stage as _, ended, fails_to_start, failures, in_time, listen, logged_at, millis, secs, started_and_stopped,
    stops, text_at, then, until_state,
};

/// Restarts without a wait, so that every time is exact.
fn at_once(restart: Restart) -> Restart {
    restart.backoff(Duration::ZERO, Duration::ZERO)
}

/// Restarts after a wait of one to two seconds.
fn after_a_while(restart: Restart) -> Restart {
    restart.backoff(secs(2), secs(2))
}

/// A service, `s1`, that fails a second after each of these starts, and restarts with this policy.
fn failing(journal: &Journal, starts: impl std::ops::RangeBounds<usize> + Clone, restart: Restart) -> Probe {
    let probe = journal.probe("s1").on_starts(starts.clone(), Run, Take(secs(1))).on_starts(starts, Run, Fail);
    probe.spec(|spec| spec.restart(restart))
}

#[tokio::test]
async fn what_is_always_started_again_cannot_end_the_group_or_be_done() {
    for role in [Role::Main, Role::Once] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("s1").spec(|spec| spec.role(role).restart(Restart::always())));
        let report = fails_to_start(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78));
        assert!(report.to_string().contains("`s1` cannot be restarted always"), "{report}");
        assert!(journal.take().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_service_is_not_built_while_that_is_down() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(failing(&journal, ..=1, Restart::on_failure().backoff(secs(20), secs(20))));
    group.probe(journal.probe("slow").on(StartLater, Take(secs(5))));
    group.build::<1>(journal.probe("b").after(["s1", "slow"]));
    let running = in_time(group.start()).await.unwrap();
    assert_eq!(
        journal.take(),
        ["s1 starts", "slow starts", "slow ready", "s1 starts", "b builds", "b built", "b starts"]
    );
    assert_eq!(running.handle().status().service("s1").unwrap().state(), State::Ready);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_once_is_not_run_again_when_what_needs_it_is() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("m").spec(|spec| spec.role(Role::Once)).on(Run, Return));
    group.probe(failing(&journal, ..=1, at_once(Restart::on_failure())).after(["m"]));
    let (report, _) = ended(group.lasts(secs(5))).await;
    assert_eq!(report.service("s1").unwrap().restarts(), 1);
    let stopped = [stops(["s1"]), vec!["m stops".to_owned(), "m dropped".to_owned()]].concat();
    assert_eq!(journal.take(), then(&["m starts", "s1 starts", "s1 starts"], stopped));
}

#[tokio::test(start_paused = true)]
async fn each_start_has_the_whole_start_timeout() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s1 = failing(&journal, ..=1, at_once(Restart::on_failure())).on_starts(2.., StartLater, Hang);
    let (report, at) = ended(group.probe(s1.spec(|spec| spec.start_timeout(secs(3))))).await;
    assert_eq!((report.outcome(), at), (Outcome::RunFailed, secs(1 + 3)));
    let late = format!("`s1` failed to start: it is not ready after 3 s (start_timeout): {NOT_FIRED}");
    assert_eq!(failures(&report), ["`s1` failed: s1 fails in Run", &late]);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_fails_while_others_drain_is_started_again_until_its_turn() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(failing(&journal, ..=1, at_once(Restart::on_failure())).spec(|spec| spec.role(Role::Daemon)));
    group.probe(journal.probe("server").on(Stop, Take(secs(5))));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::Clean, secs(5)));
    assert_eq!(report.service("s1").unwrap().last_restarts(), [secs(1)]);
    let drained = ["s1 starts", "server starts", "server asked", "server stops", "s1 starts", "server dropped"];
    assert_eq!(journal.take(), then(&drained, stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn whether_a_service_is_started_again_depends_on_how_it_ended() {
    let again = (1, Ending::Stopped, Outcome::Clean);
    let completed = (0, Ending::Completed, Outcome::Clean);
    let failed = (0, Ending::Failed, Outcome::RunFailed);
    for (restart, act, expected) in [
        (Restart::always(), Return, again),
        (Restart::always(), Fail, again),
        (Restart::always(), Panic, again),
        (Restart::on_failure(), Return, completed),
        (Restart::on_failure(), Fail, again),
        (Restart::on_failure(), Panic, again),
        (Restart::never(), Return, completed),
        (Restart::never(), Fail, failed),
        (Restart::never(), Panic, failed),
    ] {
        let journal = Journal::default();
        let s1 = journal.probe("s1").on_starts(..=1, Run, Take(secs(1))).on_starts(..=1, Run, act);
        let mut group = Group::new();
        let (report, _) = ended(group.probe(s1.spec(|spec| spec.restart(at_once(restart)))).lasts(secs(5))).await;
        let s1 = report.service("s1").unwrap();
        assert_eq!((s1.restarts(), s1.ending(), report.outcome()), expected, "{act:?}, {restart:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_role_does_not_allow_is_a_failure() {
    let journal = Journal::default();
    let mut group = Group::new();
    let daemon = journal.probe("s1").on_starts(..=1, Run, Take(secs(1))).on_starts(..=1, Run, Return);
    group.probe(daemon.spec(|spec| spec.role(Role::Daemon).restart(at_once(Restart::on_failure()))));
    let (report, _) = ended(group.lasts(secs(5))).await;
    assert!(report.is_clean());
    assert_eq!(report.service("s1").unwrap().restarts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_tried_again_before_what_comes_after_it() {
    for act in [Fail, Panic, Return] {
        let journal = Journal::default();
        let mut group = Group::new();
        let s1 = journal.probe("s1").on_starts(..=2, StartLater, act);
        group.probe(s1.spec(|spec| spec.restart(at_once(Restart::on_failure())))).probe(journal.probe("s2"));
        let (report, _) = started_and_stopped(&mut group).await;
        assert!(report.is_clean(), "{report}");
        let started = ["s1 starts", "s1 starts", "s1 starts", "s1 ready", "s2 starts"];
        assert_eq!(journal.take(), then(&started, stops(["s2", "s1"])));
    }
}

#[tokio::test]
async fn what_could_not_be_built_is_not_tried_again() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.build::<1>(journal.probe("s1").on(Build, Fail).spec(|spec| spec.restart(at_once(Restart::always()))));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    assert_eq!(journal.take(), ["s1 builds"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_started_again_is_the_same_instance_and_so_are_the_others() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.build::<1>(failing(&journal, ..=1, at_once(Restart::on_failure())));
    let (report, _) = ended(group.build::<2>(journal.probe("s2")).lasts(secs(5))).await;
    assert!(report.is_clean());
    let built = ["s1 builds", "s1 built", "s1 starts", "s2 builds", "s2 built", "s2 starts"];
    assert_eq!(journal.take(), then(&built, [vec!["s1 starts".to_owned()], stops(["s2", "s1"])].concat()));
}

#[tokio::test(start_paused = true)]
async fn a_third_death_within_the_budget_stops_the_group() {
    let journal = Journal::default();
    let mut group = journal.group(["s0"]);
    group.probe(failing(&journal, .., at_once(Restart::on_failure()).max(2).within(secs(60))));
    let (report, at) = ended(group.probe(journal.probe("s2"))).await;
    assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::RunFailed, 1, secs(3)));
    assert_eq!(report.service("s1").unwrap().last_restarts(), [secs(1), secs(2)]);
    let fatal: Vec<_> = report.failures().iter().map(group::Failure::is_fatal).collect();
    assert_eq!(fatal, [false, false, true], "every death is told, and one is the cause");
    let stopped = [stops(["s2"]), vec!["s1 stops".to_owned(), "s1 dropped".to_owned()], stops(["s0"])].concat();
    assert_eq!(journal.take(), then(&["s0 starts", "s1 starts", "s2 starts", "s1 starts", "s1 starts"], stopped));
}

#[tokio::test(start_paused = true)]
async fn to_have_ended_too_often_is_a_failure_of_what_should_always_run() {
    for role in [Role::Task, Role::Daemon] {
        let journal = Journal::default();
        let mut group = journal.group(["s0"]);
        let restart = at_once(Restart::always()).max(2).within(secs(60));
        let s1 = journal.probe("s1").on(Run, Take(secs(1))).on(Run, Return);
        group.probe(s1.spec(|spec| spec.role(role).restart(restart)));
        let (report, at) = ended(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::RunFailed, 1, secs(3)), "{role:?}");
        let last = report.failures().last().expect("it has failed");
        assert!(last.is_fatal() && last.to_string().contains("`s1` failed: ended unexpectedly"), "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn deaths_that_are_further_apart_than_the_window_never_use_up_the_budget() {
    for (every, restarts, outcome) in [(millis(2100), 9, Outcome::Clean), (millis(900), 1, Outcome::RunFailed)] {
        let journal = Journal::default();
        let mut group = Group::new();
        let restart = at_once(Restart::on_failure()).max(1).within(secs(1));
        group.probe(journal.probe("s1").on(Run, Take(every)).on(Run, Fail).spec(|spec| spec.restart(restart)));
        let (report, _) = ended(group.lasts(secs(20))).await;
        assert_eq!((report.service("s1").unwrap().restarts(), report.outcome()), (restarts, outcome), "{every:?}");
    }
}

/// Stops the group, and expects that the stop takes no time, because there is nothing to wait
/// for.
async fn stops_at_once(running: Running) -> Report {
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    assert_eq!(asked.elapsed(), Duration::ZERO);
    report
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_backoff() {
    let journal = Journal::default();
    let mut group = Group::new();
    let running = group.probe(failing(&journal, .., after_a_while(Restart::on_failure()))).start().await.unwrap();
    until_state(&running.handle(), "s1", State::Restarting).await;
    assert!(stops_at_once(running).await.is_clean());
    assert_eq!(journal.take(), ["s1 starts", "s1 stops", "s1 dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_what_is_being_started_again() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s1 = failing(&journal, ..=1, after_a_while(Restart::on_failure())).on_starts(2.., StartLater, Hang);
    let running = group.probe(s1).start().await.unwrap();
    until_state(&running.handle(), "s1", State::Starting).await;
    assert!(stops_at_once(running).await.is_clean());
    assert_eq!(journal.take(), then(&["s1 starts", "s1 ready", "s1 starts"], stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_loop_of_restarts_without_a_wait() {
    let journal = Journal::default();
    let mut group = Group::new();
    let endless = at_once(Restart::on_failure()).max(usize::MAX);
    let running = group.probe(journal.probe("s1").on(Run, Fail).spec(|spec| spec.restart(endless))).start();
    let report = stops_at_once(running.await.unwrap()).await;
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked));
    let written = journal.take();
    assert!(written.ends_with(&["s1 stops".to_owned(), "s1 dropped".to_owned()]), "{written:?}");
    assert_eq!(written.iter().filter(|entry| *entry == "s1 stops").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_its_next_start_shows_it() {
    listen();
    let journal = Journal::default();
    let mut group = Group::new();
    let running = group.probe(failing(&journal, .., after_a_while(Restart::on_failure()))).start().await.unwrap();
    let handle = running.handle();
    for before in [0, 1] {
        until_state(&handle, "s1", State::Restarting).await;
        let status = handle.status();
        let s1 = status.service("s1").unwrap();
        assert_eq!((s1.state(), s1.restarts()), (State::Restarting, before));
        let next = s1.starts_again_in().unwrap();
        assert!(next >= secs(1) && next <= secs(2), "{next:?}");
        assert!(s1.to_string().starts_with("restarting in "), "{s1}");
        sleep(millis(500)).await;
        let later = handle.status().service("s1").unwrap().starts_again_in();
        assert_eq!(later, next.checked_sub(millis(500)));
        let warnings = logged_at(Level::WARN);
        let told = format!("(restart {}, at most 5 in 1m)", before + 1);
        let when = |warning: &&String| warning.starts_with("WARN s1: restarting in") && warning.contains(&told);
        assert_eq!(warnings.iter().filter(when).count(), 1, "{warnings:?}");
        until_state(&handle, "s1", State::Ready).await;
        assert_eq!(handle.status().service("s1").unwrap().starts_again_in(), None);
    }
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn waits_grow_up_to_a_bound_and_are_not_all_equal() {
    let journal = Journal::default();
    let mut group = Group::new();
    let restart = Restart::on_failure().backoff(secs(1), secs(6)).max(4);
    for number in 0..8 {
        let probe = journal.probe(&format!("s{number}")).on_starts(..=4, Run, Fail);
        group.probe(probe.spec(|spec| spec.restart(restart)));
    }
    let (report, _) = ended(group.lasts(secs(20))).await;
    let mut first = HashSet::new();
    for service in &report.services()[..8] {
        let times: Vec<_> = [Duration::ZERO].iter().chain(service.last_restarts()).copied().collect();
        let waits: Vec<_> = times.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
        // Each is shortened at random, by up to a half; timers are exact to a millisecond.
        let longest = [1, 2, 4, 6].map(secs);
        assert_eq!(waits.len(), longest.len());
        for (wait, longest) in waits.iter().zip(longest) {
            assert!(*wait >= longest / 2 && *wait <= longest + millis(1), "{waits:?}");
        }
        first.insert(waits[0]);
    }
    assert!(first.len() > 1, "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_stable_period_the_wait_is_short_again() {
    let journal = Journal::default();
    let mut group = Group::new();
    let restart = Restart::on_failure().backoff(secs(1), secs(60)).within(secs(30));
    let s1 = journal.probe("s1").on_starts(..=3, Run, Fail);
    let s1 = s1.on_starts(4..=4, Run, Take(secs(30))).on_starts(4..=4, Run, Fail);
    let (report, _) = ended(group.probe(s1.spec(|spec| spec.restart(restart))).lasts(secs(60))).await;
    let [.., third, fourth] = report.service("s1").unwrap().last_restarts() else { panic!("{report}") };
    let wait = fourth.abs_diff(*third + secs(30));
    assert!(wait <= secs(1) + millis(1), "{wait:?}");
}

/// An error of a client, with a permanent cause.
#[derive(Debug)]
struct LoginFailed(Permanent);

impl fmt::Display for LoginFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot log in")
    }
}

impl std::error::Error for LoginFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Fails with this error after a second, when it runs first.
struct FailsWith(std::sync::Mutex<Option<BoxError>>);

impl Service for FailsWith {
    async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
        sleep(secs(1)).await;
        Err(self.0.lock().unwrap().take().expect("it runs once"))
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_permanent_error_a_service_is_not_started_again() {
    let direct = || -> BoxError { Permanent::new("wrong password").into() };
    let wrapped = || -> BoxError { LoginFailed(Permanent::new("wrong password")).into() };
    let of_io = || -> BoxError { std::io::Error::other(Permanent::new("wrong password")).into() };
    let errors = [(direct(), "wrong password"), (wrapped(), "cannot log in"), (of_io(), "wrong password")];
    for (error, message) in errors {
        let mut group = Group::new();
        group.add_as("s1", FailsWith(std::sync::Mutex::new(Some(error))));
        group.configure("s1", |spec| spec.restart(at_once(Restart::always())));
        let (report, at) = ended(&mut group).await;
        assert_eq!((report.outcome(), at), (Outcome::RunFailed, secs(1)));
        assert_eq!(report.service("s1").unwrap().restarts(), 0);
        assert_eq!(failures(&report), [format!("`s1` failed: {message}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bystander_is_not_started_again_and_each_has_a_budget_of_its_own() {
    let journal = Journal::default();
    let mut group = journal.group(["bystander"]);
    for name in ["s1", "s2"] {
        let dies_twice = journal.probe(name).on_starts(..=2, Run, Take(secs(1))).on_starts(..=2, Run, Fail);
        group.probe(dies_twice.spec(|spec| spec.restart(at_once(Restart::on_failure().max(2)))));
    }
    let (report, _) = ended(group.lasts(secs(10))).await;
    assert_eq!(report.outcome(), Outcome::Clean, "{report}");
    let restarts: Vec<u64> = report.services().iter().map(group::ServiceReport::restarts).collect();
    assert_eq!(restarts, [0, 2, 2, 0]);
    let starts = |name: &str| journal.count(&format!("{name} starts"));
    assert_eq!((starts("bystander"), starts("s1"), starts("s2")), (1, 3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_started_again_for_ever_leaves_a_bounded_report_with_its_first_cause() {
    let mut group = Group::new();
    let number = std::sync::atomic::AtomicUsize::new(0);
    let forever = at_once(Restart::on_failure().max(usize::MAX));
    group.add(Counts(number)).configure("counts", |spec| spec.restart(forever));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.cause().unwrap().to_string(), "`counts` failed to start: 1500 is enough");
    assert_eq!((report.failures().len(), report.forgotten()), (1001, 500));
    assert_eq!(report.failures()[0].error().to_string(), "500");
    assert!(report.to_string().contains("survived: 500 more"));
}

/// Fails with the number of its start; the 1500th failure is permanent.
struct Counts(std::sync::atomic::AtomicUsize);

impl Service for Counts {
    async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            1500 => Err(Permanent::new("1500 is enough").into()),
            number => Err(number.to_string().into()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_group_is_not_ready_while_a_service_it_cannot_do_without_is_down() {
    let ready = |critical: bool| async move {
        let journal = Journal::default();
        let mut group = Group::new();
        let s1 = failing(&journal, ..=1, after_a_while(Restart::on_failure()));
        let running = group.probe(s1.spec(|spec: Spec| spec.critical(critical))).start().await.unwrap();
        let handle = running.handle();
        let before = handle.status().is_ready();
        until_state(&handle, "s1", State::Restarting).await;
        let down = handle.status();
        assert!(down.is_live() && down.is_degraded() != critical, "{down:?}");
        until_state(&handle, "s1", State::Ready).await;
        let after = handle.status().is_ready();
        assert!(running.stop().await.is_clean());
        (before, down.is_ready(), after)
    };
    assert_eq!(ready(true).await, (true, false, true));
    assert_eq!(ready(false).await, (true, true, true));
}

/// The service takes a `Ready` after it is ready, fails, and its second run takes one that it fires.
#[tokio::test(start_paused = true)]
async fn a_late_ready_holds_back_neither_this_run_nor_the_next() {
    for is_kept in [false, true] {
        let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut group = Group::new();
        group.add_as("s1", Late { kept: Arc::clone(&kept), is_kept, runs: 3.into() });
        let restart = at_once(Restart::on_failure());
        group.configure("s1", |spec| spec.restart(restart).start_timeout(secs(2)));
        let (report, at) = ended(group.lasts(secs(60))).await;
        assert_eq!((report.outcome(), at), (Outcome::Clean, secs(60)), "{report}");
        assert_eq!(report.service("s1").unwrap().restarts(), 2, "{report}");
        assert_eq!(failures(&report), ["`s1` failed: it dies", "`s1` failed: it dies"]);
        assert_eq!(kept.lock().unwrap().len(), if is_kept { 2 } else { 0 });
    }
}

/// Takes a `Ready` in time and another one when it is ready already, in a task of its own, too.
struct Late {
    kept: Arc<std::sync::Mutex<Vec<group::Ready>>>,
    is_kept: bool,
    /// The number of runs that are left. The last one lasts.
    runs: std::sync::atomic::AtomicUsize,
}

impl Service for Late {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let shutdown = cx.shutdown();
        cx.ready().fire();
        tokio::task::yield_now().await;
        if self.runs.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            shutdown.requested().await;
            return Ok(());
        }
        let (late, aside) = (cx.ready(), cx.clone());
        tokio::spawn(async move { drop(aside.ready()) }).await?;
        if self.is_kept {
            self.kept.lock().unwrap().push(late);
        }
        Err("it dies".into())
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_run_still_waits_for_a_ready_of_its_own() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s1 = failing(&journal, ..=1, at_once(Restart::on_failure())).on(StartLater, Take(secs(3)));
    let running = in_time(group.probe(s1).start()).await.unwrap();
    let handle = running.handle();
    until_state(&handle, "s1", State::Starting).await;
    let again = Instant::now();
    until_state(&handle, "s1", State::Ready).await;
    assert_eq!(again.elapsed(), secs(3));
    assert!(running.stop().await.is_clean());
}

/// Waits before restarts, starts and drains are longer than `within`, and forget nothing.
#[tokio::test(start_paused = true)]
async fn the_limit_of_restarts_is_reached_however_long_the_waits_and_starts_are() {
    let journal = Journal::default();
    let slow = || journal.probe("s1").on(StartLater, Take(secs(3))).on(Run, Take(millis(1))).on(Run, Fail);
    let short = |journal: &Journal| journal.probe("s1").on(Run, Take(millis(900))).on(Run, Fail);
    let limit = |restart: Restart| restart.max(2).within(secs(1));
    let every_12_s = journal.probe("s1").on(Run, Take(secs(12))).on(Run, Fail);
    for (probe, restart, restarts) in [
        (short(&journal), limit(Restart::on_failure()).backoff(secs(2), secs(4)), 2),
        (slow(), limit(at_once(Restart::on_failure())), 2),
        (short(&journal), limit(Restart::always()).backoff(secs(10), secs(10)), 2),
        (every_12_s, Restart::on_failure(), 5),
    ] {
        let mut group = Group::new();
        let (report, _) = ended(group.probe(probe.spec(|spec| spec.restart(restart))).lasts(secs(600))).await;
        let s1 = report.service("s1").unwrap();
        assert_eq!((s1.restarts(), report.outcome()), (restarts, Outcome::RunFailed), "{restart:?}");
    }
}

/// The time in which a server finishes its requests is no time for which the service was ready.
#[tokio::test]
async fn a_drain_between_two_deaths_is_no_stable_period() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    let mut group = Group::new();
    let restart = at_once(Restart::on_failure()).max(1).within(secs(1));
    group.add_as("web", Dies(free)).configure("web", |spec| spec.restart(restart));
    let (report, took) = ended(&mut group).await;
    assert!(took >= secs(2), "each run answers its request");
    assert_eq!((report.outcome(), report.service("web").unwrap().restarts()), (Outcome::RunFailed, 1), "{report}");
}

/// Serves on this address, and fails once its own request is in flight, which takes longer than `within`.
struct Dies(std::net::SocketAddr);

impl Service for Dies {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let (arrived, mut has_arrived) = tokio::sync::mpsc::channel(1);
        let slow = || async move {
            let _ = arrived.send(()).await;
            sleep(millis(1100)).await;
            "answered"
        };
        let (addr, ready) = (self.0, cx.ready());
        cx.spawn(async move {
            tokio::spawn(text_at(addr, "/"));
            has_arrived.recv().await;
            ready.fire();
            tokio::task::yield_now().await;
            Err::<(), _>("it dies")
        });
        let routes = group::axum::Router::new().route("/", group::axum::routing::get(slow));
        group::http::serve(&cx, &addr.to_string(), routes).await
    }
}

#[tokio::test]
async fn restarts_that_would_never_be_used_up_are_an_invalid_setup() {
    for restart in [Restart::on_failure(), Restart::always().max(0)] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("s1").spec(|spec| spec.restart(restart.within(Duration::ZERO))));
        let report = fails_to_start(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78));
        assert!(report.to_string().contains("`s1` cannot be restarted within 0s"), "{report}");
        assert!(journal.take().is_empty());
    }
    let mut group = Group::new();
    let report =
        group.probe(Journal::default().probe("s1").spec(|spec| spec.restart(Restart::never().within(Duration::ZERO))));
    assert!(report.start().await.unwrap().stop().await.is_clean(), "it is never restarted");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_can_run_again_is_run_again() {
    let starts = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut group = Group::new();
    let counted = Arc::clone(&starts);
    group.add_restartable_fn("f", move |shutdown: Shutdown| async move {
        tokio::task::yield_now().await;
        if counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
            return Err("not yet");
        }
        shutdown.requested().await;
        Ok(())
    });
    group.configure("f", |spec| spec.restart(at_once(Restart::on_failure())));
    let (report, _) = ended(group.lasts(secs(5))).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.service("f").unwrap().restarts(), 2);
    assert_eq!(failures(&report), ["`f` failed: not yet", "`f` failed: not yet"]);
    assert_eq!(starts.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_function_that_runs_once_is_refused_with_a_restart_policy() {
    for restart in [Restart::on_failure(), Restart::always(), Restart::never()] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        group.add_fn("f", |shutdown: Shutdown| async move { shutdown.requested().await });
        group.configure("f", |spec| spec.restart(restart));
        if restart == Restart::never() {
            assert!(group.start().await.unwrap().stop().await.is_clean());
            continue;
        }
        assert!(group.order().unwrap_err().to_string().contains("`f`"));
        let report = fails_to_start(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78));
        let refused = report.to_string();
        assert!(refused.contains("`f` (") && refused.contains("use `add_restartable_fn`"), "{refused}");
        assert!(journal.take().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_started_again_is_found_where_it_listens_now() {
    let may_fail = Arc::new(tokio::sync::Notify::new());
    let fails = Arc::clone(&may_fail);
    let mut group = Group::new();
    group.add_restartable_fn("web", move |cx: Context| async move {
        // The port of the run before is taken, so that this run has another.
        let _taken = cx.handle().local_addr("web").map(|before| std::net::TcpListener::bind(before).unwrap());
        let routes = group::axum::Router::new().route("/", group::axum::routing::get(|| async { "served" }));
        tokio::select! {
            served = group::http::serve(&cx, "127.0.0.1:0", routes) => served,
            () = fails.notified() => Err("it dies".into()),
        }
    });
    group.configure("web", |spec| spec.restart(at_once(Restart::on_failure())));
    let running = group.start().await.unwrap();
    let (handle, first) = (running.handle(), running.local_addr("web").unwrap());
    let mut events = handle.events();
    may_fail.notify_one();
    let is_ready_again = |event: Event| matches!(event, Event::Service { state: State::Ready, .. });
    in_time(async { while !is_ready_again(events.recv().await.unwrap()) {} }).await;
    let now = handle.local_addr("web").unwrap();
    assert_ne!(now, first);
    assert_eq!(text_at(now, "/").await, "served");
    assert!(in_time(running.stop()).await.is_clean());
}
