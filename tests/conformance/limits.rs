//! Limits, and the time that a group has to stop. All of it under the paused clock: every time is exact.

use std::sync::Mutex;
use std::time::Duration;

use group::{Ending, Group, Outcome, Report, Shutdown, Spec, service};
use tokio::time::Instant;
use tracing::Level;

use crate::support::{
    Act::{self, Hang, Return, Take},
    Journal,
    Point::{Asked, Run, Stop},
    Stage as _, ended, failures, in_time, listen, logged_at, millis, secs, started_and_stopped, stops, then,
};

fn endings(report: &Report) -> Vec<(&str, Ending)> {
    report.services().iter().map(|service| (service.name(), service.ending())).collect()
}

#[tokio::test(start_paused = true)]
async fn who_stopped_and_who_was_aborted_are_told_apart() {
    for point in [Asked, Stop] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        group.probe(journal.probe("s2").on(point, Take(secs(200))).spec(|spec| spec.stop_timeout(secs(1))));
        let (report, took) = started_and_stopped(&mut group).await;
        assert_eq!(endings(&report), [("s1", Ending::Stopped), ("s2", Ending::Aborted)]);
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::UncleanStop, 3));
        assert_eq!(took, secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_without_time_to_stop_is_dropped_at_once_and_its_hook_does_not_run() {
    let at_once = |spec: Spec| spec.stop_timeout(Duration::ZERO);
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("runs").on(Asked, Hang).spec(at_once));
    group.probe(journal.probe("completed").on(Run, Return).spec(at_once));
    let (report, at) = ended(group.lasts(secs(1))).await;
    assert_eq!(report.outcome(), Outcome::Clean, "{report}");
    let stopped = [("s1", Ending::Stopped), ("runs", Ending::Stopped), ("completed", Ending::Completed)];
    assert_eq!((&endings(&report)[..3], at), (&stopped[..], secs(1)));
    assert_eq!(
        journal.take(),
        then(
            &["s1 starts", "runs starts", "completed starts", "completed dropped", "runs asked", "runs dropped"],
            stops(["s1"])
        )
    );
}

#[tokio::test]
async fn one_that_blocks_its_thread_is_still_found() {
    let mut group = Group::new();
    let (unblock, blocked) = std::sync::mpsc::channel::<()>();
    group.add(Blocks(Mutex::new(blocked))).configure("blocks", |spec| spec.stop_timeout(Duration::ZERO));
    let (report, _) = started_and_stopped(&mut group).await;
    assert_eq!((report.outcome(), endings(&report)), (Outcome::UncleanStop, vec![("blocks", Ending::Abandoned)]));
    drop(unblock);
}

/// Blocks a thread of its own, until the other end of this channel is gone.
struct Blocks(Mutex<std::sync::mpsc::Receiver<()>>);

#[service(register = false)]
impl Blocks {
    fn start(&self, _: Shutdown) {
        let _ = self.0.lock().unwrap().recv();
    }
}

