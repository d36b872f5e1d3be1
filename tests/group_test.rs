//! `#[group::test]`, as it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use group::{Config, Group, Running, Shutdown, service};
use tokio::time::Instant;

#[derive(Default)]
struct Morning;

/// This port may be taken on the machine that runs the tests.
#[service(http = "127.0.0.1:8080")]
impl Morning {
    #[get("/")]
    async fn index(&self) -> &'static str {
        "morning!"
    }
}

#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:8080", after(Morning))]
impl Evening {
    #[get("/")]
    async fn index(&self) -> &'static str {
        "evening!"
    }
}

struct Failing;

#[service(register = false)]
impl Failing {
    fn new() -> Self {
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    async fn stop(&self) -> Result<(), &'static str> {
        Err("the queue is not empty")
    }
}

struct Hopeless;

#[service(register = false)]
impl Hopeless {
    fn new() -> Result<Self, &'static str> {
        Err("no such table")
    }

    async fn start(&self) {}
}

async fn index(running: &Running, service: &str) -> reqwest::Result<String> {
    let address = running.local_addr(service).expect("it listens");
    reqwest::get(format!("http://{address}/")).await?.text().await
}

#[group::test]
async fn a_group_that_runs(running: Running) -> reqwest::Result<()> {
    assert_eq!(index(&running, "morning").await?, "morning!");
    assert_eq!(index(&running, "evening").await?, "evening!");
    Ok(())
}

#[group::test]
async fn a_group_that_is_not_started(group: &mut Group) -> Result<(), Box<dyn std::error::Error>> {
    let running = group.provide(String::from("by the test")).start().await?;
    assert_ne!(running.local_addr("morning").expect("it listens").port(), 8080);
    assert!(running.get::<String>().is_some());
    assert!(running.stop().await.is_clean());
    Ok(())
}

#[group::test(services(Morning))]
async fn a_group_of_some(running: Running) {
    assert!(running.get::<Morning>().is_some());
    assert!(running.get::<Evening>().is_none());
}

#[group::test(services(Morning), flavor = "multi_thread", worker_threads = 3)]
async fn threads_are_chosen(running: Running) {
    drop(running);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 3);
}

#[group::test]
async fn one_thread_will_do(_: Running) {
    assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 1);
}

struct Naps;

#[service(register = false)]
impl Naps {
    fn new() -> Self {
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
        tokio::time::sleep(Duration::from_secs(9)).await;
    }
}

#[group::test(services(Naps), paused)]
async fn time_is_paused(running: Running) {
    let (began, really) = (Instant::now(), std::time::Instant::now());
    assert!(running.stop().await.is_clean());
    assert!(began.elapsed() >= Duration::from_secs(9));
    assert!(really.elapsed() < Duration::from_secs(9));
}

#[group::test(services(Failing))]
#[should_panic(expected = "the queue is not empty")]
async fn a_group_that_ends_badly_fails_the_test(running: Running) {
    drop(running);
}

#[group::test(services(Failing))]
#[should_panic(expected = "the queue is not empty")]
async fn a_group_that_the_test_stopped_may_not_end_badly_either(running: Running) {
    assert!(!running.stop().await.is_clean());
}

#[group::test(services(Failing))]
async fn a_group_that_the_test_started_is_its_own(group: &mut Group) {
    let report = group.start().await.expect("it starts").stop().await;
    assert!(!report.is_clean());
}

#[group::test(services(Failing))]
#[should_panic(expected = "the queue is not empty")]
async fn a_group_that_the_test_started_and_dropped_may_not_end_badly(group: &mut Group) {
    drop(group.start().await.expect("it starts"));
}

#[group::test(services(Morning))]
#[should_panic(expected = "the queue is not empty")]
async fn nor_may_the_second_one(group: &mut Group) {
    assert!(group.start().await.expect("it starts").stop().await.is_clean());
    let _second = group.add_type::<Failing>().start().await.expect("it starts");
}

#[group::test(services(Failing))]
#[should_panic(expected = "the queue is not empty")]
async fn nor_may_one_whose_report_the_test_did_not_wait_for(group: &mut Group) {
    let running = group.start().await.expect("it starts");
    let _ = tokio::time::timeout(Duration::ZERO, running.wait()).await;
}

