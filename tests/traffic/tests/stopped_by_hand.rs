//! Connections at the stop whose client is written out frame by frame, because no library behaves so: it does not answer
//! the PING that follows GOAWAY, reads slowly or not at all, or goes on sending.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use group::{Context, Group, Outcome, Report, Restart, Running, Shutdown, Spec, grpc, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

/// The size of the large answer: the system takes all of it at once only in part.
const LARGE: usize = 3 * 1024 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;

async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("nothing comes")
}

/// Longer than a test waits.
fn waits_long(spec: Spec) -> Spec {
    spec.stop_timeout(Duration::from_secs(60))
}

/// A server that answers at once, with a large body, when it is told to, or with 413.
struct Server {
    running: Running,
    addr: SocketAddr,
    /// Says that a handler of `/held` runs.
    held: UnboundedReceiver<()>,
    release: Arc<Notify>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    async fn start_with(change: impl FnOnce(&mut Group)) -> Self {
        let (holds, held) = unbounded_channel();
        let release = Arc::new(Notify::new());
        let released = Arc::clone(&release);
        let answers_late = get(move || async move {
            holds.send(()).expect("the test waits");
            released.notified().await;
            "held"
        });
        let routes = Router::new()
            .route("/", get(|| async { "at once" }))
            .route("/large", get(|| async { Bytes::from(vec![b'x'; LARGE]) }))
            .route("/held", answers_late)
            .route("/upload", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }));
        let mut group = Group::new();
        group.add_fn("web", move |cx: Context| {
            let routes = routes.clone();
            async move { http::serve(&cx, "127.0.0.1:0", routes).await }
        });
        group.configure("web", waits_long);
        change(&mut group);
        let running = group.start().await.expect("the group starts");
        Self { addr: running.local_addr("web").expect("it listens"), running, held, release }
    }

    /// Stops. A connection that held the stop would hold it for longer than the test waits.
    async fn stops_soon(self) -> Report {
        in_time(self.running.stop()).await
    }
}

/// The connections that were drained and cut.
fn counts(report: &Report) -> (usize, usize) {
    let drain = report.service("web").and_then(|web| web.drain());
    drain.map_or((0, 0), |drain| (drain.drained(), drain.cut()))
}

struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

/// A client that sends what it is told to and nothing else.
struct Client(TcpStream);

impl Client {
    async fn new(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.expect("it listens"))
    }

    /// The system takes only a little for this client before it reads.
    async fn that_buffers_little(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("it can be small");
        Self(socket.connect(addr).await.expect("it listens"))
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await
    }

    async fn preface(&mut self) {
        self.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("it is open");
    }

    /// Begins, and allows this many bytes of each answer before it has to say more.
    async fn begin(&mut self, window: u32) {
        self.preface().await;
        let mut settings = vec![0, 4];
        settings.extend(window.to_be_bytes());
        self.send(SETTINGS, 0, 0, &settings).await.expect("it is open");
        if let Some(more) = window.checked_sub(65_535).filter(|more| *more > 0) {
            self.send(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()).await.expect("it is open");
        }
    }

    async fn ask(&mut self, stream: u32, path: &str) {
        let mut head = vec![0x82, 0x86, 0x41, 4];
        head.extend(b"test");
        head.extend([0x44, u8::try_from(path.len()).expect("a short path")]);
        head.extend(path.as_bytes());
        self.send(HEADERS, 0x5, stream, &head).await.expect("it is open");
    }

    /// The next frame, or `None` at the end.
    async fn frame(&mut self) -> std::io::Result<Option<Frame>> {
        let mut head = [0; 9];
        if let Err(error) = self.0.read_exact(&mut head).await {
            return if error.kind() == std::io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        self.0.read_exact(&mut payload).await?;
        Ok(Some(Frame { kind: head[3], flags: head[4], payload }))
    }

    /// Reads one answer to its end, and returns the length of its body.
    async fn answer(&mut self) -> usize {
        let mut length = 0;
        loop {
            let frame = in_time(self.frame()).await.expect("no reset").expect("the answer is whole");
            if frame.kind == DATA {
                length += frame.payload.len();
            }
            if frame.kind <= HEADERS && frame.flags & END_STREAM != 0 {
                return length;
            }
        }
    }

    async fn until_goodbye(&mut self) {
        while in_time(self.frame()).await.expect("no reset").expect("GOAWAY comes first").kind != GOAWAY {}
    }

    /// Reads until the connection is closed, and expects that it is not reset.
    async fn is_closed(&mut self) {
        while in_time(self.frame()).await.expect("no reset").is_some() {}
    }
}

