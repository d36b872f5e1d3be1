//! Services that go along with the others: they start first, stop last, and do not count.

use std::net::SocketAddr;

use group::axum::Router;
use group::axum::routing::get;
use group::{Context, Group, Outcome, Role, Shutdown, Spec, State, StopReason, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::Act::{Fail, Return, Take};
use crate::support::Point::{Run, StartLater};
use crate::support::{
    Journal, SCHEDULES, Stage as _, fails_to_start, in_time, secs, started_and_stopped, stops, text_at, web,
};

fn sidecar(spec: Spec) -> Spec {
    spec.role(Role::Sidecar)
}

/// Adds a sidecar with one page.
fn add_ops(group: &mut Group) {
    let pages = || Router::new().route("/", get(|| async { "live" }));
    group
        .add_fn("ops", async move |cx: Context| http::serve(&cx, "127.0.0.1:0", pages()).await)
        .configure("ops", sidecar);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_starts_first_and_stops_last_wherever_it_is_declared() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = journal.group(["first", "ops", "last"]);
        group.configure("ops", sidecar).configure("last", |spec| spec.after_named("first")).schedule(schedule);
        let (report, _) = started_and_stopped(&mut group).await;
        assert!(report.is_clean(), "{report}");
        let names: Vec<_> = report.services().iter().map(group::ServiceReport::name).collect();
        assert_eq!(names, ["ops", "first", "last"]);
        let entries = journal.last_words().await;
        assert_eq!(entries[..3], ["ops starts", "first starts", "last starts"]);
        assert_eq!(entries[3..], stops(["last", "first", "ops"]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_services_that_a_sidecar_needs_start_before_it() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = journal.group(["api", "disk", "store", "ops"]);
        group.configure("store", |spec| spec.after_named("disk"));
        group.configure("ops", |spec| sidecar(spec).after_named("store")).schedule(schedule);
        let (report, _) = started_and_stopped(&mut group).await;
        assert!(report.is_clean(), "{report}");
        let entries = journal.last_words().await;
        assert_eq!(entries[..4], ["disk starts", "store starts", "ops starts", "api starts"]);
        assert_eq!(entries[4..], stops(["api", "ops", "store", "disk"]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_is_up_while_the_first_service_starts_and_while_the_last_stops() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("slow").on(StartLater, Take(secs(30)))).probe(journal.probe("ops"));
    group.configure("ops", sidecar);
    let (report, _) = started_and_stopped(&mut group).await;
    let [ops, slow] = ["ops", "slow"].map(|name| report.service(name).unwrap());
    assert!(ops.ready_at().unwrap() < secs(1) && slow.ready_at().unwrap() >= secs(30), "{report}");
    assert!(ops.stop_asked_at() >= slow.gone_at(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_group_ends_when_all_but_its_sidecars_have_ended() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("ops")).probe(journal.probe("job").on(Run, Return)).configure("ops", sidecar);
    let report = in_time(group.run()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.stopped_by(), Some(&StopReason::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_returns_has_failed_as_a_daemon_would_have() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("ops").on(Run, Return)).probe(journal.probe("api")).configure("ops", sidecar);
    let report = in_time(group.run()).await;
    assert_eq!(report.outcome(), Outcome::RunFailed, "{report}");
    assert_eq!(report.cause().unwrap().service(), Some("ops"));
}

#[tokio::test(start_paused = true)]
async fn the_others_run_without_a_sidecar_that_is_not_critical() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("ops").on(StartLater, Fail)).probe(journal.probe("api"));
    group.configure("ops", |spec| sidecar(spec).critical(false));
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean(), "{report}");
    assert!(report.service("api").unwrap().ready_at().is_some(), "{report}");
}

#[tokio::test]
async fn sidecars_alone_are_an_invalid_setup() {
    let journal = Journal::default();
    let mut group = journal.group(["ops"]);
    let report = fails_to_start(group.configure("ops", sidecar)).await;
    assert_eq!(report.exit_code(), 78);
    let said = report.cause().unwrap().to_string();
    assert!(said.contains("`ops`") && said.contains("is a sidecar, and so is everything here"), "{said}");
}

#[tokio::test]
async fn a_server_can_be_a_sidecar_in_whatever_order_that_is_said() {
    let before = Spec::new("ops").role(Role::Sidecar).http("127.0.0.1:0");
    let after = Spec::new("ops").http("127.0.0.1:0").role(Role::Sidecar);
    assert_eq!((before.get_role(), after.get_role()), (Role::Sidecar, Role::Sidecar));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_delay_for_a_group_of_which_only_a_sidecar_serves() {
    let journal = Journal::default();
    let mut group = journal.group(["worker"]);
    add_ops(&mut group);
    let (report, took) = started_and_stopped(group.drain_delay(secs(15))).await;
    assert!(report.is_clean(), "{report}");
    assert!(took < secs(1), "{took:?}");
}

/// Asks on an open connection.
async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    let read = connection.read(&mut answer).await.unwrap();
    answer.truncate(read);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_clients_of_a_sidecar_do_not_put_the_early_end_off_and_keep_their_connections() {
    let mut group = web(Router::new());
    add_ops(&mut group);
    let running = group.drain_delay(secs(20)).drain_quiet(secs(1)).start().await.unwrap();
    let ops: SocketAddr = running.local_addr("ops").unwrap();
    let handle = running.handle();
    let mut probe = TcpStream::connect(ops).await.unwrap();
    let asked = Instant::now();
    handle.stop();
    handle.stopping().await;
    // New connections, and requests on one that is open.
    let is_delayed = || handle.status().service("web").unwrap().state() == State::Ready;
    let probing = async {
        while is_delayed() {
            assert_eq!(text_at(ops, "/").await, "live");
            let answer = ask(&mut probe).await;
            assert!(answer.ends_with("live"), "{answer}");
            assert!(!is_delayed() || !answer.contains("connection: close"), "{answer}");
        }
    };
    in_time(probing).await;
    assert!(asked.elapsed() < secs(5), "{:?}", asked.elapsed());
    assert!(in_time(running.wait()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_main_ends_the_group_beside_a_sidecar() {
    let mut group = Group::new();
    group.add_fn("job", || async {}).configure("job", |spec| spec.role(Role::Main));
    group.add_fn("ops", |shutdown: Shutdown| async move { shutdown.requested().await }).configure("ops", sidecar);
    group.add_fn("worker", |shutdown: Shutdown| async move { shutdown.requested().await });
    assert!(in_time(group.run()).await.is_clean());
}

#[test]
fn a_plan_leaves_out_that_all_come_after_the_sidecars() {
    let journal = Journal::default();
    let mut group = journal.group(["store", "api"]);
    add_ops(&mut group);
    group.configure("ops", sidecar).configure("api", |spec| spec.after_named("store"));
    let order = group.order().unwrap();
    assert_eq!(order.starts()[0], ["ops"]);
    assert_eq!(order.to_dot().matches("->").count(), 1, "{}", order.to_dot());
    assert_eq!(order.to_json().matches("\"required\"").count(), 1, "{}", order.to_json());
    group.configure("store", |spec| spec.after_named("ops"));
    assert!(group.order().unwrap().to_dot().contains("\"store\" -> \"ops\";"), "it was declared");
}
