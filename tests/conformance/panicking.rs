//! Panics of handlers: whose they are, who sees them, and those of what a cancelled handler holds.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::stream;
use group::axum::Router;
use group::axum::body::{Body, Bytes};
use group::axum::extract::Request;
use group::axum::http::HeaderValue;
use group::axum::middleware::{Next, from_fn};
use group::axum::response::Response;
use group::axum::routing::get;
use group::{BoxError, Context, Group, Report, Service, Spec, http, service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{in_time, web};

/// Marks what passes through it with its status.
async fn seen(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = HeaderValue::from_str(response.status().as_str()).unwrap();
    response.headers_mut().append("seen", status);
    response
}

#[derive(Default)]
struct Host;

#[service(register = false, name = "host", http = "127.0.0.1:0")]
#[layer(from_fn(seen))]
impl Host {
    #[get("/own")]
    #[layer(from_fn(seen))]
    async fn own(&self) -> &'static str {
        panic!("a bug of the host")
    }

    #[any("/any")]
    #[layer(from_fn(seen))]
    async fn any(&self) -> &'static str {
        panic!("a bug of the host")
    }

    fn router(&self, routes: Router) -> Router {
        routes.layer(from_fn(seen))
    }
}

#[derive(Default)]
struct Guest;

#[service(register = false, name = "guest", http = Host, prefix = "/guest")]
impl Guest {
    #[get("/panics/{id}")]
    async fn panics(&self) -> &'static str {
        panic!("a bug of the guest")
    }
}

/// A guest by hand.
struct ByHand;

impl Service for ByHand {
    fn spec() -> Spec {
        Spec::new("by-hand").http_on::<Host>()
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let panics = get(|| async { panic!("a bug by hand") as &'static str });
        let piece = |()| async { panic!("a bug in a body") as Option<(Result<Bytes, std::io::Error>, ())> };
        let body = get(move || async move { Body::from_stream(stream::unfold((), piece)) });
        let refuses = from_fn(|_: Request, _: Next| -> std::future::Ready<Response> { panic!("a bug of a layer") });
        let layered = Router::new().route("/by-hand/layer", get(|| async { "never" })).layer(refuses);
        http::mount(&cx, Router::new().route("/by-hand", panics).route("/by-hand/body", body).merge(layered)).await
    }
}

async fn requested(addr: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn answer_to(addr: SocketAddr, path: &str) -> String {
    let (mut stream, mut text) = (requested(addr, path).await, String::new());
    in_time(stream.read_to_string(&mut text)).await.unwrap();
    text
}

fn failures(report: &Report) -> Vec<(&str, String)> {
    report.failures().iter().map(|failure| (failure.service().unwrap_or_default(), failure.to_string())).collect()
}

#[tokio::test]
async fn every_layer_around_a_route_sees_a_panic_as_a_500() {
    let running = Group::new().add(Host).start().await.unwrap();
    let addr = running.local_addr("host").unwrap();
    for path in ["/own", "/any"] {
        let answer = answer_to(addr, path).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert_eq!(answer.matches("seen: 500").count(), 3, "{answer}");
    }
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    let failures = failures(&report);
    let [(service, first), (_, _)] = failures.as_slice() else { panic!("{failures:?}") };
    assert!(*service == "host" && first.ends_with("(on GET /own)"), "{first}");
}

#[tokio::test]
async fn a_panic_in_a_mounted_service_is_its_own() {
    let mut group = Group::new();
    group.add(Host).add(Guest).add(ByHand);
    let running = group.start().await.unwrap();
    let addr = running.local_addr("host").unwrap();
    for path in ["/guest/panics/7", "/by-hand", "/by-hand/layer"] {
        let answer = answer_to(addr, path).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert_eq!(answer.matches("seen: 500").count(), 2, "the layers of the host see it: {answer}");
    }
    let _ = answer_to(addr, "/by-hand/body").await;
    let report = running.stop().await;
    let failures = failures(&report);
    let expected = [
        ("guest", "(on GET /guest/panics/{id})"),
        ("by-hand", "(on GET /by-hand)"),
        ("by-hand", "(on GET /by-hand/layer)"),
        ("by-hand", "(in a response body)"),
    ];
    assert_eq!(failures.len(), expected.len(), "{failures:?}");
    for ((service, said), (its, place)) in failures.iter().zip(expected) {
        assert!(*service == its && said.ends_with(place), "{said} of {service}");
    }
}

/// Panics when it is dropped, and says so before.
struct Bomb(Arc<Notify>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.notify_one();
        panic!("a bomb");
    }
}

#[tokio::test]
async fn a_panic_in_the_destructor_of_what_a_cancelled_handler_holds_is_reported() {
    let (entered, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enters, bomb) = (Arc::clone(&entered), Arc::clone(&dropped));
    let held = get(move || async move {
        let _bomb = Bomb(bomb);
        enters.notify_one();
        std::future::pending::<&'static str>().await
    });
    let entered_body = Arc::clone(&entered);
    let piece = move |bomb: Bomb| {
        let entered = Arc::clone(&entered_body);
        async move {
            entered.notify_one();
            std::future::pending::<()>().await;
            Some((Ok::<_, std::io::Error>(Bytes::new()), bomb))
        }
    };
    let bomb = Arc::clone(&dropped);
    let body = get(move || async move { Body::from_stream(stream::unfold(Bomb(bomb), piece)) });
    let running = web(Router::new().route("/held", held).route("/body", body)).start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    for path in ["/held", "/body"] {
        let stream = requested(addr, path).await;
        in_time(entered.notified()).await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        in_time(dropped.notified()).await;
    }
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    let failures = failures(&report);
    let [(_, first), (_, second)] = failures.as_slice() else { panic!("{failures:?}") };
    assert!(first.contains("a bomb") && first.ends_with("(on GET /held)"), "{first}");
    assert!(second.contains("a bomb") && second.ends_with("(in a response body)"), "{second}");
}
