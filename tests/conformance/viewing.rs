//! Services that others take as a trait object.

use std::sync::Arc;

use group::{Group, Outcome, ServiceReport, Shutdown, service};

use crate::support::failures;

trait Store: Send + Sync {
    fn name(&self) -> &'static str;
}

trait Cache: Send + Sync {}

struct Postgres;

impl Store for Postgres {
    fn name(&self) -> &'static str {
        "in Postgres"
    }
}

impl Cache for Postgres {}

#[service(register = false, provides(dyn Store, dyn Cache))]
impl Postgres {
    fn new() -> Self {
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

struct Memory;

impl Store for Memory {
    fn name(&self) -> &'static str {
        "in memory"
    }
}

#[service(register = false, provides(dyn Store))]
impl Memory {
    fn new() -> Self {
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

struct Users {
    store: Arc<dyn Store>,
}

#[service(register = false)]
impl Users {
    fn new(store: Arc<dyn Store>, _cache: Arc<dyn Cache>) -> Self {
        Self { store }
    }

    async fn start(&self, shutdown: Shutdown, same: Arc<Postgres>) {
        assert_eq!(same.name(), self.store.name());
        shutdown.requested().await;
    }
}

#[tokio::test]
async fn a_service_that_is_taken_as_a_trait_object_starts_first_and_stops_last() {
    let running = Group::new().add_type::<Users>().add_type::<Postgres>().start().await.unwrap();
    assert_eq!(running.get::<Users>().unwrap().store.name(), "in Postgres");
    assert_eq!(running.get::<dyn Store>().unwrap().name(), "in Postgres");
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    let names: Vec<&str> = report.services().iter().map(ServiceReport::name).collect();
    assert_eq!(names, ["postgres", "users"]);
    let [postgres, users] = report.services() else { panic!("two services") };
    assert!(users.gone_at() <= postgres.stop_asked_at());
}

async fn refused(group: &mut Group) -> Vec<String> {
    let report = group.start().await.unwrap_err().into_report();
    assert_eq!(report.outcome(), Outcome::BadGroup);
    failures(&report)
}

#[tokio::test]
async fn two_that_are_the_same_trait_object_are_a_mistake() {
    let said = refused(Group::new().add_type::<Postgres>().add_type::<Memory>()).await;
    let place = "tests/conformance/viewing.rs:";
    assert!(
        said[0].starts_with(&format!("`postgres` ({place}")) && said[0].contains(&format!(" and `memory` ({place}"))
    );
    assert!(
        said[0].ends_with("both provide `dyn conformance::viewing::Store`: nothing says which of them is meant"),
        "{said:?}"
    );
    let value = Arc::new(Memory) as Arc<dyn Store>;
    let said = refused(Group::new().add_type::<Postgres>().provide(value)).await;
    assert!(
        said[0].ends_with(
            "provides `dyn conformance::viewing::Store`, and so does a value: nothing says which of them is meant"
        ),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_cycle_through_a_trait_object_says_so() {
    let mut group = Group::new();
    group
        .add_fn("reader", |_store: Arc<dyn Store>| async {})
        .add_type::<Postgres>()
        .configure("postgres", |spec| spec.after_named("reader"));
    let said = refused(&mut group).await;
    assert!(said[0].contains("takes an `Arc<dyn conformance::viewing::Store>`"), "{said:?}");
}
