//! Requests in flight when an HTTP service stops. Real sockets, and so real time.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use group::axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    routing::{get, post},
};
use group::{
    Context, Ending, Group, Handle, Outcome, Phase, Ready, Report, Restart, Running, Shutdown, State, StopReason, http,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::io::ReaderStream;

use crate::support::Act::{Fail, Hang};
use crate::support::Point::{Run, StartLater};
use crate::support::{
    Journal, Stage as _, ended, fails_to_start, in_time, listen, logged, logged_at, millis, secs, start_aside,
    started_and_stopped, text_at, until_state, web,
};

/// A server with one route that answers at once, and one that answers when the test allows it.
struct Server {
    running: Running,
    addr: SocketAddr,
    in_flight: Arc<Notify>,
    may_answer: Arc<Notify>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    async fn start_with(change: impl FnOnce(&mut Group)) -> Self {
        let (in_flight, may_answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (entered, answer) = (Arc::clone(&in_flight), Arc::clone(&may_answer));
        let held = get(|| async move {
            entered.notify_one();
            answer.notified().await;
            "answered"
        });
        let routes = Router::new().route("/", get(|| async { "at once" })).route("/held", held);
        let mut group = web(routes);
        change(&mut group);
        let running = group.start().await.unwrap();
        Self { addr: running.local_addr("web").unwrap(), running, in_flight, may_answer }
    }

    /// Asks for a stop, and returns when the server has begun to drain.
    async fn drain(&self) {
        self.running.handle().stop();
        until_refused(self.addr).await;
    }

    /// Asks for a stop, and returns when the server is a lame duck: its answers say that connections close.
    async fn lame_duck(&self) {
        self.running.handle().stop();
        let told = async {
            let mut stream = requested(self.addr, "/").await;
            while !response(&mut stream, "at once").await.contains("connection: close") {
                stream = requested(self.addr, "/").await;
            }
        };
        in_time(told).await;
    }

    /// Allows the answer to the request in flight, and waits until the group has ended.
    async fn finish(self) -> Report {
        self.may_answer.notify_one();
        self.running.wait().await
    }
}

/// Connects again and again, until a connection is refused.
pub(crate) async fn until_refused(addr: SocketAddr) {
    let refused = async {
        loop {
            // While the listener closes, an attempt to connect gets no answer.
            match timeout(millis(20), TcpStream::connect(addr)).await {
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    in_time(refused).await;
}

/// A connection with keep-alive, on which this path was requested.
async fn requested(addr: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// Reads the one response that ends with this body.
async fn response(stream: &mut TcpStream, body: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(&format!("\r\n\r\n{body}")) {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "closed after: {text}");
        text.push_str(str::from_utf8(&buffer[..read]).unwrap());
    }
    text.to_lowercase()
}

/// Waits until the server closes the connection, and expects that it sends nothing more.
async fn is_closed(mut stream: TcpStream) {
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

fn assert_drained(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.service("web").unwrap().ending(), Ending::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_requests_stops_at_once() {
    let (report, took) = started_and_stopped(&mut web(Router::new())).await;
    assert_drained(&report);
    assert_eq!(took, secs(0));
}

#[tokio::test]
async fn a_request_in_flight_is_answered() {
    let server = Server::start().await;
    let client = tokio::spawn(text_at(server.addr, "/held"));
    server.in_flight.notified().await;
    server.drain().await;
    assert_drained(&server.finish().await);
    assert_eq!(client.await.unwrap(), "answered");
}

#[tokio::test]
async fn a_response_that_streams_is_sent_to_its_end() {
    let (mut rest, body) = tokio::io::duplex(1024);
    let body = Arc::new(Mutex::new(Some(ReaderStream::new(body))));
    let stream = get(|| async move { Body::from_stream(body.lock().unwrap().take().expect("one request")) });
    let running = web(Router::new().route("/", stream)).start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut response = reqwest::get(format!("http://{addr}/")).await.unwrap();
    rest.write_all(b"before the drain").await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "before the drain");

    running.handle().stop();
    until_refused(addr).await;
    rest.write_all(b", and after").await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), ", and after");
    drop(rest);
    assert_eq!(response.chunk().await.unwrap(), None, "it ends as it should");
    assert_drained(&running.wait().await);
}

#[tokio::test]
async fn a_draining_server_refuses_new_connections() {
    let server = Server::start().await;
    let mut in_flight = requested(server.addr, "/held").await;
    server.in_flight.notified().await;
    server.drain().await;
    let refused = TcpStream::connect(server.addr).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_drained(&server.finish().await);
    response(&mut in_flight, "answered").await;
}

#[tokio::test]
async fn idle_connections_are_closed_at_once_and_hold_nothing_up() {
    let server = Server::start().await;
    let silent = TcpStream::connect(server.addr).await.unwrap();
    let mut idle = requested(server.addr, "/").await;
    response(&mut idle, "at once").await;
    let mut in_flight = requested(server.addr, "/held").await;
    server.in_flight.notified().await;

    server.running.handle().stop();
    // While the drain waits for the request in flight.
    is_closed(idle).await;
    is_closed(silent).await;
    assert_drained(&server.finish().await);
    response(&mut in_flight, "answered").await;
}

#[tokio::test]
async fn only_idle_connections_do_not_hold_the_stop_up() {
    let server = Server::start().await;
    let silent = TcpStream::connect(server.addr).await.unwrap();
    let mut idle = requested(server.addr, "/").await;
    response(&mut idle, "at once").await;
    assert_drained(&server.running.stop().await);
    is_closed(idle).await;
    is_closed(silent).await;
}

#[tokio::test]
async fn an_answer_during_the_drain_says_that_the_connection_closes() {
    let server = Server::start().await;
    let mut stream = requested(server.addr, "/").await;
    assert!(!response(&mut stream, "at once").await.contains("connection: close"));
    stream.write_all(b"GET /held HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    server.in_flight.notified().await;
    server.drain().await;
    assert_drained(&server.finish().await);
    let answer = response(&mut stream, "answered").await;
    assert!(answer.starts_with("http/1.1 200 ok\r\n") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    is_closed(stream).await;
}

#[tokio::test]
async fn the_report_counts_what_was_drained() {
    let server = Server::start().await;
    let mut stream = requested(server.addr, "/held").await;
    let mut idle = requested(server.addr, "/").await;
    response(&mut idle, "at once").await;
    server.in_flight.notified().await;
    server.drain().await;
    let report = server.finish().await;
    response(&mut stream, "answered").await;
    let drain = *report.service("web").unwrap().drain().unwrap();
    assert_eq!((drain.drained(), drain.cut()), (1, 0), "{report}");
    assert!(report.to_string().contains("drained 1 connection"), "{report}");
}

#[tokio::test]
async fn a_request_that_is_on_its_way_when_the_stop_comes_is_answered() {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new().route("/", get(|| async { "served" }));
        http::Server::new(routes).linger(secs(60)).serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let (mut fresh, mut answered) = (TcpStream::connect(addr).await.unwrap(), requested(addr, "/").await);
    response(&mut answered, "served").await;
    running.handle().stop();
    until_refused(addr).await;
    for stream in [&mut fresh, &mut answered] {
        // By now, a server that did not expect a request on its way would have closed it.
        assert!(timeout(millis(50), stream.read(&mut [0; 1])).await.is_err(), "it is still open");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        assert!(response(stream, "served").await.contains("connection: close"));
    }
    drop((fresh, answered));
    assert_drained(&in_time(running.wait()).await);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_what_is_still_in_hand() {
    listen();
    let server = Server::start().await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(requested(server.addr, "/held").await);
        in_time(server.in_flight.notified()).await;
    }
    server.running.handle().stop();
    sleep(secs(6)).await;
    let waits = |line: &String| line.contains("still waiting");
    let line = "INFO still waiting for web to stop (5 s; stop_timeout 10 s): 2 connections in flight (2 × GET /held)";
    assert_eq!(logged().into_iter().filter(waits).collect::<Vec<_>>(), [line]);
    for stream in &mut streams {
        server.may_answer.notify_one();
        response(stream, "answered").await;
    }
    assert_drained(&in_time(server.running.wait()).await);
}

#[tokio::test]
async fn what_is_left_at_the_limit_is_cut_and_counted() {
    let never = get(|| async { std::future::pending::<()>().await });
    let mut group = web(Router::new().route("/never", never));
    group.configure("web", |spec| spec.stop_timeout(millis(300)));
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut stream = requested(addr, "/never").await;
    // When the second request is answered, the server has read the first, too.
    let mut other = requested(addr, "/").await;
    response(&mut other, "").await;
    let report = in_time(running.stop()).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    let drain = *report.service("web").unwrap().drain().unwrap();
    assert_eq!((drain.drained(), drain.cut()), (0, 1), "{report}");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "it was cut");
}

#[tokio::test]
async fn a_lame_duck_is_not_ready_and_serves_those_who_still_come_until_the_delay_is_over() {
    let delay = millis(1500);
    let server = Server::start_with(|group| {
        group.drain_delay(delay);
    })
    .await;
    let handle = server.running.handle();
    assert!(handle.status().is_ready());
    let asked = Instant::now();
    handle.stop();
    handle.stopping().await;
    let status = handle.status();
    assert_eq!((status.phase(), status.is_ready(), status.is_live()), (Phase::LameDuck, false, true));
    // Each of them is a new connection.
    while asked.elapsed() < delay.saturating_sub(millis(600)) {
        assert_eq!(text_at(server.addr, "/").await, "at once");
        assert_eq!(handle.status().service("web").unwrap().state(), State::Ready);
    }
    let report = in_time(server.running.wait()).await;
    assert_drained(&report);
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked), "the request, and not the end of the delay");
    assert!(asked.elapsed() >= delay, "{report}");
}

#[tokio::test]
async fn an_idle_connection_stays_open_and_its_next_answer_is_its_last() {
    let server = Server::start_with(|group| {
        group.drain_delay(secs(20)).drain_quiet(secs(2));
    })
    .await;
    let mut idle = requested(server.addr, "/").await;
    assert!(!response(&mut idle, "at once").await.contains("connection: close"));
    server.lame_duck().await;
    // Longer than a draining server would leave it open.
    assert!(timeout(millis(300), idle.read(&mut [0; 1])).await.is_err(), "it is still open");
    idle.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    assert!(response(&mut idle, "at once").await.contains("connection: close"));
    is_closed(idle).await;
    assert_drained(&server.finish().await);
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_as_long_as_it_says_also_when_nobody_comes() {
    for delay in [secs(15), secs(1), millis(1)] {
        listen();
        let (report, took) = started_and_stopped(web(Router::new()).drain_delay(delay)).await;
        assert_drained(&report);
        assert_eq!(took, delay);
        let said = logged();
        assert!(!said.iter().any(|line| line.contains("no requests")), "{said:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_time_longer_than_the_delay_does_not_lengthen_it() {
    let mut group = web(Router::new());
    let (report, took) = started_and_stopped(group.drain_delay(secs(1)).drain_quiet(secs(2))).await;
    assert_drained(&report);
    assert_eq!(took, secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_lame_duck_to_which_nobody_comes_stops_early_if_it_may() {
    for (delay, quiet) in [(secs(15), secs(2)), (secs(1), millis(500))] {
        listen();
        let (report, took) = started_and_stopped(web(Router::new()).drain_delay(delay).drain_quiet(quiet)).await;
        assert_drained(&report);
        assert_eq!(took, quiet);
        let said = logged();
        assert!(said.iter().any(|line| line.contains(": not ready any more; stopping in ")), "{said:#?}");
        assert!(said.iter().any(|line| line.contains("INFO no requests for ")), "{said:#?}");
    }
}

#[tokio::test]
async fn who_comes_with_a_request_or_a_connection_puts_the_early_end_off() {
    let server = Server::start_with(|group| {
        group.drain_delay(secs(20)).drain_quiet(secs(2));
    })
    .await;
    let (mut idle, asked) = (requested(server.addr, "/").await, Instant::now());
    response(&mut idle, "at once").await;
    server.lame_duck().await;
    sleep(millis(1500)).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    response(&mut idle, "at once").await;
    sleep(millis(1500)).await;
    let silent = TcpStream::connect(server.addr).await.expect("it still listens");
    assert_drained(&in_time(server.running.wait()).await);
    assert!(asked.elapsed() >= millis(5000), "{:?}", asked.elapsed());
    is_closed(silent).await;
}

/// The server takes ten seconds to answer, and is asked to stop meanwhile.
#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_answered_within_the_delay_and_not_after_it() {
    let entered = Arc::new(Notify::new());
    let enters = Arc::clone(&entered);
    let slow = get(|| async move {
        enters.notify_one();
        sleep(secs(10)).await;
        "answered"
    });
    let mut group = web(Router::new().route("/slow", slow));
    let running = group.drain_delay(secs(15)).drain_quiet(secs(2)).start().await.unwrap();
    let client = tokio::spawn(text_at(running.local_addr("web").unwrap(), "/slow"));
    entered.notified().await;
    let asked = Instant::now();
    assert_drained(&in_time(running.stop()).await);
    assert_eq!(client.await.unwrap(), "answered");
    let took = asked.elapsed();
    assert!(took >= secs(10) && took < secs(11), "{took:?}, where one after the other would be 12 s");
}

#[tokio::test(start_paused = true)]
async fn there_is_no_delay_for_a_group_that_is_not_ready_yet() {
    let journal = Journal::default();
    let mut group = web(Router::new());
    group.probe(journal.probe("slow").on(StartLater, Hang)).drain_delay(secs(5));
    let starting = start_aside(&mut group);
    journal.until("slow starts").await;
    let asked = Instant::now();
    journal.handle().stop();
    let report = in_time(starting).await.unwrap().expect_err("it was stopped").into_report();
    assert_eq!(asked.elapsed(), secs(0), "{report}");
}

#[tokio::test(start_paused = true)]
async fn there_is_no_delay_for_a_group_that_serves_nobody() {
    let journal = Journal::default();
    let (report, took) = started_and_stopped(journal.group(["s1", "s2"]).drain_delay(secs(5))).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(took, secs(0));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_delay_after_a_failure() {
    let journal = Journal::default();
    let mut group = web(Router::new());
    group.probe(journal.probe("s1").on(Run, Fail)).drain_delay(secs(5));
    let (report, took) = ended(&mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::RunFailed, secs(0)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_meanwhile_ends_the_delay() {
    let mut group = web(Router::new());
    group.add_fn("s1", |handle: Handle| async move {
        handle.stopping().await;
        sleep(secs(1)).await;
        Err::<(), _>("it breaks")
    });
    let (report, took) = started_and_stopped(group.drain_delay(secs(5))).await;
    assert_eq!((report.outcome(), took), (Outcome::RunFailed, secs(1)), "{report}");
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked), "it was asked to stop before that");
}

#[tokio::test(start_paused = true)]
async fn the_delay_and_the_drain_are_within_the_budget() {
    let entered = Arc::new(Notify::new());
    let enters = Arc::clone(&entered);
    let never = get(|| async move {
        enters.notify_one();
        std::future::pending::<()>().await;
    });
    let mut group = web(Router::new().route("/never", never));
    group.configure("web", |spec| spec.stop_timeout(std::time::Duration::MAX));
    let running = group.stop_timeout(secs(10)).drain_delay(secs(4)).start().await.unwrap();
    let _stream = requested(running.local_addr("web").unwrap(), "/never").await;
    entered.notified().await;
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
    let took = asked.elapsed();
    assert!(took > secs(9) && took <= secs(10), "{took:?}");
}

#[tokio::test]
async fn a_delay_that_leaves_no_time_to_stop_is_a_mistake() {
    let mut group = web(Router::new());
    let report = fails_to_start(group.stop_timeout(secs(5)).drain_delay(secs(5))).await;
    assert_eq!(report.exit_code(), 78, "{report}");
    let said = report.to_string();
    assert!(said.contains("drain_delay is 5 s, and stop_timeout, which includes it, is only 5 s"), "{said}");
}

#[tokio::test]
async fn a_long_answer_learns_of_the_stop_through_shutdown() {
    let entered = Arc::new(Notify::new());
    let enters = Arc::clone(&entered);
    let wait = get(|shutdown: Shutdown| async move {
        enters.notify_one();
        shutdown.requested().await;
        "told"
    });
    let running = web(Router::new().route("/wait", wait)).start().await.unwrap();
    let mut stream = requested(running.local_addr("web").unwrap(), "/wait").await;
    entered.notified().await;
    assert_drained(&in_time(running.stop()).await);
    response(&mut stream, "told").await;
}

#[tokio::test]
async fn a_handler_that_panics_answers_500_and_the_server_goes_on() {
    listen();
    let panics = get(|| async { panic!("a bug") as &'static str });
    let routes = Router::new().route("/panics", panics).route("/", get(|| async { "fine" }));
    let running = web(routes).start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut stream = requested(addr, "/panics").await;
    assert!(response(&mut stream, "").await.starts_with("http/1.1 500"));
    assert_eq!(text_at(addr, "/").await, "fine");
    let report = running.stop().await;
    assert_drained(&report);
    let [failure] = report.failures() else { panic!("{report}") };
    let said = failure.to_string();
    let place = format!("`web` failed: panicked: a bug, at {}:", file!());
    assert!(said.starts_with(&place) && said.ends_with(" (on GET /panics)"), "{said}");
    assert!(!failure.is_fatal() && report.exit_code() == 0, "{report}");
    assert_eq!(logged_at(tracing::Level::ERROR).len(), 1, "{:#?}", logged());
}

#[tokio::test]
async fn a_handler_can_take_who_has_connected() {
    let peer = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
    let running = web(Router::new().route("/", peer)).start().await.unwrap();
    let mut stream = requested(running.local_addr("web").unwrap(), "/").await;
    let peer = stream.local_addr().unwrap().to_string();
    for _ in 0..2 {
        assert!(response(&mut stream, &peer).await.starts_with("http/1.1 200"));
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    }
    drop(stream);
    assert!(in_time(running.stop()).await.is_clean());
}

/// A group whose server takes one connection at a time.
fn full_after_one() -> Group {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new().route("/", get(|| async { "served" }));
        http::Server::new(routes).max_connections(1).serve(&cx, "127.0.0.1:0").await
    });
    group
}

#[tokio::test]
async fn more_connections_than_may_be_open_wait_for_their_turn() {
    let running = full_after_one().start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut first = requested(addr, "/").await;
    response(&mut first, "served").await;
    let mut second = requested(addr, "/").await;
    assert!(timeout(millis(50), second.read(&mut [0; 1])).await.is_err(), "the first is still open");
    drop(first);
    response(&mut second, "served").await;
    drop(second);
    assert_drained(&running.stop().await);
}

#[tokio::test]
async fn a_full_server_says_so_once_in_a_while_and_how_often_it_was_full() {
    listen();
    let running = full_after_one().start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let full = || logged().into_iter().filter(|line| line.contains("max_connections")).collect::<Vec<_>>();
    // One client is served, and so many others wait until it goes.
    let wait = async |clients: usize| {
        let lines = full().len();
        let served = TcpStream::connect(addr).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..clients {
            waiting.push(requested(addr, "/").await);
        }
        while full().len() == lines {
            tokio::task::yield_now().await;
        }
        drop(served);
        for mut client in waiting {
            response(&mut client, "served").await;
        }
    };
    wait(20).await;
    let first = "WARN `web` has reached its limit of 1 connections (max_connections): new ones wait";
    assert_eq!(full(), [first]);
    tokio::time::pause();
    tokio::time::advance(secs(11)).await;
    tokio::time::resume();
    wait(1).await;
    let later = "WARN `web` has reached its limit of 1 connections (max_connections), 20 times since this was last logged: new ones wait";
    assert_eq!(full(), [first, later]);
    assert_drained(&running.stop().await);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_served_and_its_file_removed() {
    let path = std::env::temp_dir().join(format!("group-{}.sock", std::process::id()));
    // The file that a killed process would leave behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = format!("unix:{}", path.display());
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new().route("/", get(|| async { "served" }));
        http::serve(&cx, &address, routes).await
    });
    let running = group.start().await.unwrap();
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("\r\n\r\nserved"), "{text}");
    assert_drained(&running.stop().await);
    assert!(!path.exists());
}

/// A server that waits up to a minute for the client to close its end, and serves one connection at a time.
async fn lingering() -> (Running, SocketAddr) {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let answer = get(|| async { "served" }).post(|| async { "served" });
        let server = http::Server::new(Router::new().route("/", answer));
        server.linger(secs(60)).max_connections(1).serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    (running, addr)
}

/// Sends this request, and reads the answer and the end of the connection.
async fn last_answered(addr: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = response(&mut stream, "served").await;
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    stream
}

#[tokio::test]
async fn a_client_that_has_said_its_last_is_not_waited_for() {
    let (running, addr) = lingering().await;
    for said in ["close", "Close"] {
        let request = format!("GET / HTTP/1.1\r\nhost: test\r\nconnection: {said}\r\n\r\n");
        let _open = last_answered(addr, &request).await;
        let mut next = requested(addr, "/").await;
        timeout(secs(20), response(&mut next, "served")).await.expect("the other one is closed");
    }
    assert_drained(&in_time(running.stop()).await);
}

#[tokio::test]
async fn one_that_has_not_sent_all_of_its_last_is_read() {
    let (running, addr) = lingering().await;
    let head = "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 1000000\r\n\r\n";
    let mut stream = last_answered(addr, head).await;
    stream.set_nodelay(true).unwrap();
    for _ in 0..100 {
        stream.write_all(&[0; 1000]).await.expect("the connection is not reset");
    }
    drop(stream);
    assert_drained(&in_time(running.stop()).await);
}

#[tokio::test(start_paused = true)]
async fn connections_are_closed_one_by_one_when_that_is_wanted() {
    const SPREAD: Duration = secs(10);
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new().route("/", get(|| async { "served" }));
        http::Server::new(routes).close_spread(SPREAD).serve(&cx, "127.0.0.1:0").await
    });
    group.configure("web", |spec| spec.stop_timeout(secs(40)));
    let running = group.stop_timeout(secs(60)).start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut idle = JoinSet::new();
    for _ in 0..400 {
        let mut stream = requested(addr, "/").await;
        response(&mut stream, "served").await;
        idle.spawn(async move {
            is_closed(stream).await;
            Instant::now()
        });
    }
    let mut busy = JoinSet::new();
    for _ in 0..100 {
        let mut stream = requested(addr, "/").await;
        busy.spawn(async move {
            while !response(&mut stream, "served").await.contains("connection: close") {
                sleep(millis(100)).await;
                stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
            }
            Instant::now()
        });
    }

    let asked = Instant::now();
    running.handle().stop();
    for (all, closed) in [(400, idle.join_all().await), (100, busy.join_all().await)] {
        let quarters = [0, 1, 2, 3].map(|nth| {
            let quarter = asked + SPREAD * nth / 4..asked + SPREAD * (nth + 1) / 4;
            closed.iter().filter(|&at| quarter.contains(at)).count()
        });
        assert!(quarters.iter().all(|&count| count > all / 25), "{quarters:?} of {all}");
    }
    assert_drained(&running.wait().await);
}

#[tokio::test(start_paused = true)]
async fn however_long_that_may_take_the_server_has_stopped_in_time() {
    for (service, group_has) in [(secs(10), secs(60)), (secs(60), secs(10)), (Duration::MAX, secs(10))] {
        let mut group = Group::new();
        group.add_fn("web", |cx: Context| async move {
            http::Server::new(Router::new()).close_spread(Duration::MAX).serve(&cx, "127.0.0.1:0").await
        });
        group.configure("web", |spec| spec.stop_timeout(service));
        let running = group.stop_timeout(group_has).start().await.unwrap();
        let addr = running.local_addr("web").unwrap();
        let mut idle = Vec::new();
        for _ in 0..30 {
            let mut stream = requested(addr, "/").await;
            response(&mut stream, "").await;
            idle.push(stream);
        }
        let asked = Instant::now();
        assert_drained(&running.stop().await);
        assert!(asked.elapsed() < secs(3), "{:?}", asked.elapsed());
    }
}

/// The time that a client has to send the head of a request, in the tests of that limit. They use paused time.
const TO_ASK: Duration = secs(10);

/// The time that one may be idle after an answer.
const TO_STAY: Duration = secs(25);

/// A server with those limits. `/` answers at once; `/slow` answers with the body of the request, after a longer time.
async fn impatient() -> (Running, SocketAddr) {
    let slow = post(|body: String| async {
        sleep(TO_ASK * 3).await;
        body
    });
    let routes = Router::new().route("/", get(|| async { "at once" })).route("/slow", slow);
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let server = http::Server::new(routes).header_read_timeout(TO_ASK).idle_timeout(TO_STAY);
        server.serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    (running, addr)
}

/// Sends a byte each second until the connection is closed, and returns how long that took.
async fn dripped(stream: &mut TcpStream, bytes: &[u8]) -> Duration {
    // Otherwise the system holds bytes back until earlier ones are acknowledged; paused time does not wait for that.
    stream.set_nodelay(true).unwrap();
    let begun = Instant::now();
    for byte in bytes {
        // Sending may fail, too, once the connection is closed.
        let sent = stream.write_all(&[*byte]).await;
        match timeout(secs(1), stream.read(&mut [0; 1])).await {
            Ok(Ok(0) | Err(_)) => return begun.elapsed(),
            Ok(Ok(_)) => panic!("answered"),
            Err(_) => sent.unwrap(),
        }
    }
    panic!("still open after {:?}", begun.elapsed());
}

fn assert_in_time(took: Duration) {
    assert!((TO_ASK..=TO_ASK + secs(1)).contains(&took), "{took:?}");
}

fn assert_stayed(took: Duration) {
    assert!((TO_STAY..=TO_STAY + secs(1)).contains(&took), "{took:?}");
}

const ENDLESS_HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\nx-endless: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_its_head_byte_by_byte_has_no_longer_than_another() {
    let (running, addr) = impatient().await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    assert_in_time(dripped(&mut stream, ENDLESS_HEAD).await);
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn nor_has_one_that_was_answered_before() {
    let (running, addr) = impatient().await;
    let mut stream = requested(addr, "/").await;
    response(&mut stream, "at once").await;
    sleep(TO_ASK / 2).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    response(&mut stream, "at once").await;
    assert_in_time(dripped(&mut stream, ENDLESS_HEAD).await);
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn nor_has_one_that_seems_to_speak_http2() {
    let (running, addr) = impatient().await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    assert_in_time(dripped(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await);
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_is_asked_is_closed_whether_it_is_new_or_was_answered() {
    let (running, addr) = impatient().await;
    let begun = Instant::now();
    is_closed(TcpStream::connect(addr).await.unwrap()).await;
    assert_in_time(begun.elapsed());
    let mut stream = requested(addr, "/").await;
    response(&mut stream, "at once").await;
    let answered = Instant::now();
    is_closed(stream).await;
    assert_stayed(answered.elapsed());
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_stays_open_for_linger_from_the_stop_and_no_longer() {
    let (running, addr) = impatient().await;
    let (mut idle, mut asks) = (requested(addr, "/").await, requested(addr, "/").await);
    response(&mut idle, "at once").await;
    response(&mut asks, "at once").await;
    sleep(secs(1)).await;
    let stop = running.handle();
    let stopped = async {
        stop.stop();
        let begun = Instant::now();
        let report = running.wait().await;
        (report, begun.elapsed())
    };
    let asked = async {
        sleep(millis(150)).await;
        asks.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        response(&mut asks, "at once").await;
    };
    let ((report, took), ()) = tokio::join!(stopped, asked);
    is_closed(idle).await;
    assert!((millis(200)..millis(400)).contains(&took), "{took:?}");
    assert_drained(&report);
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_its_first_byte_however_long_the_connection_was_idle() {
    let (running, addr) = impatient().await;
    for idle in [secs(0), TO_ASK / 2, TO_ASK * 2] {
        let mut stream = requested(addr, "/").await;
        response(&mut stream, "at once").await;
        sleep(idle).await;
        assert_in_time(dripped(&mut stream, ENDLESS_HEAD).await);
    }
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_for_longer_than_any_common_proxy_keeps_it() {
    let routes = Router::new().route("/", get(|| async { "at once" }));
    let running = web(routes).start().await.unwrap();
    let mut stream = requested(running.local_addr("web").unwrap(), "/").await;
    response(&mut stream, "at once").await;
    // In seconds: nginx and Varnish, Caddy, Apache, Google's load balancer, Envoy.
    for kept in [60, 120, 240, 600, 3600] {
        sleep(secs(kept)).await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        response(&mut stream, "at once").await;
    }
    let answered = Instant::now();
    is_closed(stream).await;
    assert!(answered.elapsed() < secs(2 * 3600), "{:?}", answered.elapsed());
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn while_others_wait_for_a_connection_one_is_idle_for_no_longer_than_a_head_takes() {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new().route("/", get(|| async { "at once" }));
        let server = http::Server::new(routes).header_read_timeout(TO_ASK).max_connections(1);
        server.serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut idle = requested(addr, "/").await;
    response(&mut idle, "at once").await;
    sleep(TO_ASK * 5).await;
    let mut other = requested(addr, "/").await;
    let waits = Instant::now();
    response(&mut other, "at once").await;
    assert!(waits.elapsed() <= TO_ASK, "{:?}", waits.elapsed());
    is_closed(idle).await;
    // There is room again, so this one may be idle.
    drop(requested(addr, "/").await);
    assert_drained(&running.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_body_and_an_answer_may_take_longer_than_a_head_and_the_next_head_has_its_time_again() {
    let (running, addr) = impatient().await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"POST /slow HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\n").await.unwrap();
    for byte in b"body" {
        sleep(TO_ASK / 2).await;
        stream.write_all(&[*byte]).await.unwrap();
    }
    response(&mut stream, "body").await;
    sleep(TO_ASK / 2).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    response(&mut stream, "at once").await;
    let answered = Instant::now();
    is_closed(stream).await;
    assert_stayed(answered.elapsed());
    assert_drained(&running.stop().await);
}

/// More than the system keeps for a client that does not read.
const BIG: usize = 64 << 20;

/// Asks for an answer of that size, and reads its head.
async fn begins_to_read(addr: SocketAddr) -> TcpStream {
    let mut stream = requested(addr, "/big").await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream
}

fn big() -> Router {
    Router::new().route("/", get(|| async { "at once" })).route("/big", get(|| async { vec![b'x'; BIG] }))
}

/// Real time, because paused time does not wait for the system to move so many bytes.
#[tokio::test]
async fn an_answer_may_take_longer_to_send_than_a_head_may_to_come() {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let server = http::Server::new(big()).header_read_timeout(millis(200)).idle_timeout(millis(200));
        server.serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.unwrap();
    let mut stream = begins_to_read(running.local_addr("web").unwrap()).await;
    sleep(millis(600)).await;
    let mut rest = vec![0; BIG];
    stream.read_exact(&mut rest).await.expect("it is whole");
    let answered = Instant::now();
    is_closed(stream).await;
    assert!(answered.elapsed() >= millis(150), "the next head has its time again: {:?}", answered.elapsed());
    assert_drained(&running.stop().await);
}

#[tokio::test]
async fn an_answer_that_is_being_sent_at_the_limit_is_cut_and_counted() {
    let mut group = web(big());
    group.configure("web", |spec| spec.stop_timeout(millis(300)));
    let running = group.start().await.unwrap();
    let _stream = begins_to_read(running.local_addr("web").unwrap()).await;
    let report = in_time(running.stop()).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    let drain = *report.service("web").unwrap().drain().unwrap();
    assert_eq!((drain.drained(), drain.cut(), drain.streams()), (0, 1, 1), "{report}");
}

#[tokio::test]
async fn one_that_is_read_to_its_end_meanwhile_is_drained() {
    let running = web(big()).start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut stream = begins_to_read(addr).await;
    running.handle().stop();
    until_refused(addr).await;
    stream.read_exact(&mut vec![0; BIG]).await.expect("it is whole");
    let report = in_time(running.wait()).await;
    assert_drained(&report);
    let drain = *report.service("web").unwrap().drain().unwrap();
    assert_eq!((drain.drained(), drain.cut()), (1, 0), "{report}");
}

/// A connection on which this part of a request was sent: as the first thing, or after a whole request.
async fn sends_a_part(addr: SocketAddr, part: &str, is_first: bool) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if !is_first {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        response(&mut stream, "at once").await;
    }
    stream.write_all(part.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_begun_to_ask_and_does_not_go_on_holds_the_stop_up_for_a_moment_only() {
    for (limit, has) in [(secs(10), secs(2)), (secs(4), secs(1))] {
        for (part, is_first) in [("G", true), ("P", true), ("GET / HTTP/1.1\r\nHo", true), ("GET / H", false)] {
            let mut group = web(big());
            group.configure("web", |spec| spec.stop_timeout(limit));
            let running = group.start().await.unwrap();
            let stream = sends_a_part(running.local_addr("web").unwrap(), part, is_first).await;
            let asked = Instant::now();
            let report = in_time(running.stop()).await;
            let took = asked.elapsed();
            assert_drained(&report);
            assert!(took >= has && took < has + millis(300), "{part:?}: {took:?}");
            assert!(report.service("web").unwrap().drain().is_none_or(|drain| drain.cut() == 0), "{report}");
            is_closed(stream).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_on_is_answered() {
    for is_first in [true, false] {
        let running = web(big()).start().await.unwrap();
        let addr = running.local_addr("web").unwrap();
        let mut stream = sends_a_part(addr, "GET / HTTP/1.1\r\nHo", is_first).await;
        running.handle().stop();
        until_refused(addr).await;
        for byte in b"st: test\r\n\r\n" {
            sleep(millis(100)).await;
            stream.write_all(&[*byte]).await.unwrap();
        }
        assert!(response(&mut stream, "at once").await.contains("connection: close"));
        assert_drained(&in_time(running.wait()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn empty_lines_between_requests_ask_nothing() {
    for is_first in [true, false] {
        let running = web(big()).start().await.unwrap();
        let stream = sends_a_part(running.local_addr("web").unwrap(), "\r\n", is_first).await;
        let asked = Instant::now();
        assert_drained(&in_time(running.stop()).await);
        assert!(asked.elapsed() < millis(300), "{:?}", asked.elapsed());
        is_closed(stream).await;
    }
}

/// A server, and a task beside it that fails when the test allows it. No test here reaches its stop limit.
struct Beside {
    in_flight: Arc<Notify>,
    may_answer: Arc<Notify>,
    may_fail: Arc<Notify>,
    starts: Journal,
}

impl Beside {
    async fn held(&self) -> &'static str {
        self.in_flight.notify_one();
        self.may_answer.notified().await;
        "answered"
    }

    async fn fail(&self) -> Result<(), &'static str> {
        self.may_fail.notified().await;
        Err("it breaks")
    }
}

struct WithStart(Arc<Beside>);

#[group::service(register = false, name = "web", http = "127.0.0.1:0", stop_timeout = "60s")]
impl WithStart {
    #[get("/held")]
    async fn held(&self) -> &'static str {
        self.0.held().await
    }

    async fn start(&self, shutdown: Shutdown) -> Result<(), &'static str> {
        self.0.starts.write("starts");
        tokio::select! {
            failed = self.0.fail() => failed,
            () = shutdown.requested() => Ok(()),
        }
    }
}

struct WithTicker(Arc<Beside>);

#[group::service(register = false, name = "web", http = "127.0.0.1:0", stop_timeout = "60s")]
impl WithTicker {
    #[get("/held")]
    async fn held(&self) -> &'static str {
        self.0.held().await
    }

    #[every("1ms")]
    async fn tick(&self) -> Result<(), &'static str> {
        self.0.fail().await
    }
}

fn beside() -> Arc<Beside> {
    let (in_flight, may_answer, may_fail) = Default::default();
    Arc::new(Beside { in_flight, may_answer, may_fail, starts: Journal::default() })
}

/// Lets the task beside the server fail while a request is in flight; returns when new connections are refused.
async fn fails_with_a_request_in_flight(group: &mut Group, beside: &Beside) -> (Running, TcpStream) {
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let stream = requested(addr, "/held").await;
    beside.in_flight.notified().await;
    beside.may_fail.notify_one();
    until_refused(addr).await;
    (running, stream)
}

#[tokio::test]
async fn what_fails_beside_a_server_cuts_nothing_off() {
    for has_start in [true, false] {
        let (beside, mut group) = (beside(), Group::new());
        if has_start {
            group.add(WithStart(Arc::clone(&beside)))
        } else {
            group.add(WithTicker(Arc::clone(&beside)))
        };
        let (running, mut stream) = fails_with_a_request_in_flight(&mut group, &beside).await;
        let handle = running.handle();
        in_time(handle.stopping()).await;
        beside.may_answer.notify_one();
        response(&mut stream, "answered").await;
        let report = in_time(running.wait()).await;
        assert_eq!((report.outcome(), report.failures().len()), (Outcome::RunFailed, 1), "{report}");
        assert!(report.failures()[0].to_string().starts_with("`web` failed: "), "{report}");
        let drain = *report.service("web").unwrap().drain().unwrap();
        assert_eq!((drain.drained(), drain.cut()), (1, 0), "{report}");
    }
}

#[tokio::test]
async fn nor_does_it_where_the_group_goes_on_without() {
    let (beside, mut group) = (beside(), Group::new());
    group.add(WithStart(Arc::clone(&beside))).configure("web", |spec| spec.critical(false));
    group.add_fn("other", |shutdown: Shutdown| async move { shutdown.requested().await });
    let (running, mut stream) = fails_with_a_request_in_flight(&mut group, &beside).await;
    until_state(&running.handle(), "web", State::Failed).await;
    beside.may_answer.notify_one();
    response(&mut stream, "answered").await;
    let report = in_time(running.stop()).await;
    assert!(report.is_clean() && report.service("web").unwrap().drain().unwrap().cut() == 0, "{report}");
}

struct NeverReady(Arc<Beside>, mpsc::UnboundedSender<Handle>);

#[group::service(register = false, name = "web", http = "127.0.0.1:0", stop_timeout = "60s", critical = false)]
impl NeverReady {
    #[get("/held")]
    async fn held(&self) -> &'static str {
        self.0.held().await
    }

    async fn start(&self, shutdown: Shutdown, handle: Handle, _ready: Ready) {
        self.1.send(handle).expect("it is waited for");
        shutdown.requested().await;
    }
}

async fn until_bound(handle: &Handle) -> SocketAddr {
    let bound = async {
        loop {
            match handle.local_addr("web") {
                Some(addr) => return addr,
                None => tokio::task::yield_now().await,
            }
        }
    };
    in_time(bound).await
}

#[tokio::test]
async fn nor_where_it_is_given_up_because_it_is_not_ready_in_time() {
    let (beside, mut group, (started, mut starts)) = (beside(), Group::new(), mpsc::unbounded_channel());
    group.add(NeverReady(Arc::clone(&beside), started)).configure("web", |spec| spec.start_timeout(secs(2)));
    group.add_fn("other", |shutdown: Shutdown| async move { shutdown.requested().await });
    let starting = tokio::spawn(group.start());
    let handle = in_time(starts.recv()).await.expect("it starts");
    let mut stream = requested(until_bound(&handle).await, "/held").await;
    beside.in_flight.notified().await;
    until_state(&handle, "web", State::Failed).await;
    beside.may_answer.notify_one();
    response(&mut stream, "answered").await;
    let report = in_time(starting.await.unwrap().unwrap().stop()).await;
    let drain = *report.service("web").unwrap().drain().unwrap();
    assert_eq!((drain.drained(), drain.cut(), report.is_clean()), (1, 0, true), "{report}");
}

#[tokio::test(start_paused = true)]
async fn nor_before_it_is_started_again_for_which_it_has_all_its_time() {
    let (beside, mut group) = (beside(), Group::new());
    group.add(WithStart(Arc::clone(&beside))).configure("web", |spec| {
        spec.restart(Restart::on_failure().backoff(millis(1), millis(1))).start_timeout(secs(5))
    });
    let (running, mut stream) = fails_with_a_request_in_flight(&mut group, &beside).await;
    let handle = running.handle();
    until_state(&handle, "web", State::Starting).await;
    assert!(timeout(secs(12), until_state(&handle, "web", State::Ready)).await.is_err());
    assert_eq!(beside.starts.take(), ["starts"], "once");
    beside.may_answer.notify_one();
    response(&mut stream, "answered").await;
    until_state(&handle, "web", State::Ready).await;
    assert_eq!(beside.starts.take(), ["starts"], "again");
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_when_its_time_is_over_is_cut_and_counted_then() {
    let (beside, mut group) = (beside(), Group::new());
    group.add(WithStart(Arc::clone(&beside)));
    group.configure("web", |spec| spec.critical(false).stop_timeout(secs(5)));
    group.add_fn("other", |shutdown: Shutdown| async move { shutdown.requested().await });
    let (running, mut stream) = fails_with_a_request_in_flight(&mut group, &beside).await;
    let failed = Instant::now();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "it was cut");
    let took = failed.elapsed();
    assert!(took > secs(4) && took <= secs(5), "{took:?}");
    let report = in_time(running.stop()).await;
    assert_eq!(report.service("web").unwrap().drain().unwrap().cut(), 1, "{report}");
}
