//! The graph schedule, in which every service starts as soon as its edges allow; and the effect of a
//! failed service on those that come after it, and on a group in which it is not critical.

use group::{Context, Ending, Group, Outcome, Ready, Role, Schedule, Shutdown, Spec, StopReason};
use tokio::time::Instant;
use tracing::Level;

use crate::support::{
    Act::{Fail, Hang, Panic, Return, Take},
    Journal,
    Point::{Asked, Build, Run, Start, StartLater, Stop},
    SCHEDULES, Stage as _, ended, fails_to_start, failures, in_time, listen, logged_at, secs, started_and_stopped,
    stops, then, witness,
};

/// The entries of one service.
fn of<'a>(journal: &'a [String], name: &str) -> Vec<&'a str> {
    let words = journal.iter().filter_map(|entry| entry.split_once(' '));
    words.filter(|(service, _)| *service == name).map(|(_, did)| did).collect()
}

#[tokio::test]
async fn in_the_graph_too_an_edge_wins_over_the_order_of_declaration() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("b").after(["a"])).probe(journal.probe("a"));
    let (report, _) = started_and_stopped(group.schedule(Schedule::Graph)).await;
    assert!(report.is_clean());
    assert_eq!(journal.take(), then(&["a starts", "b starts"], stops(["b", "a"])));
}

#[tokio::test(start_paused = true)]
async fn independent_services_have_all_begun_before_any_is_ready() {
    let journal = Journal::default();
    let mut group = Group::new();
    for (name, takes) in [("s1", secs(2)), ("s2", secs(1))] {
        group.probe(journal.probe(name).on(StartLater, Take(takes)));
    }
    let begun = Instant::now();
    let running = group.schedule(Schedule::Graph).start().await.unwrap();
    assert_eq!(begun.elapsed(), secs(2), "the group is ready when both are");
    assert_eq!(journal.take(), ["s1 starts", "s2 starts", "s2 ready", "s1 ready"]);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_start_takes_as_long_as_the_longest_chain() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("a").on(StartLater, Take(secs(3))));
    group.probe(journal.probe("b").on(StartLater, Take(secs(4))).after(["a"]));
    group.probe(journal.probe("c").on(StartLater, Take(secs(5))));
    let begun = Instant::now();
    let running = group.schedule(Schedule::Graph).start().await.unwrap();
    assert_eq!(begun.elapsed(), secs(7));
    let report = running.stop().await;
    let when = |name: &str| (report.service(name).unwrap().built_at(), report.service(name).unwrap().ready_at());
    assert_eq!(when("c"), (Some(secs(0)), Some(secs(5))), "nothing holds it back");
    assert_eq!(when("b"), (Some(secs(3)), Some(secs(7))));
}

#[tokio::test(start_paused = true)]
async fn one_life_happens_in_one_order_in_both_schedules() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = Group::new();
        witness(&mut group, &journal);
        let s1 = journal.probe("s1").on(Build, Take(secs(1))).on(StartLater, Take(secs(1)));
        group.build::<1>(
            s1.on(Asked, Take(secs(1))).on(Stop, Take(secs(1))).spec(|spec| spec.name("s1")).after(["witness"]),
        );
        let running = group.schedule(schedule).start().await.unwrap();
        assert!(running.stop().await.is_clean());
        journal.until("group has stopped").await;
        let built = ["s1 is building", "s1 builds", "s1 built", "s1 starts", "s1 is starting", "s1 ready"];
        let ready = ["s1 is ready", "group is ready", "group stops: a stop was asked for", "s1 is stopping"];
        let stopped = ["s1 asked", "s1 stops", "s1 dropped", "s1 is gone", "group has stopped"];
        assert_eq!(journal.take(), [&built[..], &ready, &stopped].concat(), "{schedule:?}");
    }
}

#[tokio::test]
async fn what_could_do_without_a_failed_service_starts_and_the_group_is_degraded() {
    for schedule in SCHEDULES {
        listen();
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("a").on(StartLater, Fail).spec(|spec| spec.critical(false)));
        group.probe(journal.probe("b").spec(|spec| spec.after_optional_named("a")));
        let running = in_time(group.schedule(schedule).start()).await.expect("it can do without");
        assert_eq!(journal.take(), ["a starts", "b starts"]);
        let warnings = logged_at(Level::WARN);
        assert!(warnings.iter().any(|warning| warning.contains("`a` failed to start")), "{warnings:?}");
        let status = running.handle().status();
        assert!(status.is_degraded() && status.is_ready(), "{status:?}");
        assert!(running.stop().await.is_clean());
    }
}

