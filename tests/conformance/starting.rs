//! The order of the start, and readiness.

use std::net::TcpListener;
use std::sync::Arc;

use group::axum::{Router, routing::get};
use group::{
    Context, Ending, Group, Outcome, Ready, Restart, Role, Schedule, Shutdown, Stage as During, StopReason, http,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::support::{
    Act::{Fail, Hang, Return, Take},
    Journal, NOT_FIRED,
    Point::{Build, BuildLater, Run, StartLater, Stop},
    Stage as _, ended, fails_to_start, failures, in_time, listen, logged, secs, start_aside, started_and_stopped,
    stops, text_at, then, web, when_told, without_line,
};

#[tokio::test(start_paused = true)]
async fn the_next_service_starts_only_when_the_one_before_is_ready() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(StartLater, Take(secs(9)))).probe(journal.probe("s2"));
    let (report, _) = started_and_stopped(&mut group).await;
    assert_eq!(journal.take(), then(&["s1 starts", "s1 ready", "s2 starts"], stops(["s2", "s1"])));
    assert_eq!(report.service("s1").unwrap().ready_at(), Some(secs(9)));
    assert_eq!(report.service("s2").unwrap().built_at(), Some(secs(9)));
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_service_waits_until_it_is_ready() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.build::<1>(journal.probe("b").spec(|spec| spec.after_named("a")));
    group.probe(journal.probe("a").on(StartLater, Take(secs(9))));
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    let started = ["a starts", "a ready", "b builds", "b built", "b starts"];
    assert_eq!(journal.take(), then(&started, stops(["b", "a"])));
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_once_is_built_when_that_has_returned() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("m").spec(|spec| spec.role(Role::Once)).on(Run, Take(secs(9))).on(Run, Return));
    group.build::<1>(journal.probe("b").spec(|spec| spec.after_named("m")));
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    assert_eq!(report.service("m").unwrap().ready_at(), Some(secs(9)));
    assert_eq!(report.service("m").unwrap().ending(), Ending::Completed);
    let started = ["m starts", "b builds", "b built", "b starts", "b asked", "b stops", "b dropped"];
    assert_eq!(journal.take(), [&started[..], &["m stops", "m dropped"]].concat());
    assert_eq!(report.service("b").unwrap().built_at(), Some(secs(9)));
}

