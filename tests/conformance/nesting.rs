//! A group that is a service of another one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use group::{
    BoxError, Context, Ending, Failure, Group, Health, Outcome, Restart, Service, ServiceReport, Shutdown, Spec,
    Stage as During, State,
};

use tokio::sync::oneshot;

use crate::support::{
    Act::{Fail, Hang, Take},
    Journal,
    Point::{Asked, Health as AtHealth, Reload as AtReload, Run, StartLater, Stop},
    SCHEDULES, Stage as _, ended, fails_to_start, failures, in_time, listen, logged, millis, secs, started_and_stopped,
    stops, then, until_state,
};

async fn polite(shutdown: Shutdown) {
    shutdown.requested().await;
}

/// `database`, `billing` with these two services, and `api`, each after the one before.
fn nested(journal: &Journal, billing: Group) -> Group {
    let mut group = Group::new();
    group.probe(journal.probe("database")).add_group("billing", billing);
    group.configure("billing", |spec| spec.after_named("database"));
    group.probe(journal.probe("api").after(["billing"]));
    group
}

#[tokio::test(start_paused = true)]
async fn a_group_inside_starts_and_stops_in_its_turn() {
    for schedule in SCHEDULES {
        let journal = Journal::default();
        let mut billing = Group::new();
        billing.probe(journal.probe("ledger").on(StartLater, Take(secs(1))).on(Stop, Take(secs(2))));
        billing.probe(journal.probe("invoices").after(["ledger"]).on(Stop, Take(secs(1))));
        billing.schedule(schedule);
        let (report, took) = started_and_stopped(nested(&journal, billing).schedule(schedule)).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!(took, secs(3));
        let starts = ["database starts", "ledger starts", "ledger ready", "invoices starts", "api starts"];
        assert_eq!(journal.take(), then(&starts, stops(["api", "invoices", "ledger", "database"])));
        let names: Vec<&str> = report.services().iter().map(ServiceReport::name).collect();
        assert_eq!(names, ["database", "billing", "billing/ledger", "billing/invoices", "api"]);
        let ledger = report.service("billing/ledger").unwrap();
        assert_eq!((ledger.ready_at(), ledger.took_to_stop()), (Some(secs(1)), Some(secs(2))));
        assert_eq!(report.service("billing").unwrap().took_to_stop(), Some(secs(3)));
        let chain: Vec<&str> = report.critical_chain().iter().map(|service| service.name()).collect();
        assert_eq!(chain, ["api", "billing", "database"]);
    }
}

