//! The report of a group: its timeline, its critical chain, and nothing internal.

use std::sync::Arc;
use std::time::Duration;

use group::axum::Router;
use group::{BoxError, Context, Group, Restart, Role, Schedule, Service, ServiceReport, Shutdown};

use crate::support::{
    Act::{Fail, Hang, Panic, Take},
    Journal,
    Point::{Build, BuildLater, Run, Start, StartLater, Stop},
    Probe, Stage as _, ended, fails_to_start, in_time, listen, logged, logged_causes, millis, secs, start_aside,
    started_and_stopped, web,
};

/// Words that only mean something to a developer of the group itself.
const INTERNALS: [&str; 11] = ["Some", "None", "Ok(", "Err(", "::", "{", "}", "(\"", "0x", "NaN", "group_core"];

#[tokio::test(start_paused = true)]
async fn no_internals_show_in_a_report() {
    let journal = Journal::default();
    let group_of = |second: Probe| {
        let mut group = journal.group(["s1"]);
        group.probe(second).probe(journal.probe("s3"));
        group
    };
    let clean = started_and_stopped(&mut group_of(journal.probe("s2"))).await.0;
    let unclean = started_and_stopped(&mut group_of(journal.probe("s2").on(Stop, Hang))).await.0;
    let failed = fails_to_start(&mut group_of(journal.probe("s2").on(StartLater, Fail))).await;
    let panicked = fails_to_start(&mut group_of(journal.probe("s2").on(Start, Panic))).await;
    let wrong = fails_to_start(&mut group_of(journal.probe("s1"))).await;
    let empty = in_time(Group::new().run()).await;
    for report in [clean, unclean, failed, panicked, wrong, empty] {
        let text = report.to_string();
        for internal in INTERNALS {
            assert!(!text.contains(internal), "{internal:?} is in: {text}");
        }
        for service in report.services() {
            assert_eq!(text.lines().filter(|line| line.trim_start().starts_with(service.name())).count(), 1, "{text}");
        }
    }
}

/// Blocks its thread for a while when it is dropped, which is what a flush may do.
struct SlowToDrop;

impl Service for SlowToDrop {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }
}

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        std::thread::sleep(millis(20));
    }
}

#[tokio::test]
async fn a_timeline_tells_stopped_from_dropped() {
    let (report, _) = started_and_stopped(Group::new().add(SlowToDrop)).await;
    let service = report.service("slow-to-drop").unwrap();
    let [asked, stopped, gone] = [service.stop_asked_at(), service.stopped_at(), service.gone_at()].map(Option::unwrap);
    assert!(asked <= stopped && stopped + millis(20) <= gone, "{asked:?} {stopped:?} {gone:?}");
}