#[tokio::test(start_paused = true)]
async fn a_once_that_fails_fails_the_start() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("m").spec(|spec| spec.role(Role::Once)).on(Run, Take(secs(9))).on(Run, Fail));
    group.build::<1>(journal.probe("b").spec(|spec| spec.after_named("m")));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    assert_eq!(failures(&report), ["`m` failed to start: m fails in Run"]);
    assert_eq!(journal.take(), ["m starts", "m stops", "m dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_before_it_is_ready_fails_the_start() {
    let ended = "`s1` failed to start: it ended before it was ready";
    let failed = "`s1` failed to start: s1 fails in StartLater";
    for (act, message) in [(Return, ended), (Fail, failed)] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("s1").on(StartLater, act)).probe(journal.probe("s2"));
        let report = fails_to_start(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::StartFailed, 2));
        assert_eq!(failures(&report), [message]);
        assert_eq!(journal.take(), ["s1 starts", "s1 stops", "s1 dropped"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_times_out_says_who_is_not_ready_and_for_how_long() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("s2").on(StartLater, Hang).spec(|spec| spec.start_timeout(secs(3))));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    assert_eq!(
        failures(&report),
        [format!("`s2` failed to start: it is not ready after 3 s (start_timeout): {NOT_FIRED}")]
    );
    assert_eq!(journal.take(), then(&["s1 starts", "s2 starts"], stops(["s2", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_names_the_service_and_the_phase() {
    let in_new =
        (During::Build, "`s2` could not be built: `new` has not returned after 3 s (start_timeout)".to_owned());
    let in_start =
        (During::Start, format!("`s2` failed to start: it is not ready after 3 s (start_timeout): {NOT_FIRED}"));
    for (point, (stage, message)) in [(Build, in_new.clone()), (BuildLater, in_new), (StartLater, in_start)] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        group.build::<2>(journal.probe("s2").on(point, Hang).spec(|spec| spec.start_timeout(secs(3))));
        let begun = Instant::now();
        let report = fails_to_start(&mut group).await;
        assert_eq!(begun.elapsed(), secs(3));
        assert_eq!(failures(&report), [message]);
        assert_eq!(report.cause().unwrap().stage(), stage);
    }
}

/// Waits without an end, and keeps what it was given.
async fn kept<T>(it: T) {
    std::future::pending::<()>().await;
    drop(it);
}

#[tokio::test(start_paused = true)]
async fn a_ready_that_is_kept_unfired_is_named() {
    let mut group = Group::new();
    group.add_fn("one", |ready: Ready| kept(ready));
    group.add_fn("one-of-two", |one: Ready, two: Ready| async move {
        one.fire();
        kept((one, two)).await;
    });
    group.add_fn("two", |one: Ready, two: Ready| kept((one, two)));
    group.add_fn("blocked", |ready: Ready| async move {
        ready.fire();
        kept(ready).await;
    });
    for name in ["one", "one-of-two", "two", "blocked"] {
        group.configure(name, |spec| spec.start_timeout(secs(3)).critical(false));
    }
    let report = group.start().await.expect("none of them is critical").stop().await;
    let late = "failed to start: it is not ready after 3 s (start_timeout):";
    let expected = [
        format!("`one` {late} its `Ready` was not fired"),
        format!("`one-of-two` {late} its `Ready` was not fired"),
        format!("`two` {late} 2 × its `Ready` was not fired"),
    ];
    assert_eq!(failures(&report), expected);
}

#[tokio::test(start_paused = true)]
async fn a_ready_that_is_dropped_unfired_is_noticed_while_another_is_kept() {
    for first_is_dropped in [true, false] {
        let mut group = Group::new();
        group.add_fn("s1", move |one: Ready, two: Ready| async move {
            let (dropped, other) = if first_is_dropped { (one, two) } else { (two, one) };
            sleep(secs(1)).await;
            drop(dropped);
            kept(other).await;
        });
        let report = fails_to_start(&mut group).await;
        assert_eq!(failures(&report), ["`s1` failed to start: its `Ready` was dropped before it was fired"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_times_out_even_where_no_limit_was_set() {
    for point in [Build, StartLater] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.build::<1>(journal.probe("s1").on(point, Hang));
        let begun = Instant::now();
        let report = fails_to_start(&mut group).await;
        assert_eq!(begun.elapsed(), secs(60));
        assert_eq!(report.outcome(), Outcome::StartFailed);
    }
}

#[tokio::test]
async fn a_second_ready_does_nothing() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add_fn("s1", |ready: Ready, shutdown: Shutdown| async move {
        ready.fire();
        ready.fire();
        shutdown.requested().await;
        ready.fire();
    });
    let (report, _) = started_and_stopped(group.probe(journal.probe("s2"))).await;
    assert!(report.is_clean());
    assert_eq!(journal.take(), then(&["s2 starts"], stops(["s2"])));
}

#[tokio::test]
async fn the_port_that_was_bound_for_port_0_is_published_when_the_service_is_ready() {
    let running = web(Router::new().route("/", get(|| async { "here" }))).start().await.unwrap();
    let addr = running.local_addr("web").expect("it is ready, so it listens");
    assert_ne!(addr.port(), 0);
    assert_eq!(text_at(addr, "/").await, "here");
    let report = running.stop().await;
    assert_eq!(report.service("web").unwrap().local_addr(), Some(addr));
}

#[tokio::test]
async fn a_port_in_use_fails_the_start_and_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (journal, listen_here) = (Journal::default(), address.clone());
    let mut group = journal.group(["s1"]);
    group.add_fn("web", |cx: Context| async move { http::serve(&cx, &listen_here, Router::new()).await });
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    assert_eq!(report.stopped_by(), Some(&StopReason::Failed("web".to_owned())));
    assert_eq!(failures(&report), [format!("`web` failed to start: cannot listen on {address}")]);
    let reason = std::error::Error::source(report.cause().unwrap()).expect("why it cannot");
    assert_eq!(reason.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(journal.take(), then(&["s1 starts"], stops(["s1"])));
}

#[tokio::test]
async fn no_request_is_accepted_before_what_the_server_needs_is_ready() {
    let (journal, warm) = (Journal::default(), Arc::new(Notify::new()));
    let mut group = Group::new();
    let (cache, is_warm) = (journal.clone(), Arc::clone(&warm));
    let web = journal.clone();
    group.add_fn("web", |cx: Context| async move {
        web.write("web starts");
        http::serve(&cx, "127.0.0.1:0", Router::new().route("/", get(|| async { "from the cache" }))).await
    });
    group.configure("web", |spec| spec.after_named("cache"));
    group.add_fn("cache", |ready: Ready, shutdown: Shutdown| async move {
        cache.write("cache starts");
        is_warm.notified().await;
        cache.write("cache is warm");
        ready.fire();
        shutdown.requested().await;
    });
    let starting = start_aside(&mut group);
    journal.until("cache starts").await;
    warm.notify_one();
    let running = starting.await.unwrap().unwrap();
    assert_eq!(journal.take(), ["cache starts", "cache is warm", "web starts"]);
    let addr = running.local_addr("web").unwrap();
    assert_eq!(text_at(addr, "/").await, "from the cache");
    assert!(running.stop().await.is_clean());
}

/// The limit of `s2` passes while one thread logs, slowly, that `s1` is ready; until then that thread holds the driver.
/// This takes two threads, and so real time.
#[test]
fn a_limit_holds_also_when_what_was_written_before_took_long() {
    listen();
    let slowly = || when_told("s1 is ready", || std::thread::sleep(secs(2)));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().on_thread_start(slowly).build().unwrap();
    let mut group = Group::new();
    group.add_fn("s1", async |shutdown: Shutdown| shutdown.requested().await);
    group.add_fn("s2", async |_: Ready, shutdown: Shutdown| shutdown.requested().await);
    for service in ["s1", "s2"] {
        group.configure(service, |spec| spec.start_timeout(secs(1)));
    }
    let start = async move { in_time(tokio::spawn(group.start())).await };
    let report = runtime.block_on(start).unwrap().expect_err("`s2` is never ready").into_report();
    let [failure] = &failures(&report)[..] else { panic!("{report}") };
    assert!(failure.starts_with("`s2`") && failure.contains("(start_timeout)"), "{report}");
}

/// The log lines about services that the group waits for.
fn waits() -> Vec<String> {
    logged().iter().filter(|line| line.contains("still waiting")).map(|line| without_line(line)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_long_says_once_what_it_waits_for() {
    for (limit, told) in [(secs(60), 1), (secs(11), 1), (secs(10), 0), (secs(5), 0)] {
        let journal = Journal::default();
        let limited = |name| journal.probe(name).spec(|spec| spec.start_timeout(limit));
        let mut built = Group::new();
        built.build::<1>(limited("warehouse").on(BuildLater, Hang));
        let mut ready = journal.group(["s1"]);
        ready.probe(limited("quick").on(StartLater, Take(secs(4)))).probe(limited("warehouse").on(StartLater, Hang));
        let not_fired = format!(": {NOT_FIRED}");
        for (group, what, why) in [(&mut built, "be built", ""), (&mut ready, "be ready", &*not_fired)] {
            listen();
            assert_eq!(fails_to_start(group).await.outcome(), Outcome::StartFailed);
            let timeout = if limit == secs(60) { "1m" } else { "11 s" };
            let line = format!("INFO still waiting for warehouse to {what} (10 s; start_timeout {timeout}){why}");
            assert_eq!(waits(), vec![line; told]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_several_says_so_of_each_when_it_has_taken_long() {
    let journal = Journal::default();
    let takes = |name, seconds| journal.probe(name).on(StartLater, Take(secs(seconds)));
    let mut group = Group::new();
    group.schedule(Schedule::Graph).probe(takes("a", 50)).probe(takes("b", 3)).probe(takes("c", 13));
    group.probe(takes("d", 40).after(["b"])).probe(takes("e", 9).after(["c"]));
    listen();
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean(), "{report}");
    let line = |name| format!("INFO still waiting for {name} to be ready (10 s; start_timeout 1m): {NOT_FIRED}");
    assert_eq!(waits(), ["a", "c", "d"].map(line));
}

#[tokio::test(start_paused = true)]
async fn so_does_a_service_that_is_started_again() {
    let journal = Journal::default();
    let again = journal.probe("again").spec(|spec| spec.restart(Restart::on_failure()));
    let again = again.on(StartLater, Take(secs(1))).on_starts(..2, Run, Take(secs(20))).on_starts(..2, Run, Fail);
    let mut group = Group::new();
    group.probe(again.on_starts(2.., StartLater, Hang));
    listen();
    assert_eq!(ended(&mut group).await.0.outcome(), Outcome::RunFailed);
    assert_eq!(waits(), [format!("INFO still waiting for again to be ready (10 s; start_timeout 1m): {NOT_FIRED}")]);
}

#[tokio::test(start_paused = true)]
async fn and_so_does_a_stop() {
    let journal = Journal::default();
    let takes = |name, seconds| journal.probe(name).on(Stop, Take(secs(seconds)));
    let mut group = Group::new();
    group.probe(takes("s1", 4)).probe(takes("s2", 8)).probe(takes("s3", 9).spec(|spec| spec.stop_timeout(secs(20))));
    listen();
    let running = in_time(group.start()).await.unwrap();
    sleep(secs(3599)).await;
    assert!(in_time(running.stop()).await.is_clean());
    let lines = [("s3", "20 s"), ("s2", "10 s")];
    let lines = lines.map(|(name, limit)| format!("INFO still waiting for {name} to stop (5 s; stop_timeout {limit})"));
    assert_eq!(waits(), lines);
}
