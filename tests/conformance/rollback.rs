//! A start that fails, and the stop of what was started before.

use std::error::Error;
use std::fmt;

use group::{BoxError, Ending, Group, Outcome, Shutdown, Stage as During};
use tokio::sync::oneshot;
use tracing::Level;

use crate::support::{
    Act::{Fail, Hang, Panic, Take},
    Journal,
    Point::{Build, BuildLater, Start, StartLater, Stop},
    Stage as _, fails_to_start, failures, listen, logged, logged_at, secs, stops, then,
};

#[tokio::test]
async fn when_a_start_fails_what_was_started_is_stopped_once_and_the_rest_never_starts() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("s2").on(StartLater, Fail)).build::<3>(journal.probe("s3"));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    let failed = ["s1 starts", "s2 starts", "s2 stops", "s2 dropped"];
    assert_eq!(journal.take(), then(&failed, stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn the_way_back_is_in_reverse_awaits_each_and_keeps_the_limits() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("s2").on(Stop, Hang).spec(|spec| spec.stop_timeout(secs(2))));
    group.probe(journal.probe("s3").on(Stop, Take(secs(3))));
    group.probe(journal.probe("s4").on(StartLater, Fail));
    let report = fails_to_start(&mut group).await;
    let failed = ["s1 starts", "s2 starts", "s3 starts", "s4 starts", "s4 stops", "s4 dropped"];
    assert_eq!(journal.take(), then(&failed, stops(["s3", "s2", "s1"])));
    let turn = |name: &str| {
        let service = report.service(name).unwrap();
        (service.stop_asked_at().unwrap(), service.gone_at().unwrap(), service.ending())
    };
    assert_eq!(turn("s3"), (secs(0), secs(3), Ending::Stopped));
    assert_eq!(turn("s2"), (secs(3), secs(5), Ending::Aborted));
    assert_eq!(turn("s1"), (secs(5), secs(5), Ending::Stopped));
    assert_eq!(report.outcome(), Outcome::StartFailed, "the first cause stays");
}

#[tokio::test]
async fn what_was_never_built_is_never_stopped() {
    for point in [Build, BuildLater] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        group.build::<2>(journal.probe("s2").on(point, Fail)).probe(journal.probe("s3"));
        let report = fails_to_start(&mut group).await;
        assert_eq!(journal.take(), then(&["s1 starts", "s2 builds"], stops(["s1"])));
        for name in ["s2", "s3"] {
            let service = report.service(name).unwrap();
            assert_eq!((service.ending(), service.stop_asked_at()), (Ending::NeverBuilt, None), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_times_out_half_started_is_dropped_and_cleans_up() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let half_started = journal.probe("s2").deaf().without_stop().on(StartLater, Hang);
    group.probe(half_started.spec(|spec| spec.start_timeout(secs(3))));
    let report = fails_to_start(&mut group).await;
    assert_eq!(journal.take(), then(&["s1 starts", "s2 starts", "s2 dropped"], stops(["s1"])));
    assert_eq!(report.service("s2").unwrap().gone_at(), Some(secs(3)));
    assert_eq!(report.failures().len(), 1, "{report}");
}

#[tokio::test]
async fn wherever_and_however_a_start_fails_it_names_service_and_phase() {
    for (point, stage, phase) in [
        (Build, During::Build, "could not be built"),
        (BuildLater, During::Build, "could not be built"),
        (Start, During::Start, "failed to start"),
        (StartLater, During::Start, "failed to start"),
    ] {
        for (act, did) in [(Fail, "fails"), (Panic, "panics")] {
            let journal = Journal::default();
            let mut group = journal.group(["s1"]);
            group.build::<2>(journal.probe("s2").on(point, act)).build::<3>(journal.probe("s3"));
            let report = fails_to_start(&mut group).await;
            assert_eq!(report.outcome(), Outcome::StartFailed);
            let [failure] = report.failures() else { panic!("{report}") };
            assert_eq!((failure.service(), failure.stage()), (Some("s2"), stage));
            let message = failure.to_string();
            assert!(message.starts_with(&format!("`s2` {phase}: ")), "{message}");
            assert!(message.contains(&format!("s2 {did} in {point:?}")), "{message}");
            let journal = journal.take();
            assert!(journal.ends_with(&stops(["s1"])), "{journal:?}");
            assert!(!journal.iter().any(|entry| entry.starts_with("s3")), "{journal:?}");
        }
    }
}

#[tokio::test]
async fn a_panic_in_start_fails_it_with_message_place_and_name() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let place = format!("{}:{}", file!(), line!() + 1);
    group.add_fn("s2", |_: Shutdown| async { panic!("no {}", "such thing") });
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    let message = report.cause().unwrap().to_string();
    assert!(message.starts_with("`s2` failed to start: panicked: no such thing"), "{message}");
    assert!(message.contains(&place), "{message}");
    assert_eq!(journal.take(), then(&["s1 starts"], stops(["s1"])));
}

#[tokio::test]
async fn a_group_that_failed_to_start_is_not_logged_as_ready() {
    let says_ready = |line: &String| line.contains("2 services are ready");
    for (act, ready) in [(Take(secs(0)), 1), (Fail, 0)] {
        listen();
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        let started = group.probe(journal.probe("s2").on(StartLater, act)).start().await;
        assert_eq!(started.is_ok(), ready == 1);
        assert_eq!(logged().into_iter().filter(says_ready).count(), ready, "{:?}", logged());
    }
}

#[tokio::test]
async fn a_group_that_failed_to_start_has_stopped_for_all_who_wait() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let report = fails_to_start(group.probe(journal.probe("s2").on(StartLater, Fail))).await;
    let handle = journal.handle();
    handle.stopping().await;
    assert!(handle.is_stopping());
    assert_eq!(handle.wait().await.to_string(), report.to_string());
    assert_eq!(report.outcome(), Outcome::StartFailed);
}

#[tokio::test]
async fn handles_that_waited_before_the_failure_get_the_report() {
    let (sender, receiver) = oneshot::channel();
    let (journal, mut group) = (Journal::default(), Group::new());
    group.add_fn("s1", |handle: group::Handle, shutdown: Shutdown| async move {
        tokio::spawn(async move { sender.send(handle.wait().await) });
        shutdown.requested().await;
    });
    let report = fails_to_start(group.probe(journal.probe("s2").on(StartLater, Fail))).await;
    assert_eq!(failures(&receiver.await.unwrap()), failures(&report));
}

/// An error with a cause.
#[derive(Debug)]
struct Caused(&'static str, Option<BoxError>);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[tokio::test]
async fn the_error_of_a_failed_start_is_told_with_all_its_causes_and_repeated_at_the_end() {
    listen();
    let error = Caused("no pool", Some(Caused("no connection", Some("no route".into())).into()));
    let mut group = Group::new();
    group.add_fn("db", |_: Shutdown| async { Err::<(), _>(error) });
    let report = group.run().await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::StartFailed, 2));
    let told = "`db` failed to start: no pool: no connection: no route";
    let in_report = report.to_string();
    assert_eq!((in_report.matches(told).count(), in_report.matches("no route").count()), (1, 1), "{report}");
    let in_log = logged_at(Level::ERROR);
    assert!(in_log.len() == 2 && in_log[0] == format!("ERROR {told}") && in_log[1].ends_with(told), "{in_log:?}");
}
