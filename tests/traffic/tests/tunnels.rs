//! HTTP/2 streams that a handler has upgraded, as a `WebSocket` does (RFC 8441), at the stop.

use std::future::{Ready, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::any;
use group::{Context, Group, Outcome, Report, Running, Shutdown, http};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper::upgrade::{Upgraded, on};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("nothing comes")
}

/// Sends back what comes, and at the stop says goodbye; or does not hear of the stop.
fn tunnel(hears: bool, shutdown: Shutdown, mut request: Request) -> Ready<StatusCode> {
    let upgraded = on(&mut request);
    tokio::spawn(async move {
        let mut tunnel = TokioIo::new(upgraded.await.expect("it is upgraded"));
        let mut buffer = [0; 64];
        loop {
            tokio::select! {
                () = shutdown.requested(), if hears => break,
                read = tunnel.read(&mut buffer) => match read {
                    Ok(read @ 1..) => tunnel.write_all(&buffer[..read]).await.expect("it is open"),
                    _ => return,
                },
            }
        }
        tunnel.write_all(b"goodbye").await.expect("it is open");
        tunnel.shutdown().await.expect("it is open");
    });
    ready(StatusCode::OK)
}

async fn serving() -> Running {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new()
            .route("/hears", any(|shutdown: Shutdown, request: Request| tunnel(true, shutdown, request)))
            .route("/deaf", any(|shutdown: Shutdown, request: Request| tunnel(false, shutdown, request)));
        http::serve(&cx, "127.0.0.1:0", routes).await
    });
    group.configure("web", |spec| spec.stop_timeout(Duration::from_secs(1)));
    group.start().await.expect("the group starts")
}

/// A tunnel that works.
async fn opened(running: &Running, path: &str) -> TokioIo<Upgraded> {
    let addr = running.local_addr("web").expect("it listens");
    let io = TokioIo::new(TcpStream::connect(addr).await.expect("it listens"));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let request = Request::connect(format!("http://{addr}{path}"));
    let request = request.extension(Protocol::from_static("websocket")).body(Empty::<Bytes>::new());
    // The server says in its settings that it can do this.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = in_time(sender.send_request(request.expect("it is one"))).await.expect("it is answered");
    assert_eq!(answer.status(), StatusCode::OK);
    let mut tunnel = TokioIo::new(on(answer).await.expect("it is upgraded"));
    tunnel.write_all(b"hello").await.expect("it is open");
    let mut echo = [0; 5];
    in_time(tunnel.read_exact(&mut echo)).await.expect("it is open");
    tunnel
}

fn counts(report: &Report) -> (usize, usize) {
    let drain = report.service("web").and_then(|web| web.drain()).expect("it has served");
    (drain.drained(), drain.cut())
}

#[tokio::test]
async fn a_tunnel_that_ends_at_the_stop_is_drained() {
    let running = serving().await;
    let mut tunnel = opened(&running, "/hears").await;
    running.handle().stop();
    let mut rest = String::new();
    in_time(tunnel.read_to_string(&mut rest)).await.expect("it is not cut");
    assert_eq!(rest, "goodbye");
    drop(tunnel);
    let report = in_time(running.wait()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(counts(&report), (1, 0), "{report}");
}

#[tokio::test]
async fn one_that_does_not_is_cut_and_counted() {
    let running = serving().await;
    let _tunnel = opened(&running, "/deaf").await;
    let report = in_time(running.stop()).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
    assert_eq!(counts(&report), (0, 1), "{report}");
    assert_eq!(report.service("web").expect("there is one").drain().expect("it has served").streams(), 1, "{report}");
}
