//! Over HTTP/2, answers that are ready together are written together, and none waits for one that is not ready.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::Version;
use axum::routing::get;
use futures_util::future::join_all;
use futures_util::stream::unfold;
use group::{Context, Group, Running, http};
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Longer than anything here takes, and shorter than the interval of the keep-alive ping, which would wake a
/// connection that should have been woken before.
async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing comes")
}

/// `/stream` answers with these pieces, and everything else with its own number.
async fn serving(pieces: UnboundedReceiver<Bytes>) -> Running {
    let pieces = Arc::new(Mutex::new(pieces));
    let next = |pieces: Arc<Mutex<UnboundedReceiver<Bytes>>>| async move {
        let piece = pieces.lock().await.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    };
    let stream = get(move || async move { Body::from_stream(unfold(pieces, next)) });
    let number = get(|Path(number): Path<String>| async { number });
    let routes = Router::new().route("/stream", stream).route("/{number}", number);
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move { http::serve(&cx, "127.0.0.1:0", routes).await });
    group.start().await.expect("the group starts")
}

/// One connection.
#[derive(Clone)]
struct Client {
    sender: SendRequest<Empty<Bytes>>,
    origin: String,
}

impl Client {
    async fn of(running: &Running) -> Self {
        let addr = running.local_addr("web").expect("it listens");
        let stream = TcpStream::connect(addr).await.expect("it listens");
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("nothing is waited for");
        tokio::spawn(connection);
        Self { sender, origin: format!("http://{addr}") }
    }

    async fn ask(&self, path: impl ToString) -> Incoming {
        let url = format!("{}/{}", self.origin, path.to_string());
        let request = Request::get(url).body(Empty::new()).expect("it is one");
        let answer = self.sender.clone().send_request(request).await.expect("an answer");
        assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200));
        answer.into_body()
    }

    async fn is_answered(&self, number: usize) {
        let body = in_time(async { self.ask(number).await.collect().await }).await;
        assert_eq!(body.expect("a whole answer").to_bytes(), number.to_string());
    }

    async fn one_and_many_are_answered(&self) {
        self.is_answered(0).await;
        for _ in 0..10 {
            join_all((1..=100).map(|number| self.is_answered(number))).await;
        }
        self.is_answered(101).await;
    }
}

async fn stops_clean(running: Running) {
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn one_request_is_answered_and_so_are_many_at_once_also_while_another_is_in_hand() {
    let (pieces, stream) = unbounded_channel();
    let running = serving(stream).await;
    let client = Client::of(&running).await;
    client.one_and_many_are_answered().await;
    let in_hand = in_time(client.ask("stream")).await;
    client.one_and_many_are_answered().await;
    drop(pieces);
    in_time(in_hand.collect()).await.expect("it ends as it should");
    client.one_and_many_are_answered().await;
    stops_clean(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_piece_of_a_long_answer_comes_when_it_is_there_and_others_are_answered_meanwhile() {
    let (pieces, stream) = unbounded_channel();
    let running = serving(stream).await;
    let client = Client::of(&running).await;
    let mut answer = in_time(client.ask("stream")).await;
    for (number, length) in [1, 40_000, 2, 200_000, 40_000].into_iter().enumerate() {
        pieces.send(vec![b'x'; length].into()).expect("it is being read");
        let mut left = length;
        while left > 0 {
            let frame = in_time(answer.frame()).await.expect("there is more").expect("it is not cut off");
            left -= frame.data_ref().expect("no trailers").len();
        }
        client.is_answered(number).await;
    }
    drop(pieces);
    let rest = in_time(answer.collect()).await.expect("it ends as it should").to_bytes();
    assert!(rest.is_empty(), "{rest:?}");
    client.is_answered(101).await;
    stops_clean(running).await;
}
