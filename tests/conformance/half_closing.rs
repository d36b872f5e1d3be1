//! Clients that close their side of the connection while their request is in flight. They may wait for the answer, or be
//! gone. Real sockets, and real time where the system decides.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream;
use group::axum::Router;
use group::axum::body::{Body, Bytes};
use group::axum::routing::{get, post};
use group::{Context, Group, Running, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use crate::support::{in_time, millis, secs};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

/// Says that its handler is over, whether it was dropped or has answered.
struct Over(UnboundedSender<Instant>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(Instant::now());
    }
}

struct Server {
    running: Running,
    addr: SocketAddr,
    /// Says when handlers of `/long` were over.
    over: UnboundedReceiver<Instant>,
}

impl Server {
    /// `/` answers after a second, `/echo` with what it was sent, `/events` with a piece each 200 ms, `/long` never.
    async fn start(change: impl FnOnce(http::Server) -> http::Server + Send + 'static) -> Self {
        let (ends, over) = unbounded_channel();
        let long = move || {
            let over = Over(ends.clone());
            async move {
                std::future::pending::<()>().await;
                drop(over);
            }
        };
        let piece = |left: u8| async move {
            sleep(millis(200)).await;
            left.checked_sub(1).map(|left| (Ok::<_, std::io::Error>(Bytes::from_static(b"piece")), left))
        };
        let answer = || async {
            sleep(secs(1)).await;
            "answered"
        };
        let routes = Router::new()
            .route("/", get(answer))
            .route("/long", get(long))
            .route("/echo", post(|body: String| async { body }))
            .route("/events", get(move || async move { Body::from_stream(stream::unfold(10, piece)) }));
        let mut group = Group::new();
        group.add_fn(
            "web",
            |cx: Context| async move { change(http::Server::new(routes)).serve(&cx, "127.0.0.1:0").await },
        );
        let running = group.start().await.unwrap();
        Self { addr: running.local_addr("web").unwrap(), running, over }
    }

    /// A client that has asked so, and sends no more.
    async fn asked(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    }

    /// How long it takes from now until the handler of `/long` is over.
    async fn until_over(&mut self) -> Duration {
        let begun = Instant::now();
        in_time(self.over.recv()).await.unwrap() - begun
    }
}

/// Everything that the server still sends.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    in_time(stream.read_to_string(&mut text)).await.unwrap();
    text
}

#[tokio::test]
async fn a_client_that_has_closed_its_side_is_answered() {
    let server = Server::start(|server| server).await;
    let (once, posted) =
        (server.asked(GET).await, "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbody");
    assert!(rest(server.asked(posted).await).await.ends_with("\r\n\r\nbody"));
    assert!(rest(once).await.ends_with("answered"));
    let twice = rest(server.asked(&GET.repeat(2)).await).await;
    assert_eq!(twice.matches("answered").count(), 2, "{twice}");
    assert!(server.running.stop().await.is_clean());
}

#[tokio::test]
async fn so_is_one_at_the_stop() {
    let server = Server::start(|server| server).await;
    let before = server.asked(GET).await;
    sleep(millis(100)).await;
    server.running.handle().stop();
    assert!(rest(before).await.ends_with("answered"));
    let report = in_time(server.running.wait()).await;
    assert!(report.is_clean(), "{report}");
    let drain = report.service("web").unwrap().drain().unwrap();
    assert_eq!((drain.drained(), drain.cut()), (1, 0), "{report}");
}

#[tokio::test]
async fn an_answer_may_take_longer_as_long_as_it_goes_on() {
    let server = Server::start(|server| server.half_close_timeout(millis(800))).await;
    let events = rest(server.asked("GET /events HTTP/1.1\r\nhost: test\r\n\r\n").await).await;
    assert_eq!(events.matches("piece").count(), 10, "{events}");
    assert!(server.running.stop().await.is_clean());
}

const LONG: &str = "GET /long HTTP/1.1\r\nhost: test\r\n\r\n";

#[tokio::test]
async fn the_handler_of_a_client_that_is_gone_does_not_run_on_for_long() {
    let mut server = Server::start(|server| server.half_close_timeout(millis(500))).await;
    drop(server.asked(LONG).await);
    let took = server.until_over().await;
    assert!((millis(400)..secs(3)).contains(&took), "{took:?}");
    // By default it is shorter than the time of a service to stop.
    let mut server = Server::start(|server| server).await;
    drop(server.asked(LONG).await);
    sleep(millis(100)).await;
    server.running.handle().stop();
    assert!(server.until_over().await < secs(7));
    let report = in_time(server.running.wait()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn with_no_time_at_all_it_is_dropped_at_once() {
    let mut server = Server::start(|server| server.half_close_timeout(Duration::ZERO)).await;
    let _waits = server.asked(LONG).await;
    assert!(server.until_over().await < secs(1));
    assert!(server.running.stop().await.is_clean());
}

#[tokio::test]
async fn a_client_that_resets_the_connection_is_gone_at_once() {
    let mut server = Server::start(|server| server).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(LONG.as_bytes()).await.unwrap();
    sleep(millis(100)).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert!(server.until_over().await < secs(1));
    assert!(server.running.stop().await.is_clean());
}