#[tokio::test]
async fn an_idle_client_that_does_not_answer_the_ping_does_not_hold_the_stop() {
    let server = Server::start().await;
    let mut client = Client::new(server.addr).await;
    client.begin(65_535).await;
    client.ask(1, "/").await;
    assert_eq!(client.answer().await, "at once".len());
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(counts(&report), (0, 0), "{report}");
    client.is_closed().await;
}

#[tokio::test]
async fn nor_does_one_that_has_sent_no_request() {
    let server = Server::start().await;
    let mut bare = Client::new(server.addr).await;
    bare.preface().await;
    let mut without_request = Client::new(server.addr).await;
    without_request.begin(65_535).await;
    let settings = in_time(without_request.frame()).await.expect("no reset").expect("its settings");
    assert_eq!(settings.kind, SETTINGS);
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn nor_does_one_that_was_answered_and_reads_nothing() {
    let server = Server::start().await;
    let mut client = Client::new(server.addr).await;
    client.begin(65_535).await;
    client.ask(1, "/").await;
    // Another is answered later than this one.
    let mut other = Client::new(server.addr).await;
    other.begin(65_535).await;
    other.ask(1, "/").await;
    other.answer().await;
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn nor_does_one_that_sends_only_window_updates() {
    let server = Server::start().await;
    let mut client = Client::new(server.addr).await;
    client.begin(65_535).await;
    client.ask(1, "/").await;
    client.answer().await;
    let sends = tokio::spawn(async move {
        while client.send(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
    in_time(sends).await.expect("the connection ends");
}

#[tokio::test]
async fn nor_does_an_idle_client_of_grpc() {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move { grpc::serve(&cx, "127.0.0.1:0", grpc::Routes::new()).await });
    group.configure("web", waits_long);
    let running = group.start().await.expect("the group starts");
    let mut client = Client::new(running.local_addr("web").expect("it listens")).await;
    client.begin(65_535).await;
    client.ask(1, "/").await;
    client.answer().await;
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

/// Reports each start, and fails when it is told to.
struct Restarted {
    starts: UnboundedSender<()>,
    fails: Arc<Notify>,
}

#[group::service(register = false, name = "web", http = "127.0.0.1:0", stop_timeout = "60s")]
impl Restarted {
    #[get("/")]
    async fn answer(&self) -> &'static str {
        "at once"
    }

    async fn start(&self, shutdown: Shutdown) -> Result<(), &'static str> {
        self.starts.send(()).expect("the test waits");
        tokio::select! {
            () = self.fails.notified() => Err("it breaks"),
            () = shutdown.requested() => Ok(()),
        }
    }
}

#[tokio::test]
async fn nor_does_an_idle_client_hold_a_restart() {
    let (starts, mut started) = unbounded_channel();
    let fails = Arc::new(Notify::new());
    let mut group = Group::new();
    group.add(Restarted { starts, fails: Arc::clone(&fails) });
    let soon = Duration::from_millis(1);
    group.configure("web", |spec| spec.restart(Restart::on_failure().backoff(soon, soon)));
    let running = group.start().await.expect("the group starts");
    in_time(started.recv()).await.expect("it has started");
    let mut client = Client::new(running.local_addr("web").expect("it listens")).await;
    client.begin(65_535).await;
    client.ask(1, "/").await;
    client.answer().await;
    fails.notify_one();
    in_time(started.recv()).await.expect("it starts again");
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

/// Panics when it is dropped, and says so before.
struct Bomb(UnboundedSender<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.send(()).expect("the test waits");
        panic!("a bomb");
    }
}

#[tokio::test]
async fn a_panic_in_the_destructor_of_what_a_cancelled_handler_holds_is_reported() {
    let (says, mut said) = unbounded_channel();
    let held = get(move || async move {
        says.send(()).expect("the test waits");
        let _bomb = Bomb(says);
        std::future::pending::<&'static str>().await
    });
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        http::serve(&cx, "127.0.0.1:0", Router::new().route("/held", held)).await
    });
    let running = group.start().await.expect("the group starts");
    let mut client = Client::new(running.local_addr("web").expect("it listens")).await;
    client.begin(65_535).await;
    client.ask(1, "/held").await;
    in_time(said.recv()).await.expect("the handler runs");
    drop(client);
    in_time(said.recv()).await.expect("it is dropped");
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    let [failure] = report.failures() else { panic!("{report}") };
    let said = failure.to_string();
    assert!(said.contains("a bomb") && said.ends_with("(on GET /held)"), "{said}");
}

#[tokio::test]
async fn an_answer_in_flight_is_waited_for_although_the_ping_is_not_answered() {
    let mut server = Server::start().await;
    let mut client = Client::new(server.addr).await;
    client.begin(65_535).await;
    client.ask(1, "/held").await;
    in_time(server.held.recv()).await.expect("the handler runs");
    server.running.handle().stop();
    client.until_goodbye().await;
    // For longer than an idle connection would stay open.
    sleep(Duration::from_millis(700)).await;
    server.release.notify_one();
    assert_eq!(client.answer().await, "held".len());
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(counts(&report), (1, 0), "{report}");
    client.is_closed().await;
}

#[tokio::test]
async fn an_answer_that_the_client_does_not_let_through_is_cut_and_counted() {
    let limit = Duration::from_millis(700);
    let server = Server::start_with(|group| {
        group.configure("web", |spec| spec.stop_timeout(limit));
    })
    .await;
    let mut client = Client::new(server.addr).await;
    client.begin(65_535).await;
    client.ask(1, "/large").await;
    let mut length = 0;
    while length < 65_535 {
        let frame = in_time(client.frame()).await.expect("no reset").expect("it is open");
        length += if frame.kind == DATA { frame.payload.len() } else { 0 };
    }
    let report = server.stops_soon().await;
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
    assert_eq!(counts(&report), (0, 1), "{report}");
    assert_eq!(report.service("web").expect("there is one").cut_requests(), ["GET /large"]);
}

#[tokio::test]
async fn an_answer_that_the_system_cannot_send_is_cut_and_counted() {
    let limit = Duration::from_millis(700);
    let server = Server::start_with(|group| {
        group.configure("web", |spec| spec.stop_timeout(limit));
    })
    .await;
    let mut client = Client::that_buffers_little(server.addr).await;
    client.begin(0x4000_0000).await;
    client.ask(1, "/large").await;
    let first = in_time(client.frame()).await.expect("no reset");
    assert!(first.is_some(), "it is open");
    let report = server.stops_soon().await;
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
    assert_eq!(counts(&report), (0, 1), "{report}");
}

/// Reads an answer over HTTP/2 in pieces with a pause after each, and says after each that it has read it.
async fn reads_slowly(
    client: &mut Client,
    piece: usize,
    pause: Duration,
    answers_ping: bool,
) -> std::io::Result<usize> {
    let (mut length, mut since) = (0, 0);
    while let Some(frame) = client.frame().await? {
        if answers_ping && frame.kind == PING && frame.flags & ACK == 0 {
            client.send(PING, ACK, 0, &frame.payload).await?;
        }
        if frame.kind != DATA {
            continue;
        }
        (length, since) = (length + frame.payload.len(), since + frame.payload.len());
        if since >= piece {
            sleep(pause).await;
            let read = u32::try_from(since).expect("a piece is small").to_be_bytes();
            // When the connection is closed, what is left can still be read.
            let _ = client.send(WINDOW_UPDATE, 0, 0, &read).await;
            let _ = client.send(WINDOW_UPDATE, 0, 1, &read).await;
            since = 0;
        }
        if frame.flags & END_STREAM != 0 {
            return Ok(length);
        }
    }
    Ok(length)
}

async fn a_slow_client_gets_its_answer(window: u32, piece: usize, pause: Duration, answers_ping: bool) {
    let server = Server::start().await;
    let mut client = Client::that_buffers_little(server.addr).await;
    client.begin(window).await;
    client.ask(1, "/large").await;
    while in_time(client.frame()).await.expect("no reset").expect("it is open").kind != HEADERS {}
    server.running.handle().stop();
    let length = in_time(reads_slowly(&mut client, piece, pause, answers_ping)).await;
    assert_eq!(length.expect("no reset"), LARGE);
    drop(client);
    let report = in_time(server.running.wait()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(counts(&report), (1, 0), "{report}");
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_the_end_of_its_answer() {
    a_slow_client_gets_its_answer(1024 * 1024, 64 * 1024, Duration::from_millis(30), true).await;
}

#[tokio::test]
async fn so_does_one_that_does_not_answer_the_ping() {
    a_slow_client_gets_its_answer(0x4000_0000, 64 * 1024, Duration::from_millis(30), false).await;
}

#[tokio::test]
async fn so_does_one_that_is_silent_for_longer_than_an_idle_one_may_be() {
    a_slow_client_gets_its_answer(1024 * 1024, 512 * 1024, Duration::from_millis(500), true).await;
}

#[tokio::test]
async fn over_http1_a_client_that_reads_slowly_and_goes_on_sending_gets_the_end_of_its_answer() {
    let server = Server::start().await;
    let mut client = Client::that_buffers_little(server.addr).await.0;
    let ask = b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n";
    client.write_all(ask).await.expect("it is open");
    let mut buffer = vec![0; 256 * 1024];
    let mut length = in_time(client.read(&mut buffer)).await.expect("no reset");
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n").expect("the whole head") + 4;
    server.running.handle().stop();
    let mut asked_again = false;
    while length < head + LARGE {
        let read = in_time(client.read(&mut buffer)).await.expect("no reset");
        assert_ne!(read, 0, "closed after {length} bytes");
        length += read;
        if length > LARGE / 2 && !asked_again {
            sleep(Duration::from_millis(700)).await;
            client.write_all(ask).await.expect("it is open");
            sleep(Duration::from_millis(100)).await;
            asked_again = true;
        }
    }
    drop(client);
    let report = in_time(server.running.wait()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn an_early_answer_is_not_followed_by_a_reset_while_the_client_sends() {
    let server = Server::start().await;
    let mut client = Client::new(server.addr).await.0;
    let head = b"POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000000\r\n\r\n";
    client.write_all(head).await.expect("it is open");
    for _ in 0..40 {
        client.write_all(&[b'x'; 1000]).await.expect("no reset");
        sleep(Duration::from_millis(30)).await;
    }
    let mut answer = Vec::new();
    in_time(client.read_to_end(&mut answer)).await.expect("no reset");
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_client_that_sends_for_ever_after_an_early_answer_does_not_hold_the_stop() {
    let server = Server::start_with(|group| {
        group.configure("web", |spec| spec.stop_timeout(Duration::from_secs(4)));
    })
    .await;
    let mut client = Client::new(server.addr).await.0;
    let head = b"POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100000000\r\n\r\n";
    client.write_all(head).await.expect("it is open");
    let sends = tokio::spawn(async move {
        while client.write_all(&[b'x'; 1000]).await.is_ok() {
            sleep(Duration::from_millis(30)).await;
        }
    });
    let report = server.stops_soon().await;
    assert!(report.is_clean(), "{report}");
    in_time(sends).await.expect("the connection ends");
}
