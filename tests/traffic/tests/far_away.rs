//! Clients that are 10 ms away: what crosses the stop of a server on its way is answered all the same.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use futures_util::future::join_all;
use group::{Context, Group, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use traffic::far::{EACH_WAY, FAR, HERE, far_away};

const CLIENTS: u32 = 300;

/// The clients begin one after the other within this time.
const SPREAD: Duration = Duration::from_millis(60);

/// Longer than a connection must be silent to count as idle.
const IDLE: Duration = Duration::from_millis(500);

fn routes() -> Router {
    Router::new().route("/", get(|| async { "answered" }))
}

/// A server, and what asks it to stop.
struct Server {
    /// As its clients see it.
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    stopped: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn of_group() -> Self {
        let mut group = Group::new();
        group.add_fn("web", |cx: Context| async move { http::serve(&cx, &format!("{HERE}:0"), routes()).await });
        let running = group.start().await.expect("the group starts");
        let addr = running.local_addr("web").expect("it listens");
        Self::new(addr, |asked| async move {
            asked.await.expect("the test asks");
            let report = running.stop().await;
            assert!(report.is_clean(), "{report}");
        })
    }

    async fn of_axum() -> Self {
        let listener = TcpListener::bind((HERE, 0)).await.expect("the address is free");
        let addr = listener.local_addr().expect("it listens");
        Self::new(addr, |asked| async move {
            let asked = async { asked.await.expect("the test asks") };
            axum::serve(listener, routes()).with_graceful_shutdown(asked).await.expect("it serves");
        })
    }

    fn new<F: Future<Output = ()> + Send + 'static>(
        addr: SocketAddr,
        serve: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> Self {
        let (stop, asked) = oneshot::channel();
        Self { addr: (FAR, addr.port()).into(), stop, stopped: tokio::spawn(serve(asked)) }
    }

    /// Lets clients begin around the moment of the stop, from `before` it on, and counts those that lost a request.
    async fn lost<F: Future<Output = Got>>(self, before: Duration, client: impl Fn(Begins) -> F) -> usize {
        let stops = Instant::now() + 4 * IDLE;
        let begins = (0..CLIENTS).map(|nth| Begins { addr: self.addr, at: stops - before + SPREAD * nth / CLIENTS });
        let asks = async {
            sleep_until(stops).await;
            self.stop.send(()).expect("the server runs");
        };
        let (got, ()) = tokio::join!(join_all(begins.map(client)), asks);
        timeout(Duration::from_secs(20), self.stopped).await.expect("it stops").expect("it serves");
        got.iter().filter(|got| **got == Got::Lost).count()
    }
}

#[derive(Clone, Copy)]
struct Begins {
    addr: SocketAddr,
    at: Instant,
}

#[derive(Debug, PartialEq)]
enum Got {
    Answered,
    /// Nothing was sent: the connection was refused, or closed before.
    NotAsked,
    Lost,
}

/// Asks on an open connection.
async fn ask(stream: &mut TcpStream) -> Got {
    let mut answer = [0; 1024];
    let sent = stream.write_all(b"GET / HTTP/1.1\r\nhost: far\r\n\r\n").await;
    match stream.read(&mut answer).await {
        Ok(read) if sent.is_ok() && answer[..read].ends_with(b"answered") => Got::Answered,
        _ => Got::Lost,
    }
}

async fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.expect("it listens")
}

/// Asks on a connection that has been idle, unless it is closed by then.
async fn asks_again(Begins { addr, at }: Begins) -> Got {
    let mut stream = connect(addr).await;
    assert_eq!(ask(&mut stream).await, Got::Answered);
    assert!(Instant::now() + IDLE < at + SPREAD, "the connection is idle");
    tokio::select! {
        biased;
        _ = stream.readable() => Got::NotAsked,
        () = sleep_until(at) => ask(&mut stream).await,
    }
}

/// Connects and asks at once, unless it is refused.
async fn connects(Begins { addr, at }: Begins) -> Got {
    sleep_until(at).await;
    match TcpStream::connect(addr).await {
        Ok(mut stream) => ask(&mut stream).await,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Got::NotAsked,
        // It was made, and closed at once.
        Err(_) => Got::Lost,
    }
}

async fn nothing_is_lost<F: Future<Output = Got>>(before: Duration, client: fn(Begins) -> F) {
    let (by_axum, by_group) =
        (Server::of_axum().await.lost(before, client).await, Server::of_group().await.lost(before, client).await);
    println!("lost of {CLIENTS}: axum {by_axum}, group {by_group}");
    assert_eq!(by_group, 0);
}

/// Runs a test of this file far away.
fn run<F: Future>(test: &str, future: impl FnOnce() -> F) {
    far_away(test, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(future());
    });
}

#[test]
fn a_request_that_crosses_the_stop_is_answered() {
    run("a_request_that_crosses_the_stop_is_answered", || nothing_is_lost(SPREAD / 2, asks_again));
}

#[test]
fn so_is_one_on_a_connection_that_is_being_made() {
    run("so_is_one_on_a_connection_that_is_being_made", || nothing_is_lost(SPREAD / 2 + 2 * EACH_WAY, connects));
}

/// There are no other connections that could tell how far away the client is.
#[test]
fn so_is_one_on_the_only_connection_that_there_is() {
    run("so_is_one_on_the_only_connection_that_there_is", || async {
        let mut answered = 0;
        for _ in 0..20 {
            let server = Server::of_group().await;
            let client = tokio::spawn(connects(Begins { addr: server.addr, at: Instant::now() }));
            sleep(EACH_WAY + EACH_WAY / 2).await;
            server.stop.send(()).expect("the server runs");
            let got = client.await.expect("it ends");
            assert_ne!(got, Got::Lost);
            answered += usize::from(got == Got::Answered);
            server.stopped.await.expect("it stops");
        }
        assert!(answered > 0, "none was being made at the stop");
    });
}
