//! A stop that is asked for while the group starts.

use std::task::{Context, Waker};

use group::{Ending, Group, Outcome, Role, StopReason};

use crate::support::{
    Act::{Hang, Take},
    Journal,
    Point::{Asked, BuildLater, Run, StartLater},
    Probe, Stage as _, in_time, secs, start_aside, stops, then,
};

/// Asks for a stop when `entry` was written; the second of three services is `s2`.
async fn stopped_while(entry: &str, journal: &Journal, s2: Probe) -> group::Report {
    let mut group = journal.group(["s1"]);
    let starting = start_aside(group.build::<2>(s2).build::<3>(journal.probe("s3")));
    journal.until(entry).await;
    journal.handle().stop();
    let report = in_time(starting).await.unwrap().expect_err("it was stopped before it was ready").into_report();
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 0), "{report}");
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked));
    assert_eq!(report.service("s3").unwrap().ending(), Ending::NeverBuilt);
    report
}

#[tokio::test(start_paused = true)]
async fn a_stop_cancels_what_is_being_built() {
    let journal = Journal::default();
    let report = stopped_while("s2 builds", &journal, journal.probe("s2").on(BuildLater, Hang)).await;
    assert_eq!(report.service("s2").unwrap().ending(), Ending::NeverBuilt);
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds"], stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_what_is_starting() {
    let journal = Journal::default();
    let report = stopped_while("s2 starts", &journal, journal.probe("s2").on(StartLater, Hang)).await;
    assert_eq!(report.service("s2").unwrap().ending(), Ending::Stopped);
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds", "s2 built", "s2 starts"], stops(["s2", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_starting_clean_up() {
    let journal = Journal::default();
    let s2 = journal.probe("s2").on(StartLater, Hang).on(Asked, Take(secs(2)));
    let report = stopped_while("s2 starts", &journal, s2).await;
    assert_eq!(report.service("s1").unwrap().stop_asked_at(), Some(secs(2)));
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds", "s2 built", "s2 starts"], stops(["s2", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_once_that_has_not_returned() {
    let journal = Journal::default();
    let s2 = journal.probe("s2").on(Run, Hang).spec(|spec| spec.role(Role::Once));
    let report = stopped_while("s2 starts", &journal, s2).await;
    assert_eq!(report.service("s2").unwrap().ending(), Ending::Stopped);
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds", "s2 built", "s2 starts"], stops(["s2", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_first_start_starts_nothing() {
    let journal = Journal::default();
    let mut starting = Box::pin(Group::new().build::<1>(journal.probe("s1")).probe(journal.probe("s2")).start());
    // On one thread: the group has begun, but nothing of it runs until this test waits for something.
    assert!(starting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // To drop it is to ask for a stop.
    drop(starting);
    assert!(journal.last_words().await.is_empty());
}
