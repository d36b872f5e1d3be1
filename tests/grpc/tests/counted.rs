//! gRPC calls in the metrics of a group: each is counted once, by its method and its status.

use std::sync::Arc;
use std::time::Duration;

use group::grpc::Routes;
use group::{Group, Handle, Running, service};
use grpc_tests::proto::Item;
use grpc_tests::proto::inventory_client::InventoryClient;
use grpc_tests::{Shop, item};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

/// HTTP and gRPC on one port.
struct Both {
    shop: Arc<Shop>,
}

#[service(http = "127.0.0.1:0", register = false)]
impl Both {
    fn new(shop: Arc<Shop>) -> Self {
        Self { shop }
    }

    #[get("/hello")]
    async fn hello(&self) -> &'static str {
        "hello"
    }

    fn grpc(&self, services: Routes) -> Routes {
        services.add_service(self.shop.server())
    }
}

async fn start() -> (Running, Channel) {
    let running = Group::new().provide(Shop::default()).add_type::<Both>().start().await.expect("it starts");
    let address = running.local_addr("both").expect("it listens");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("is a URL");
    (running, endpoint.connect().await.expect("it listens"))
}

/// The counts of calls, or of requests, sorted.
fn counts(handle: &Handle, metric: &str) -> Vec<String> {
    let mut counts: Vec<_> =
        handle.metrics().lines().filter(|line| line.starts_with(metric)).map(str::to_owned).collect();
    counts.sort_unstable();
    counts
}

async fn until(handle: &Handle, line: &str) {
    for _ in 0..3000 {
        if handle.metrics().lines().any(|one| one == line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {line}: {:#?}", counts(handle, "group_grpc_calls_total"));
}

async fn stock(channel: &Channel, name: &str) -> Code {
    let answered = InventoryClient::new(channel.clone()).stock(item(name, 1)).await;
    answered.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn by_method_and_status() {
    let (running, channel) = start().await;
    let codes = [("tea", Code::Ok), ("jam", Code::Ok), ("none", Code::NotFound), ("panic", Code::Internal)];
    for (name, code) in codes {
        assert_eq!(stock(&channel, name).await, code);
    }
    let items = tokio_stream::iter([item("tea", 1), item("jam", 2)]);
    InventoryClient::new(channel.clone()).add(items).await.expect("it counts them");
    let mut watched = InventoryClient::new(channel).watch(item("tea", 1)).await.expect("it begins").into_inner();
    watched.message().await.expect("it goes on");
    drop(watched);
    let handle = running.handle();
    let cancelled = r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Watch",status="CANCELLED"} 1"#;
    until(&handle, cancelled).await;
    assert_eq!(
        counts(&handle, "group_grpc_calls_total{"),
        [
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Add",status="OK"} 1"#,
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="INTERNAL"} 1"#,
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="NOT_FOUND"} 1"#,
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="OK"} 2"#,
            cancelled,
        ]
    );
    let durations = counts(&handle, "group_grpc_call_duration_seconds_count{");
    assert_eq!(
        durations,
        [
            r#"group_grpc_call_duration_seconds_count{service="both",route="/shop.Inventory/Add"} 1"#,
            r#"group_grpc_call_duration_seconds_count{service="both",route="/shop.Inventory/Stock"} 4"#,
            r#"group_grpc_call_duration_seconds_count{service="both",route="/shop.Inventory/Watch"} 1"#,
        ]
    );
    assert_eq!(counts(&handle, "group_http_requests_total{"), [""; 0], "a call is no request besides");
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn methods_that_do_not_exist_are_counted_as_one() {
    let (running, channel) = start().await;
    let mut client = tonic::client::Grpc::new(channel.clone());
    for service in ["shop.Inventory", "shop.Nowhere"] {
        for number in 0..150 {
            let path = format!("/{service}/Method{number}").parse().expect("is a path");
            client.ready().await.expect("it is connected");
            let codec = ProstCodec::<Item, Item>::default();
            let refused = client.unary(Request::new(item("tea", 1)), path, codec).await.expect_err("there is none");
            assert_eq!(refused.code(), Code::Unimplemented);
        }
    }
    stock(&channel, "tea").await;
    let counted = counts(&running.handle(), "group_grpc_calls_total{");
    assert_eq!(
        counted,
        [
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="OK"} 1"#,
            r#"group_grpc_calls_total{service="both",route="_OTHER",status="UNIMPLEMENTED"} 150"#,
        ],
        "the other service is none that the server knows: those are requests without a route"
    );
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn a_call_within_the_process_is_counted_too() {
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Both>();
    group.add_fn("caller", |both: group::grpc::Channel<Both>| async move {
        let mut client = InventoryClient::new(both);
        client.stock(item("tea", 1)).await.map(drop)?;
        client.stock(item("none", 1)).await.expect_err("there is none");
        let mut too_slow = Request::new(item("wait", 1));
        too_slow.metadata_mut().insert("grpc-timeout", "10m".parse().expect("is a value"));
        client.stock(too_slow).await.expect_err("it waits");
        Ok::<_, tonic::Status>(())
    });
    let running = group.start().await.expect("it starts");
    let handle = running.handle();
    until(&handle, r#"group_service_state{service="caller",state="completed"} 1"#).await;
    assert_eq!(
        counts(&handle, "group_grpc_calls_total{"),
        [
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="DEADLINE_EXCEEDED"} 1"#,
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="NOT_FOUND"} 1"#,
            r#"group_grpc_calls_total{service="both",route="/shop.Inventory/Stock",status="OK"} 1"#,
        ]
    );
    assert!(running.stop().await.is_clean());
}
