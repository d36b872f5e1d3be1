//! A group seen from outside: status, events and health.

use std::sync::Arc;

use group::axum::{Router, http::StatusCode, routing::get};
use group::{
    BoxError, Context, Group, Handle, Health, Outcome, Restart, Service, ServiceHealth, Shutdown, State, StopReason,
    http,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::{
    Act::{Fail, Hang, Panic, Take},
    Journal,
    Point::{Build, Health as Examined, Run, StartLater, Stop},
    Stage as _, ended, fails_to_start, in_time, listen, logged, secs, start_aside, text_at, until_state, web, witness,
};

/// The answers to a liveness and a readiness probe.
fn live_and_ready(handle: &Handle) -> (bool, bool) {
    let status = handle.status();
    (status.is_live(), status.is_ready())
}

#[tokio::test]
async fn a_service_asks_where_another_listens() {
    let mut group = web(Router::new().route("/", get(|| async { "served" })));
    group.add_fn("prober", |handle: Handle| async move {
        let addr = handle.local_addr("web").expect("it is ready before");
        assert_eq!(text_at(addr, "/").await, "served");
        assert_eq!(handle.local_addr("prober"), None);
        handle.stop();
    });
    let report = in_time(group.run()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_live_from_its_start_to_its_end_and_ready_until_it_is_to_stop() {
    let journal = Journal::default();
    let mut group = Group::new();
    let starting = start_aside(group.probe(journal.probe("s1").on(StartLater, Take(secs(1))).on(Stop, Take(secs(1)))));
    journal.until("s1 starts").await;
    let handle = journal.handle();
    assert_eq!(live_and_ready(&handle), (true, false), "while it starts");
    let running = starting.await.unwrap().unwrap();
    assert_eq!(live_and_ready(&handle), (true, true), "while it runs");
    handle.stop();
    journal.until("s1 stops").await;
    assert_eq!(live_and_ready(&handle), (true, false), "while it stops");
    assert!(running.wait().await.is_clean());
    assert_eq!(live_and_ready(&handle), (false, false), "when it is over");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_never_came_up_is_live_until_it_is_over() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Take(secs(1)))).probe(journal.probe("s2").on(StartLater, Fail));
    let starting = start_aside(&mut group);
    journal.until("s1 stops").await;
    assert_eq!(live_and_ready(&journal.handle()), (true, false), "on the way back");
    assert!(in_time(starting).await.unwrap().is_err());
    assert_eq!(live_and_ready(&journal.handle()), (false, false));
}

#[tokio::test]
async fn the_group_is_not_ready_any_more_while_its_listeners_are_all_open() {
    let drained = Arc::new(Notify::new());
    let mut group = web(Router::new().route("/", get(|| async { "still here" })));
    let is_drained = Arc::clone(&drained);
    group.add_fn("worker", |shutdown: Shutdown| async move {
        shutdown.requested().await;
        is_drained.notified().await;
    });
    // Although only a service that is not critical has been asked to stop.
    group.configure("worker", |spec| spec.critical(false));
    let running = group.start().await.unwrap();
    let (handle, addr) = (running.handle(), running.local_addr("web").unwrap());
    assert!(handle.status().is_ready());
    handle.stop();
    handle.stopping().await;
    assert_eq!(live_and_ready(&handle), (true, false));
    assert_eq!(text_at(addr, "/").await, "still here");
    drained.notify_one();
    assert!(running.wait().await.is_clean());
}

#[tokio::test]
async fn the_group_is_not_ready_any_more_before_the_first_service_is_asked_to_stop() {
    let (told, asked) = (Journal::default(), Journal::default());
    let mut group = Group::new();
    witness(&mut group, &told);
    let writes = asked.clone();
    group.add_fn("s1", |shutdown: Shutdown, handle: Handle| async move {
        shutdown.requested().await;
        writes.write(format!("asked while ready: {}", handle.status().is_ready()));
    });
    let running = group.start().await.unwrap();
    assert!(running.handle().status().is_ready());
    assert!(running.stop().await.is_clean());
    assert_eq!(asked.take(), ["asked while ready: false"]);
    told.until("group has stopped").await;
    let told = told.take();
    let at = |event: &str| told.iter().position(|told| told.starts_with(event));
    assert!(at("group stops").unwrap() < at("s1 is stopping").unwrap(), "{told:?}");
}

#[tokio::test]
async fn probes_are_answered_while_the_others_drain() {
    let mut group = Group::new();
    group.add_fn("probes", |cx: Context| async move {
        let (live, ready) = (cx.handle(), cx.handle());
        let code = |yes| if yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let routes = Router::new()
            .route("/live", get(move || async move { code(live.status().is_live()) }))
            .route("/ready", get(move || async move { code(ready.status().is_ready()) }));
        http::serve(&cx, "127.0.0.1:0", routes).await
    });
    let (drains, drained) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, is_drained) = (Arc::clone(&drains), Arc::clone(&drained));
    group.add_fn("worker", |shutdown: Shutdown| async move {
        shutdown.requested().await;
        begins.notify_one();
        is_drained.notified().await;
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("probes").unwrap();
    let probe = async |path| reqwest::get(format!("http://{addr}/{path}")).await.unwrap().status().as_u16();
    assert_eq!((probe("live").await, probe("ready").await), (200, 200));
    running.handle().stop();
    in_time(drains.notified()).await;
    assert_eq!((probe("live").await, probe("ready").await), (200, 503), "while the worker drains");
    drained.notify_one();
    assert!(in_time(running.wait()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_failed_to_start_was_never_seen_ready() {
    let (journal, told) = (Journal::default(), Journal::default());
    let mut group = Group::new();
    witness(&mut group, &told);
    group.probe(journal.probe("s1").on(StartLater, Take(secs(1)))).probe(journal.probe("s2").on(StartLater, Fail));
    assert_eq!(fails_to_start(&mut group).await.outcome(), Outcome::StartFailed);
    told.until("group has stopped").await;
    let told = told.take();
    assert!(told.contains(&"s1 is ready".to_owned()) && !told.contains(&"group is ready".to_owned()), "{told:?}");
    assert!(!journal.handle().status().is_ready());
}

#[tokio::test(start_paused = true)]
async fn when_everything_is_over_every_service_is_gone() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let spare = |name| journal.probe(name).on(StartLater, Fail).spec(|spec| spec.critical(false));
    group.probe(spare("failed")).probe(spare("lost").after(["failed"]));
    group.probe(journal.probe("s2").on(StartLater, Fail)).probe(journal.probe("s3"));
    assert_eq!(fails_to_start(&mut group).await.outcome(), Outcome::StartFailed);
    let last = journal.handle().status();
    let states: Vec<_> = last.services().iter().map(|service| (service.name(), service.state())).collect();
    assert_eq!(states, ["s1", "failed", "lost", "s2", "s3"].map(|name| (name, State::Gone)));
}

#[tokio::test]
async fn a_service_that_is_not_well_changes_neither_liveness_nor_readiness() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let running = group.probe(journal.probe("s2").on(Examined, Fail)).start().await.unwrap();
    let handle = running.handle();
    let health = handle.health().await;
    assert_eq!((health[1].name(), health[1].health()), ("s2", &Health::Unhealthy("s2 fails in Health".to_owned())));
    let status = handle.status();
    assert!(status.is_live() && status.is_ready() && !status.is_degraded());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn without_a_service_that_it_can_do_without_the_group_is_degraded_and_ready() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let spare = journal.probe("s2").on(Run, Take(secs(1))).on(Run, Fail);
    let running = group.probe(spare.spec(|spec| spec.critical(false))).start().await.unwrap();
    let handle = running.handle();
    assert!(!handle.status().is_degraded());
    until_state(&handle, "s2", State::Failed).await;
    let status = handle.status();
    assert!(status.is_degraded() && status.is_ready() && status.is_live());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn when_a_service_fails_that_it_cannot_do_without_the_group_is_not_ready() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Take(secs(1))));
    let running = group.probe(journal.probe("s2").on(Run, Take(secs(1))).on(Run, Fail)).start().await.unwrap();
    let handle = running.handle();
    journal.until("s1 stops").await;
    assert_eq!(live_and_ready(&handle), (true, false));
    assert_eq!(running.wait().await.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_failed_shows_it_until_its_turn_to_stop() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Run, Take(secs(1))).on(Run, Fail));
    let running = group.probe(journal.probe("s2").on(Stop, Take(secs(2)))).start().await.unwrap();
    let handle = running.handle();
    journal.until("s2 stops").await;
    assert_eq!(handle.status().service("s1").unwrap().state(), State::Failed);
    assert_eq!(handle.health().await[0].health(), &Health::Unhealthy("failed".to_owned()));
    assert_eq!(running.wait().await.stopped_by(), Some(&StopReason::Failed("s1".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_say_how_it_is_hides_no_other() {
    let journal = Journal::default();
    let mut group = journal.group(["silent"]);
    for (name, act) in
        [("stuck", Hang), ("slow", Take(secs(2))), ("well", Take(secs(0))), ("ill", Fail), ("mad", Panic)]
    {
        group.probe(journal.probe(name).on(Examined, act));
    }
    let running = group.start().await.unwrap();
    let asked = Instant::now();
    let answers = running.handle().health().await;
    assert_eq!(asked.elapsed(), secs(1), "all are asked at once");
    let said: Vec<_> = answers.iter().map(|service| (service.name(), service.health())).collect();
    let (healthy, unknown, ill) =
        (&Health::Healthy, &Health::Unknown, &Health::Unhealthy("ill fails in Health".to_owned()));
    let [others @ .., ("mad", Health::Unhealthy(panicked))] = &said[..] else { panic!("{said:?}") };
    assert_eq!(others, [("silent", healthy), ("stuck", unknown), ("slow", unknown), ("well", healthy), ("ill", ill)]);
    assert!(panicked.starts_with("panicked: mad panics in Health"), "{panicked}");
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn every_change_is_one_event() {
    let (journal, told) = (Journal::default(), Journal::default());
    let mut group = Group::new();
    witness(&mut group, &told);
    let s1 = journal.probe("s1").on(Build, Take(secs(1))).on(StartLater, Take(secs(1)));
    let s1 = s1.on_starts(..=1, Run, Take(secs(1))).on_starts(..=1, Run, Fail).on(Stop, Take(secs(1)));
    group.build::<1>(s1.spec(|spec| spec.name("s1").restart(Restart::on_failure())));
    let running = group.start().await.unwrap();
    until_state(&running.handle(), "s1", State::Restarting).await;
    until_state(&running.handle(), "s1", State::Ready).await;
    assert!(running.stop().await.is_clean());
    told.until("group has stopped").await;
    let first = ["s1 is building", "s1 is starting", "s1 is ready", "group is ready"];
    let again = ["s1 is restarting", "s1 is starting", "s1 is ready"];
    let stopped = ["group stops: a stop was asked for", "s1 is stopping", "s1 is gone", "group has stopped"];
    assert_eq!(told.take(), [&first[..], &again, &stopped].concat());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_one_event_and_the_groups_stop_names_it() {
    for (critical, stops_for_it) in [(true, "group stops: `s1` failed"), (false, "group stops: a stop was asked for")] {
        let (journal, told) = (Journal::default(), Journal::default());
        let mut group = Group::new();
        witness(&mut group, &told);
        let s1 = journal.probe("s1").on(Run, Take(secs(1))).on(Run, Fail);
        let running = group.probe(s1.spec(|spec| spec.critical(critical))).start().await.unwrap();
        told.until("group is ready").await;
        told.take();
        if !critical {
            until_state(&running.handle(), "s1", State::Failed).await;
            running.handle().stop();
        }
        assert_eq!(running.wait().await.is_clean(), !critical);
        told.until("group has stopped").await;
        let ended = ["s1 is failed", stops_for_it, "s1 is stopping", "s1 is gone", "group has stopped"];
        assert_eq!(told.take(), ended);
    }
}

#[tokio::test(start_paused = true)]
async fn of_all_that_the_services_say_the_worst_is_the_greatest() {
    let journal = Journal::default();
    let worst = async |acts: &[_]| {
        let mut group = journal.group(["s1"]);
        for (number, act) in acts.iter().enumerate() {
            group.probe(journal.probe(&format!("other-{number}")).on(Examined, *act));
        }
        let running = group.start().await.unwrap();
        let health = running.handle().health().await;
        assert!(running.stop().await.is_clean());
        health.iter().map(|service| service.health().clone()).max().unwrap()
    };
    assert_eq!(worst(&[]).await, Health::Healthy);
    assert_eq!(worst(&[Hang, Take(secs(0))]).await, Health::Unknown);
    assert!(matches!(worst(&[Fail, Hang]).await, Health::Unhealthy(_)));
}

#[tokio::test(start_paused = true)]
async fn another_order_of_what_is_worst_can_be_chosen() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("fails").on(Examined, Fail)).probe(journal.probe("hangs").on(Examined, Hang));
    let running = group.start().await.unwrap();
    let health = running.handle().health().await;
    // In this order a service that does not answer at all is worse than an unhealthy one.
    let rank = |service: &&ServiceHealth| match service.health() {
        Health::Unknown => 2,
        Health::Unhealthy(_) => 1,
        _ => 0,
    };
    assert_eq!(health.iter().max_by_key(rank).unwrap().name(), "hangs");
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_status_names_services_only_where_details_are_asked_for() {
    let journal = Journal::default();
    let mut group = journal.group(["database"]);
    let flaky = journal.probe("cache").on(Run, Take(secs(1))).on(Run, Fail);
    group.probe(flaky.spec(|spec| spec.critical(false)));
    let running = group.start().await.unwrap();
    let handle = running.handle();
    assert_eq!(handle.status().to_string(), "running, ready");
    until_state(&handle, "cache", State::Failed).await;
    assert_eq!(handle.status().to_string(), "running, ready, degraded");
    let details = "running, ready, degraded\n  database  ready\n  cache     failed";
    assert_eq!(format!("{:#}", handle.status()), details);
    assert!(running.stop().await.is_clean());
    assert_eq!(handle.status().to_string(), "stopped, not ready");
}

/// Sends this many heartbeats, one a second; then runs on without any.
async fn beat(cx: Context, times: usize) {
    let (heartbeat, shutdown) = (cx.heartbeat(secs(2)), cx.shutdown());
    for _ in 0..times {
        tokio::time::sleep(secs(1)).await;
        heartbeat.beat();
    }
    shutdown.requested().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_gives_no_sign_of_life_any_more_has_failed() {
    let mut group = Group::new();
    let running = group.add_fn("s1", |cx: Context| beat(cx, 9)).start().await.unwrap();
    let (handle, begun) = (running.handle(), Instant::now());
    in_time(handle.stopping()).await;
    assert_eq!(begun.elapsed(), secs(9 + 2));
    let report = running.wait().await;
    assert_eq!(report.outcome(), Outcome::RunFailed);
    assert_eq!(report.cause().unwrap().to_string(), "`s1` failed: no sign of life for 2 s (heartbeat)");
}

#[tokio::test(start_paused = true)]
async fn it_is_unhealthy_then_and_started_again_if_it_may_be() {
    let mut group = Group::new();
    group.add(Beats).configure("beats", |spec| spec.restart(Restart::on_failure().backoff(secs(4), secs(4))));
    let running = group.start().await.unwrap();
    let handle = running.handle();
    until_state(&handle, "beats", State::Restarting).await;
    assert_eq!(handle.health().await[0].health(), &Health::Unhealthy("restarting".to_owned()));
    until_state(&handle, "beats", State::Ready).await;
    assert_eq!(handle.health().await[0].health(), &Health::Healthy);
    assert!(running.stop().await.is_clean());
}

struct Beats;

impl Service for Beats {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        beat(cx, 1).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_can_give_itself_up_at_once() {
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context| async move {
        let heartbeat = cx.heartbeat(secs(100));
        tokio::time::sleep(secs(1)).await;
        heartbeat.fail("the queue is gone");
        heartbeat.fail("and so am I");
        std::future::pending::<()>().await;
    });
    let (report, at) = ended(&mut group).await;
    assert_eq!((report.outcome(), at), (Outcome::RunFailed, secs(1)));
    assert_eq!(report.cause().unwrap().to_string(), "`s1` failed: the queue is gone");
}

#[tokio::test(start_paused = true)]
async fn neither_a_stop_nor_an_end_waits_for_a_heartbeat() {
    let mut group = Group::new();
    let running = group.add_fn("s1", |cx: Context| beat(cx, 0)).start().await.unwrap();
    let begun = Instant::now();
    assert!(in_time(running.stop()).await.is_clean());
    assert_eq!(begun.elapsed(), secs(0));

    group.add_fn("s1", |cx: Context| async move { drop(cx.heartbeat(secs(2))) });
    let (report, at) = ended(&mut group).await;
    assert_eq!((report.outcome(), at), (Outcome::Clean, secs(0)));
}

#[tokio::test]
async fn the_log_says_where_each_service_is_served() {
    listen();
    let mut group = Group::new();
    let serve = |cx: Context| async move { http::serve(&cx, "127.0.0.1:0", http::mounted(&cx, Router::new())?).await };
    group.add_fn("front", serve).configure("front", |spec| spec.http("127.0.0.1:0"));
    for (name, prefix) in [("one", None), ("two", Some("/two"))] {
        group.add_fn(name, |cx: Context| async move { http::mount(&cx, Router::new()).await });
        group.configure(name, |spec| prefix.into_iter().fold(spec.http_on_named("front"), group::Spec::prefix));
    }
    let running = group.start().await.unwrap();
    let front = format!("INFO front is ready on http://{} (", running.local_addr("front").unwrap());
    for said in ["INFO one is ready on front, under / (", "INFO two is ready on front, under /two (", &front] {
        assert!(logged().iter().any(|line| line.starts_with(said)), "{said}: {:#?}", logged());
    }
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn metrics_of_other_libraries_are_appended_and_take_the_place_of_those_of_the_process() {
    listen();
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.metrics_from(|| "# TYPE mails_total counter\nmails_total 7\n\n".into());
    let running = group.metrics_from(|| panic!("nothing is counted")).start().await.unwrap();
    let text = running.handle().metrics();
    assert!(text.contains("\nmails_total 7\n") && text.contains("group_ready 1\n"), "{text}");
    assert_eq!(text.contains("process_cpu_seconds_total "), cfg!(target_os = "linux"), "{text}");
    let missing = logged().into_iter().filter(|line| line.contains("what renders them panicked: nothing is counted"));
    assert_eq!(missing.count(), 1);
    assert!(running.stop().await.is_clean());

    let own = "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\n";
    let running = journal.group(["s2"]).metrics_from(|| own.into()).start().await.unwrap();
    let text = running.handle().metrics();
    assert_eq!(text.matches("process_cpu_seconds_total ").count(), 2, "its type and its sample: {text}");
    assert!(running.stop().await.is_clean());
}
