//! Calls from one service of a group to another: through memory, or to where that one runs.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures_util::future::BoxFuture;
use group::grpc::{Channel, Routes};
use group::{Context, Group, Running, Shutdown, service};
use grpc_tests::proto::inventory_client::InventoryClient;
use grpc_tests::{Shop, item};
use tokio::sync::Semaphore;
use tonic::{Code, Request, Status};
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
        let mut group = Group::new();
        group.provide(shop.clone()).add_type::<Inventory>();
        group.configure("inventory", |spec| spec.grpc("127.0.0.1:0"));
        let elsewhere = group.start().await.expect("it starts");
        let address = elsewhere.local_addr("inventory").expect("it listens");
        let mut group = Group::new();
        group.provide(Shop::default()).add_type::<Gateway>().add_type::<Inventory>();
        group.config_str(format!("[services.inventory]\nremote = 'http://{address}'"));
        Self::of(shop, group, Some(elsewhere)).await
    }

    async fn of(shop: Shop, mut group: Group, elsewhere: Option<Running>) -> Self {
        let running = group.start().await.expect("both start");
        let client = running.get::<Gateway>().expect("it runs").client.clone();
        Self { shop, client, running, elsewhere }
    }

    async fn stop(self) {
        drop(self.client);
        let report = self.running.stop().await;
        assert!(report.is_clean(), "{report}");
        if let Some(elsewhere) = self.elsewhere {
            let report = elsewhere.stop().await;
            assert!(report.is_clean(), "{report}");
        }
    }
}

/// The same caller both ways.
async fn both_ways(test: impl Fn(Shop, Client) -> BoxFuture<'static, ()>) {
    for setting in [Setting::in_process().await, Setting::remote().await] {
        test(setting.shop.clone(), setting.client.clone()).await;
        setting.stop().await;
    }
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
    both_ways(|_, mut client| {
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
            // More than fits into the caller's channel, and nobody reads the answers meanwhile.
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

/// The caller comes after the one that it calls, so the order of the stop does it.
#[tokio::test]
async fn a_call_in_hand_at_the_stop_is_answered() {
    for setting in [Setting::in_process().await, Setting::remote().await] {
        let Setting { shop, mut client, running, elsewhere } = setting;
        let handle = running.handle();
        // A part of the gateway: it is awaited before the inventory is asked to stop.
        let mut group = running;
        let (said, answer) = tokio::sync::oneshot::channel();
        drop((said, answer.await));
        let call = tokio::spawn(async move { client.stock(item("wait", 0)).await });
        shop.call_came().await;
        let stopped = tokio::spawn(async move {
            group = group;
            group.stop().await
        });
        handle.stopping().await;
        shop.gate.add_permits(1);
        assert_eq!(call.await.expect("no panic").expect("is answered").into_inner(), item("wait", 3));
        assert!(stopped.await.expect("no panic").is_clean());
        drop(elsewhere);
    }
}
