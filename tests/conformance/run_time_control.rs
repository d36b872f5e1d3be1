//! Stopping, starting and restarting single services of a running group.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use group::axum::{Router, routing::get};
use group::{
    BoxError, Context, ControlError, Ending, Event, Group, Handle, Outcome, Restart, Role, Running, Service, Shutdown,
    Spec, State, StopReason, http,
};
use test_support::Journal as Entries;
use tokio::time::Instant;

use crate::support::{
    Act::{Fail, Hang, Return, Take},
    Journal,
    Point::{Run, StartLater, Stop},
    SCHEDULES, Stage as _, failures, in_time, listen, logged_at, millis, secs, then, until_state,
};

/// The number of lives of each service that is built here, and what their lives do.
#[derive(Default)]
struct Lives {
    entries: Entries,
    databases: AtomicUsize,
    apis: AtomicUsize,
    /// The lives of the database, counted from 1, in which its `new` fails.
    fails_in: Mutex<Vec<usize>>,
}

/// A service that others need, as new in each of its lives.
struct Database {
    life: usize,
    lives: Arc<Lives>,
}

impl Service for Database {
    async fn build(cx: Context) -> Result<Self, BoxError> {
        let lives = cx.get::<Lives>().expect("they are provided");
        let life = lives.databases.fetch_add(1, Ordering::Relaxed) + 1;
        lives.entries.write(format!("database {life} builds"));
        if lives.fails_in.lock().unwrap().contains(&life) {
            return Err(format!("no database {life}").into());
        }
        Ok(Self { life, lives })
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.lives.entries.write(format!("database {} stops", self.life));
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.lives.entries.write(format!("database {} dropped", self.life));
    }
}

/// A service that holds the database.
struct Api {
    life: usize,
    database: Arc<Database>,
}

impl Service for Api {
    fn spec() -> Spec {
        Spec::of::<Self>().builds_with::<Arc<Database>>()
    }

    async fn build(cx: Context) -> Result<Self, BoxError> {
        let database = cx.get::<Database>().ok_or("no database")?;
        let life = database.lives.apis.fetch_add(1, Ordering::Relaxed) + 1;
        database.lives.entries.write(format!("api {life} builds on database {}", database.life));
        Ok(Self { life, database })
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.database.lives.entries.write(format!("api {} stops", self.life));
        Ok(())
    }
}

/// A group of a database, an api on it, and a worker that needs neither.
fn shop(journal: &Journal) -> Group {
    let mut group = Group::new();
    group.provide(Lives { entries: (**journal).clone(), ..Lives::default() });
    group.add_type::<Database>().add_type::<Api>().probe(journal.probe("worker"));
    group
}

fn state(running: &Running, service: &str) -> State {
    running.handle().status().service(service).expect("it is in the group").state()
}