#[group::test(services(Failing))]
#[should_panic(expected = "the queue is not empty")]
async fn nor_may_one_that_outlives_the_test(group: &mut Group) {
    let running = group.start().await.expect("it starts");
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(running);
    });
}

#[group::test(services(Naps), paused)]
async fn a_group_that_the_test_dropped_is_stopped_in_peace(group: &mut Group) {
    drop(group.start().await.expect("it starts"));
}

#[group::test(services(Hopeless))]
#[should_panic(expected = "`hopeless` could not be built: no such table")]
async fn a_group_that_does_not_start_fails_the_test(running: Running) {
    drop(running);
    unreachable!("there is nothing to test");
}

#[group::test(services(Morning))]
#[should_panic(expected = "it rains")]
async fn an_error_fails_the_test(_: Running) -> Result<(), &'static str> {
    Err("it rains")
}

/// How many services of a test that panicked were stopped.
static STOPPED: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Told;

#[service(register = false)]
impl Told {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
        STOPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[group::test(services(Told))]
#[ignore = "it panics: the test below runs it"]
async fn panics(_: Running) {
    panic!("of its own");
}

#[test]
fn a_test_that_panics_stops_its_group_first() {
    let payload = std::panic::catch_unwind(panics).expect_err("it panics");
    assert!(payload.downcast_ref::<String>().is_some_and(|text| text.contains("of its own")));
    assert_eq!(STOPPED.load(Ordering::Relaxed), 1);
}

/// Names that the macro must not confuse with its own.
mod names {
    use group::{Group, Running};

    #[group::test]
    async fn group(group: &mut Group) {
        assert!(!group.is_empty());
    }

    #[group::test]
    async fn trial(_: Running) {}

    #[group::test]
    async fn r#type(_running: Running) {}
}

mod conditions {
    use group::Running;

    #[cfg(any())]
    #[group::test]
    async fn gone(_: Missing) {}

    #[group::test]
    #[cfg(any())]
    async fn gone_too(_: Missing) {}

    #[group::test]
    #[ignore = "never runs"]
    async fn ignored(_: Running) {
        panic!("it ran");
    }
}

#[tokio::test]
async fn two_groups_have_the_same_address_on_free_ports() {
    let one = Group::registered().on_free_ports().start().await.expect("it starts");
    let other = Group::registered().on_free_ports().start().await.expect("it starts");
    assert_ne!(one.local_addr("morning"), other.local_addr("morning"));
    let addresses = [one.local_addr("evening"), other.local_addr("evening")];
    assert!(addresses.iter().flatten().all(|address| address.ip().is_loopback()));
    let (one, other) = tokio::join!(one.stop(), other.stop());
    assert!(one.is_clean() && other.is_clean());
}

struct Clock {
    hour: u8,
}

trait Store: Send + Sync {
    fn name(&self) -> &'static str;
}

struct InMemory;

impl Store for InMemory {
    fn name(&self) -> &'static str {
        "in memory"
    }
}

#[derive(serde::Deserialize)]
struct Greeting {
    word: String,
}

struct Database {
    url: String,
}

#[service(register = false)]
impl Database {
    async fn new(_: Arc<u8>) -> Result<Self, &'static str> {
        Err("there is no server here")
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

struct Greeter {
    greeting: String,
}

#[service(register = false)]
impl Greeter {
    fn new(
        Config(greeting): Config<Greeting>,
        clock: Arc<Clock>,
        store: Arc<dyn Store>,
        database: Arc<Database>,
    ) -> Self {
        let Database { url } = &*database;
        Self { greeting: format!("{} at {}, {}, {url}", greeting.word, clock.hour, store.name()) }
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[group::test(
    services(Database, Greeter),
    config = "[services.greeter]\nword = 'hello'",
    provide(Clock { hour: 3 }, Arc::new(InMemory) as Arc<dyn Store>),
    replace(Database { url: "memory:".to_owned() })
)]
async fn a_group_with_settings_values_and_a_fake(running: Running) {
    assert_eq!(running.get::<Greeter>().expect("it runs").greeting, "hello at 3, in memory, memory:");
}

#[group::test(services(Greeter), provide(Clock { hour: 3 }))]
async fn what_is_not_there_cannot_be_replaced(group: &mut Group) {
    let error = group.replace(Database { url: String::new() }).start().await.expect_err("there is none");
    let said = error.into_report().to_string();
    assert!(said.contains("cannot replace `group_test::Database`, which is not in this group"), "{said}");
}