#[tokio::test(start_paused = true)]
async fn limits_that_cannot_all_be_kept_are_warned_of_with_numbers() {
    listen();
    let long = |journal: &Journal, name| journal.probe(name).spec(|spec| spec.stop_timeout(secs(20)));
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(long(&journal, "s1"));
    assert!(started_and_stopped(&mut group).await.0.is_clean());
    assert_eq!(logged_at(Level::WARN), Vec::<String>::new());
    group.probe(long(&journal, "s1")).probe(long(&journal, "s2"));
    assert!(started_and_stopped(&mut group).await.0.is_clean());
    let [warning] = &logged_at(Level::WARN)[..] else { panic!("{:?}", logged_at(Level::WARN)) };
    assert!(warning.contains("may take 40 s (stop_timeout)") && warning.contains("leaves them 22.9 s"), "{warning}");
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_limit_still_has_the_groups() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Take(secs(20))).spec(|spec| spec.stop_timeout(Duration::MAX)));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!((endings(&report), took), (vec![("s1", Ending::Stopped)], secs(20)));

    group.probe(journal.probe("s1").on(Stop, Hang).spec(|spec| spec.stop_timeout(Duration::MAX)));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!(endings(&report), [("s1", Ending::Aborted)]);
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    assert!(took > secs(20) && took <= secs(25), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn however_many_are_stuck_the_group_keeps_its_limit() {
    for stuck in [1, 2, 3, 10, 100] {
        let (journal, mut group) = (Journal::default(), Group::new());
        for number in 0..stuck {
            group.probe(journal.probe(&format!("s{number}")).on(Stop, Hang));
        }
        let (report, took) = started_and_stopped(group.stop_timeout(secs(15))).await;
        assert_eq!(report.outcome(), Outcome::UncleanStop);
        assert!(report.services().iter().all(|service| service.ending() == Ending::Aborted), "{report}");
        assert!(took <= secs(15), "{stuck} stuck services took {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stuck_leaves_the_rest_their_share() {
    let journal = Journal::default();
    let mut group = Group::new();
    for name in ["s1", "s2"] {
        group.probe(journal.probe(name).on(Stop, Take(secs(3))));
    }
    group.probe(journal.probe("stuck").on(Stop, Hang).spec(|spec| spec.stop_timeout(Duration::MAX)));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!(endings(&report), [("s1", Ending::Stopped), ("s2", Ending::Stopped), ("stuck", Ending::Aborted)]);
    assert!(took <= secs(25), "{took:?}");
}

/// A group whose time runs out before the turns of `s2` and `s1` come: `s3` never stops, and as if
/// the process was frozen meanwhile, 23 of the 25 seconds pass at once.
async fn frozen(journal: &Journal, s1: Act, s2: Act) -> (Report, Instant) {
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, s1)).probe(journal.probe("s2").on(Stop, s2));
    let running = group.probe(journal.probe("s3").on(Stop, Hang)).start().await.unwrap();
    let asked = Instant::now();
    running.handle().stop();
    journal.until("s3 stops").await;
    tokio::time::advance(secs(23)).await;
    (in_time(running.wait()).await, asked)
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_all_are_told_at_once_and_have_a_last_grace() {
    let journal = Journal::default();
    let (report, asked) = frozen(&journal, Hang, Take(millis(1900))).await;
    for name in ["s1", "s2"] {
        assert_eq!(report.service(name).unwrap().stop_asked_at(), Some(secs(23)), "{name} is told with the others");
    }
    assert_eq!(report.service("s2").unwrap().ending(), Ending::Stopped);
    assert_eq!(report.service("s1").unwrap().ending(), Ending::Aborted);
    assert_eq!(asked.elapsed(), secs(25), "the last grace is 2 s");
}

#[tokio::test(start_paused = true)]
async fn what_still_stops_at_the_deadline_has_the_last_grace_too() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Take(secs(24))).spec(|spec| spec.stop_timeout(Duration::MAX)));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!((endings(&report), took), (vec![("s1", Ending::Stopped)], secs(24)));
    assert_eq!(report.outcome(), Outcome::UncleanStop, "a limit was passed");
}

#[tokio::test(start_paused = true)]
async fn who_outlives_its_limit_is_named_with_the_time_it_used() {
    let journal = Journal::default();
    let mut group = Group::new();
    for (name, limit) in [("s1", secs(1)), ("s3", secs(2))] {
        group.probe(journal.probe(name).on(Stop, Hang).spec(|spec| spec.stop_timeout(limit)));
    }
    let (report, took) = started_and_stopped(group.probe(journal.probe("s4"))).await;
    let late = |name, time| {
        format!("`{name}` failed to stop: it has not stopped after {time} (stop_timeout), so it was aborted")
    };
    assert_eq!(failures(&report), [late("s3", "2 s"), late("s1", "1 s")]);
    assert_eq!(took, secs(3));
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_all_who_are_left_are_named_with_what_they_do() {
    let journal = Journal::default();
    let (report, _) = frozen(&journal, Take(secs(1)), Take(secs(1))).await;
    let late = failures(&report).join("\n");
    for survivor in ["`s3` stopping for 23 s", "`s2` not asked yet", "`s1` not asked yet"] {
        assert!(late.contains(survivor), "{survivor} is not in: {late}");
    }
}