#[tokio::test]
async fn what_requires_a_failed_service_is_never_built() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("a").on(StartLater, Fail).spec(|spec| spec.critical(false)));
        group.build::<1>(journal.probe("b").spec(|spec| spec.name("b")).after(["a"]));
        let report = fails_to_start(group.schedule(schedule)).await;
        assert_eq!(report.outcome(), Outcome::StartFailed);
        assert_eq!(report.stopped_by(), Some(&StopReason::Failed("b".to_owned())));
        let b = "`b` could not be built: a service that it needs has failed";
        assert_eq!(failures(&report), ["`a` failed to start: a fails in StartLater", b]);
        assert_eq!(report.service("b").unwrap().ending(), Ending::NeverBuilt);
        assert_eq!(journal.take(), ["a starts", "a stops", "a dropped"]);
    }
}

#[tokio::test]
async fn all_that_requires_a_failed_service_is_lost_and_the_rest_goes_on() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = Group::new();
        let spare = |name: &str| journal.probe(name).spec(|spec| spec.name(name.to_owned()).critical(false));
        group.probe(spare("a").on(Start, Fail));
        group.build::<1>(spare("b").after(["a"])).build::<2>(spare("c").after(["b"])).probe(journal.probe("d"));
        let running = in_time(group.schedule(schedule).start()).await.expect("it can do without all three");
        assert!(running.handle().status().is_degraded());
        let (report, written) = (running.stop().await, journal.take());
        assert!(report.is_clean(), "{report}");
        assert!(of(&written, "b").is_empty() && of(&written, "c").is_empty(), "{written:?}");
        assert_eq!(of(&written, "d"), ["starts", "asked", "stops", "dropped"]);
    }
}

#[tokio::test]
async fn each_service_starts_and_stops_once_in_both_schedules() {
    for (schedule, number) in SCHEDULES.into_iter().flat_map(|schedule| [1, 4, 10].map(|number| (schedule, number))) {
        let (journal, mut group) = (Journal::default(), Group::new());
        for number in 0..number {
            group.probe(journal.probe(&format!("s{number}")));
        }
        let (report, _) = started_and_stopped(group.schedule(schedule)).await;
        assert!(report.is_clean());
        let written = journal.take();
        for service in report.services() {
            assert_eq!(of(&written, service.name()), ["starts", "asked", "stops", "dropped"], "{schedule:?}");
        }
        assert_eq!((report.services().len(), written.len()), (number, 4 * number));
    }
}

