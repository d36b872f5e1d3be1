//! Calls from one service of a group to another: in memory, or to a process that runs elsewhere.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use group::grpc::{Channel, Routes};
use group::{Event, Events, Failure, Group, Restart, Running, ServiceReport, Shutdown, State, service};
use grpc_tests::proto::Item;
use grpc_tests::proto::inventory_client::InventoryClient;
use grpc_tests::{Shop, item};
use tokio::sync::{Notify, oneshot};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Has no address.
struct Inventory {
    shop: Arc<Shop>,
}

#[service(grpc, register = false)]
impl Inventory {
    fn new(shop: Arc<Shop>) -> Self {
        Self { shop }
    }

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services.add_service(self.shop.server())
    }
}

type Client = InventoryClient<Channel<Inventory>>;

/// Calls it.
struct Gateway {
    client: Client,
    health: HealthClient<Channel<Inventory>>,
}

#[service(register = false)]
impl Gateway {
    fn new(inventory: Channel<Inventory>) -> Self {
        Self { client: InventoryClient::new(inventory.clone()), health: HealthClient::new(inventory) }
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

/// A caller, and the shop that answers, wherever it runs.
struct Setting {
    shop: Shop,
    client: Client,
    running: Running,
    /// Serves elsewhere.
    elsewhere: Option<Running>,
}

impl Setting {
    async fn in_process() -> Self {
        let shop = Shop::default();
        let mut group = Group::new();
        group.provide(shop.clone()).add_type::<Gateway>().add_type::<Inventory>();
        Self::of(shop, group, None).await
    }

    async fn remote() -> Self {
        let shop = Shop::default();
        let elsewhere = elsewhere(&shop).await;
        let mut group = Group::new();
        group.provide(Shop::default()).add_type::<Gateway>().add_type::<Inventory>();
        group.config_str(format!("[services.inventory]\nremote = '{}'", url(&elsewhere)));
        Self::of(shop, group, Some(elsewhere)).await
    }

    async fn of(shop: Shop, mut group: Group, elsewhere: Option<Running>) -> Self {
        let running = group.start().await.expect("both start");
        let client = running.get::<Gateway>().expect("it runs").client.clone();
        Self { shop, client, running, elsewhere }
    }

    /// Stops cleanly, and returns the failures that the group survived.
    async fn stop(self) -> Vec<Failure> {
        drop(self.client);
        let mut survived = Vec::new();
        for running in [Some(self.running), self.elsewhere].into_iter().flatten() {
            let report = running.stop().await;
            assert!(report.is_clean(), "{report}");
            survived.extend_from_slice(report.failures());
        }
        survived
    }
}

/// The same inventory in a group of its own.
async fn elsewhere(shop: &Shop) -> Running {
    let mut group = Group::new();
    group.provide(shop.clone()).add_type::<Inventory>();
    group.configure("inventory", |spec| spec.grpc("127.0.0.1:0"));
    group.start().await.expect("it starts")
}

fn url(elsewhere: &Running) -> String {
    format!("http://{}", elsewhere.local_addr("inventory").expect("it listens"))
}

/// Tries the same caller in both ways, and returns the failures that the groups survived.
async fn both_ways(test: impl Fn(Shop, Client) -> BoxFuture<'static, ()>) -> Vec<Failure> {
    let mut survived = Vec::new();
    for setting in [Setting::in_process().await, Setting::remote().await] {
        test(setting.shop.clone(), setting.client.clone()).await;
        survived.extend(setting.stop().await);
    }
    survived
}

#[tokio::test]
async fn a_call_is_answered() {
    both_ways(|_, mut client| {
        Box::pin(async move {
            let mut request = Request::new(item("nuts", 0));
            request.metadata_mut().insert("shop", "corner".parse().expect("is ASCII"));
            let answer = client.stock(request).await.expect("is answered");
            assert_eq!(answer.metadata().get("shop").expect("comes back"), "corner");
            assert_eq!(answer.into_inner(), item("nuts", 3));
        })
    })
    .await;
}

#[tokio::test]
async fn errors_and_panics_have_a_status() {
    let survived = both_ways(|_, mut client| {
        Box::pin(async move {
            let none = client.stock(item("none", 0)).await.expect_err("is none");
            assert_eq!((none.code(), none.message()), (Code::NotFound, "no such item"));
            let panicked = client.stock(item("panic", 0)).await.expect_err("panics");
            assert_eq!((panicked.code(), panicked.message()), (Code::Internal, "the handler panicked"));
            let mut counts = client.watch(item("panic", 0)).await.expect("begins").into_inner();
            assert_eq!(counts.message().await.expect("comes"), Some(item("panic", 1)));
            assert_eq!(counts.message().await.expect("comes"), Some(item("panic", 2)));
            assert_eq!(counts.message().await.expect_err("panics").code(), Code::Internal);
        })
    })
    .await;
    let said: Vec<_> = survived.iter().map(ToString::to_string).collect();
    assert!(said.len() == 4 && said.iter().all(|said| said.starts_with("`inventory` failed: panicked: ")), "{said:#?}");
}

#[tokio::test]
async fn streams_go_both_ways_at_once() {
    both_ways(|_, mut client| {
        Box::pin(async move {
            let all = client.add(tokio_stream::iter((1..=1000).map(|count| item("a", count)))).await;
            assert_eq!(all.expect("is answered").into_inner().count, 500_500);
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let items = tokio_stream::wrappers::ReceiverStream::new(receiver);
            let mut echo = client.echo(items).await.expect("begins").into_inner();
            for count in 0..100 {
                sender.send(item("a", count)).await.expect("is taken");
                assert_eq!(echo.message().await.expect("comes"), Some(item("a", count)));
            }
            // More than fits into the caller's channel, while the answers are not read.
            for count in 0..10 {
                sender.send(item("b", count)).await.expect("is taken");
            }
            drop(sender);
            for count in 0..10 {
                assert_eq!(echo.message().await.expect("comes"), Some(item("b", count)));
            }
            assert_eq!(echo.message().await.expect("ends"), None);
        })
    })
    .await;
}

#[tokio::test]
async fn a_large_message_passes() {
    both_ways(|_, mut client| {
        Box::pin(async move {
            let name = "n".repeat(3_000_000);
            let mut echo = client.echo(tokio_stream::iter([item(&name, 1)])).await.expect("begins").into_inner();
            assert_eq!(echo.message().await.expect("comes"), Some(item(name, 1)));
        })
    })
    .await;
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_its_handler() {
    both_ways(|shop, mut client| {
        Box::pin(async move {
            let mut request = Request::new(item("never", 0));
            request.set_timeout(Duration::from_millis(20));
            let late = client.stock(request).await.expect_err("is late");
            assert_eq!(late.code(), Code::DeadlineExceeded);
            shop.call_dropped().await;
            let mut request = Request::new(item("nuts", 0));
            request.set_timeout(Duration::from_millis(50));
            let mut counts = client.watch(request).await.expect("begins").into_inner();
            let late = loop {
                if let Err(late) = counts.message().await {
                    break late;
                }
            };
            assert_eq!(late.code(), Code::DeadlineExceeded);
            shop.call_dropped().await;
        })
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_lets_go_cancels() {
    both_ways(|shop, client| {
        Box::pin(async move {
            let mut calling = client.clone();
            let call = tokio::spawn(async move { calling.stock(item("never", 0)).await });
            shop.call_came().await;
            assert_eq!(shop.dropped.load(SeqCst), 0);
            call.abort();
            shop.call_dropped().await;
            let mut calling = client.clone();
            let mut counts = calling.watch(item("nuts", 0)).await.expect("begins").into_inner();
            assert_eq!(counts.message().await.expect("comes"), Some(item("nuts", 1)));
            drop(counts);
            shop.call_dropped().await;
        })
    })
    .await;
}

/// A service that calls while it stops: what it calls stops later.
fn add_caller(group: &mut Group, shop: &Shop) -> oneshot::Receiver<[Result<Item, Status>; 2]> {
    let (said, hears) = oneshot::channel();
    let said = Mutex::new(Some(said));
    let shop = shop.clone();
    group.add_fn("caller", move |inventory: Channel<Inventory>, shutdown: Shutdown| {
        let (shop, said) = (shop.clone(), said.lock().expect("no panic").take().expect("starts once"));
        async move {
            let mut client = InventoryClient::new(inventory);
            let mut calling = client.clone();
            let in_hand = tokio::spawn(async move { calling.stock(item("wait", 0)).await });
            shop.call_came().await;
            shutdown.requested().await;
            shop.gate.add_permits(1);
            let in_hand = in_hand.await.expect("no panic").map(Response::into_inner);
            let last = client.stock(item("nuts", 0)).await.map(Response::into_inner);
            said.send([in_hand, last]).expect("the test waits");
        }
    });
    hears
}

#[tokio::test]
async fn calls_are_answered_until_the_caller_has_stopped() {
    let shop = Shop::default();
    let mut group = Group::new();
    let hears = add_caller(&mut group, &shop);
    // Added last, and first in the order all the same.
    group.provide(shop).add_type::<Inventory>();
    assert_answered(group.start().await.expect("both start"), hears).await;
}

#[tokio::test]
async fn calls_elsewhere_are_answered_until_the_caller_has_stopped() {
    let shop = Shop::default();
    let elsewhere = elsewhere(&shop).await;
    let mut group = Group::new();
    let hears = add_caller(&mut group, &shop);
    group.remote::<Inventory>(url(&elsewhere));
    assert_answered(group.start().await.expect("both start"), hears).await;
    assert!(elsewhere.stop().await.is_clean());
}

async fn assert_answered(running: Running, hears: oneshot::Receiver<[Result<Item, Status>; 2]>) {
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    let [in_hand, last] = hears.await.expect("it calls");
    assert_eq!(in_hand.expect("is answered"), item("wait", 3));
    assert_eq!(last.expect("is answered"), item("nuts", 3));
}

/// Waits until the inventory has been asked to stop.
async fn inventory_stops(mut events: Events) {
    let stops = Event::Service { name: "inventory".to_owned(), state: State::Stopping };
    while events.recv().await.expect("it stops") != stops {}
}

/// No service of the group makes this call, so no edge orders it: the service that answers drains it
/// like any other request.
#[tokio::test]
async fn a_call_from_nowhere_is_drained() {
    let Setting { shop, mut client, running, .. } = Setting::in_process().await;
    let mut calling = client.clone();
    let call = tokio::spawn(async move { calling.stock(item("wait", 0)).await });
    shop.call_came().await;
    let events = running.handle().events();
    let stopped = tokio::spawn(running.stop());
    inventory_stops(events).await;
    let refused = client.stock(item("nuts", 0)).await.expect_err("is too late");
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "`inventory` is stopping"));
    shop.gate.add_permits(1);
    assert_eq!(call.await.expect("no panic").expect("is answered").into_inner(), item("wait", 3));
    let report = stopped.await.expect("no panic");
    assert!(report.is_clean(), "{report}");
    let drain = report.service("inventory").and_then(ServiceReport::drain).expect("it answered");
    assert_eq!((drain.drained(), drain.cut()), (1, 0));
    let refused = client.stock(item("nuts", 0)).await.expect_err("is gone");
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_is_cut_and_counted() {
    let shop = Shop::default();
    let mut group = Group::new();
    group.provide(shop.clone()).add_type::<Gateway>().add_type::<Inventory>();
    group.configure("inventory", |spec| spec.stop_timeout(Duration::from_millis(50)));
    let running = group.start().await.expect("both start");
    let mut client = running.get::<Gateway>().expect("it runs").client.clone();
    let call = tokio::spawn(async move { client.stock(item("never", 0)).await });
    shop.call_came().await;
    let report = running.stop().await;
    let cut = call.await.expect("no panic").expect_err("is cut");
    assert_eq!(cut.code(), Code::Unavailable);
    assert_eq!(report.exit_code(), 3, "{report}");
    let drain = report.service("inventory").and_then(ServiceReport::drain).expect("it answered");
    assert_eq!((drain.drained(), drain.cut()), (0, 1));
}

#[tokio::test]
async fn a_long_stream_learns_of_the_stop() {
    let Setting { mut client, running, .. } = Setting::in_process().await;
    let mut counts = client.watch(item("nuts", 0)).await.expect("begins").into_inner();
    assert_eq!(counts.message().await.expect("comes"), Some(item("nuts", 1)));
    let stopped = tokio::spawn(running.stop());
    while counts.message().await.expect("is not cut").is_some() {}
    let report = stopped.await.expect("no panic");
    assert!(report.is_clean(), "{report}");
    let drain = report.service("inventory").and_then(ServiceReport::drain).expect("it answered");
    assert_eq!((drain.drained(), drain.streams()), (1, 1));
}

#[tokio::test]
async fn health_is_there_too() {
    let setting = Setting::in_process().await;
    let mut client = setting.running.get::<Gateway>().expect("it runs").health.clone();
    for service in ["", "shop.Inventory"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = client.check(request).await.expect("is answered").into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    drop(client);
    setting.stop().await;
}

/// Over a network, the connection would be refused meanwhile.
#[tokio::test]
async fn a_service_that_waits_to_be_started_again_is_unavailable() {
    let fail = Arc::new(Notify::new());
    let mut group = Group::new();
    let hour = Duration::from_secs(60 * 60);
    group.provide(Shop::default()).provide(Fails(Arc::clone(&fail))).add_type::<Fragile>();
    group.configure("fragile", |spec| spec.restart(Restart::on_failure().backoff(hour, hour)));
    group.add_fn("caller", |_: Channel<Fragile>, shutdown: Shutdown| async move { shutdown.requested().await });
    let (give, given) = oneshot::channel();
    let give = Mutex::new(Some(give));
    group.add_fn("lends", move |fragile: Channel<Fragile>, shutdown: Shutdown| {
        let give = give.lock().expect("no panic").take().expect("starts once");
        give.send(fragile).expect("the test waits");
        async move { shutdown.requested().await }
    });
    let running = group.start().await.expect("all start");
    let mut client = InventoryClient::new(given.await.expect("is given"));
    client.stock(item("nuts", 0)).await.expect("is answered");
    let mut events = running.handle().events();
    fail.notify_one();
    let restarts = Event::Service { name: "fragile".to_owned(), state: State::Restarting };
    while events.recv().await.expect("it fails") != restarts {}
    let refused = client.stock(item("nuts", 0)).await.expect_err("does not run");
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "`fragile` is restarting"));
    assert!(!running.stop().await.services().is_empty());
}

struct Fails(Arc<Notify>);

struct Fragile {
    shop: Arc<Shop>,
    fails: Arc<Fails>,
}

#[service(grpc, register = false)]
impl Fragile {
    fn new(shop: Arc<Shop>, fails: Arc<Fails>) -> Self {
        Self { shop, fails }
    }

    async fn start(&self, shutdown: Shutdown) -> Result<(), &'static str> {
        tokio::select! {
            () = self.fails.0.notified() => Err("it fails"),
            () = shutdown.requested() => Ok(()),
        }
    }

    fn grpc(&self, services: Routes) -> Routes {
        services.add_service(self.shop.server())
    }
}

#[tokio::test]
async fn a_remote_that_is_away_for_a_while_is_found_again() {
    let shop = Shop::default();
    let first = elsewhere(&shop).await;
    let address = first.local_addr("inventory").expect("it listens").to_string();
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Gateway>().remote::<Inventory>(format!("http://{address}"));
    let running = group.start().await.expect("it starts");
    let mut client = running.get::<Gateway>().expect("it runs").client.clone();
    client.stock(item("nuts", 0)).await.expect("is answered");
    assert!(first.stop().await.is_clean());
    let away = client.stock(item("nuts", 0)).await.expect_err("is away");
    assert_eq!(away.code(), Code::Unavailable, "{away:?}");
    let mut group = Group::new();
    group.provide(shop).add_type::<Inventory>().configure("inventory", |spec| spec.grpc(address));
    let second = group.start().await.expect("it starts again");
    // The first attempt may still use the old connection.
    while client.stock(item("nuts", 0)).await.is_err() {}
    assert!(running.stop().await.is_clean());
    assert!(second.stop().await.is_clean());
}

/// The messages of a group with an invalid setup.
async fn said(group: &mut Group) -> Vec<String> {
    let error = group.start().await.expect_err("the group is wrong");
    assert_eq!(error.report().exit_code(), 78);
    error.report().failures().iter().map(ToString::to_string).collect()
}

fn has(said: &[String], text: &str) {
    assert!(matches!(said, [one] if one.contains(text)), "{text}: {said:#?}");
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_starts() {
    let called = "calls `calling::Inventory`, which is not in this group: add it, or say where it runs, \
                  as in `GROUP_INVENTORY__REMOTE=http://host:50051`";
    has(&said(Group::new().add_type::<Gateway>()).await, called);

    let expected = "expected `http://host:port`, as in `http://10.0.0.7:50051`, or `unix:/path`";
    for url in ["inventory:50051", "https://inventory:50051", "http://"] {
        let mut group = Group::new();
        group.add_type::<Gateway>().remote::<Inventory>(url);
        has(&said(&mut group).await, &format!("`inventory` cannot run at `{url}`: {expected}"));
        let mut group = Group::new();
        group.add_type::<Gateway>().config_str(format!("[services.inventory]\nremote = '{url}'"));
        let said = said(&mut group).await;
        assert!(
            said[0].contains(&format!("config_str:2: `services.inventory.remote` is text: {expected}")),
            "{said:#?}"
        );
    }

    let mut group = Group::new();
    group.add_fn("database", |shutdown: Shutdown| async move { shutdown.requested().await });
    group.configure("database", |spec| spec.remote("http://database:1"));
    has(&said(&mut group).await, "`database` cannot run elsewhere: it serves no gRPC, so it cannot be called");

    let mut group = Group::new();
    group.add_fn("reader", |_: Arc<Inventory>, shutdown: Shutdown| async move { shutdown.requested().await });
    group.remote::<Inventory>("http://inventory:1");
    has(&said(&mut group).await, "but `inventory` runs elsewhere: call it through a `Channel<calling::Inventory>`");

    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Inventory>();
    group.configure("inventory", |spec| spec.http("127.0.0.1:0").grpc("127.0.0.1:0"));
    has(&said(&mut group).await, "`inventory` has both `http` and `grpc`: one address serves both, so keep `http`");
}

/// A service that runs elsewhere is not in the order, and does not hold up those that start after it.
#[tokio::test]
async fn a_remote_service_is_left_out() {
    let mut group = Group::new();
    group.add_fn("reader", |shutdown: Shutdown| async move { shutdown.requested().await });
    group.configure("reader", |spec| spec.after_named("inventory"));
    group.provide(Shop::default()).add_type::<Gateway>().add_type::<Inventory>();
    group.config_str("[services.inventory]\nremote = 'http://inventory:1'");
    assert_eq!(group.order().expect("is right").to_string(), "start: reader -> gateway\nstop: gateway -> reader");
}