fn failed(came: Result<(), ControlError>) -> String {
    came.expect_err("it cannot be done").to_string()
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_service_goes_down_before_it_and_comes_back_after_it() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let running = in_time(shop(&journal).schedule(schedule).start()).await.unwrap();
        journal.take();
        in_time(running.restart_service("database")).await.unwrap();
        let expected = [
            "api 1 stops",
            "database 1 stops",
            "database 1 dropped",
            "database 2 builds",
            "api 2 builds on database 2",
        ];
        assert_eq!(journal.take(), expected, "{schedule:?}");
        in_time(running.restart_service("api")).await.unwrap();
        assert_eq!(journal.take(), ["api 2 stops", "api 3 builds on database 2"], "{schedule:?}");
        assert!(running.handle().status().is_ready());
        let report = running.stop().await;
        assert!(report.is_clean(), "{report}");
        let stops = ["worker asked", "worker stops", "worker dropped", "api 3 stops"];
        let mut expected: Vec<&str> = stops.to_vec();
        expected.extend(["database 2 stops", "database 2 dropped"]);
        assert_eq!(journal.take(), expected, "{schedule:?}");
        let restarts = ["database", "api", "worker"].map(|name| report.service(name).unwrap().restarts());
        assert_eq!(restarts, [1, 2, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_by_hand_stays_down_and_the_group_runs_on() {
    let journal = Journal::default();
    let running = in_time(shop(&journal).start()).await.unwrap();
    in_time(running.stop_service("database")).await.unwrap();
    assert_eq!([state(&running, "database"), state(&running, "api")], [State::Stopped; 2]);
    assert_eq!(state(&running, "worker"), State::Ready);
    let handle = running.handle();
    assert!(!handle.status().is_ready() && handle.status().is_live());
    tokio::time::sleep(secs(10_000)).await;
    assert!(!handle.is_stopping());
    in_time(running.stop_service("database")).await.expect("it is down already");
    journal.take();
    in_time(running.start_service("database")).await.unwrap();
    assert_eq!(journal.take(), ["database 2 builds", "api 2 builds on database 2"]);
    assert!(handle.status().is_ready());
    in_time(running.start_service("database")).await.expect("it is up already");
    assert!(journal.take().is_empty());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_group_does_not_end_by_itself_while_a_task_is_stopped_by_hand() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("short").on(Run, Take(secs(5))).on(Run, Return)).probe(journal.probe("long"));
    let running = in_time(group.start()).await.unwrap();
    in_time(running.stop_service("long")).await.unwrap();
    until_state(&running.handle(), "short", State::Completed).await;
    tokio::time::sleep(secs(100)).await;
    assert!(!running.handle().is_stopping());
    // A service that has completed runs again, and then the group waits for its end again.
    in_time(running.restart_service("short")).await.unwrap();
    assert_eq!(state(&running, "short"), State::Ready);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_there_is_told_with_the_nearest_one() {
    let running = in_time(Journal::default().group(["database"]).start()).await.unwrap();
    let unknown = "there is no service `databse` in this group; did you mean `database`?";
    assert_eq!(failed(running.restart_service("databse").await), unknown);
    assert_eq!(failed(running.stop_service("databse").await), unknown);
    assert_eq!(failed(running.start_service("other").await), "there is no service `other` in this group");
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_what_is_stopped_is_not_started() {
    let running = in_time(shop(&Journal::default()).start()).await.unwrap();
    in_time(running.stop_service("database")).await.unwrap();
    for came in [running.start_service("api").await, running.restart_service("api").await] {
        assert_eq!(failed(came), "it comes after `database`, which is stopped: start `database`");
    }
    // It stays down when what it comes after is started again, if it was stopped itself.
    in_time(running.stop_service("api")).await.unwrap();
    in_time(running.start_service("database")).await.unwrap();
    assert_eq!([state(&running, "database"), state(&running, "api")], [State::Ready, State::Stopped]);
    in_time(running.start_service("api")).await.unwrap();
    assert!(running.handle().status().is_ready());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_value_is_started_again_after_its_stop_and_is_dropped_at_the_end() {
    let journal = Journal::default();
    let running = in_time(journal.group(["s1"]).start()).await.unwrap();
    in_time(running.restart_service("s1")).await.unwrap();
    assert_eq!(journal.take(), ["s1 starts", "s1 asked", "s1 stops", "s1 starts"]);
    in_time(running.stop_service("s1")).await.unwrap();
    assert_eq!(journal.take(), ["s1 asked", "s1 stops"]);
    assert!(running.stop().await.is_clean());
    assert_eq!(journal.take(), ["s1 dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_runs_once_is_refused_before_anything_is_stopped() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.add_fn("once", |shutdown: Shutdown| async move { shutdown.requested().await });
    group.configure("once", |spec| spec.after_named("s1"));
    let running = in_time(group.start()).await.unwrap();
    journal.take();
    let refused = "`once` can be started only once: add it with `add_restartable_fn`";
    assert_eq!(failed(running.restart_service("once").await), refused);
    assert_eq!(failed(running.restart_service("s1").await), refused);
    assert_eq!(failed(running.stop_service("s1").await), refused);
    assert!(journal.take().is_empty());
    // It may be stopped itself, for good. Then it is in nobody's way.
    in_time(running.stop_service("once")).await.unwrap();
    assert_eq!(failed(running.start_service("once").await), refused);
    in_time(running.restart_service("s1")).await.unwrap();
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_fails_ends_the_group_if_it_cannot_do_without() {
    let journal = Journal::default();
    let running = in_time(shop(&journal).start()).await.unwrap();
    running.get::<Lives>().unwrap().fails_in.lock().unwrap().push(2);
    let came = failed(in_time(running.restart_service("database")).await);
    assert!(came.ends_with("no database 2") && came.contains("`database` could not be built"), "{came}");
    let report = in_time(running.wait()).await;
    assert_eq!(report.outcome(), Outcome::RunFailed);
    assert_eq!(report.stopped_by(), Some(&StopReason::Failed("database".to_owned())));
    assert_eq!(report.failures().len(), 1);
    assert_eq!(report.service("api").unwrap().ending(), Ending::Stopped);
    assert!(!journal.take().iter().any(|entry| entry.starts_with("api 2")));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_can_do_without_goes_on_and_the_service_can_be_restarted() {
    let journal = Journal::default();
    let mut group = shop(&journal);
    group.configure("database", |spec| spec.critical(false)).configure("api", |spec| spec.critical(false));
    let running = in_time(group.start()).await.unwrap();
    running.get::<Lives>().unwrap().fails_in.lock().unwrap().extend([2, 3]);
    let came = failed(in_time(running.restart_service("database")).await);
    assert!(came.contains("no database 2"), "{came}");
    assert!(running.handle().status().is_ready() && running.handle().status().is_degraded());
    assert_eq!(
        failed(running.start_service("api").await),
        "`api` needs `database`, which has failed: restart `database`"
    );
    let came = failed(in_time(running.start_service("database")).await);
    assert!(came.contains("no database 3"), "{came}");
    in_time(running.start_service("database")).await.unwrap();
    assert_eq!([state(&running, "database"), state(&running, "api")], [State::Ready; 2]);
    assert!(!running.handle().status().is_degraded());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_a_restart_by_hand_is_restarted_by_its_policy() {
    let journal = Journal::default();
    let mut group = Group::new();
    let restart = Restart::on_failure().max(1).within(secs(60)).backoff(secs(1), secs(1));
    let s1 = journal.probe("s1").on_starts(1..=1, Run, Take(secs(1))).on_starts(1..=1, Run, Fail);
    group.probe(s1.on_starts(3..=3, StartLater, Fail).spec(|spec| spec.restart(restart)));
    let running = in_time(group.start()).await.unwrap();
    until_state(&running.handle(), "s1", State::Restarting).await;
    until_state(&running.handle(), "s1", State::Ready).await;
    // The restart from before does not count any more.
    in_time(running.restart_service("s1")).await.unwrap();
    assert_eq!(journal.count("s1 starts"), 4);
    let report = running.stop().await;
    assert!(report.is_clean());
    assert_eq!(report.service("s1").unwrap().restarts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_group_in_the_middle_of_a_restart_is_told_and_stops_each_once() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = shop(&journal);
        group.probe(journal.probe("client").after(["api"]).on(Stop, Take(secs(5))));
        let running = in_time(group.schedule(schedule).start()).await.unwrap();
        let handle = running.handle();
        let restart = tokio::spawn(async move { handle.restart_service("database").await });
        until_state(&running.handle(), "client", State::Stopping).await;
        running.handle().stop();
        assert_eq!(failed(in_time(restart).await.unwrap()), "the group is stopping");
        assert_eq!(failed(running.handle().restart_service("worker").await), "the group is stopping");
        let report = in_time(running.wait()).await;
        assert!(report.is_clean(), "{report}");
        let entries = journal.take();
        for once in ["client stops", "client dropped", "api 1 stops", "database 1 stops", "worker stops"] {
            assert_eq!(entries.iter().filter(|entry| *entry == once).count(), 1, "{schedule:?}: {entries:?}");
        }
        assert!(!entries.iter().any(|entry| entry.contains("database 2")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_stop_by_hand_is_aborted_and_the_group_goes_on() {
    listen();
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Hang).spec(|spec| spec.stop_timeout(secs(3))));
    let running = in_time(group.start()).await.unwrap();
    let asked = Instant::now();
    in_time(running.restart_service("s1")).await.unwrap();
    assert_eq!(asked.elapsed(), secs(3));
    assert_eq!(state(&running, "s1"), State::Ready);
    assert!(logged_at(tracing::Level::WARN).iter().any(|line| line.contains("s1 was aborted")));
    let report = in_time(running.stop()).await;
    // The first time hindered nothing; the second one is what the group ends with.
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    assert_eq!(failures(&report).len(), 2);
    assert!(!report.failures()[0].is_fatal());
}

/// A service that blocks its thread when it is stopped, as long as it is told to.
struct Blocking(Arc<Mutex<()>>);

impl Service for Blocking {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        drop(self.0.lock());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocks_its_thread_has_failed_and_is_not_started_beside_itself() {
    let blocks = Arc::new(Mutex::new(()));
    let mut group = Group::new();
    group.add(Blocking(Arc::clone(&blocks)));
    group.configure("blocking", |spec| spec.critical(false).stop_timeout(millis(50)));
    group.add_fn("worker", |shutdown: Shutdown| async move { shutdown.requested().await });
    let running = in_time(group.start()).await.unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let holder = thread::spawn({
        let blocks = Arc::clone(&blocks);
        move || {
            let _held = blocks.lock();
            sender.send(()).unwrap();
            while Arc::strong_count(&blocks) > 2 {
                thread::park();
            }
        }
    });
    receiver.recv().unwrap();
    let came = failed(in_time(running.restart_service("blocking")).await);
    assert!(came.contains("it blocks its thread"), "{came}");
    assert_eq!(
        failed(running.start_service("blocking").await),
        "`blocking` could not be stopped, and still blocks its thread"
    );
    assert!(running.handle().status().is_degraded());
    drop(blocks);
    holder.thread().unpark();
    holder.join().unwrap();
    in_time(async { while running.start_service("blocking").await.is_err() {} }).await;
    assert_eq!(state(&running, "blocking"), State::Ready);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn requests_may_come_in_the_middle_of_others() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut group = shop(&journal);
        group.probe(journal.probe("client").after(["api"]).on(Stop, Take(secs(5))));
        let running = in_time(group.schedule(schedule).start()).await.unwrap();
        let handle = || running.handle();
        let (database, api, client) = (handle(), handle(), handle());
        let (one, two, three) = in_time(async {
            tokio::join!(
                database.restart_service("database"),
                api.restart_service("api"),
                client.stop_service("client"),
            )
        })
        .await;
        assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
        assert_eq!(state(&running, "client"), State::Stopped);
        assert_eq!(state(&running, "api"), State::Ready);
        let entries = journal.take();
        for once in ["database 2 builds", "database 1 stops", "client stops"] {
            assert_eq!(entries.iter().filter(|entry| *entry == once).count(), 1, "{schedule:?}: {entries:?}");
        }
        assert!(!entries.contains(&"database 3 builds".to_owned()));
        assert!(running.stop().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_overrules_a_start_that_is_under_way() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on_starts(2.., StartLater, Take(secs(5))));
    let running = in_time(group.start()).await.unwrap();
    let handle = running.handle();
    let restart = tokio::spawn(async move { handle.restart_service("s1").await });
    until_state(&running.handle(), "s1", State::Starting).await;
    in_time(running.stop_service("s1")).await.unwrap();
    assert_eq!(failed(in_time(restart).await.unwrap()), "it was stopped again meanwhile");
    assert_eq!(state(&running, "s1"), State::Stopped);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_life_sees_no_request_of_the_next_one() {
    let kept = Arc::new(Mutex::new(Vec::<Shutdown>::new()));
    let mut group = Group::new();
    let keeps = Arc::clone(&kept);
    group.add_restartable_fn("s1", move |shutdown: Shutdown| {
        keeps.lock().unwrap().push(shutdown.clone());
        async move { shutdown.requested().await }
    });
    let running = in_time(group.start()).await.unwrap();
    in_time(running.restart_service("s1")).await.unwrap();
    let asked =
        |kept: &Mutex<Vec<Shutdown>>| kept.lock().unwrap().iter().map(Shutdown::is_requested).collect::<Vec<_>>();
    assert_eq!(asked(&kept), [true, false]);
    assert!(running.stop().await.is_clean());
    assert_eq!(asked(&kept), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_service_can_restart_another_one() {
    let journal = Journal::default();
    let mut group = shop(&journal);
    group.add_fn("operator", |handle: Handle| async move {
        handle.restart_service("database").await.map_err(BoxError::from)?;
        handle.stop();
        Ok::<_, BoxError>(())
    });
    let report = in_time(async { group.start().await.unwrap().wait().await }).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.service("database").unwrap().restarts(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_events_the_log_and_the_report_tell_each_life() {
    listen();
    let mut group = shop(&Journal::default());
    let running = in_time(group.start()).await.unwrap();
    let mut events = running.handle().events();
    tokio::time::sleep(secs(10)).await;
    in_time(running.stop_service("database")).await.unwrap();
    tokio::time::sleep(secs(5)).await;
    in_time(running.start_service("database")).await.unwrap();
    let report = running.stop().await;
    let mut states = Vec::new();
    while let Some(event) = events.recv().await {
        if let Event::Service { name, state } = event
            && name == "api"
        {
            states.push(state);
        }
    }
    let life = [State::Waiting, State::Building, State::Starting, State::Ready, State::Stopping, State::Gone];
    assert_eq!(states, [&[State::Stopping, State::Stopped][..], &life].concat());
    let database = report.service("database").unwrap();
    assert_eq!((database.restarts(), database.last_restarts()), (1, &[secs(15)][..]));
    assert_eq!(
        (database.ready_at(), database.stop_asked_at(), database.ending()),
        (Some(secs(15)), Some(secs(15)), Ending::Stopped)
    );
    assert_eq!(database.built_at(), Some(secs(0)));
    let logged = logged_at(tracing::Level::INFO);
    let said = |what: &str| logged.iter().filter(|line| line.contains(what)).count();
    assert_eq!((said("database is to stop, by hand"), said("database is to start, by hand")), (1, 1));
    assert_eq!((said("database is ready"), said("database stopped")), (2, 2));
}

/// Answers with the number of its life.
struct Users(usize);

static USERS: AtomicUsize = AtomicUsize::new(0);

impl Service for Users {
    fn spec() -> Spec {
        Spec::of::<Self>().http_on::<Gateway>()
    }

    async fn build(_: Context) -> Result<Self, BoxError> {
        Ok(Self(USERS.fetch_add(1, Ordering::Relaxed) + 1))
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let routes = Router::new().route("/users", get(move || async move { format!("users {}", self.0) }));
        http::mount(&cx, routes).await
    }
}

struct Gateway;

impl Service for Gateway {
    fn spec() -> Spec {
        Spec::of::<Self>().http("127.0.0.1:0")
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let routes = http::mounted(&cx, Router::new())?;
        http::serve(&cx, cx.http_address().unwrap(), routes).await
    }
}

#[tokio::test]
async fn a_mounted_service_is_served_as_new_by_a_host_that_goes_along() {
    let running = in_time(Group::new().add(Gateway).add_type::<Users>().start()).await.unwrap();
    let ask = async || {
        let url = format!("http://{}/users", running.local_addr("users").unwrap());
        reqwest::get(url).await.unwrap().text().await.unwrap()
    };
    assert_eq!(in_time(ask()).await, "users 1");
    in_time(running.restart_service("users")).await.unwrap();
    assert_eq!(in_time(ask()).await, "users 2");
    let restarts = ["users", "gateway"].map(|name| running.handle().status().service(name).unwrap().restarts());
    assert_eq!(restarts, [1, 1]);
    in_time(running.restart_service("gateway")).await.unwrap();
    assert_eq!(in_time(ask()).await, "users 2");
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_is_restarted_alone() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.probe(journal.probe("probes").spec(|spec| spec.role(Role::Sidecar)));
    let running = in_time(group.start()).await.unwrap();
    journal.take();
    in_time(running.restart_service("probes")).await.unwrap();
    assert_eq!(journal.take(), ["probes asked", "probes stops", "probes starts"]);
    assert!(running.stop().await.is_clean());
    let stopped = ["s1 asked", "s1 stops", "s1 dropped", "probes asked", "probes stops", "probes dropped"];
    assert_eq!(journal.take(), then(&stopped, Vec::new()));
}
