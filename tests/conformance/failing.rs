//! Failure, panic and early exit while the group runs.

use std::any::Any;
use std::panic::{catch_unwind, panic_any, resume_unwind};
use std::time::Duration;

use group::{Ending, Group, Outcome, Report, Role, Shutdown, Stage as During, StopReason};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::support::{
    Act::{Fail, Panic, Return, Take},
    Journal,
    Point::{Asked, Run, Start},
    Stage as _, fails_to_start, failures, in_time, millis, secs, started_and_stopped, stops, then,
};

/// Runs the group until it ends by itself. Returns its report, and how long it ran.
async fn ended(group: &mut Group) -> (Report, Duration) {
    let begun = Instant::now();
    let report = in_time(async { group.start().await.expect("the group starts").wait().await }).await;
    (report, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_after_its_first_await_stops_the_group_in_order() {
    for act in [Fail, Panic] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        group.probe(journal.probe("s2").on(Run, Take(secs(1))).on(Run, act)).probe(journal.probe("s3"));
        let (report, at) = ended(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::RunFailed, 1, secs(1)));
        assert_eq!(report.stopped_by(), Some(&StopReason::Failed("s2".to_owned())));
        let [failure] = report.failures() else { panic!("{report}") };
        assert_eq!((failure.service(), failure.stage()), (Some("s2"), During::Run));
        let stopped = [stops(["s3"]), vec!["s2 stops".to_owned(), "s2 dropped".to_owned()], stops(["s1"])].concat();
        assert_eq!(journal.take(), then(&["s1 starts", "s2 starts", "s3 starts"], stopped));
    }
}

#[tokio::test]
async fn a_service_that_fails_before_its_first_await_was_never_ready() {
    for act in [Fail, Panic] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        let report = fails_to_start(group.probe(journal.probe("s2").on(Start, act))).await;
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::StartFailed, 2));
        assert_eq!(report.service("s2").unwrap().ready_at(), None);
        assert_eq!(journal.take(), then(&["s1 starts", "s2 starts", "s2 stops", "s2 dropped"], stops(["s1"])));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_of_three_failures_is_the_cause_and_the_others_are_told_too() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Asked, Fail));
    group.probe(journal.probe("s2").on(Run, Take(secs(1))).on(Run, Fail));
    group.probe(journal.probe("s3").on(Asked, Fail));
    let (report, _) = ended(&mut group).await;
    let (s1, s3) = ("`s1` failed to stop: s1 fails in Asked", "`s3` failed to stop: s3 fails in Asked");
    assert_eq!(failures(&report), ["`s2` failed: s2 fails in Run", s3, s1]);
    assert_eq!(report.cause().unwrap().service(), Some("s2"));
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::RunFailed, 1));
}

#[tokio::test(start_paused = true)]
async fn none_of_three_failures_at_one_moment_is_lost() {
    let (journal, mut group) = (Journal::default(), Group::new());
    for name in ["s1", "s2", "s3"] {
        group.probe(journal.probe(name).on(Run, Take(secs(1))).on(Run, Fail));
    }
    let (report, _) = ended(&mut group).await;
    let mut failed: Vec<_> = report.failures().iter().filter_map(group::Failure::service).collect();
    assert_eq!(report.stopped_by(), Some(&StopReason::Failed(failed[0].to_owned())));
    failed.sort_unstable();
    assert_eq!(failed, ["s1", "s2", "s3"]);
    assert_eq!(report.outcome(), Outcome::RunFailed);
}

#[tokio::test(start_paused = true)]
async fn a_healthy_worker_is_told_to_stop_and_finishes_when_another_fails() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("worker").on(Asked, Take(secs(2))));
    let (report, at) = ended(group.probe(journal.probe("other").on(Run, Take(secs(1))).on(Run, Fail))).await;
    let failed = ["worker starts", "other starts", "other stops", "other dropped"];
    assert_eq!(journal.take(), then(&failed, stops(["worker"])));
    assert_eq!(report.service("worker").unwrap().ending(), Ending::Stopped);
    assert_eq!((report.failures().len(), at), (1, secs(3)));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_returns_while_the_group_runs_has_failed() {
    let daemon: fn(group::Spec) -> group::Spec = |spec| spec.role(Role::Daemon);
    let http: fn(group::Spec) -> group::Spec = |spec| spec.http("127.0.0.1:0");
    for kind in [daemon, http] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        let early = journal.probe("early").on(Run, Take(secs(1))).on(Run, Return);
        let (report, at) = ended(group.probe(early.spec(kind))).await;
        assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::RunFailed, 1, secs(1)));
        let [message] = &failures(&report)[..] else { panic!("{report}") };
        assert!(message.starts_with("`early` failed: ended unexpectedly"), "{message}");
        assert_eq!(report.service("early").unwrap().ending(), Ending::Failed);
        let failed = ["s1 starts", "early starts", "early stops", "early dropped"];
        assert_eq!(journal.take(), then(&failed, stops(["s1"])));
    }
}

#[tokio::test(start_paused = true)]
async fn the_group_goes_on_until_all_tasks_have_completed() {
    let journal = Journal::default();
    let mut group = Group::new();
    for (name, takes) in [("s1", 1), ("s2", 3), ("s3", 2)] {
        group.probe(journal.probe(name).on(Run, Take(secs(takes))).on(Run, Return));
    }
    let (report, at) = ended(&mut group).await;
    assert!(report.is_clean());
    assert_eq!((report.stopped_by(), at), (Some(&StopReason::Completed), secs(3)));
    assert!(report.services().iter().all(|service| service.ending() == Ending::Completed), "{report}");
    let started = ["s1 starts", "s2 starts", "s3 starts"];
    let stopped = ["s3 stops", "s3 dropped", "s2 stops", "s2 dropped", "s1 stops", "s1 dropped"];
    assert_eq!(journal.take(), [&started[..], &stopped].concat());
}

