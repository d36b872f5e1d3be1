//! Building a group, and checking its graph.

use std::sync::Arc;

use group::{BoxError, Context, Group, Outcome, Schedule, Service, Shutdown, Spec, StopReason};
use tracing::Level;

use crate::support::{
    Journal, Stage as _, fails_to_start, failures, in_time, listen, logged_at, started_and_stopped, stops, then,
};

#[tokio::test(start_paused = true)]
async fn an_empty_group_warns_once_is_ready_and_stops() {
    listen();
    let report = in_time(Group::new().run()).await;
    assert_eq!(logged_at(Level::WARN), ["WARN there are no services in this group"]);
    assert!(report.is_clean());
    assert_eq!(report.stopped_by(), Some(&StopReason::Completed));
    assert!(report.services().is_empty());
    assert!(Group::new().start().await.is_ok(), "it becomes ready");
}

#[tokio::test]
async fn two_services_with_one_name_are_an_error_that_names_both_places() {
    let journal = Journal::default();
    let mut group = Group::new();
    let first = line!() + 1;
    group.add_as("twin", journal.probe("first"));
    group.add_as("twin", journal.probe("second"));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::BadGroup);
    let message = report.to_string();
    for place in [first, first + 1] {
        assert!(message.contains(&format!("{}:{place}", file!())), "{message}");
    }
    assert!(journal.take().is_empty());
}

#[tokio::test]
async fn a_cycle_is_an_error_with_its_whole_path() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("a").spec(|spec| spec.after_named("b")));
    group.probe(journal.probe("b").spec(|spec| spec.after_named("a")));
    let report = fails_to_start(&mut group).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78));
    assert!(report.to_string().contains("a -> b -> a"), "{report}");
    assert!(journal.take().is_empty());
}

struct Gateway;
struct Users;

impl Service for Gateway {
    fn spec() -> Spec {
        Spec::of::<Self>().http("127.0.0.1:4711")
    }

    async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
        unreachable!("no order exists")
    }
}

impl Service for Users {
    fn spec() -> Spec {
        Spec::of::<Self>().http_on::<Gateway>().starts_with::<Arc<Gateway>>()
    }

    async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
        unreachable!("no order exists")
    }
}

#[tokio::test]
async fn a_cycle_is_an_error_that_says_why_each_comes_after_the_next() {
    let mut group = Group::new();
    let first = line!() + 1;
    group.add(Gateway);
    group.add(Users);
    let report = fails_to_start(&mut group).await;
    let [mistake] = &failures(&report)[..] else { panic!("{report}") };
    let (file, second) = (file!(), first + 1);
    for why in [
        format!("`users` is mounted on `gateway` ({file}:{first})"),
        format!("`users` ({file}:{second}) takes an `Arc<{}>`", std::any::type_name::<Gateway>()),
    ] {
        assert!(mistake.contains(&why), "{mistake}");
    }
}

#[tokio::test]
async fn a_service_that_is_added_twice_in_one_place_is_there_twice() {
    let journal = Journal::default();
    let mut group = Group::new();
    for probe in ["first", "second"] {
        group.add_as("twin", journal.probe(probe));
    }
    let report = fails_to_start(&mut group).await;
    assert!(
        report.to_string().contains("`twin` (") && report.to_string().contains("is in the group twice"),
        "{report}"
    );
}

#[tokio::test]
async fn two_services_on_one_address_are_told_before_anything_starts() {
    let at = |address: &'static str| move |spec: Spec| spec.http(address);
    let group_at = |one: &'static str, two: &'static str| {
        let mut group = Group::new();
        group.add_as("one", Gateway).configure("one", at(one)).add_as("two", Gateway).configure("two", at(two));
        group
    };
    for address in ["127.0.0.1:4711", "localhost:4711", "unix:/tmp/one"] {
        let report = fails_to_start(&mut group_at(address, address)).await;
        let [mistake] = &failures(&report)[..] else { panic!("{report}") };
        assert!(mistake.contains(&format!("both serve on {address}")) && mistake.contains("`two`"), "{mistake}");
    }
    for (one, two) in [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:1", "127.0.0.1:2")] {
        assert!(group_at(one, two).order().is_ok());
    }
}

