//! The status of a group: what an outsider can know of it at any moment.

use std::sync::Arc;

use group::axum::{Router, routing::get};
use group::{
    Context, Ending, Event, Group, Outcome, Phase, Restart, Restarted, Role, Schedule, ServiceStatus, State,
    StopReason, admin, http,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{
    Act::{Fail, Take},
    Journal,
    Point::{Run, StartLater, Stop},
    Stage as _, in_time, millis, secs, start_aside, text_at, until_state, web,
};

/// What each service waits for, in start order.
fn waits(handle: &group::Handle) -> Vec<Vec<String>> {
    handle.status().services().iter().map(|service| service.waits_for().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn it_says_what_each_service_waits_for_at_the_start_and_at_the_stop() {
    let journal = Journal::default();
    let probe = |name| journal.probe(name).on(StartLater, Take(secs(1))).on(Stop, Take(secs(1)));
    let mut group = Group::new();
    group.schedule(Schedule::Graph).probe(probe("database")).probe(probe("cache"));
    group.probe(probe("api").after(["database", "cache"])).probe(probe("gateway").after(["api"]));
    let starting = start_aside(&mut group);
    journal.until("cache starts").await;
    let handle = journal.handle();
    assert_eq!(waits(&handle), [vec![], vec![], vec!["database", "cache"], vec!["api"]]);
    journal.until("api starts").await;
    assert_eq!(waits(&handle), [vec![], vec![], vec![], vec!["api"]]);
    let running = starting.await.unwrap().unwrap();
    assert_eq!(waits(&handle), [[(); 0]; 4].map(|none| none.map(|()| String::new())));
    handle.stop();
    journal.until("gateway stops").await;
    assert_eq!(waits(&handle), [vec!["api"], vec!["api"], vec!["gateway"], vec![]]);
    let status = handle.status();
    let after: Vec<_> = status.services().iter().map(ServiceStatus::after).collect();
    assert_eq!(after, [&[][..], &[], &["database".to_owned(), "cache".to_owned()], &["api".to_owned()]]);
    assert!(in_time(running.wait()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn in_a_strict_schedule_a_service_waits_for_the_one_before_it_which_is_no_edge_of_its_own() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(StartLater, Take(secs(1)))).probe(journal.probe("s2"));
    let starting = start_aside(&mut group);
    journal.until("s1 starts").await;
    let status = journal.handle().status();
    let s2 = status.service("s2").unwrap();
    assert_eq!((s2.waits_for(), s2.after()), (&["s1".to_owned()][..], &[][..]));
    assert_eq!(status.schedule(), Schedule::Strict);
    assert!(in_time(starting.await.unwrap().unwrap().stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn it_has_the_times_of_the_group_and_of_each_service() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(StartLater, Take(secs(2))).on(Stop, Take(secs(3))));
    let starting = start_aside(group.lasts(secs(25)));
    journal.until("s1 starts").await;
    let handle = journal.handle();
    assert_eq!((handle.status().took_to_start(), handle.status().time_left()), (None, None));
    assert_eq!((handle.status().outcome(), handle.status().exit_code()), (None, None));
    let running = starting.await.unwrap().unwrap();
    tokio::time::sleep(secs(10)).await;
    let status = handle.status();
    let s1 = status.service("s1").unwrap();
    assert_eq!((status.uptime(), status.took_to_start(), status.stopped_by()), (secs(12), Some(secs(2)), None));
    assert_eq!((s1.state_at(), s1.ready_at(), s1.took_to_start()), (secs(2), Some(secs(2)), Some(secs(2))));
    assert_eq!((s1.took_to_stop(), s1.ending(), s1.role(), s1.is_critical()), (None, None, Role::Task, true));

    handle.stop();
    journal.until("s1 stops").await;
    tokio::time::sleep(secs(1)).await;
    let status = handle.status();
    assert_eq!((status.time_left(), status.stop_asked_at()), (Some(secs(24)), Some(secs(12))));
    assert_eq!((status.stopped_by(), status.phase()), (Some(&StopReason::Asked), Phase::Stopping));
    assert_eq!((status.outcome(), status.exit_code()), (Some(Outcome::Clean), Some(0)));
    assert!(status.report().is_none());

    assert!(in_time(running.wait()).await.is_clean());
    tokio::time::sleep(secs(10)).await;
    let status = handle.status();
    let s1 = status.service("s1").unwrap();
    assert_eq!((s1.state_at(), s1.gone_at(), s1.took_to_stop()), (secs(15), Some(secs(15)), Some(secs(3))));
    assert_eq!((status.uptime(), status.time_left(), s1.ending()), (secs(15), None, Some(Ending::Stopped)));
    assert!(status.report().is_some_and(group::Report::is_clean));
}

#[tokio::test(start_paused = true)]
async fn the_event_of_the_end_finds_the_report_in_the_status() {
    let journal = Journal::default();
    let running = journal.group(["s1"]).start().await.unwrap();
    let (handle, mut events) = (running.handle(), running.handle().events());
    handle.stop();
    while in_time(events.recv()).await.expect("the end is told") != Event::GroupStopped {}
    assert!(handle.status().report().is_some_and(group::Report::is_clean));
}

#[tokio::test(start_paused = true)]
async fn it_keeps_restarts_and_the_last_failure_of_each_service() {
    let journal = Journal::default();
    let mut group = Group::new();
    let flaky = journal.probe("flaky").on_starts(1..=2, Run, Take(secs(1))).on_starts(1..=2, Run, Fail);
    group
        .probe(journal.probe("steady"))
        .probe(flaky.spec(|spec| spec.restart(Restart::on_failure().backoff(secs(4), secs(4)))));
    let running = group.start().await.unwrap();
    let handle = running.handle();
    until_state(&handle, "flaky", State::Restarting).await;
    let status = handle.status();
    let flaky = status.service("flaky").unwrap();
    // A backoff has some chance in it.
    let wait = flaky.starts_again_in().unwrap();
    assert!(wait > secs(0) && wait <= secs(4) && flaky.restarts() == 0, "{flaky:?}");
    assert_eq!(flaky.last_failure().unwrap().to_string(), "`flaky` failed: flaky fails in Run");
    assert!(status.service("steady").unwrap().last_failure().is_none());
    tokio::time::sleep(secs(20)).await;
    let status = handle.status();
    let flaky = status.service("flaky").unwrap();
    let [first, second] = flaky.last_restarts() else { panic!("{flaky:?}") };
    let ready_at_once = |one: &Restarted| one.ready_at() == Some(one.started_at());
    assert_eq!((flaky.restarts(), first.ended_at()), (2, secs(1)));
    // The timer counts in milliseconds.
    let waited = first.started_at().saturating_sub(first.ended_at());
    assert!(wait <= waited && waited < wait + millis(1), "{flaky:?}");
    assert_eq!(second.ended_at(), first.started_at() + secs(1));
    assert!(ready_at_once(first) && ready_at_once(second), "{flaky:?}");
    assert!(status.cause().is_none(), "the group has survived it");
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn it_names_the_failure_for_which_the_group_stops_before_the_end() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Take(secs(5)))).probe(journal.probe("s2").on(Run, Fail));
    let running = group.start().await.unwrap();
    let handle = running.handle();
    until_state(&handle, "s1", State::Stopping).await;
    let status = handle.status();
    assert_eq!(status.cause().unwrap().to_string(), "`s2` failed: s2 fails in Run");
    assert_eq!((status.outcome(), status.exit_code()), (Some(Outcome::RunFailed), Some(1)));
    assert!(!in_time(running.wait()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_last_events_however_often_somebody_looks() {
    let journal = Journal::default();
    let mut group = Group::new();
    let flaky = journal.probe("flaky").on_starts(1..=100, Run, Take(secs(1))).on_starts(1..=100, Run, Fail);
    group.probe(flaky.spec(|spec| spec.restart(Restart::on_failure().backoff(secs(1), secs(1)).max(100))));
    let running = group.start().await.unwrap();
    let handle = running.handle();
    let events = |handle: &group::Handle| handle.status().recent_events().to_vec();
    let state = |state| Event::Service { name: "flaky".to_owned(), state };
    let begun = [state(State::Building), state(State::Starting), state(State::Ready), Event::GroupReady];
    for _ in 0..2 {
        assert!(events(&handle).into_iter().map(|(_, event)| event).eq(begun.clone()));
    }
    tokio::time::sleep(secs(1000)).await;
    let status = handle.status();
    // Each restart is three events: it waits, it starts, it is ready.
    assert_eq!((status.recent_events().len(), status.forgotten_events()), (256, 4 + 300 - 256));
    let times: Vec<_> = status.recent_events().iter().map(|(at, _)| *at).collect();
    assert!(times.is_sorted() && times[255] > secs(100), "{times:?}");
    assert!(in_time(running.stop()).await.is_clean());
    let (_, last) = events(&handle).pop().unwrap();
    assert_eq!(last, Event::GroupStopped);
}

#[tokio::test]
async fn it_counts_connections_and_requests_in_flight() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = move || async move {
        begins.notify_one();
        goes_on.notified().await;
        "answered"
    };
    let mut group = web(Router::new().route("/slow", get(slow)));
    group.add_fn("worker", |shutdown: group::Shutdown| async move { shutdown.requested().await });
    let running = group.start().await.unwrap();
    let (handle, addr) = (running.handle(), running.local_addr("web").unwrap());
    let load = |name: &str| {
        let status = handle.status();
        let service = status.service(name).unwrap();
        service.connections().zip(service.requests_in_flight())
    };
    assert_eq!((load("web"), load("worker")), (Some((0, 0)), None));
    let client = tokio::spawn(text_at(addr, "/slow"));
    in_time(begun.notified()).await;
    assert_eq!(load("web"), Some((1, 1)));
    assert_eq!(handle.status().service("web").unwrap().local_addr(), Some(addr));
    go_on.notify_one();
    assert_eq!(client.await.unwrap(), "answered");
    in_time(async {
        while load("web") != Some((0, 0)) {
            tokio::time::sleep(millis(5)).await;
        }
    })
    .await;
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn pages_that_are_mounted_by_hand_know_where_they_are_and_end_with_their_service() {
    let mut group = Group::new();
    group.add_fn("ops", |cx: Context| async move {
        let routes = Router::new().nest("/ops", admin::router(&cx.handle()));
        http::serve(&cx, "127.0.0.1:0", routes).await
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("ops").unwrap();
    let page = text_at(addr, "/ops").await;
    assert!(page.contains("data-events=\"/ops/events?page\"") && page.contains("href=\"/ops/status\""), "{page}");
    let events = reqwest::get(format!("http://{addr}/ops/events")).await.unwrap();
    assert!(in_time(running.stop()).await.is_clean());
    let told = in_time(events.text()).await.unwrap();
    assert!(told.starts_with("event: status\n") && told.contains("event: group_stopping\n"), "{told}");
    assert!(told.rsplit("event: ").next().is_some_and(|last| last.starts_with("end\n")), "{told}");
}

#[tokio::test(start_paused = true)]
async fn status_and_events_can_be_read_by_machines() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("s2").after(["s1"]).on(Run, Take(secs(1))).on(Run, Fail));
    let running = group.start().await.unwrap();
    let (handle, mut events) = (running.handle(), running.handle().events());
    let as_json = |handle: &group::Handle| serde_json::to_value(handle.status()).unwrap();
    let status = as_json(&handle);
    let at = |path: &str| status.pointer(path).unwrap_or_else(|| panic!("no {path} in {status}")).clone();
    assert_eq!((at("/phase"), at("/ready"), at("/schedule")), ("running".into(), true.into(), "strict".into()));
    assert_eq!((at("/services/1/name"), at("/services/1/state")), ("s2".into(), "ready".into()));
    assert_eq!((at("/services/1/after"), at("/services/1/role")), (json!(["s1"]), "task".into()));
    assert_eq!((at("/pid"), at("/exit_code")), (std::process::id().into(), Value::Null));
    assert!(!in_time(running.wait()).await.is_clean());
    let status = as_json(&handle);
    assert_eq!((&status["outcome"], &status["exit_code"]), (&json!("run_failed"), &json!(1)));
    assert_eq!(status["cause"]["error"], "s2 fails in Run");
    let mut told = Vec::new();
    while let Some(event) = in_time(events.recv()).await {
        told.push(serde_json::to_value(event).unwrap());
    }
    assert_eq!(told[0], json!({"event": "service", "name": "s2", "state": "failed"}));
    assert_eq!(told[1], json!({"event": "group_stopping", "stopped_by": "`s2` failed"}));
    assert_eq!(told.last(), Some(&json!({"event": "group_stopped"})));
}