#[tokio::test(start_paused = true)]
async fn of_services_that_start_together_none_that_fails_is_lost() {
    let (journal, mut group) = (Journal::default(), Group::new());
    for name in ["s1", "s3"] {
        group.probe(journal.probe(name));
    }
    for name in ["s2", "s4"] {
        group.probe(journal.probe(name).on(StartLater, Take(secs(1))).on(StartLater, Fail));
    }
    let report = fails_to_start(group.schedule(Schedule::Graph)).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    let mut failed: Vec<_> = report.failures().iter().map(group::Failure::service).collect();
    failed.sort_unstable();
    assert_eq!(failed, [Some("s2"), Some("s4")], "{report}");
    let written = journal.take();
    for name in ["s1", "s3"] {
        assert_eq!(of(&written, name), ["starts", "asked", "stops", "dropped"]);
    }
    for name in ["s2", "s4"] {
        assert_eq!(of(&written, name), ["starts", "stops", "dropped"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_edge_orders_stops_together_and_what_it_needs_after() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("a").on(Stop, Take(secs(4))));
    group.probe(journal.probe("b").on(Stop, Take(secs(2))).after(["a"]));
    group.probe(journal.probe("c").on(Stop, Take(secs(3))).after(["a"]));
    let (report, took) = started_and_stopped(group.schedule(Schedule::Graph)).await;
    assert!(report.is_clean());
    assert_eq!(took, secs(7), "the longest chain");
    let asked = |name: &str| report.service(name).unwrap().stop_asked_at();
    assert_eq!((asked("b"), asked("c"), asked("a")), (Some(secs(0)), Some(secs(0)), Some(secs(3))));
}

/// Two daemons, one after the other, and two mains that need both.
fn mains_on_daemons(journal: &Journal, main: impl Fn(Spec) -> Spec) -> Group {
    let mut group = Group::new();
    group.probe(journal.probe("l1").spec(|spec| spec.role(Role::Daemon)));
    group.probe(journal.probe("l2").spec(|spec| spec.role(Role::Daemon)).after(["l1"]));
    for (name, takes) in [("m1", 1), ("m2", 2)] {
        let probe = journal.probe(name).on(Run, Take(secs(takes))).on(Run, Return).on(Stop, Take(secs(takes)));
        group.probe(probe.spec(&main).after(["l2"]));
    }
    group
}

#[tokio::test(start_paused = true)]
async fn daemons_stop_in_order_when_all_mains_have_ended() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = mains_on_daemons(&journal, |spec| spec.role(Role::Main));
        let (report, _) = started_and_stopped(group.schedule(schedule)).await;
        assert!(report.is_clean());
        let written = journal.take();
        assert!(written.ends_with(&stops(["l2", "l1"])), "{schedule:?}: {written:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_mains_have_returned_the_daemons_are_stopped_in_order() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = mains_on_daemons(&journal, |spec| spec.role(Role::Main));
        let report = in_time(async { group.schedule(schedule).start().await.unwrap().wait().await }).await;
        assert_eq!((report.outcome(), report.stopped_by()), (Outcome::Clean, Some(&StopReason::Completed)));
        assert_eq!(report.service("m2").unwrap().stop_asked_at(), Some(secs(2)), "when the last has returned");
        let written = journal.take();
        assert!(written.ends_with(&stops(["l2", "l1"])), "{schedule:?}: {written:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_group_can_do_without_is_logged_and_the_others_run() {
    for act in [Fail, Panic] {
        listen();
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        let spare = journal.probe("s2").spec(|spec| spec.critical(false));
        group.probe(spare.on(Run, Take(secs(1))).on(Run, act)).probe(journal.probe("s3")).lasts(secs(9));
        let (report, at) = ended(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::Clean, 0, secs(9)));
        let [failure] = report.failures() else { panic!("{report}") };
        assert_eq!((failure.service(), failure.is_fatal()), (Some("s2"), false));
        assert!(logged_at(Level::WARN).contains(&format!("WARN {failure}")), "{:?}", logged_at(Level::WARN));
        let stopped = [stops(["s3"]), vec!["s2 stops".to_owned(), "s2 dropped".to_owned()], stops(["s1"])].concat();
        assert_eq!(journal.take(), then(&["s1 starts", "s2 starts", "s3 starts"], stopped));
    }
}

#[tokio::test(start_paused = true)]
async fn whenever_a_service_fails_that_is_not_critical_the_group_does_not_stop_for_it() {
    for point in [Build, Start, StartLater, Run, Asked, Stop] {
        for act in [Fail, Panic] {
            let journal = Journal::default();
            let mut group = Group::new();
            group.build::<1>(journal.probe("s1").on(point, act).spec(|spec| spec.critical(false)));
            let (report, at) = ended(group.lasts(secs(9))).await;
            assert_eq!((report.outcome(), report.stopped_by()), (Outcome::Clean, Some(&StopReason::Completed)));
            assert_eq!((report.failures().len(), at), (1, secs(9)), "{report}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_critical_and_never_ready_does_not_hold_the_group_up() {
    for point in [Build, StartLater] {
        let journal = Journal::default();
        let mut group = Group::new();
        let limited = |spec: Spec| spec.critical(false).start_timeout(secs(3));
        group.build::<1>(journal.probe("s1").on(point, Hang).spec(limited)).probe(journal.probe("s2"));
        let begun = Instant::now();
        let running = in_time(group.start()).await.expect("it can do without");
        assert_eq!(begun.elapsed(), secs(3));
        assert!(running.handle().status().is_degraded());
        assert!(running.stop().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_too_late_and_not_critical_is_given_up_and_still_stopped_at_its_turn() {
    let (dropped, is_dropped) = tokio::sync::oneshot::channel::<()>();
    let mut group = Group::new();
    group.add_fn("late", async move |_: Ready, shutdown: Shutdown, cx: Context| {
        let _dropped = dropped;
        cx.spawn(async { std::future::pending::<()>().await });
        // It does not end when it is asked to stop, so it would be aborted at the limit of its stop.
        shutdown.requested().await;
        std::future::pending::<()>().await;
    });
    group.configure("late", |spec| spec.critical(false).start_timeout(secs(3)));
    let running = in_time(group.start()).await.expect("it can do without");
    assert!(in_time(is_dropped).await.is_err(), "long before the stop");
    let begun = Instant::now();
    let report = running.stop().await;
    assert!(report.is_clean() && begun.elapsed().is_zero(), "{report}");
    assert_eq!(report.service("late").unwrap().ending(), Ending::Failed);
    assert!(report.summary().ends_with("; 1 service had failed"), "{report}");
}