#[tokio::test]
async fn a_service_after_itself_is_a_cycle() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("a").spec(|spec| spec.after_named("a")));
    let report = fails_to_start(&mut group).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78));
    assert!(report.to_string().contains("a -> a"), "{report}");
    assert!(journal.take().is_empty());
}

#[tokio::test]
async fn a_cycle_is_never_repaired_by_dropping_a_service() {
    let journal = Journal::default();
    let mut group = journal.group(["innocent"]);
    group.probe(journal.probe("a").spec(|spec| spec.after_optional_named("b")));
    group.probe(journal.probe("b").spec(|spec| spec.after_optional_named("a")));
    group.probe(journal.probe("after").spec(|spec| spec.after_named("b")));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::BadGroup);
    assert!(journal.take().is_empty(), "not even the others start");
}

#[tokio::test]
async fn an_unknown_dependency_is_an_error_that_suggests_the_nearest_name() {
    let journal = Journal::default();
    let mut group = journal.group(["database", "cache"]);
    group.probe(journal.probe("api").spec(|spec| spec.after_named("databse")));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::BadGroup);
    let [mistake] = &failures(&report)[..] else { panic!("{report}") };
    assert!(mistake.contains("`api`") && mistake.contains("`databse`"), "{mistake}");
    assert!(mistake.contains("did you mean `database`?"), "{mistake}");
    assert!(journal.take().is_empty());
}

#[tokio::test]
async fn an_unknown_optional_dependency_is_only_a_warning() {
    listen();
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("api").spec(|spec| spec.after_optional_named("cache")));
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    assert_eq!(journal.take(), then(&["api starts"], stops(["api"])));
    let [warning] = &logged_at(Level::WARN)[..] else { panic!("{:?}", logged_at(Level::WARN)) };
    assert!(warning.contains("`api`") && warning.contains("`cache`"), "{warning}");
}

#[tokio::test]
async fn each_of_101_services_with_many_parents_is_visited_once() {
    let journal = Journal::default();
    let mut group = Group::new();
    let name = |number: usize| format!("s{number}");
    for number in (0..101_usize).rev() {
        let parents = (number.saturating_sub(7)..number).map(name);
        group.probe(journal.probe(&name(number)).spec(|spec| parents.fold(spec, group::Spec::after_named)));
    }
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    let starts = (0..101).map(|number| format!("s{number} starts"));
    let stops = (0..101).rev().flat_map(|number| stops([&*name(number)]));
    assert_eq!(journal.take(), starts.chain(stops).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_edge_wins_over_the_order_of_declaration_both_ways() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("b").spec(|spec| spec.after_named("a"))).probe(journal.probe("a"));
    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean());
    assert_eq!(journal.take(), then(&["a starts", "b starts"], stops(["b", "a"])));
}

#[tokio::test]
async fn independent_services_always_start_in_the_order_of_declaration() {
    let expected = then(&["d starts", "a starts", "c starts", "b starts"], stops(["b", "c", "a", "d"]));
    for _ in 0..1000 {
        let journal = Journal::default();
        let (report, _) = started_and_stopped(&mut journal.group(["d", "a", "c", "b"])).await;
        assert!(report.is_clean());
        assert_eq!(journal.take(), expected);
    }
}

