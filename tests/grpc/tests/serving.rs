//! gRPC services on real sockets, asked by tonic's own client.

use std::sync::Arc;
use std::time::Duration;

use group::axum::Router;
use group::axum::extract::Request as HttpRequest;
use group::axum::http::HeaderValue;
use group::axum::middleware::{Next, from_fn};
use group::axum::response::Response;
use group::axum::routing::get;
use group::grpc::{self, Routes};
use group::{BoxError, Context, Group, Ready, Running, Service, Shutdown, Spec, http, service};
use grpc_tests::proto::inventory_client::InventoryClient;
use grpc_tests::proto::{DESCRIPTORS, Item};
use grpc_tests::{Shop, item};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// By attribute.
struct Inventory {
    shop: Arc<Shop>,
}

#[service(grpc = "127.0.0.1:0", register = false)]
impl Inventory {
    fn new(shop: Arc<Shop>) -> Self {
        Self { shop }
    }

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services.add_service(self.shop.server()).reflection(DESCRIPTORS)
    }
}

/// HTTP and gRPC on one port, by attribute.
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

/// By hand.
struct ByHand {
    shop: Shop,
}

impl Service for ByHand {
    fn spec() -> Spec {
        Spec::of::<Self>().grpc("127.0.0.1:0")
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let services = Routes::new().add_service(self.shop.server());
        grpc::serve(&cx, cx.grpc_address().expect("its spec says it"), services).await
    }
}

async fn connect(running: &Running, service: &str) -> Channel {
    let address = running.local_addr(service).expect("it listens");
    Endpoint::from_shared(format!("http://{address}")).expect("is a URL").connect().await.expect("it listens")
}

async fn client(running: &Running, service: &str) -> InventoryClient<Channel> {
    InventoryClient::new(connect(running, service).await)
}

async fn is_served(running: &Running, service: &str) {
    let mut client = client(running, service).await;
    assert_eq!(client.stock(item("nuts", 0)).await.expect("is answered").into_inner(), item("nuts", 3));
    let answer = client.add(tokio_stream::iter([item("a", 1), item("b", 4)])).await;
    assert_eq!(answer.expect("is answered").into_inner().count, 5);
    let mut echo = client.echo(tokio_stream::iter([item("a", 1), item("b", 4)])).await.expect("begins").into_inner();
    assert_eq!(echo.message().await.expect("comes"), Some(item("a", 1)));
    assert_eq!(echo.message().await.expect("comes"), Some(item("b", 4)));
    assert_eq!(echo.message().await.expect("ends"), None);
    let none = client.stock(item("none", 0)).await.expect_err("is none");
    assert_eq!((none.code(), none.message()), (Code::NotFound, "no such item"));
}