#[tokio::test(start_paused = true)]
async fn each_service_that_started_has_a_time_that_it_took() {
    let journal = Journal::default();
    let mut group = Group::new();
    for (name, takes) in [("s1", secs(3)), ("s2", secs(1)), ("s3", secs(2))] {
        group.probe(journal.probe(name).on(StartLater, Take(takes)));
    }
    let (report, _) = started_and_stopped(&mut group).await;
    let mut times: Vec<_> =
        report.services().iter().map(|service| (service.took_to_start().unwrap(), service.name())).collect();
    times.sort_unstable();
    assert_eq!(times, [(secs(1), "s2"), (secs(2), "s3"), (secs(3), "s1")]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_aborted_has_not_stopped() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let (report, _) = started_and_stopped(group.probe(journal.probe("s2").on(Stop, Hang))).await;
    let stopped = |name| report.service(name).unwrap().stopped_at().is_some();
    assert_eq!((stopped("s1"), stopped("s2")), (true, false));
}

#[tokio::test(start_paused = true)]
async fn the_critical_chain_is_what_the_start_waited_for_with_the_time_that_each_took_itself() {
    let journal = Journal::default();
    let takes = |name, seconds| journal.probe(name).on(StartLater, Take(secs(seconds)));
    let mut group = Group::new();
    group.schedule(Schedule::Graph);
    group.probe(takes("config", 1)).probe(takes("slow", 5).after(["config"])).probe(takes("quick", 2));
    group.probe(takes("api", 1).after(["slow", "quick"])).probe(takes("alone", 4));
    let (report, _) = started_and_stopped(&mut group).await;
    let chain = report.critical_chain();
    let told: Vec<_> =
        chain.iter().map(|link| (link.name(), link.ready_at().unwrap(), link.took_to_start().unwrap())).collect();
    assert_eq!(
        told,
        [("api", secs(7), secs(1)), ("slow", secs(6), secs(5)), ("config", secs(1), secs(1))],
        "when each was ready, and how much of that it took itself"
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_start_that_failed_it_is_how_far_it_came() {
    let journal = Journal::default();
    let mut group = journal.group(["s1", "s2"]);
    let report = fails_to_start(group.probe(journal.probe("s3").on(StartLater, Fail))).await;
    let names: Vec<_> = report.critical_chain().iter().map(|service| service.name()).collect();
    assert_eq!(names, ["s2", "s1"]);
}

#[test]
fn how_a_service_is_treated_is_told_with_what_is_so_by_default() {
    let mut group = Group::new();
    let polite = |shutdown: Shutdown| async move { shutdown.requested().await };
    group.add_fn("plain", polite).add_fn("special", polite).configure("special", |spec| {
        let restart = Restart::on_failure().max(3).within(secs(30)).backoff(millis(50), secs(5));
        let spec = spec.role(Role::Daemon).after_named("plain").after_optional_named("cache").critical(false);
        spec.restart(restart).start_timeout(secs(5)).stop_timeout(Duration::MAX)
    });
    let told: Vec<String> = group.specs().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "plain: task, restart never, start_timeout 1m, stop_timeout 10 s",
            "special: daemon, after `plain`, after `cache` (optional), not critical, \
             restart on-failure (at most 3 in 30 s, after 50 ms to 5 s), start_timeout 5 s, stop_timeout none",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_reads_the_first_cause_first_whatever_the_group_had_survived_by_then() {
    let journal = Journal::default();
    let restart = Restart::on_failure().max(2);
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("s2").on(StartLater, Fail).spec(|spec| spec.restart(restart)));
    let refused = in_time(group.start()).await.expect_err("the start fails");
    let cause = "`s2` failed to start: s2 fails in StartLater";
    assert_eq!(refused.to_string(), format!("{cause} (and 2 more)"));
    let report = refused.into_report().to_string();
    let told: Vec<&str> = report.lines().skip(1).take(3).collect();
    let survived = format!("  survived: {cause}");
    assert_eq!(told, [&format!("  first cause: {cause}"), &survived, &survived], "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_report_can_be_read_by_machines() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("s2").on(Run, Take(secs(1))).on(Run, Fail));
    let report = in_time(async { group.start().await.expect("the group starts").wait().await }).await;
    let report = serde_json::to_value(&report).unwrap();
    let at = |path: &str| report.pointer(path).unwrap_or_else(|| panic!("no {path} in {report}")).clone();
    assert_eq!(
        (at("/outcome"), at("/exit_code"), at("/stopped_by")),
        ("run_failed".into(), 1.into(), "`s2` failed".into())
    );
    assert_eq!((at("/failures/0/service"), at("/failures/0/stage")), ("s2".into(), "run".into()));
    assert_eq!((at("/services/0/name"), at("/services/0/ending")), ("s1".into(), "stopped".into()));
    assert_eq!((at("/services/1/stop_asked_at_ms"), at("/ended_at_ms")), (1000.0.into(), 1000.0.into()));
}

#[tokio::test(start_paused = true)]
async fn a_report_says_what_was_slow_at_the_start_and_at_the_stop() {
    let journal = Journal::default();
    let slow = |name, start, stop| journal.probe(name).on(StartLater, Take(secs(start))).on(Stop, Take(secs(stop)));
    let mut group = Group::new();
    group.schedule(Schedule::Graph);
    group.probe(slow("database", 9, 1)).probe(slow("mailer", 8, 3));
    group.probe(slow("users", 4, 6).after(["database"])).probe(slow("gateway", 1, 2).after(["users"]));
    let (report, took) = started_and_stopped(&mut group).await;
    assert!(report.is_clean() && took == secs(2 + 6 + 1), "{report}");
    let names = |chain: Vec<&ServiceReport>| chain.iter().map(|one| one.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(report.critical_chain()), ["gateway", "users", "database"]);
    assert_eq!(names(report.stop_critical_chain()), ["database", "users", "gateway"]);
    assert_eq!(report.service("users").and_then(ServiceReport::took_to_stop), Some(secs(6)));
    let text = report.to_string();
    assert!(text.contains("\n  slow start: 14 s: database 9 s, users 4 s, gateway 1 s\n"), "{text}");
    assert!(text.contains("\n  slow stop: 9 s: gateway 2 s, users 6 s, database 1 s\n"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["stop_critical_chain"], serde_json::json!(["database", "users", "gateway"]));
}

#[tokio::test(start_paused = true)]
async fn a_report_of_a_quick_group_names_nothing_slow_and_of_many_services_the_slowest() {
    let journal = Journal::default();
    let mut group = journal.group(["s1", "s2"]);
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(!report.to_string().contains("slow"), "{report}");
    let mut group = Group::new();
    for (name, seconds) in [("a", 1), ("b", 5), ("c", 2), ("d", 6), ("e", 1), ("f", 3), ("g", 4)] {
        group.probe(journal.probe(name).on(StartLater, Take(secs(seconds))));
    }
    let (report, _) = started_and_stopped(&mut group).await;
    let told = "slow start: 22 s: b 5 s, c 2 s, d 6 s, f 3 s, g 4 s\n";
    assert!(report.to_string().contains(told) && !report.to_string().contains("slow stop"), "{report}");
}

/// The only logged line that contains this.
fn line_with(part: &str) -> String {
    let lines: Vec<String> = logged().into_iter().filter(|line| line.contains(part)).collect();
    assert_eq!(lines.len(), 1, "{part}: {:?}", logged());
    lines.into_iter().next().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn the_stop_counts_the_services_that_the_end_counts() {
    for (point, act) in [(Build, Fail), (BuildLater, Panic)] {
        listen();
        let journal = Journal::default();
        let _ = fails_to_start(journal.group(["s1"]).build::<1>(journal.probe("s2").on(point, act))).await;
        assert!(line_with("stopping").contains(": stopping 1 service, within"), "{act:?}");
        assert!(line_with("stopped again").contains("stopped again: 1 service in"), "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_being_built_is_counted_apart() {
    listen();
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let starting = start_aside(group.build::<1>(journal.probe("s2").on(BuildLater, Hang)));
    journal.until("s2 builds").await;
    journal.handle().stop();
    assert!(in_time(starting).await.unwrap().is_err());
    assert!(line_with("stopping").contains("stopping 1 service, dropping 1 before `new` has returned, within 25 s"));
    assert!(line_with("cleanly").contains("stopped cleanly: 1 service in"));
}

#[tokio::test]
async fn the_end_of_a_delay_keeps_the_cause_of_the_stop() {
    listen();
    let (report, _) = started_and_stopped(web(Router::new()).drain_delay(millis(100))).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(logged_causes().len(), 1, "{:?}", logged());
    assert!(logged_causes()[0].contains("a stop was asked for"), "{:?}", logged_causes());
}

#[tokio::test(start_paused = true)]
async fn the_last_line_of_a_failed_run_repeats_its_cause() {
    listen();
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let _ = ended(group.probe(journal.probe("s2").on(Run, Take(secs(1))).on(Run, Fail))).await;
    let last = logged().pop().unwrap();
    assert!(
        last.contains("stopped after a failure: 2 services") && last.ends_with(": `s2` failed: s2 fails in Run"),
        "{last}"
    );

    listen();
    let _ = fails_to_start(journal.group(["s1"]).probe(journal.probe("s2").on(StartLater, Fail))).await;
    let last = logged().pop().unwrap();
    assert!(
        last.contains("start failed; stopped again: 2 services")
            && last.contains(": `s2` failed to start: s2 fails in "),
        "{last}"
    );

    listen();
    let _ = started_and_stopped(journal.group(["s1"]).probe(journal.probe("s2").on(Stop, Hang))).await;
    let last = logged().pop().unwrap();
    assert!(last.contains("stopped, but not cleanly: 2 services"), "{last}");
    assert!(last.contains(": `s2` failed to stop: it has not stopped after "), "{last}");

    listen();
    let _ = started_and_stopped(&mut journal.group(["s1"])).await;
    let last = logged().pop().unwrap();
    assert!(last.contains("stopped cleanly: 1 service in") && !last.contains("failed"), "{last}");
}