#[test]
fn the_order_is_told_without_running_anything() {
    let journal = Journal::default();
    let group = || {
        let mut group = journal.group(["s1", "s2"]);
        group.probe(journal.probe("s3").spec(|spec| spec.after_named("s1").after_optional_named("s2")));
        group
    };
    let strict = group().order().unwrap();
    assert_eq!(strict.to_string(), "start: s1 -> s2 -> s3\nstop: s3 -> s2 -> s1");
    let graph = group().schedule(Schedule::Graph).order().unwrap();
    assert_eq!(graph.to_string(), "start: s1, s2 -> s3\nstop: s3 -> s2, s1");
    assert!(journal.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_order_was_told_can_still_be_run() {
    let journal = Journal::default();
    let mut group = journal.group(["s1", "s2"]);
    group.probe(journal.probe("s0")).configure("s1", |spec| spec.after_named("s0"));
    let names = |group: &Group| group.specs().map(|spec| spec.get_name().to_owned()).collect::<Vec<_>>();
    let before = names(&group);
    let order = group.order().unwrap();
    assert_eq!(order.starts(), [["s0"], ["s1"], ["s2"]]);
    assert_eq!((group.order().unwrap(), names(&group)), (order, before));

    let (report, _) = started_and_stopped(&mut group).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.services().iter().map(group::ServiceReport::name).collect::<Vec<_>>(), ["s0", "s1", "s2"]);
}

#[test]
fn the_order_of_a_group_with_mistakes_is_refused_each_time_with_all_of_them() {
    let mut group = Group::new();
    group.provide(1_u8).provide(2_u8).configure("nobody", |spec| spec);
    let refused = || group.order().unwrap_err().report().failures().iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = refused();
    assert_eq!((first.len(), refused()), (2, first.clone()), "{first:?}");
}

#[test]
fn the_graph_has_every_service_and_every_edge_once() {
    let journal = Journal::default();
    let mut group = journal.group(["s1", "s2"]);
    group.probe(journal.probe("s3").spec(|spec| spec.after_named("s1").after_named("s1").after_optional_named("s2")));
    let dot = group.order().unwrap().to_dot();
    let lines: Vec<&str> = dot.lines().map(str::trim).collect();
    let edges = ["\"s3\" -> \"s1\";", "\"s3\" -> \"s2\" [style=dashed];"];
    assert_eq!(lines, [&["digraph group {", "\"s1\";", "\"s2\";", "\"s3\";"], &edges[..], &["}"]].concat());
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

struct OnDisk;

impl Store for OnDisk {
    fn name(&self) -> &'static str {
        "on disk"
    }
}

/// Takes a trait object in `new` and in `start`.
struct Customers {
    store: Arc<dyn Store>,
}

#[group::service(register = false)]
impl Customers {
    fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    async fn start(&self, store: Arc<dyn Store>, shutdown: Shutdown) {
        assert!(Arc::ptr_eq(&store, &self.store));
        shutdown.requested().await;
    }
}

#[tokio::test]
async fn a_trait_object_is_provided_and_taken() {
    let store: Arc<dyn Store> = Arc::new(InMemory);
    let running = Group::new()
        .provide(Arc::clone(&store))
        .add_type::<Customers>()
        .add_fn("orders", |cx: Context, store: Arc<dyn Store>| async move {
            assert!(cx.get::<dyn Store>().is_some_and(|same| Arc::ptr_eq(&same, &store)));
        })
        .start()
        .await
        .unwrap();
    assert_eq!(running.get::<Customers>().expect("it is built").store.name(), "in memory");
    assert!(running.get::<dyn Store>().is_some_and(|same| Arc::ptr_eq(&same, &store)));
    assert!(running.stop().await.is_clean());
    assert_eq!(Arc::strong_count(&store), 1);
}

#[tokio::test]
async fn an_arc_is_provided_as_it_is() {
    let shared = Arc::new(InMemory);
    let mut group = Group::new();
    group.provide(Arc::clone(&shared)).add_fn("s1", |one: Arc<InMemory>, arc: Arc<Arc<InMemory>>| async move {
        assert!(Arc::ptr_eq(&one, &arc));
    });
    group.add_fn("s2", |shutdown: Shutdown| async move { shutdown.requested().await });
    let running = group.start().await.unwrap();
    assert!(running.get::<InMemory>().is_some_and(|same| Arc::ptr_eq(&same, &shared)));
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn a_trait_object_that_is_not_provided_is_a_mistake() {
    let mut group = Group::new();
    group.provide(InMemory).add_type::<Customers>();
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::BadGroup);
    let told = report.to_string();
    let wanted = "needs an `Arc<dyn conformance::building::Store>`, which is neither a service in this group nor provided \
                  to it: only `conformance::building::InMemory` is provided; provide an `Arc` of the trait object, or add a service that `provides` it";
    assert!(told.contains(wanted), "{told}");
}

#[tokio::test]
async fn two_values_that_are_taken_as_one_type_are_a_mistake() {
    let (in_memory, on_disk): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(InMemory), Arc::new(OnDisk));
    let (mut twice, mut bare_and_shared) = (Group::new(), Group::new());
    twice.provide(in_memory).provide(on_disk);
    bare_and_shared.provide(InMemory).provide(Arc::new(InMemory));
    for mut group in [twice, bare_and_shared] {
        let report = fails_to_start(&mut group).await;
        assert_eq!(report.outcome(), Outcome::BadGroup);
        assert!(report.to_string().contains("two values of type"), "{report}");
    }
}
