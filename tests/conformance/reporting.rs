//! O: looking at it.

use group::Group;

use crate::support::{
    Act::{Fail, Hang, Panic, Take},
    Journal,
    Point::{Run, Start, StartLater, Stop},
    Probe, Stage as _, fails_to_start, in_time, secs, started_and_stopped,
};

/// What only a programmer of the group itself would want to read.
const INTERNALS: [&str; 11] = ["Some", "None", "Ok(", "Err(", "::", "{", "}", "(\"", "0x", "NaN", "group_core"];

#[tokio::test(start_paused = true)]
async fn c203_no_internals_show_in_a_report() {
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
    assert_eq!((at("/services/1/stop_asked_ms"), at("/ended_ms")), (1000.0.into(), 1000.0.into()));
}
