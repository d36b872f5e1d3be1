//! The order of the stop.

use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Waker};
use std::time::Duration;

use group::{BoxError, Context, Group, Outcome, Role, Service, Shutdown, Spec, Stage as During};
use tokio::task::JoinSet;
use tokio::time::advance;

use crate::support::{
    Act::{Fail, Panic, Return, Take},
    Journal,
    Point::{Asked, Run, StartLater, Stop},
    Stage as _, failures, in_time, listen, logged, secs, started_and_stopped, stops, then, when_told,
};

#[tokio::test(start_paused = true)]
async fn a_gateway_an_rpc_server_and_a_consumer_are_stopped_one_after_the_other() {
    let journal = Journal::default();
    let mut group = Group::new();
    for name in ["consumer", "rpc", "gateway"] {
        group.probe(journal.probe(name).on(Stop, Take(secs(1))));
    }
    let (report, took) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    assert_eq!(took, secs(3), "not all at once");
    let expected = then(&["consumer starts", "rpc starts", "gateway starts"], stops(["gateway", "rpc", "consumer"]));
    assert_eq!(journal.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn stop_is_strictly_reverse() {
    let journal = Journal::default();
    let mut group = Group::new();
    for (name, takes) in [("s1", secs(1)), ("s2", secs(2)), ("s3", secs(3))] {
        group.probe(journal.probe(name).on(Asked, Take(takes)).on(Stop, Take(takes)));
    }
    let (report, took) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    assert_eq!(journal.take(), then(&["s1 starts", "s2 starts", "s3 starts"], stops(["s3", "s2", "s1"])));
    assert_eq!(took, secs(12));
}

#[tokio::test(start_paused = true)]
async fn a_service_is_stopped_only_when_what_needs_it_has_finished_stopping() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("b").spec(|spec| spec.after_named("a")).on(Stop, Take(secs(2))));
    let (report, _) = started_and_stopped(group.probe(journal.probe("a"))).await;
    assert_eq!(journal.take(), then(&["a starts", "b starts"], stops(["b", "a"])));
    assert_eq!(report.service("b").unwrap().gone_at(), Some(secs(2)));
    assert_eq!(report.service("a").unwrap().stop_asked_at(), Some(secs(2)));
}

#[tokio::test(start_paused = true)]
async fn all_hear_that_the_group_stops_before_the_first_service_is_asked() {
    let journal = Journal::default();
    let mut group = journal.group(["s1", "s2"]);
    let last = journal.clone();
    group.add_fn("s3", |shutdown: Shutdown, handle: group::Handle| async move {
        shutdown.requested().await;
        assert!(handle.is_stopping(), "asked before the group said so");
        last.until("all have heard").await;
        last.write("s3 ends");
    });
    let running = group.start().await.unwrap();
    let mut listeners = JoinSet::new();
    for _ in 0..10 {
        let handle = running.handle();
        listeners.spawn(async move { handle.stopping().await });
    }
    assert!(!running.handle().is_stopping());
    running.handle().stop();
    // While `s3` still stops, and before the turn of the others.
    listeners.join_all().await;
    journal.write("all have heard");
    assert!(running.wait().await.is_clean());
    let heard = ["s1 starts", "s2 starts", "all have heard", "s3 ends"];
    assert_eq!(journal.take(), then(&heard, stops(["s2", "s1"])));
}

