//! A process that is asked to stop while calls are in flight.

use grpc_tests::item;
use grpc_tests::proto::inventory_client::InventoryClient;
use programs::Program;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

const SHOP: &str = env!("CARGO_BIN_EXE_calls");

async fn client(address: &str) -> InventoryClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("is a URL");
    InventoryClient::new(endpoint.connect().await.expect("it listens"))
}

async fn get(address: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("is sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("is answered");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_in_mid_stream_cuts_nothing_off() {
    let mut shop = Program::start(SHOP, &[], &[]);
    let address = shop.address_of("inventory");
    shop.logs("2 services are ready");
    let mut client = client(&address).await;
    let mut counts = client.watch(item("nuts", 0)).await.expect("begins").into_inner();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut echo =
        client.echo(tokio_stream::wrappers::ReceiverStream::new(receiver)).await.expect("begins").into_inner();
    sender.send(item("a", 1)).await.expect("is taken");
    assert_eq!(echo.message().await.expect("comes"), Some(item("a", 1)));
    assert_eq!(counts.message().await.expect("comes"), Some(item("nuts", 1)));

    shop.signal("TERM");

    // The stream from the server ends by itself, and is complete: each number once.
    let mut last = 1;
    while let Some(next) = counts.message().await.expect("is not cut") {
        assert_eq!(next.count, last + 1);
        last = next.count;
    }
    // The stream from the client goes on for as long as the client wants.
    for count in 2..10 {
        sender.send(item("a", count)).await.expect("is taken");
        assert_eq!(echo.message().await.expect("comes"), Some(item("a", count)));
    }
    let refused = client.stock(item("nuts", 0)).await.expect_err("nothing new is taken");
    assert!(matches!(refused.code(), Code::Unavailable | Code::Cancelled), "{refused:?}");
    drop(sender);
    assert_eq!(echo.message().await.expect("is not cut"), None);
    let ended = shop.end();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logged);
    assert_eq!(ended.logged_with("drained 1 connection").len(), 1, "{:#?}", ended.logged);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_calls_wherever_it_runs() {
    let mut inventory = Program::start(SHOP, &[], &[]);
    let address = inventory.address_of("inventory");
    let gateway = inventory.address_of("gateway");
    assert!(get(&gateway, "/nuts").await.ends_with("\r\n\r\n3"));

    let remote = format!("http://{address}");
    let mut other = Program::start(SHOP, &[], &[("GROUP_INVENTORY__REMOTE", &remote)]);
    other.logs(&format!("inventory runs elsewhere: {remote}"));
    let gateway = other.address_of("gateway");
    assert!(get(&gateway, "/nuts").await.ends_with("\r\n\r\n3"));
    inventory.signal("TERM");
    assert_eq!(inventory.end().code, Some(0));
    assert!(get(&gateway, "/nuts").await.starts_with("HTTP/1.1 502"));
    other.signal("TERM");
    assert_eq!(other.end().code, Some(0));
}

#[test]
fn a_wrong_remote_starts_nothing() {
    for (variable, url, said) in [
        ("GROUP_INVENTORY__REMOTE", "nowhere", "GROUP_INVENTORY__REMOTE is text: expected `http://host:port`"),
        ("GROUP_INVENTRY__REMOTE", "http://a:1", "GROUP_INVENTRY__REMOTE is for a service that is not in this group"),
        ("GROUP_GATEWAY__REMOTE", "http://a:1", "GROUP_GATEWAY__REMOTE"),
    ] {
        let ended = Program::start(SHOP, &[], &[(variable, url)]).end();
        assert_eq!(ended.code, Some(78), "{:#?}", ended.logged);
        assert!(ended.logged.iter().any(|line| line.contains(said)), "{said}: {:#?}", ended.logged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_for_each_call_has_its_status_and_a_failure_is_always_told() {
    let always = ["ERROR inventory: POST /shop.Inventory/Watch: INTERNAL"];
    let on_demand = [
        "DEBUG inventory: POST /shop.Inventory/Stock: OK",
        "DEBUG inventory: POST /shop.Inventory/Stock: NOT_FOUND",
        "DEBUG inventory: POST /shop.Inventory/Stock: INTERNAL",
        "ERROR inventory: POST /shop.Inventory/Watch: INTERNAL",
    ];
    for (filter, expected) in [("info", &always[..]), ("info,group::requests=debug", &on_demand[..])] {
        let mut shop = Program::start(SHOP, &[], &[("RUST_LOG", filter)]);
        let address = shop.address_of("inventory");
        shop.logs("2 services are ready");
        let mut client = client(&address).await;
        client.stock(item("nuts", 0)).await.expect("is there");
        assert_eq!(client.stock(item("none", 0)).await.expect_err("is not there").code(), Code::NotFound);
        assert_eq!(client.stock(item("panic", 0)).await.expect_err("panics").code(), Code::Internal);
        let mut counts = client.watch(item("panic", 0)).await.expect("begins").into_inner();
        while counts.message().await.is_ok() {}
        shop.logs("Watch: INTERNAL");
        drop(client);
        shop.signal("TERM");
        let ended = shop.end();
        let answers = ended.logged_with(" group::requests: ").into_iter();
        let untimed = |line: &str| line.split(" (").next().unwrap_or_default().replace("group::requests: ", "");
        let answers: Vec<String> = answers
            .map(untimed)
            .map(|line| line.split_once("Z ").map_or(String::new(), |(_, rest)| rest.to_owned()))
            .collect();
        assert_eq!(answers, expected, "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_memory_has_its_line_too() {
    let mut shop = Program::start(SHOP, &[], &[("RUST_LOG", "info,group::requests=debug")]);
    let gateway = shop.address_of("gateway");
    shop.logs("2 services are ready");
    assert!(get(&gateway, "/nuts").await.ends_with("\r\n\r\n3"));
    let line = shop.logs("group::requests: inventory: POST /shop.Inventory/Stock: OK (");
    // The head of a message of gRPC has five bytes, the name six, and the count two.
    assert!(line.ends_with(" ms, 13 bytes)"), "{line}");
    shop.signal("TERM");
    assert_eq!(shop.end().code, Some(0));
}