#[tokio::test]
async fn all_kinds_of_calls_are_answered() {
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Inventory>().add_type::<Both>().add(ByHand { shop: Shop::default() });
    let running = group.start().await.expect("all start");
    for service in ["inventory", "both", "by-hand"] {
        is_served(&running, service).await;
    }
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn http_and_grpc_are_on_one_port() {
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Both>().add_fn("hand", |cx: Context| async move {
        let routes = Router::new().route("/hello", get(|| async { "hello" }));
        let services = Routes::new().add_service(Shop::default().server());
        http::Server::new(routes).grpc(services).serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.expect("both start");
    for service in ["both", "hand"] {
        is_served(&running, service).await;
        let address = running.local_addr(service).expect("it listens");
        let said = get_over_http1(&address.to_string(), "/hello").await;
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("hello"), "{said}");
        let said = get_over_http1(&address.to_string(), "/nowhere").await;
        assert!(said.starts_with("HTTP/1.1 404"), "{said}");
    }
    assert!(running.stop().await.is_clean());
}

async fn get_over_http1(address: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("is sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("is answered");
    said
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let running = Group::new().provide(Shop::default()).add_type::<Inventory>().add_type::<Both>().start().await;
    let running = running.expect("both start");
    for service in ["inventory", "both"] {
        let mut client = tonic::client::Grpc::new(connect(&running, service).await);
        client.ready().await.expect("is connected");
        let codec = tonic_prost::ProstCodec::<Item, Item>::default();
        let path = group::axum::http::uri::PathAndQuery::from_static("/shop.Orders/Place");
        let none = client.unary(Request::new(item("a", 1)), path, codec).await.expect_err("is not served");
        assert_eq!(none.code(), Code::Unimplemented, "{service}");
    }
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn a_panic_is_internal_and_the_connection_lives() {
    let running = Group::new().provide(Shop::default()).add_type::<Inventory>().start().await.expect("it starts");
    let mut client = client(&running, "inventory").await;
    let internal = client.stock(item("panic", 0)).await.expect_err("panics");
    assert_eq!((internal.code(), internal.message()), (Code::Internal, "the handler panicked"));
    let mut counts = client.watch(item("panic", 0)).await.expect("begins").into_inner();
    assert_eq!(counts.message().await.expect("comes"), Some(item("panic", 1)));
    assert_eq!(counts.message().await.expect("comes"), Some(item("panic", 2)));
    let internal = counts.message().await.expect_err("panics");
    assert_eq!((internal.code(), internal.message()), (Code::Internal, "the handler panicked"));
    client.stock(item("nuts", 0)).await.expect("is answered");
    assert!(running.stop().await.is_clean());
}

/// The header is written by hand, because tonic's client would enforce a timeout itself.
#[tokio::test]
async fn a_deadline_is_kept_by_the_server() {
    let shop = Shop::default();
    let running = Group::new().provide(shop.clone()).add_type::<Inventory>().start().await.expect("it starts");
    let channel = connect(&running, "inventory").await;
    let mut client = InventoryClient::with_interceptor(channel, |mut request: Request<()>| {
        request.metadata_mut().insert("grpc-timeout", "30m".parse().expect("is ASCII"));
        Ok(request)
    });
    let late = client.stock(item("never", 0)).await.expect_err("is late");
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    shop.call_dropped().await;
    let mut counts = client.watch(item("nuts", 0)).await.expect("begins").into_inner();
    let late = loop {
        if let Err(late) = counts.message().await {
            break late;
        }
    };
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn a_call_in_hand_at_the_stop_is_answered() {
    let shop = Shop::default();
    let running = Group::new().provide(shop.clone()).add_type::<Inventory>().start().await.expect("it starts");
    let mut client = client(&running, "inventory").await;
    let call = tokio::spawn(async move { client.stock(item("wait", 0)).await });
    shop.call_came().await;
    let handle = running.handle();
    let stopped = tokio::spawn(running.stop());
    handle.stopping().await;
    shop.gate.add_permits(1);
    assert_eq!(call.await.expect("no panic").expect("is answered").into_inner(), item("wait", 3));
    let report = stopped.await.expect("no panic");
    assert!(report.is_clean(), "{report}");
    let drain = report.service("inventory").and_then(group::ServiceReport::drain).expect("it served");
    assert_eq!((drain.drained(), drain.cut()), (1, 0));
}

#[tokio::test]
async fn a_long_stream_learns_of_the_stop() {
    let running = Group::new().provide(Shop::default()).add_type::<Inventory>().start().await.expect("it starts");
    let mut client = client(&running, "inventory").await;
    let mut counts = client.watch(item("nuts", 0)).await.expect("begins").into_inner();
    assert_eq!(counts.message().await.expect("comes"), Some(item("nuts", 1)));
    let stopped = tokio::spawn(running.stop());
    while counts.message().await.expect("is not cut").is_some() {}
    assert!(stopped.await.expect("no panic").is_clean());
}

async fn health(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    client.check(request).await.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test]
async fn health_says_what_the_group_does() {
    let (begun, begins) = tokio::sync::oneshot::channel::<()>();
    let (open, opened) = tokio::sync::oneshot::channel::<()>();
    let slow = Arc::new(std::sync::Mutex::new(Some((begun, opened))));
    let socket = Socket::new("health");
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Inventory>().configure("inventory", |spec| spec.grpc(socket.url()));
    group.add_fn("slow", move |ready: Ready, shutdown: Shutdown| {
        let (begun, opened) = slow.lock().expect("no panic").take().expect("starts once");
        async move {
            begun.send(()).expect("the test waits");
            opened.await.expect("is opened");
            ready.fire();
            shutdown.requested().await;
        }
    });
    let started = tokio::spawn(group.start());
    begins.await.expect("it starts");
    let mut client = HealthClient::new(socket.connect().await);
    assert_eq!(health(&mut client, "").await, Ok(ServingStatus::NotServing));
    assert_eq!(health(&mut client, "shop.Inventory").await, Ok(ServingStatus::NotServing));
    open.send(()).expect("it waits");
    let running = started.await.expect("no panic").expect("both start");
    assert_eq!(health(&mut client, "").await, Ok(ServingStatus::Serving));
    assert_eq!(health(&mut client, "shop.Inventory").await, Ok(ServingStatus::Serving));
    assert_eq!(health(&mut client, "shop.Orders").await, Err(Code::NotFound));
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn who_watches_health_hears_of_the_stop_and_does_not_hold_it() {
    let running = Group::new().provide(Shop::default()).add_type::<Inventory>().start().await.expect("it starts");
    let mut client = HealthClient::new(connect(&running, "inventory").await);
    let mut watches = Vec::new();
    for service in ["", "shop.Inventory"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut watch = client.watch(request).await.expect("begins").into_inner();
        assert_eq!(watch.message().await.expect("comes").expect("is one").status(), ServingStatus::Serving);
        watches.push(watch);
    }
    let report = tokio::time::timeout(Duration::from_secs(5), running.stop()).await.expect("nothing holds it");
    assert!(report.is_clean(), "{report}");
    for mut watch in watches {
        assert_eq!(watch.message().await.expect("comes").expect("is one").status(), ServingStatus::NotServing);
        assert!(watch.message().await.expect("is not cut").is_none());
    }
}

/// Not ready, because a service that the group cannot do without is being started again.
#[tokio::test]
async fn health_is_not_serving_while_a_service_restarts() {
    let fail = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&fail);
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Inventory>();
    group.add_restartable_fn("worker", move |shutdown: Shutdown| {
        let told = Arc::clone(&told);
        async move {
            tokio::select! {
                () = told.notified() => Err("it fails"),
                () = shutdown.requested() => Ok(()),
            }
        }
    });
    let hour = Duration::from_secs(60 * 60);
    group.configure("worker", |spec| spec.restart(group::Restart::on_failure().backoff(hour, hour)));
    let running = group.start().await.expect("both start");
    let mut client = HealthClient::new(connect(&running, "inventory").await);
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = client.watch(request).await.expect("begins").into_inner();
    assert_eq!(watch.message().await.expect("comes").expect("is one").status(), ServingStatus::Serving);
    fail.notify_one();
    assert_eq!(watch.message().await.expect("comes").expect("is one").status(), ServingStatus::NotServing);
    assert_eq!(health(&mut client, "shop.Inventory").await, Ok(ServingStatus::NotServing));
    assert!(!running.stop().await.services().is_empty());
}

#[tokio::test]
async fn reflection_lists_what_there_is() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let running = Group::new().provide(Shop::default()).add_type::<Inventory>().start().await.expect("it starts");
    let mut client = ServerReflectionClient::new(connect(&running, "inventory").await);
    let list = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut answers = client.server_reflection_info(tokio_stream::iter([request])).await.expect("begins").into_inner();
    let answer = answers.message().await.expect("comes").expect("is one");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else { panic!("{answer:?}") };
    let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(names, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "shop.Inventory"]);
    drop((answers, client));
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn what_is_wrong_with_the_services_is_said_at_the_start() {
    async fn said(services: Routes) -> String {
        let mut services = Some(services);
        let mut group = Group::new();
        group.add_fn("shop", move |cx: Context| {
            let services = services.take().unwrap_or_default();
            async move { grpc::serve(&cx, "127.0.0.1:0", services).await }
        });
        group.start().await.expect_err("is wrong").to_string()
    }
    let shop = Shop::default();
    let twice = said(Routes::new().add_service(shop.server()).add_service(shop.server())).await;
    assert!(twice.contains("two gRPC services are called `shop.Inventory`"), "{twice}");
    let wrong = said(Routes::new().add_service(shop.server()).reflection(b"no descriptors")).await;
    assert!(wrong.contains("reflection was given an invalid file descriptor set"), "{wrong}");
}

#[tokio::test]
async fn a_unix_socket_serves_it_too() {
    let socket = Socket::new("served");
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Inventory>().configure("inventory", |spec| spec.grpc(socket.url()));
    let running = group.start().await.expect("it starts");
    InventoryClient::new(socket.connect().await).stock(item("nuts", 0)).await.expect("is answered");
    assert!(running.stop().await.is_clean());
}

/// The path of a unix socket, which no other test has.
struct Socket(std::path::PathBuf);

impl Socket {
    fn new(test: &str) -> Self {
        Self(std::env::temp_dir().join(format!("grpc-tests-{test}-{}.sock", std::process::id())))
    }

    fn url(&self) -> String {
        format!("unix:{}", self.0.display())
    }

    async fn connect(&self) -> Channel {
        Endpoint::from_shared(self.url()).expect("is a URL").connect().await.expect("it listens")
    }
}

/// With layers around its gRPC.
struct Layered {
    shop: Arc<Shop>,
}

/// Appends a word to the header `seen` of the answer.
async fn sees(word: &'static str, request: HttpRequest, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().append("seen", HeaderValue::from_static(word));
    response
}

#[service(grpc = "127.0.0.1:0", register = false)]
impl Layered {
    fn new(shop: Arc<Shop>) -> Self {
        Self { shop }
    }

    #[layer(from_fn(async |request, next| sees("outer", request, next).await))]
    #[layer(from_fn(async |request, next| sees("inner", request, next).await))]
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services.add_service(self.shop.server())
    }
}

#[tokio::test]
async fn layers_are_around_grpc_the_first_outermost_and_not_around_health() {
    let mut group = Group::new();
    group.provide(Shop::default()).add_type::<Layered>();
    let running = group.start().await.expect("it starts");
    let channel = connect(&running, "layered").await;
    let answer = InventoryClient::new(channel.clone()).stock(item("nuts", 0)).await.expect("is answered");
    let seen: Vec<_> = answer.metadata().get_all("seen").iter().map(|word| word.to_str().expect("is text")).collect();
    assert_eq!(seen, ["inner", "outer"]);
    let health = HealthClient::new(channel).check(HealthCheckRequest::default()).await.expect("is answered");
    assert!(health.metadata().get("seen").is_none());
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);
    assert!(running.stop().await.is_clean());
}