#[tokio::test(start_paused = true)]
async fn its_lines_in_the_log_name_the_way_to_each_service() {
    listen();
    let journal = Journal::default();
    let group = &mut nested(&journal, journal.group(["ledger", "invoices"]));
    assert!(started_and_stopped(group).await.0.is_clean());
    let lines: Vec<String> = logged().into_iter().filter(|line| !line.starts_with("DEBUG")).collect();
    assert_eq!(
        lines,
        [
            "INFO database is ready (0.0 ms)",
            "INFO billing/ledger is ready (0.0 ms)",
            "INFO billing/invoices is ready (0.0 ms)",
            "INFO billing is ready (0.0 ms)",
            "INFO api is ready (0.0 ms)",
            "INFO 3 services are ready (0.0 ms)",
            "INFO a stop was asked for: stopping 3 services, within 25 s",
            "INFO api stopped (0.0 ms)",
            "INFO billing/invoices stopped (0.0 ms)",
            "INFO billing/ledger stopped (0.0 ms)",
            "INFO billing stopped (0.0 ms)",
            "INFO database stopped (0.0 ms)",
            "INFO stopped cleanly: 3 services in 0.0 ms, after 0.0 ms",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn groups_are_inside_of_groups_and_share_no_names() {
    let journal = Journal::default();
    let mut middle = journal.group(["store"]);
    middle.add_group("inner", journal.group(["deep", "store"]));
    let mut group = journal.group(["store"]);
    group.add_group("middle", middle).add_group("other", journal.group(["store"]));
    let running = in_time(group.start()).await.unwrap();
    let status = running.handle().status();
    let names: Vec<&str> = status.services().iter().map(group::ServiceStatus::name).collect();
    let all = [
        "store",
        "middle",
        "middle/store",
        "middle/inner",
        "middle/inner/deep",
        "middle/inner/store",
        "other",
        "other/store",
    ];
    assert_eq!(names, all);
    assert!(status.is_ready() && status.services().iter().all(|service| service.state() == State::Ready));
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    let starts = ["store starts", "store starts", "deep starts", "store starts", "store starts"];
    assert_eq!(journal.take(), then(&starts, stops(["store", "store", "deep", "store", "store"])));
    assert!(report.services().iter().map(ServiceReport::name).eq(all));
}

#[tokio::test(start_paused = true)]
async fn a_failure_inside_is_that_of_the_service() {
    listen();
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.probe(journal.probe("ledger").on(Stop, Fail));
    billing.probe(journal.probe("invoices").on(Run, Take(secs(1))).on(Run, Fail));
    let (report, _) = ended(&mut nested(&journal, billing)).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::RunFailed, 1));
    assert_eq!(
        failures(&report),
        [
            "`billing` failed: `billing/invoices` failed: invoices fails in Run",
            "`billing/ledger` failed to stop: ledger fails in Stop",
        ]
    );
    let cause = report.cause().unwrap();
    assert_eq!((cause.service(), cause.stage()), (Some("billing"), During::Run));
    let inside = cause.error().downcast_ref::<Failure>().unwrap();
    assert_eq!((inside.service(), inside.stage()), (Some("billing/invoices"), During::Run));
    assert_eq!(report.service("billing/invoices").unwrap().ending(), Ending::Failed);
    // The services inside stop at once, and after them those that need the group; nothing inside outlives it.
    let starts = ["database starts", "ledger starts", "invoices starts", "api starts"];
    let inside = ["invoices stops", "invoices dropped", "ledger asked", "ledger stops", "ledger dropped"];
    let mut expected = then(&starts, inside.map(str::to_owned).to_vec());
    let entries = journal.take();
    let dropped = |entry: &&String| !entry.ends_with("dropped");
    expected.extend(stops(["api", "database"]));
    assert!(entries.iter().filter(dropped).eq(expected.iter().filter(dropped)), "{entries:?}");
    let place = |what: &str| entries.iter().position(|entry| entry == what).unwrap();
    assert!(place("ledger dropped") < place("database asked") && place("invoices dropped") < place("database asked"));
    let line = "INFO billing: `billing/invoices` failed: stopping 2 services, within 25 s";
    assert!(logged().iter().any(|told| told == line), "{:#?}", logged());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_inside_rolls_everything_back() {
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.probe(journal.probe("ledger")).probe(journal.probe("invoices").on(StartLater, Fail));
    let report = fails_to_start(&mut nested(&journal, billing)).await;
    assert_eq!(report.exit_code(), 2);
    let told = "`billing` failed to start: `billing/invoices` failed to start: invoices fails in StartLater";
    assert_eq!(failures(&report), [told]);
    assert_eq!(journal.count("api starts"), 0);
    assert_eq!(journal.entries().last().unwrap(), "database dropped");
}

#[tokio::test(start_paused = true)]
async fn its_time_to_stop_is_what_its_turn_leaves_it() {
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.probe(journal.probe("ledger"));
    billing.probe(journal.probe("stuck").on(Stop, Hang).spec(|spec| spec.stop_timeout(secs(60))));
    let group = &mut nested(&journal, billing);
    group.configure("billing", |spec| spec.stop_timeout(secs(5)));
    let (report, took) = started_and_stopped(group).await;
    // Something was aborted, as it would be outside.
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::UncleanStop, 3), "{report}");
    // The ledger's part is kept back.
    assert!(took <= secs(5) && took > secs(3), "{took:?}");
    assert_eq!(report.service("billing/stuck").unwrap().ending(), Ending::Aborted);
    assert_eq!(report.service("billing/ledger").unwrap().ending(), Ending::Stopped);
    // The group inside was over in time, so the service was not aborted.
    assert_eq!(report.service("billing").unwrap().ending(), Ending::Stopped);
    let cause = report.cause().unwrap();
    assert_eq!((cause.service(), cause.stage()), (Some("billing"), During::Stop));
    assert!(journal.entries().ends_with(&stops(["database"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_comes_while_a_group_inside_starts_rolls_it_back() {
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.probe(journal.probe("ledger")).probe(journal.probe("invoices").on(StartLater, Hang));
    let group = &mut nested(&journal, billing);
    let starting = tokio::spawn(group.start());
    journal.until("invoices starts").await;
    journal.handle().stop();
    let report = in_time(starting).await.unwrap().unwrap_err().into_report();
    assert_eq!(report.outcome(), Outcome::Clean, "{report}");
    assert!(journal.take().ends_with(&stops(["ledger", "database"])));
}

#[tokio::test(start_paused = true)]
async fn an_abort_reaches_everything_inside() {
    let journal = Journal::default();
    let mut inner = Group::new();
    inner.probe(journal.probe("deep").on(Asked, Hang));
    let mut billing = journal.group(["ledger"]);
    billing.add_group("inner", inner);
    let group = &mut nested(&journal, billing);
    let running = in_time(group.start()).await.unwrap();
    running.handle().stop();
    journal.until("deep asked").await;
    let before = tokio::time::Instant::now();
    running.handle().abort();
    let report = in_time(running.wait()).await;
    assert!(before.elapsed() < millis(50), "{:?}", before.elapsed());
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    let dropped: Vec<String> = journal.take().into_iter().filter(|entry| entry.ends_with("dropped")).collect();
    assert_eq!(dropped.len(), 4, "{dropped:?}");
}

struct Database;

impl Service for Database {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }
}

struct Prices(u32);

#[tokio::test(start_paused = true)]
async fn services_inside_take_what_the_outer_group_has() {
    let mut inner = Group::new();
    inner.add_fn("deep", |_: Arc<Database>, prices: Arc<Prices>, shutdown: Shutdown| async move {
        assert_eq!(prices.0, 2, "the nearest counts");
        shutdown.requested().await;
    });
    let mut billing = Group::new();
    billing.provide(Prices(2)).add_group("inner", inner);
    let mut group = Group::new();
    group.provide(Prices(1)).add_group("billing", billing).add(Database);
    assert_eq!(group.order().unwrap().starts(), [["database"], ["billing"]]);
    let running = in_time(group.start()).await.unwrap();
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_inside_is_found_before_the_start() {
    let mut billing = Group::new();
    billing.add_fn("ledger", |_: Arc<Database>| async {}).configure("ledger", |spec| spec.after_named("ledgers"));
    let mut group = Group::new();
    group.add_group("billing", billing).add_fn("api", |_: Arc<Prices>| async {});
    let mut other = Group::new();
    other.add_fn("prices", polite).provide(Prices(1));
    group.add_group("prices", other);
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.exit_code(), 78);
    let told = failures(&report).join("\n");
    for mistake in ["`billing/ledger`", "starts after `billing/ledgers`", "did you mean `billing/ledger`"] {
        assert!(told.contains(mistake), "{told}");
    }

    let mut billing = Group::new();
    billing.add_fn("ledger", |_: Arc<Database>| async {});
    let mut other = Group::new();
    other.add(Database);
    let mut group = Group::new();
    let report = fails_to_start(group.add_group("billing", billing).add_group("other", other)).await;
    let told = failures(&report).join("\n");
    assert!(told.contains("`billing/ledger` (tests/conformance/nesting.rs:"), "{told}");
    assert!(told.contains("it is inside of `other`, where no service from outside can take it"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_name_with_a_slash_is_refused() {
    let mut group = Group::new();
    let report = fails_to_start(group.add_fn("billing/ledger", polite)).await;
    assert!(report.to_string().contains("`billing/ledger` cannot be a name"), "{report}");
}

/// How often it was built.
#[derive(Default)]
struct Lives(AtomicUsize);

struct Ledger;

impl Service for Ledger {
    async fn build(cx: Context) -> Result<Self, BoxError> {
        cx.get::<Lives>().expect("they are provided").0.fetch_add(1, Ordering::Relaxed);
        Ok(Self)
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_one_of_everything_inside() {
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.add_type::<Ledger>().provide(Lives::default());
    billing.probe(journal.probe("queue"));
    billing.probe(journal.probe("invoices").on_starts(..=1, Run, Take(secs(1))).on_starts(..=1, Run, Fail));
    let group = &mut nested(&journal, billing);
    group.configure("billing", |spec| spec.restart(Restart::on_failure()));
    let running = in_time(group.start()).await.unwrap();
    journal.take();
    journal.until("invoices starts").await;
    until_state(&running.handle(), "billing", State::Ready).await;
    let again = ["invoices stops", "queue asked", "queue stops", "queue starts", "invoices starts"];
    assert_eq!(journal.take(), again);
    let status = running.handle().status();
    assert!(status.is_ready());
    assert_eq!(running.get::<Lives>().map(|lives| lives.0.load(Ordering::Relaxed)), Some(2), "it is built again");
    for name in ["billing", "billing/ledger", "billing/queue", "billing/invoices"] {
        assert_eq!(status.service(name).unwrap().restarts(), 1, "{name}");
    }
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.take(), stops(["api", "invoices", "queue", "database"]));
    assert_eq!(
        failures(&report),
        ["`billing` failed: `billing/invoices` failed: invoices fails in Run"],
        "the failure that was survived"
    );
}

#[tokio::test(start_paused = true)]
async fn a_whole_group_is_restarted_by_hand() {
    let journal = Journal::default();
    let lives = Arc::new(Lives::default());
    let mut billing = journal.group(["queue"]);
    billing.add_type::<Ledger>().provide(Arc::clone(&lives));
    let mut group = nested(&journal, billing);
    let running = in_time(group.start()).await.unwrap();
    journal.take();
    in_time(running.restart_service("billing")).await.unwrap();
    let down = ["api asked", "api stops", "queue asked", "queue stops"];
    assert_eq!(journal.take(), then(&down, vec!["queue starts".to_owned(), "api starts".to_owned()]));
    assert_eq!(lives.0.load(Ordering::Relaxed), 2, "what has a `new` is built again");
    in_time(running.stop_service("billing")).await.unwrap();
    assert_eq!(running.handle().status().service("billing/queue").unwrap().state(), State::Gone);
    let refused = in_time(running.restart_service("billing/queue")).await.unwrap_err();
    assert_eq!(refused.to_string(), "it comes after `billing`, which is stopped: start `billing`");
    in_time(running.start_service("billing")).await.unwrap();
    assert!(running.handle().status().is_ready());
    journal.take();
    assert!(in_time(running.stop()).await.is_clean());
    assert_eq!(journal.take(), stops(["api", "queue", "database"]));
}

#[tokio::test(start_paused = true)]
async fn a_service_inside_is_restarted_by_hand() {
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.probe(journal.probe("invoices").after(["ledger"]));
    let running = in_time(nested(&journal, billing).start()).await.unwrap();
    journal.take();
    in_time(running.restart_service("billing/ledger")).await.unwrap();
    let again =
        ["invoices asked", "invoices stops", "ledger asked", "ledger stops", "ledger starts", "invoices starts"];
    assert_eq!(journal.take(), again);
    let status = running.handle().status();
    let restarts = |name| status.service(name).unwrap().restarts();
    assert_eq!((restarts("billing"), restarts("billing/ledger"), restarts("billing/invoices")), (0, 1, 1));
    in_time(running.stop_service("billing/invoices")).await.unwrap();
    assert!(!running.handle().status().is_ready(), "what is critical inside counts outside");
    let unknown = running.restart_service("billing/legder").await.unwrap_err().to_string();
    assert!(unknown.ends_with("did you mean `billing/ledger`?"), "{unknown}");
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_runs_once_inside_cannot_be_restarted_with_the_group() {
    let mut billing = Group::new();
    billing.add_fn("once", polite);
    let mut group = Group::new();
    group.add_group("billing", billing).configure("billing", |spec| spec.restart(Restart::on_failure()));
    let told = fails_to_start(&mut group).await.to_string();
    let words = "cannot be restarted: a function that was added with `add_fn` runs once: use `add_restartable_fn`";
    assert!(told.contains("`billing/once` (") && told.contains(words), "{told}");

    let mut billing = Group::new();
    billing.add_fn("once", polite);
    let running = in_time(Group::new().add_group("billing", billing).start()).await.unwrap();
    let refused = running.restart_service("billing").await.unwrap_err().to_string();
    assert_eq!(refused, "`billing/once` can be started only once: add it with `add_restartable_fn`");
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_group_inside_that_is_not_critical_is_lost_as_a_whole() {
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.probe(journal.probe("invoices").on(Run, Take(secs(1))).on(Run, Fail));
    let mut group = journal.group(["database"]);
    group.add_group("billing", billing).configure("billing", |spec| spec.critical(false));
    let running = in_time(group.start()).await.unwrap();
    until_state(&running.handle(), "billing", State::Failed).await;
    let status = running.handle().status();
    assert!(status.is_ready() && status.is_degraded());
    assert!(!status.service("billing/ledger").unwrap().is_critical());
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    assert!(report.failures().iter().all(|failure| !failure.is_fatal()));
    assert_eq!(journal.count("ledger dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_inside_ends_as_a_service_does() {
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.lasts(secs(1));
    let mut group = nested(&journal, billing);
    let running = in_time(group.start()).await.unwrap();
    until_state(&running.handle(), "billing", State::Completed).await;
    assert_eq!(running.handle().status().service("billing/ledger").unwrap().state(), State::Gone);
    assert!(running.handle().status().service("api").unwrap().state() == State::Ready);
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn it_is_as_healthy_as_its_services() {
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.probe(journal.probe("invoices").on(AtHealth, Fail));
    let running = in_time(nested(&journal, billing).start()).await.unwrap();
    let health = in_time(running.handle().health()).await;
    let told: Vec<(&str, &Health)> = health.iter().map(|one| (one.name(), one.health())).collect();
    let fails = Health::Unhealthy("invoices fails in Health".to_owned());
    let of_all = Health::Unhealthy("billing/invoices: invoices fails in Health".to_owned());
    let expected = [
        ("database", &Health::Healthy),
        ("billing", &of_all),
        ("billing/ledger", &Health::Healthy),
        ("billing/invoices", &fails),
        ("api", &Health::Healthy),
    ];
    assert_eq!(told, expected);
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn its_own_code_finds_its_services_by_their_own_names() {
    let mut billing = Group::new();
    billing.add_fn("ledger", |cx: Context| async move {
        cx.publish_addr(([127, 0, 0, 1], 80).into());
        assert_eq!(cx.name(), "billing/ledger");
        let handle = cx.handle();
        assert!(handle.local_addr("ledger").is_some() && handle.local_addr("billing/ledger").is_some());
        cx.shutdown().requested().await;
    });
    let running = in_time(Group::new().add_group("billing", billing).start()).await.unwrap();
    assert!(running.local_addr("billing/ledger").is_some());
    assert_eq!(running.local_addr("ledger"), None);
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_exit_code_from_inside_is_that_of_the_process() {
    let mut billing = Group::new();
    billing.add_fn("ledger", |cx: Context| async move {
        cx.handle().exit(7);
        cx.shutdown().requested().await;
    });
    let report = in_time(Group::new().add_group("billing", billing).run()).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 7), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_group_inside_that_takes_too_long_to_start_is_stopped_in_order() {
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.probe(journal.probe("invoices").on(StartLater, Hang));
    let group = &mut nested(&journal, billing);
    group.configure("billing", |spec| spec.start_timeout(secs(3)));
    let report = fails_to_start(group).await;
    assert_eq!(report.exit_code(), 2);
    let told =
        "`billing` failed to start: it is not ready after 3 s (start_timeout): not all services inside of it are ready";
    assert_eq!(failures(&report), [told]);
    assert!(journal.take().ends_with(&stops(["ledger", "database"])));
    // The same for one that the group can do without.
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.probe(journal.probe("invoices").on(StartLater, Hang));
    let mut group = journal.group(["database"]);
    let limited = |spec: Spec| spec.start_timeout(secs(3)).critical(false);
    group.add_group("billing", billing).configure("billing", limited);
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean(), "{report}");
    let entries = journal.take();
    assert!(entries.ends_with(&stops(["database"])), "{entries:?}");
    assert_eq!(entries.iter().filter(|entry| *entry == "ledger stops").count(), 1, "{entries:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_started_inside_is_dropped_all_the_same() {
    let journal = Journal::default();
    let witness = Arc::new(());
    let mut billing = Group::new();
    let held = Arc::clone(&witness);
    billing.provide(Arc::clone(&witness)).add_restartable_fn("ledger", move || {
        let held = Arc::clone(&held);
        async move { drop(held) }
    });
    let mut group = Group::new();
    group.probe(journal.probe("database").on(StartLater, Fail)).add_group("billing", billing);
    let report = fails_to_start(group.configure("billing", |spec| spec.after_named("database"))).await;
    assert_eq!(report.service("billing/ledger").unwrap().ending(), Ending::NeverBuilt);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[tokio::test(start_paused = true)]
async fn the_events_and_the_status_show_what_happens_inside() {
    let journal = Journal::default();
    let mut group = Group::new();
    crate::support::witness(&mut group, &journal);
    let mut middle = Group::new();
    middle.add_group("inner", journal.group(["deep"]));
    group.add_group("middle", middle);
    let running = in_time(group.start()).await.unwrap();
    journal.until("middle/inner/deep is ready").await;
    let recent = running.handle().status();
    let told = recent.recent_events().iter().any(|(_, event)| {
        matches!(event, group::Event::Service { name, state: State::Ready } if name == "middle/inner/deep")
    });
    assert!(told);
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_by_hand_while_it_starts_is_done_later() {
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.probe(journal.probe("ledger").on(StartLater, Take(secs(1))));
    let starting = crate::support::start_aside(&mut nested(&journal, billing));
    journal.until("database starts").await;
    let handle = journal.handle();
    in_time(handle.restart_service("billing/ledger")).await.unwrap();
    assert_eq!(journal.count("ledger starts"), 2);
    let running = in_time(starting).await.unwrap().unwrap();
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_service_cannot_run_another_group() {
    let mut group = Group::new();
    group.add_fn("runs", || async {
        let report = Group::new().add_fn("inner", polite).run().await;
        assert_eq!(report.exit_code(), 78);
        assert!(report.to_string().contains("`add_group` makes a group a service"), "{report}");
        // One without signals may run beside it.
        let running = Group::new().add_fn("inner", polite).start().await.unwrap();
        assert!(running.stop().await.is_clean());
    });
    let (report, _) = ended(&mut group).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn services_inside_are_reloaded_with_the_others() {
    let journal = Journal::default();
    let mut billing = Group::new();
    billing.probe(journal.probe("ledger").on(AtReload, Take(secs(1))));
    let running = in_time(nested(&journal, billing).start()).await.unwrap();
    in_time(running.handle().reload()).await.unwrap();
    assert_eq!(journal.count("ledger reloaded"), 1);
    assert!(in_time(running.stop()).await.is_clean());
}

#[test]
fn the_order_shows_what_is_inside() {
    let journal = Journal::default();
    let mut billing = journal.group(["ledger"]);
    billing.probe(journal.probe("invoices").after(["ledger"]));
    let order = nested(&journal, billing).order().unwrap();
    assert_eq!(
        order.to_string(),
        "start: database -> billing (billing/ledger -> billing/invoices) -> api\n\
         stop: api -> billing (billing/invoices -> billing/ledger) -> database"
    );
    let json: serde_json::Value = serde_json::from_str(&order.to_json()).unwrap();
    assert_eq!(json["services"][1]["group"]["start"], serde_json::json!([["billing/ledger"], ["billing/invoices"]]));
    assert!(
        order.to_dot().contains("subgraph \"cluster_billing\" {\n        label=\"billing\";"),
        "{}",
        order.to_dot()
    );
}

/// Is dropped only when the other end of its channel is.
struct DropsLate {
    begins: Option<oneshot::Sender<()>>,
    ends: Mutex<mpsc::Receiver<()>>,
}

impl Service for DropsLate {
    fn spec() -> Spec {
        Spec::of::<Self>().blocking_drop(true)
    }

    async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

impl Drop for DropsLate {
    fn drop(&mut self) {
        let _ = self.begins.take().map(|begins| begins.send(()));
        // An error is the end that it waits for.
        let _ended = self.ends.lock().unwrap().recv();
    }
}

/// Everything else runs on one thread, so that the turns of this test are turns of the group, too.
#[tokio::test]
async fn of_an_aborted_group_nothing_is_left_inside_when_the_report_is_there() {
    let ((begins, begun), (end, ends)) = (oneshot::channel(), mpsc::channel());
    let mut billing = Group::new();
    billing.add(DropsLate { begins: Some(begins), ends: Mutex::new(ends) });
    let mut group = Group::new();
    group.add_group("billing", billing);
    let running = in_time(group.start()).await.unwrap();
    running.handle().abort();
    let over = tokio::spawn(running.wait());
    in_time(begun).await.unwrap();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        assert!(!over.is_finished(), "a service inside is still being dropped");
    }
    drop(end);
    let report = in_time(over).await.unwrap();
    assert_eq!(report.exit_code(), 3, "{report}");
    assert!(report.failures().iter().all(|failure| !failure.to_string().contains("blocks its thread")), "{report}");
}
