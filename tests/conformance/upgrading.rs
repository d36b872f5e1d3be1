//! An upgraded connection (a `WebSocket`, a tunnel) belongs to its handler: both halves stay open until the handler
//! closes them, however long that takes.

use group::axum::Router;
use group::axum::extract::Request;
use group::axum::http::header::UPGRADE;
use group::axum::http::{Method, StatusCode};
use group::axum::response::{IntoResponse as _, Response};
use group::{Context, Group, Running, http};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::draining::until_refused;
use crate::support::{in_time, secs};

/// Both ways to ask for one, and the answers.
const WAYS: [(&str, &str); 2] = [
    (
        "GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: bytes\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols",
    ),
    ("CONNECT far:443 HTTP/1.1\r\nhost: far:443\r\n\r\n", "HTTP/1.1 200 OK"),
];

/// A server that upgrades every connection, and hands it to the test.
struct Server {
    running: Running,
    upgraded: UnboundedReceiver<TokioIo<Upgraded>>,
}

impl Server {
    async fn start() -> Self {
        let (hand_over, upgraded) = unbounded_channel();
        let routes = Router::new().fallback(|request| async { upgrade(request, hand_over) });
        let mut group = Group::new();
        group.add_fn("web", |cx: Context| async move {
            let server = http::Server::new(routes).header_read_timeout(secs(10)).linger(secs(60));
            server.serve(&cx, "127.0.0.1:0").await
        });
        Self { running: group.start().await.unwrap(), upgraded }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.running.local_addr("web").unwrap()).await.unwrap()
    }

    /// Asks for an upgrade in this way, and returns both ends of the connection.
    async fn upgrade(&mut self, way: (&str, &str)) -> (TokioIo<Upgraded>, TcpStream) {
        let mut client = self.connect().await;
        (self.upgrade_on(&mut client, way).await, client)
    }

    async fn upgrade_on(&mut self, client: &mut TcpStream, (request, answer): (&str, &str)) -> TokioIo<Upgraded> {
        client.write_all(request.as_bytes()).await.expect("it is read");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(in_time(client.read_u8()).await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("a head");
        assert!(head.starts_with(answer) && !head.contains("close"), "{head}");
        in_time(self.upgraded.recv()).await.expect("it is handed over")
    }

    /// Opens three idle connections, one after the other, and waits until the server has closed each.
    async fn silence(&self) {
        for _ in 0..3 {
            assert_eq!(rest(&mut self.connect().await).await, b"");
        }
    }

    async fn stops_clean(self) {
        let report = in_time(self.running.stop()).await;
        assert!(report.is_clean(), "{report}");
    }
}

fn upgrade(request: Request, hand_over: UnboundedSender<TokioIo<Upgraded>>) -> Response {
    let is_tunnel = request.method() == Method::CONNECT;
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.expect("it was asked for");
        hand_over.send(TokioIo::new(upgraded)).expect("the test waits for it");
    });
    if is_tunnel {
        return StatusCode::OK.into_response();
    }
    (StatusCode::SWITCHING_PROTOCOLS, [(UPGRADE, "bytes")]).into_response()
}

/// Reads from one end until it is closed.
async fn rest(end: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    in_time(end.read_to_end(&mut bytes)).await.expect("it is closed as it should be");
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_said_the_last_word_reads_all_that_the_client_still_sends() {
    let mut server = Server::start().await;
    for way in WAYS {
        let (mut handler, mut client) = server.upgrade(way).await;
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
        let reads = async {
            handler.write_all(b"the last word").await.expect("the client reads");
            in_time(handler.shutdown()).await.expect("it is open");
            rest(&mut handler).await
        };
        let sends = async {
            assert_eq!(rest(&mut client).await, b"the last word");
            client.write_all(&sent).await.expect("the handler reads");
            client.shutdown().await.expect("it is open");
        };
        let (read, ()) = tokio::join!(reads, sends);
        assert!(read == sent, "{} bytes of {}", read.len(), sent.len());
    }
    server.stops_clean().await;
}

#[tokio::test]
async fn one_that_is_asked_for_while_the_server_stops_is_open_until_its_handler_closes_it() {
    for way in WAYS {
        let mut server = Server::start().await;
        let mut client = server.connect().await;
        server.running.handle().stop();
        until_refused(server.running.local_addr("web").unwrap()).await;
        let mut handler = server.upgrade_on(&mut client, way).await;
        client.write_all(b"word").await.expect("it is open");
        client.shutdown().await.expect("it is open");
        assert_eq!(rest(&mut handler).await, b"word");
        handler.write_all(b"the last word").await.expect("it is open");
        drop(handler);
        assert_eq!(rest(&mut client).await, b"the last word");
        let report = in_time(server.running.wait()).await;
        let drain = *report.service("web").unwrap().drain().unwrap();
        assert!(report.is_clean() && drain.drained() == 1 && drain.streams() == 1, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_on_which_all_is_silent_stays_open_while_its_handler_waits_to_answer() {
    let mut server = Server::start().await;
    for way in WAYS {
        let (mut handler, mut client) = server.upgrade(way).await;
        tokio::spawn(async move {
            while let Ok(byte) = handler.read_u8().await {
                handler.write_u8(byte + 1).await.expect("the client reads");
            }
        });
        for byte in 1..4 {
            server.silence().await;
            client.write_u8(byte).await.expect("it is open");
            assert_eq!(in_time(client.read_u8()).await.expect("it is open"), byte + 1);
        }
    }
    server.stops_clean().await;
}

#[tokio::test(start_paused = true)]
async fn and_while_its_handler_only_reads() {
    let mut server = Server::start().await;
    for way in WAYS {
        let (mut handler, mut client) = server.upgrade(way).await;
        let reads = tokio::spawn(async move { rest(&mut handler).await });
        for _ in 0..2 {
            server.silence().await;
            client.write_all(b"word").await.expect("it is open");
        }
        client.shutdown().await.expect("it is open");
        assert_eq!(reads.await.expect("it ends"), b"wordword");
    }
    server.stops_clean().await;
}

#[tokio::test(start_paused = true)]
async fn and_while_its_handler_only_writes() {
    let mut server = Server::start().await;
    for way in WAYS {
        let (mut handler, mut client) = server.upgrade(way).await;
        for byte in 1..4 {
            server.silence().await;
            handler.write_u8(byte).await.expect("it is open");
            assert_eq!(in_time(client.read_u8()).await.expect("it is open"), byte);
        }
        handler.shutdown().await.expect("it is open");
        assert_eq!(rest(&mut client).await, b"");
    }
    server.stops_clean().await;
}
