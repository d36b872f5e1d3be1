//! Requests that are cut: each is counted and named, whatever keeps it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use group::axum::body::{Body, Bytes};
use group::{Group, Outcome, Report, Running, service};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{in_time, millis};

/// What holds a request up.
#[derive(Default)]
struct Web {
    entered: Arc<Notify>,
}

#[service(register = false, name = "web", http = "127.0.0.1:0", stop_timeout = "300ms")]
impl Web {
    #[post("/blocks/{id}")]
    async fn blocks(&self) {
        self.entered.notify_one();
        std::thread::sleep(Duration::from_secs(2));
    }

    #[get("/held/{id}")]
    async fn held(&self) {
        self.entered.notify_one();
        std::future::pending::<()>().await;
    }

    #[get("/events")]
    async fn events(&self) -> Body {
        self.entered.notify_one();
        let never = |()| std::future::pending::<Option<(Result<Bytes, std::io::Error>, ())>>();
        Body::from_stream(stream::unfold((), never))
    }
}

/// A group whose server has these requests in flight, each on a connection of its own.
async fn asked(requests: &[&str]) -> (Running, Vec<TcpStream>) {
    let entered = Arc::new(Notify::new());
    let mut group = Group::new();
    group.add(Web { entered: Arc::clone(&entered) });
    let running = group.start().await.unwrap();
    let addr = running.local_addr("web").unwrap();
    let mut streams = Vec::new();
    for request in requests {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let head = format!("{request} HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        in_time(entered.notified()).await;
        streams.push(stream);
    }
    (running, streams)
}

fn assert_cut(report: &Report, connections: usize, requests: &[&str]) {
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
    let web = report.service("web").unwrap();
    let drain = *web.drain().unwrap();
    assert_eq!((drain.drained(), drain.cut()), (0, connections), "{report}");
    let mut cut = web.cut_requests().to_vec();
    cut.sort();
    assert_eq!(cut, requests, "{report}");
    assert!(requests.iter().all(|request| report.to_string().contains(request)), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_whose_handler_blocks_its_thread_is_counted_and_named() {
    let (running, _streams) = asked(&["GET /held/1", "POST /blocks/7"]).await;
    assert_cut(&in_time(running.stop()).await, 2, &["GET /held/{id}", "POST /blocks/{id}"]);
}

#[tokio::test]
async fn so_is_a_stream_that_does_not_end() {
    let (running, _streams) = asked(&["GET /events", "GET /events?from=7"]).await;
    tokio::time::sleep(millis(50)).await;
    let report = in_time(running.stop()).await;
    assert_cut(&report, 2, &["GET /events", "GET /events"]);
    assert_eq!(report.service("web").unwrap().drain().unwrap().streams(), 2);
}
