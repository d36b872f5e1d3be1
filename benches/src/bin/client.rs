//! Asks one address again and again: `client ADDRESS http1|connections|http2 MILLISECONDS`. Says what came of it as a
//! line of JSON.
//!
//! It has to be cheaper than the server, or it would measure itself: over HTTP/1.1 it sends the same bytes each time,
//! and counts those that come back.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::Request;
use benches::requests::Answered;
use benches::servers::ANSWER;
use h2::client::SendRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many requests are in flight over HTTP/1.1, each on a connection of its own.
const CONNECTIONS: usize = 32;

/// Over HTTP/2, so many connections with so many streams.
const HTTP2_CONNECTIONS: usize = 4;
const STREAMS: usize = 8;

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const ASK_ONCE: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// How long each request took.
type Times = Vec<Duration>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, way, milliseconds] = args.as_slice() else {
        return Err("expected: client ADDRESS http1|connections|http2 MILLISECONDS".into());
    };
    let address: SocketAddr = address.parse()?;
    let begun = Instant::now();
    let until = begun + Duration::from_millis(milliseconds.parse()?);
    let mut workers = JoinSet::new();
    match way.as_str() {
        "http1" => (0..CONNECTIONS).for_each(|_| drop(workers.spawn(keep_asking(address, until)))),
        "connections" => (0..CONNECTIONS).for_each(|_| drop(workers.spawn(keep_connecting(address, until)))),
        "http2" => (0..HTTP2_CONNECTIONS).for_each(|_| drop(workers.spawn(ask_over_http2(address, until)))),
        other => return Err(format!("cannot ask over `{other}`").into()),
    }
    let mut times = Times::new();
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    println!("{}", serde_json::to_string(&summary(times, begun.elapsed())?)?);
    Ok(())
}

fn summary(mut times: Times, took: Duration) -> Result<Answered> {
    times.sort_unstable();
    let of = |share: usize| times.get(times.len() * share / 100).map(|time| time.as_secs_f64() * 1e6);
    let (Some(p50), Some(p99)) = (of(50), of(99)) else { return Err("nothing was answered".into()) };
    Ok(Answered { answers: u64::try_from(times.len())?, seconds: took.as_secs_f64(), p50, p99 })
}

async fn keep_asking(address: SocketAddr, until: Instant) -> Result<Times> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    let mut times = Times::new();
    let mut asked = Instant::now();
    while asked < until {
        stream.write_all(ASK).await?;
        let mut length = 0;
        while !buffer[..length].ends_with(ANSWER.as_bytes()) {
            length += read(&mut stream, &mut buffer[length..]).await?;
        }
        let answered = Instant::now();
        times.push(answered - asked);
        asked = answered;
    }
    Ok(times)
}

async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    match stream.read(buffer).await? {
        0 => Err("the server closed the connection, or its answer is long".into()),
        length => Ok(length),
    }
}

async fn keep_connecting(address: SocketAddr, until: Instant) -> Result<Times> {
    let mut answer = Vec::new();
    let mut times = Times::new();
    let mut asked = Instant::now();
    while asked < until {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(ASK_ONCE).await?;
        answer.clear();
        stream.read_to_end(&mut answer).await?;
        if !answer.ends_with(ANSWER.as_bytes()) {
            return Err("the server closed the connection without an answer".into());
        }
        let answered = Instant::now();
        times.push(answered - asked);
        asked = answered;
    }
    Ok(times)
}

async fn ask_over_http2(address: SocketAddr, until: Instant) -> Result<Times> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        streams.spawn(keep_asking_over(sender.clone(), address, until));
    }
    drop(sender);
    let mut times = Times::new();
    while let Some(stream) = streams.join_next().await {
        times.extend(stream??);
    }
    connection.abort();
    Ok(times)
}

async fn keep_asking_over(sender: SendRequest<bytes::Bytes>, address: SocketAddr, until: Instant) -> Result<Times> {
    let mut sender = sender.ready().await?;
    let mut times = Times::new();
    let mut asked = Instant::now();
    while asked < until {
        let (answer, _) = sender.send_request(Request::get(format!("http://{address}/")).body(())?, true)?;
        let mut body = answer.await?.into_body();
        let mut length = 0;
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            length += data.len();
        }
        if length != ANSWER.len() {
            return Err(format!("the answer has {length} bytes").into());
        }
        let answered = Instant::now();
        times.push(answered - asked);
        asked = answered;
        sender = sender.ready().await?;
    }
    Ok(times)
}
