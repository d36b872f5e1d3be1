//! O: looking at it.

use group::Group;

use crate::support::{
    Act::{Fail, Hang, Panic},
    Journal,
    Point::{Start, StartLater, Stop},
    Probe, Stage as _, fails_to_start, in_time, started_and_stopped,
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
