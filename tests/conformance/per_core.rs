//! A server on every processor. Real sockets and threads, and so real time. With one processor there is nothing to
//! spread, and everything else must hold all the same.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc as thread_mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use group::axum::{Router, routing::get};
use group::{Context, Group, Running, Serving, Spec, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::draining::until_refused;
use crate::support::{in_time, web};

/// Routes that tell the thread that answers.
fn routes() -> Router {
    Router::new().route("/", get(|| async { name_of_thread() }))
}

fn name_of_thread() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

async fn started(routes: Router) -> (Running, SocketAddr) {
    let running = web(routes).serve(Serving::PerCore).start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    (running, addr)
}

/// Asks on a connection that is kept, and returns the answer.
async fn asks(stream: &mut TcpStream, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
    answer(stream).await
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let byte = in_time(stream.read_u8()).await.expect("it is open");
        text.push(byte);
        let Some(head) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let words = String::from_utf8_lossy(&text[..head]).to_lowercase();
        let length = words.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("it has a length");
        let mut body = vec![0; length.parse().unwrap()];
        in_time(stream.read_exact(&mut body)).await.expect("it is open");
        return String::from_utf8(body).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_spread_evenly_and_each_stays_on_its_thread() {
    const EACH: usize = 20;
    let (running, addr) = started(routes()).await;
    let connect = async || {
        let mut client = TcpStream::connect(addr).await.unwrap();
        let thread = asks(&mut client, "/").await;
        (client, thread)
    };
    let mut clients = Vec::new();
    for _ in 0..EACH * processors() {
        clients.push(connect().await);
    }
    // One processor loses its clients. The system does not know that, and gives it no more of the new ones.
    let lost = clients[0].1.clone();
    clients.retain(|(_, thread)| *thread != lost);
    while running.handle().status().service("web").unwrap().connections() != Some(clients.len()) {
        tokio::task::yield_now().await;
    }
    while clients.len() < EACH * processors() {
        clients.push(connect().await);
    }
    let mut threads = HashMap::<&str, usize>::new();
    for (_, thread) in &clients {
        *threads.entry(thread).or_default() += 1;
    }
    assert_eq!(threads.len(), processors(), "{threads:?}");
    let (least, most) = (threads.values().min().unwrap(), threads.values().max().unwrap());
    assert!(most - least <= 2 + least / 8, "{threads:?}");
    for (client, thread) in &mut clients {
        assert_eq!(asks(client, "/").await, *thread);
    }
    drop(clients);
    assert!(running.stop().await.is_clean());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn so_are_those_of_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("group-per-core-{}.sock", std::process::id()));
    let address = format!("unix:{}", path.display());
    let mut group = Group::new();
    group.serve(Serving::PerCore);
    group.add_fn("web", |cx: Context| async move { http::serve(&cx, &address, routes()).await });
    let running = group.start().await.unwrap();
    let (mut clients, mut threads) = (Vec::new(), Vec::new());
    for _ in 0..10 * processors() {
        let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let read = in_time(client.read(&mut answer)).await.unwrap();
        threads.push(String::from_utf8_lossy(&answer[..read]).rsplit("\r\n").next().unwrap().to_owned());
        clients.push(client);
    }
    threads.sort();
    threads.dedup();
    assert_eq!(threads.len(), processors(), "{threads:?}");
    drop(clients);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_blocks_its_thread_holds_up_no_other_connection() {
    let (entered, has_entered) = thread_mpsc::channel();
    let (go_on, goes_on) = thread_mpsc::channel::<()>();
    let goes_on = Arc::new(Mutex::new(goes_on));
    let blocks = get(move || {
        let _ = entered.send(());
        let _ = goes_on.lock().unwrap().recv();
        async { "it has blocked" }
    });
    let (running, addr) = started(routes().route("/blocks", blocks)).await;
    let mut clients = Vec::new();
    for _ in 0..4 * processors() {
        let mut client = TcpStream::connect(addr).await.unwrap();
        asks(&mut client, "/").await;
        clients.push(client);
    }
    let mut blocked = clients.pop().unwrap();
    blocked.write_all(b"GET /blocks HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    tokio::task::spawn_blocking(move || has_entered.recv()).await.unwrap().unwrap();
    for _ in 0..3 {
        for client in &mut clients {
            asks(client, "/").await;
        }
        let mut another = TcpStream::connect(addr).await.unwrap();
        asks(&mut another, "/").await;
    }
    go_on.send(()).unwrap();
    assert_eq!(answer(&mut blocked).await, "it has blocked");
    drop((clients, blocked));
    assert!(running.stop().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_may_block_in_place_and_spawn_tasks() {
    let works = get(|| async {
        let blocked = tokio::task::block_in_place(|| "blocked, ");
        let spawned = tokio::spawn(async { "spawned" }).await.unwrap();
        format!("{blocked}{spawned}")
    });
    let (running, addr) = started(Router::new().route("/", works)).await;
    let mut client = TcpStream::connect(addr).await.unwrap();
    assert_eq!(asks(&mut client, "/").await, "blocked, spawned");
    drop(client);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_answered_at_the_stop_on_each_of_them() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enters, goes_on) = (Arc::clone(&entered), Arc::clone(&go_on));
    let held = get(move || async move {
        let waits = goes_on.notified();
        enters.notify_one();
        waits.await;
        "answered"
    });
    let (running, addr) = started(routes().route("/held", held)).await;
    let mut clients = Vec::new();
    for _ in 0..3 * processors() {
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"GET /held HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        in_time(entered.notified()).await;
        clients.push(client);
    }
    running.handle().stop();
    until_refused(addr).await;
    go_on.notify_waiters();
    for client in &mut clients {
        assert_eq!(answer(client).await, "answered");
    }
    let report = in_time(running.wait()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.service("web").unwrap().drain().unwrap().drained(), 3 * processors());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_connections_is_for_all_of_them_together() {
    let mut group = Group::new();
    group.serve(Serving::PerCore).add_fn("web", |cx: Context| async move {
        http::Server::new(routes()).max_connections(2).serve(&cx, "127.0.0.1:0").await
    });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(addr).await.unwrap();
        asks(&mut client, "/").await;
        clients.push(client);
    }
    let mut waits = TcpStream::connect(addr).await.unwrap();
    waits.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), waits.read_u8()).await;
    assert!(early.is_err(), "it waits for a connection to end");
    clients.clear();
    answer(&mut waits).await;
    drop(waits);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_makes_the_start_fail_also_if_the_other_is_served_on_every_processor() {
    let (running, addr) = started(routes()).await;
    let mut other = Group::new();
    other
        .serve(Serving::PerCore)
        .add_fn("web", move |cx: Context| async move { http::serve(&cx, &addr.to_string(), routes()).await });
    let failed = other.start().await.expect_err("it is taken").to_string();
    assert!(failed.contains("cannot listen on"), "{failed}");
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn where_connections_are_served_is_said_of_a_server_of_its_own() {
    let mut group = web(routes());
    group.add_fn("guest", |cx: Context| async move { http::mount(&cx, Router::new()).await });
    group.configure("guest", |spec: Spec| spec.http_on_named("web").serve(Serving::PerCore));
    let refused = group.start().await.expect_err("it has no connections").to_string();
    assert!(refused.contains("those of `web` are its: say it there"), "{refused}");
}
