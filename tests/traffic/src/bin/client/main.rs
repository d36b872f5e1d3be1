//! Sends requests until the server refuses connections; counts those that were answered, and those that
//! were lost: sent on an open connection, without a complete answer.
//!
//!     client 127.0.0.1:8080 keep-alive|new|http2|http2-slow|grpc|grpc-streams

mod calls;

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty};
use hyper::body::{self, Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The number of requests at the same time; over HTTP/2, on each of [`CONNECTIONS`].
const WORKERS: usize = 16;
const CONNECTIONS: usize = 4;

/// After this many answers the server is under load, however fast the machine is, and may be stopped.
const LOAD: usize = 101;

/// A slow client lets the server send so much of each answer before it has read it.
const SLOW_WINDOW: u32 = 16 * 1024;

/// A slow client does nothing for so long after each piece of an answer.
const SLOW: Duration = Duration::from_millis(1);

type Body = Empty<Bytes>;

#[derive(Default)]
struct Count {
    answered: usize,
    /// The connection was at its end, and the client gave these up by itself. Over HTTP/2 the server may have had
    /// them: hyper's client forgets a request that it is about to send when it hears of a GOAWAY.
    given_up: usize,
    lost: Vec<String>,
}

type Counts = Arc<Mutex<Count>>;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, addr, way] = args.as_slice() else {
        eprintln!("expected an address, and keep-alive, new, http2, http2-slow, grpc or grpc-streams");
        return ExitCode::from(2);
    };
    let counts = Counts::default();
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (addr, counts) = (addr.clone(), Arc::clone(&counts));
        match way.as_str() {
            "keep-alive" => drop(workers.spawn(over_http1(addr, counts, worker, true))),
            "new" => drop(workers.spawn(over_http1(addr, counts, worker, false))),
            _ if worker >= CONNECTIONS => {}
            "http2" => drop(workers.spawn(over_http2(addr, counts, http2(), streams_of))),
            "http2-slow" => {
                let mut slow = http2();
                slow.initial_stream_window_size(SLOW_WINDOW);
                workers.spawn(over_http2(addr, counts, slow, slow_streams_of));
            }
            "grpc" => drop(workers.spawn(over_http2(addr, counts, http2(), calls::of_one_answer))),
            "grpc-streams" => drop(workers.spawn(over_http2(addr, counts, http2(), calls::of_streams))),
            way => panic!("{way} is no way to ask"),
        }
    }
    workers.join_all().await;
    let count = counts.lock().expect("nobody panics");
    println!("answered {} given up {} lost {}", count.answered, count.given_up, count.lost.len());
    for lost in &count.lost {
        println!("lost: {lost}");
    }
    ExitCode::SUCCESS
}

impl Count {
    fn answer(&mut self) {
        self.answered += 1;
        if self.answered == LOAD {
            println!("asking");
        }
    }