#[tokio::test]
async fn a_stop_that_fails_does_not_keep_the_others_from_being_stopped() {
    let journal = Journal::default();
    let mut group = Group::new();
    for (name, point) in [("s1", Stop), ("s2", Asked), ("s3", Stop)] {
        group.probe(journal.probe(name).on(point, Fail));
    }
    let (report, _) = started_and_stopped(group.probe(journal.probe("s4"))).await;
    let started = ["s1 starts", "s2 starts", "s3 starts", "s4 starts"];
    assert_eq!(journal.take(), then(&started, stops(["s4", "s3", "s2", "s1"])));
    let failed = |name, point| format!("`{name}` failed to stop: {name} fails in {point}");
    assert_eq!(failures(&report), [failed("s3", "Stop"), failed("s2", "Asked"), failed("s1", "Stop")]);
    assert!(report.failures().iter().all(|failure| failure.stage() == During::Stop));
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::RunFailed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_only_stop_could_have_ended_is_not_waited_for_when_that_fails() {
    for act in [Fail, Panic] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("s1").deaf().on(Stop, act));
        let (report, took) = started_and_stopped(&mut group).await;
        assert_eq!(
            (report.outcome(), report.failures().len(), took),
            (Outcome::RunFailed, 1, Duration::ZERO),
            "{report}"
        );
        assert_eq!(journal.take(), ["s1 starts", "s1 stops", "s1 dropped"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_listens_after_all_is_waited_for_although_stop_fails() {
    struct Listens(Journal, tokio::sync::Notify);

    impl Service for Listens {
        async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
            self.1.notified().await;
            let _listens_now = cx.shutdown();
            tokio::time::sleep(secs(3)).await;
            self.0.write("finished");
            Ok(())
        }

        async fn stop(&self) -> Result<(), BoxError> {
            self.1.notify_one();
            tokio::task::yield_now().await;
            Err("stop fails".into())
        }
    }

    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Listens(journal.clone(), tokio::sync::Notify::new()));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!((report.failures().len(), took), (1, secs(3)), "{report}");
    assert_eq!(journal.take(), ["finished"]);
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_a_service_is_stopped_once_and_all_get_the_same_report() {
    let journal = Journal::default();
    let running = Group::new().probe(journal.probe("s1").on(Stop, Take(secs(1)))).start().await.unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let handle = running.handle();
        callers.spawn(async move {
            handle.stop();
            handle.wait().await
        });
    }
    let report = running.stop().await;
    assert!(report.is_clean());
    for same in callers.join_all().await {
        assert_eq!(format!("{same:?}"), format!("{report:?}"));
    }
    assert_eq!(journal.take(), then(&["s1 starts"], stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_never_started_runs_no_hooks() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.build::<2>(journal.probe("s2"));
    drop(group.start());
    drop(group);
    assert!(journal.last_words().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_running_group_that_is_dropped_is_told_to_stop_and_not_awaited() {
    let journal = Journal::default();
    let running = journal.group(["s1"]).probe(journal.probe("s2").on(Stop, Take(secs(1)))).start().await.unwrap();
    drop(running);
    assert_eq!(journal.take(), ["s1 starts", "s2 starts"], "nobody waited for the stop");
    in_time(journal.handle().stopping()).await;
    assert_eq!(journal.last_words().await, stops(["s2", "s1"]), "and nothing leaked");
}

#[test]
fn who_waits_for_a_group_hears_of_it_when_its_runtime_is_shut_down() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("can be built");
    let its_own = runtime();
    let journal = Journal::default();
    let running = its_own.block_on(journal.group(["s1"]).start()).expect("starts");
    let handle = running.handle();
    drop(its_own);
    let report = runtime().block_on(async { in_time(running.wait()).await });
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    assert!(report.to_string().contains("its runtime was shut down while it ran"), "{report}");
    assert!(!runtime().block_on(async { in_time(handle.wait()).await }).is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_the_group_logs_to_may_panic_and_the_report_says_so_once() {
    listen();
    when_told("s", || panic!("there is no room for it"));
    let journal = Journal::default();
    let (report, _) = started_and_stopped(&mut journal.group(["s1", "s2"])).await;
    assert_eq!(report.outcome(), Outcome::Clean);
    let [panicked] = &failures(&report)[..] else { panic!("{report}") };
    assert!(panicked.starts_with("what listens to the group panicked: there is no room for it, at "), "{panicked}");
    assert_eq!(journal.take(), then(&["s1 starts", "s2 starts"], stops(["s2", "s1"])));
}

/// A slow log subscriber: a second passes while it handles an event.
fn a_second_passes() {
    // The first poll advances the clock.
    let _ = pin!(advance(secs(1))).poll(&mut task::Context::from_waker(Waker::noop()));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_slowly_takes_nothing_of_the_limit_of_who_comes_next() {
    for told in ["s1 is ready", "s2 stopped"] {
        listen();
        when_told(told, a_second_passes);
        let (journal, takes) = (Journal::default(), Take(Duration::from_millis(900)));
        let mut group = Group::new();
        for name in ["s1", "s2"] {
            let limited = |spec: Spec| spec.start_timeout(secs(1)).stop_timeout(secs(1));
            group.probe(journal.probe(name).on(StartLater, takes).on(Asked, takes).spec(limited));
        }
        let (report, _) = started_and_stopped(&mut group).await;
        assert!(report.is_clean(), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn ready_comes_before_stopping_before_stopped_before_run_returns() {
    listen();
    let journal = Journal::default();
    let main = journal.probe("main").on(Run, Take(secs(1))).on(Run, Return).spec(|spec| spec.role(Role::Main));
    let report = journal.group(["s1"]).probe(main).run().await;
    tracing::info!(target: "group", "run has returned");
    assert!(report.is_clean());
    let events = ["2 services are ready", "stopping 2 services", "stopped cleanly", "run has returned"];
    let told = logged().into_iter().filter_map(|line| events.into_iter().find(|event| line.contains(event)));
    assert_eq!(told.collect::<Vec<_>>(), events);
}

/// A value that the services share.
struct Shared<const NUMBER: usize>(Journal);

impl<const NUMBER: usize> Drop for Shared<NUMBER> {
    fn drop(&mut self) {
        self.0.write(format!("p{NUMBER} dropped"));
    }
}

#[tokio::test]
async fn services_are_dropped_first_then_the_values_in_reverse() {
    let journal = Journal::default();
    let mut group = journal.group(["s1", "s2"]);
    group.provide(Shared::<1>(journal.clone())).provide(Shared::<2>(journal.clone()));
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    let stopped = [stops(["s2", "s1"]), vec!["p2 dropped".to_owned(), "p1 dropped".to_owned()]].concat();
    assert_eq!(journal.take(), then(&["s1 starts", "s2 starts"], stopped));
}

#[tokio::test]
async fn a_token_hears_of_the_stop_whether_it_was_taken_before_or_after_and_to_cancel_it_stops_nothing() {
    let mut group = Group::new();
    group.add_fn("service", |shutdown: Shutdown| async move {
        let token = shutdown.token();
        shutdown.token().cancel();
        assert!(!token.is_cancelled() && !shutdown.is_requested(), "it was another's");
        token.cancelled().await;
        assert!(shutdown.is_requested() && shutdown.token().is_cancelled());
    });
    let running = group.start().await.unwrap();
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

/// Before the stop only the service's own task waits for it, so nothing else is there to be notified.
#[tokio::test]
async fn who_waits_for_the_stop_only_when_it_has_come_hears_of_it() {
    let mut group = Group::new();
    group.add_fn("token", |shutdown: Shutdown| async move {
        shutdown.requested().await;
        assert!(shutdown.token().is_cancelled());
    });
    group.add_fn("cron", |cx: Context| async move {
        cx.shutdown().requested().await;
        cx.cron("@hourly", || async {}).await
    });
    group.add_fn("elsewhere", |shutdown: Shutdown| async move {
        shutdown.requested().await;
        tokio::spawn(async move { shutdown.requested().await }).await
    });
    let running = group.start().await.unwrap();
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}