#[tokio::test(start_paused = true)]
async fn when_the_main_returns_the_group_stops_with_its_result() {
    for (act, outcome) in [(Return, Outcome::Clean), (Fail, Outcome::RunFailed)] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("daemon").spec(|spec| spec.role(Role::Daemon)));
        group.probe(journal.probe("main").spec(|spec| spec.role(Role::Main)).on(Run, Take(secs(1))).on(Run, act));
        let task = journal.probe("task").on(Run, Take(millis(500))).on(Run, Return);
        let (report, at) = ended(group.probe(task)).await;
        assert_eq!((report.outcome(), at), (outcome, secs(1)));
        let started = ["daemon starts", "main starts", "task starts"];
        let ended = ["task stops", "task dropped", "main stops", "main dropped"];
        assert_eq!(journal.take(), then(&[started.as_slice(), &ended].concat(), stops(["daemon"])));
    }
}

#[tokio::test(start_paused = true)]
async fn the_group_stops_when_the_last_main_has_returned() {
    let journal = Journal::default();
    let mut group = journal.group(["task"]);
    for (name, takes) in [("m1", 3), ("m2", 1)] {
        let main = journal.probe(name).on(Run, Take(secs(takes))).on(Run, Return);
        group.probe(main.spec(|spec| spec.role(Role::Main)));
    }
    let (report, at) = ended(&mut group).await;
    assert!(report.is_clean());
    assert_eq!((report.stopped_by(), at), (Some(&StopReason::Completed), secs(3)));
    let mains = ["task starts", "m1 starts", "m2 starts", "m2 stops", "m2 dropped", "m1 stops", "m1 dropped"];
    assert_eq!(journal.take(), then(&mains, stops(["task"])));
}

#[tokio::test]
async fn a_main_that_ends_because_the_group_stops_does_not_count() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let main = journal.probe("main").spec(|spec| spec.role(Role::Main));
    let (report, _) = started_and_stopped(group.probe(main)).await;
    assert!(report.is_clean());
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked));
    assert_eq!(report.service("main").unwrap().ending(), Ending::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_told_with_its_place_and_the_others_go_on_until_their_turn() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let place = format!("{}:{}", file!(), line!() + 3);
    group.add_fn("s2", |_: Shutdown| async {
        sleep(secs(1)).await;
        panic!("no {}", "such thing")
    });
    let (report, at) = ended(group.probe(journal.probe("s3").on(Asked, Take(secs(2))))).await;
    assert_eq!((report.outcome(), at), (Outcome::RunFailed, secs(3)));
    let [message] = &failures(&report)[..] else { panic!("{report}") };
    assert!(message.starts_with("`s2` failed: panicked: no such thing"), "{message}");
    assert!(message.contains(&place), "{message}");
    assert_eq!(report.service("s1").unwrap().stop_asked_at(), Some(secs(3)));
    assert_eq!(journal.take(), then(&["s1 starts", "s3 starts"], stops(["s3", "s1"])));
}

/// How a report words the failure of a service that panics so.
async fn words_of(panics: impl FnOnce() + Send + 'static) -> String {
    let mut group = Group::new();
    group.add_fn("s", || async move {
        yield_now().await;
        panics();
    });
    let report = group.run().await;
    report.cause().expect("it failed").to_string()
}

#[tokio::test]
async fn a_panic_that_is_resumed_has_the_place_where_it_was_caught_or_none() {
    let older = || drop(catch_unwind(|| panic!("it was the {}", "older")));
    let place = ", at tests/conformance/failing.rs:";
    for (resumed, words) in [
        (Box::new("another") as Box<dyn Any + Send>, "`s` failed: panicked: another"),
        (Box::new("it was the older".to_owned()), "`s` failed: panicked: it was the older"),
        (Box::new(7), "`s` failed: panicked: with a value that is not text"),
    ] {
        let panics = move || {
            older();
            resume_unwind(resumed);
        };
        assert_eq!(words_of(panics).await, words);
    }
    // Its own task has panicked elsewhere, after an older panic of this one.
    let elsewhere = tokio::spawn(async { panic!("elsewhere") }).await.unwrap_err().into_panic();
    let panics = move || {
        older();
        resume_unwind(elsewhere);
    };
    assert_eq!(words_of(panics).await, "`s` failed: panicked: elsewhere");
    // The same one.
    let panics = || resume_unwind(catch_unwind(|| panic!("{} again", "it")).unwrap_err());
    assert!(words_of(panics).await.starts_with(&format!("`s` failed: panicked: it again{place}")));
    let panics = || resume_unwind(catch_unwind(|| panic!("again")).unwrap_err());
    assert!(words_of(panics).await.starts_with(&format!("`s` failed: panicked: again{place}")));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

#[tokio::test]
async fn a_panic_whose_value_panics_when_it_is_dropped_is_the_failure_of_its_service() {
    let words = words_of(|| panic_any(Bomb)).await;
    assert!(words.starts_with("`s` failed: panicked: with a value that is not text, at "), "{words}");
}