    /// A request failed, and what hyper says of it, if that is the cause.
    fn fail(&mut self, error: &(dyn Error + 'static), cause: Option<&hyper::Error>) {
        match cause {
            Some(cause) if cause.is_canceled() => self.given_up += 1,
            // It is safe to ask elsewhere.
            Some(cause) if was_not_taken(cause) => {}
            _ => self.lose("asking", error),
        }
    }

    fn lose(&mut self, what: &str, error: &dyn Error) {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.lost.push(text);
    }
}

/// `None` when the server refuses connections.
async fn connect(addr: &str, counts: &Counts) -> Option<TokioIo<TcpStream>> {
    match TcpStream::connect(addr).await {
        // When the port is free again, the system may use it for the client's own end of the connection.
        Ok(stream) if stream.local_addr().is_ok_and(|own| own.to_string() == addr) => None,
        Ok(stream) => {
            stream.set_nodelay(true).expect("it is open");
            Some(TokioIo::new(stream))
        }
        Err(error) => {
            if error.kind() != ErrorKind::ConnectionRefused {
                counts.lock().expect("nobody panics").lose("connecting", &error);
            }
            None
        }
    }
}

fn request(number: usize, addr: &str, keep_alive: bool) -> Request<Body> {
    let path = if number.is_multiple_of(4) { "/long" } else { "/short" };
    let request = Request::get(format!("http://{addr}{path}")).header("host", addr);
    let request = if keep_alive { request } else { request.header("connection", "close") };
    request.body(Body::new()).expect("it is one")
}

async fn over_http1(addr: String, counts: Counts, mut number: usize, keep_alive: bool) {
    while let Some(io) = connect(&addr, &counts).await {
        let (mut sender, connection) = http1::handshake(io).await.expect("nothing is sent for it");
        let asking = async {
            while sender.ready().await.is_ok() {
                number += 1;
                let answer = sender.send_request(request(number, &addr, keep_alive)).await;
                if !is_answered(answer, &counts, Duration::ZERO).await {
                    break;
                }
            }
            drop(sender);
        };
        side_by_side(connection, asking).await;
    }
}

/// One task drives both. With two, a request that is handed over while hyper's connection ends may stay in a queue
/// that is not read any more, and fails only when the last sender is dropped: it would wait for
/// itself.
async fn side_by_side(connection: impl Future<Output = hyper::Result<()>>, asking: impl Future) {
    let _ = tokio::join!(connection, asking);
}

fn http2() -> http2::Builder<TokioExecutor> {
    http2::Builder::new(TokioExecutor::new())
}

/// Asks with `ask`, this many times at once, on one connection after the other.
async fn over_http2<B, Fut>(
    addr: String,
    counts: Counts,
    http2: http2::Builder<TokioExecutor>,
    ask: fn(http2::SendRequest<B>, usize, String, Counts) -> Fut,
) where
    B: body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    while let Some(io) = connect(&addr, &counts).await {
        let (sender, connection) = match http2.handshake(io).await {
            Ok(both) => both,
            Err(error) => {
                counts.lock().expect("nobody panics").lose("greeting", &error);
                continue;
            }
        };
        let ask_from = |first| ask(sender.clone(), first, addr.clone(), Arc::clone(&counts));
        let asking = join_all((0..WORKERS).map(ask_from));
        drop(sender);
        side_by_side(connection, asking).await;
    }
}

async fn streams_of(sender: http2::SendRequest<Body>, first: usize, addr: String, counts: Counts) {
    ask_again_and_again(sender, first, addr, counts, Duration::ZERO).await;
}

async fn slow_streams_of(sender: http2::SendRequest<Body>, first: usize, addr: String, counts: Counts) {
    ask_again_and_again(sender, first, addr, counts, SLOW).await;
}

async fn ask_again_and_again(
    mut sender: http2::SendRequest<Body>,
    mut number: usize,
    addr: String,
    counts: Counts,
    pause: Duration,
) {
    while sender.ready().await.is_ok() {
        number += 1;
        let answer = sender.send_request(request(number, &addr, true)).await;
        if !is_answered(answer, &counts, pause).await {
            return;
        }
    }
}

/// True if the whole answer has come, read with a pause after each piece. Otherwise the failure is counted.
async fn is_answered(answer: hyper::Result<Response<Incoming>>, counts: &Counts, pause: Duration) -> bool {
    let whole = async {
        let mut answer = answer?;
        let mut bytes = 0;
        while let Some(frame) = answer.frame().await {
            bytes += frame?.data_ref().map_or(0, Bytes::len);
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        Ok::<_, hyper::Error>((answer.status(), bytes))
    };
    let whole = whole.await;
    let mut count = counts.lock().expect("nobody panics");
    match whole {
        Ok((StatusCode::OK, 5 | traffic::LONG)) => {
            count.answer();
            return true;
        }
        Ok((status, bytes)) => count.lost.push(format!("{status} with {bytes} bytes")),
        Err(error) => count.fail(&error, Some(&error)),
    }
    false
}

/// The server has said, over HTTP/2, that it has not begun with it and will not: a GOAWAY without an error,
/// with a last stream before this one.
fn was_not_taken(error: &hyper::Error) -> bool {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    cause == "connection error received: not a result of an error"
}
