//! The open connections of a server, and their requests: what a drain waits for, and what it counts.
//!
//! This is the centre of `http/`. The other files either report to it or ask it:
//!
//! - `accept.rs` makes one [`Traffic`] for each server and one [`Activity`] for each connection. At the stop it waits
//!   until every connection is closed, and reads the counts.
//! - `io.rs` reports the bytes that are read and written, and asks whether a silent connection may be closed.
//! - `connection.rs` reports the requests: each has an [`InFlight`], which moves with it from the call of the handler
//!   into the response's body. It asks when to close the connection, and whether a response is the last.
//!
//! At the stop, a connection may be closed once no request is in flight and the client has been silent for `linger`: its
//! next request might be on the way. The report counts connections, not requests. A connection is counted if it had a
//! request in flight when the stop came, got one after that, was upgraded, or has bytes of a response that its client
//! has not taken.
//!
//! Over HTTP/2, hyper closes a connection when the client has answered the PING that follows GOAWAY, which a client need
//! not do. So [`Activity::close_in_time`] waits as long as something is owed, and for a round trip more; then `io.rs`
//! reports the end of the connection to hyper. A response is owed until hyper has written its last piece: flow control
//! may hold pieces back for any time after the body has given them.
//!
//! # Protocol
//!
//! Three kinds of task share these counters.
//!
//! - The server's task accepts connections, writes `Traffic::stage`, sets `Traffic::stop`, and reads the counts. At the
//!   stop, it counts what is in flight on each connection, because a handler that blocks its thread keeps the connection
//!   from that. The thread that writes the last words of a blocked process does the same.
//! - Each connection has a task. It reads and writes the socket, begins every request, and decides when to close.
//!   Over **HTTP/1** handlers and bodies run in this task, too. So one task makes every change to an [`Activity`], in
//!   program order. An upgrade moves the [`Io`](crate::http::io::Io) to the handler's task through a channel, which
//!   orders all that was done before; from then on, that task makes the changes.
//! - Over **HTTP/2** each handler and its response's body run in a task of their own. There [`InFlight::answer`] runs,
//!   and an [`InFlight`] is dropped, at the same time as anything in the connection's task.
//!
//! Most counters are `Relaxed`: each is a number or a flag of its own, and a reader draws no conclusion from one about
//! another. The exceptions are `in_flight` and `standing`.
//!
//! | counter | who writes | who reads | why the ordering suffices |
//! |---|---|---|---|
//! | `stage` | server | all | It only goes up. A late reader treats a request as one from before the stop. `stop` is set afterwards, with `Release`, so that a task which it wakes sees `STOPPING`. |
//! | `connections`, `requests` | connection; `requests`: HTTP/2 requests, too | server, log, report | Locks. Only a request that its connection has counted is named. |
//! | `waited_for`, `streams`, `drained` | any task, as `standing` changes | server, log | An addition is made under the lock of `standing`, and the subtraction after a later use of that lock, so that no count goes below zero. When the drain has ended, `open` (`AcqRel`) has ordered all of them before the reader. A drain that is cut short reads them while connections close: it may miss one that closes at that instant. |
//! | `standing` | connection, upgraded `Io` | the same | A lock. When a connection is upgraded, its task counts it as a stream at the same time as the handler's task may close it. |
//! | `in_flight` | connection; HTTP/2: also requests | connection | `Release` where a request ends, `Acquire` where it is read: if no request is in flight, `silent_since` is that of the last response or later. |
//! | `pieces`, `tasks` | HTTP/2: connection, requests, tunnels | connection | As `in_flight`. A piece is counted before its request is not, and the task of a tunnel before that of its request ends, so that something is owed all the time. |
//! | `stalled` | connection | connection | One task. |
//! | `cut` | connection | server | As `drained`: an addition before the connection is closed, and so before `open` is. |
//! | `answering` | connection; HTTP/2: requests | connection, once, at the stop | Only whether it is zero matters, and only while a request is in flight. A response that ends at that instant is called a stream or is not; both are true. |
//! | `unwritten` | connection, HTTP/1 only | the same | One task, so that a load and a store are enough. |
//! | `waiting`, `has_asked` | server; connection | connection | A late reader looks again soon. |
//! | `partial` | connection; HTTP/2: requests clear it | connection | Over HTTP/2 it decides only how long the closing lingers. A value that is cleared too early changes nothing: the connection was not silent. |
//! | `silent_since` | connection; HTTP/2: requests | connection | Published by `in_flight`. Of two responses that end together either time will do. |
//! | `gives_up`, `is_last`, `all_read` | connection | connection, upgraded `Io` | One task, or ordered by the upgrade's channel. |
//! | `is_body_read` | connection; the reader of a request's body | connection | A late reader leaves the connection as it is a little longer. The body's end was read before, and of a new request the connection itself writes it. |
//! | `silent` | connection | connection | One task. |

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::base::sync::{Latch, Tallied, Tally};
use crate::base::{chance, lock};
#[cfg(feature = "metrics")]
use crate::http::counting::Counting;
use crate::http::limits::Limits;
use crate::http::mount::listed_routes;
use crate::http::panicked::RequestLine;
use crate::record::counts::Drain;
#[cfg(feature = "metrics")]
use crate::record::requests::{Method, OTHER};
use crate::record::service_status::Load;
use crate::running::member::OtherPoll;
use crate::running::server::{RequestInFlight, Server};
use crate::service::context::Context;

/// After this long, the bytes that were in the socket when the stop was asked for have been read.
const READ_FIRST: Duration = Duration::from_millis(5);

/// Once the server stops, the longest time that a client has for the rest of a head that it has begun.
const REST_OF_HEAD: Duration = Duration::from_secs(2);

/// The group runs.
const SERVING: u8 = 0;

/// The group is a lame duck.
const LEAVING: u8 = 1;

/// The server has been asked to stop.
const STOPPING: u8 = 2;

/// All connections of one server.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The context of the service that serves.
    cx: Context,
    begun: Instant,
    linger: Duration,
    close_spread: Duration,
    rest_of_head: Duration,
    /// Set when the server is asked to stop.
    stop: Latch,
    /// Set when `linger` is over after that.
    lingered: Latch,
    /// `SERVING`, `LEAVING` or `STOPPING`, for tasks that look at it with every request.
    stage: AtomicU8,
    /// The clients that wait because as many connections are open as may be.
    waiting: AtomicUsize,
    /// Counts every connection until it is closed, also one that was upgraded.
    open: Tally,
    connections: Mutex<Connections>,
    /// Made when a route is first asked for.
    routes: OnceLock<matchit::Router<String>>,
    /// The server has reported its counts.
    is_reported: AtomicBool,
    /// Open connections that the drain waits for.
    waited_for: AtomicUsize,
    /// Connections that the drain waited for and that have been closed since the stop.
    drained: AtomicUsize,
    /// Connections that the drain waited for and that the server has closed before their client took its response.
    cut: AtomicUsize,
    /// Connections, of `waited_for`, `drained` and `cut` together, that are streams: upgraded, or in the midst of a
    /// response when the stop came.
    streams: AtomicUsize,
}

impl Traffic {
    pub(super) fn new(cx: &Context, limits: &Limits) -> Arc<Self> {
        let a_quarter = cx.time_to_stop() / 4;
        Arc::new(Self {
            cx: cx.clone(),
            begun: Instant::now(),
            linger: limits.linger,
            close_spread: limits.close_spread.min(a_quarter),
            rest_of_head: REST_OF_HEAD.min(a_quarter),
            stop: Latch::default(),
            lingered: Latch::default(),
            stage: AtomicU8::new(SERVING),
            waiting: AtomicUsize::new(0),
            open: Tally::default(),
            connections: Mutex::default(),
            routes: OnceLock::new(),
            is_reported: AtomicBool::new(false),
            waited_for: AtomicUsize::new(0),
            drained: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
        })
    }

    pub(super) fn service(&self) -> &str {
        self.cx.name()
    }

    /// Once the group is a lame duck, every response carries `connection: close`, so that the client reconnects,
    /// perhaps to another server. The clients of a sidecar stay: they look at this process, and are no traffic. Never
    /// completes.
    pub(super) async fn watch_lame_duck(&self) {
        if !self.cx.is_sidecar() {
            self.cx.lame_duck().begun().await;
            self.stage.store(LEAVING, Relaxed);
        }
        std::future::pending::<()>().await;
    }

    /// Counts a new connection, and reports it to the lame duck, which stops when no more come.
    pub(super) fn note_arrival(&self) {
        #[cfg(feature = "metrics")]
        self.cx.member().measures().accepted.fetch_add(1, Relaxed);
        if self.stage.load(Relaxed) == LEAVING {
            self.cx.lame_duck().came();
        }
    }

    /// Asks every connection to end. What is in flight is counted here, because a handler that blocks its thread keeps its
    /// connection from doing so.
    pub(super) fn stop(&self) {
        self.stage.store(STOPPING, Relaxed);
        self.all().iter().for_each(|connection| connection.count_in_flight());
        self.stop.set();
    }

    /// Every connection. None of them may be dropped under the lock, which its end takes, too.
    fn all(&self) -> Vec<Arc<Activity>> {
        lock(&self.connections).all.iter().filter_map(Weak::upgrade).collect()
    }

    /// The counts at the end of the drain, which is reported with them. What is left is cut, and so is everything in
    /// flight if the server ends without a drain.
    pub(super) fn report(&self, took: Duration) -> Drain {
        if self.stage.load(Relaxed) != STOPPING {
            self.stop();
        }
        self.is_reported.store(true, Relaxed);
        self.counts(took)
    }

    fn counts(&self, took: Duration) -> Drain {
        let (drained, streams) = (self.drained.load(Relaxed), self.streams.load(Relaxed));
        Drain { drained, cut: self.cut.load(Relaxed) + self.left(), streams, took }
    }

    /// Notes that a client waits until another connection is closed, until the result is dropped.
    pub(super) fn client_waits(&self) -> impl Drop {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(&self.waiting)
    }

    /// Waits until the server is asked to stop.
    pub(super) async fn stop_asked(&self) {
        self.stop.wait().await;
    }

    /// Returns true if any connection is open.
    pub(super) fn is_any_open(&self) -> bool {
        self.open.is_any_left()
    }

    /// Lets the connections know when `linger` is over. Never completes.
    pub(super) async fn linger(&self) -> std::convert::Infallible {
        sleep(self.linger.max(READ_FIRST)).await;
        self.lingered.set();
        std::future::pending().await
    }

    /// Waits until `linger` is over, counted from the stop, and returns how long it was.
    async fn lingered(&self) -> Duration {
        self.lingered.wait().await;
        self.linger.max(READ_FIRST)
    }

    /// Waits until every connection is closed.
    pub(super) async fn ended(&self) {
        self.open.none_left().await;
    }

    /// The number of open connections that the drain still waits for.
    fn left(&self) -> usize {
        self.waited_for.load(Relaxed)
    }

    /// The route that a path matches, of those that are listed.
    pub(super) fn route_of(&self, path: &str) -> Option<&str> {
        let routes = self.routes.get_or_init(|| listed_routes(&self.cx));
        routes.at(path).ok().map(|matched| matched.value.as_str())
    }

    /// The nanoseconds since the server began, as a word that threads can share. It lasts for 500 years.
    fn now(&self) -> u64 {
        let elapsed = self.begun.elapsed();
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }
}

impl Server for Traffic {
    fn in_flight(&self) -> usize {
        self.all().iter().filter(|connection| connection.is_busy()).count()
    }

    fn load(&self) -> Load {
        let all = self.all();
        let requests = |connection: &Arc<Activity>| lock(&connection.requests).all.len();
        Load { connections: all.len(), requests: all.iter().map(requests).sum() }
    }

    fn requests(&self) -> Vec<RequestInFlight> {
        let requests = |connection: &Arc<Activity>| lock(&connection.requests).all.clone();
        let requests: Vec<_> = self.all().iter().filter(|connection| connection.is_busy()).flat_map(requests).collect();
        let named = |Request { line, begun, .. }: &Request| RequestInFlight {
            name: format!("{} {}", line.method, line.route(|path| self.route_of(path))),
            age: begun.elapsed(),
        };
        requests.iter().map(named).collect()
    }

    fn unreported(&self) -> Option<Drain> {
        if self.is_reported.load(Relaxed) {
            return None;
        }
        self.all().iter().for_each(|connection| connection.count_in_flight());
        Some(self.counts(Duration::ZERO)).filter(|drain| drain.drained + drain.cut > 0)
    }

    #[cfg(feature = "metrics")]
    fn drained_so_far(&self) -> Option<Drain> {
        let (drained, cut) = (self.drained.load(Relaxed), self.cut.load(Relaxed));
        (!self.is_reported.load(Relaxed)).then(|| Drain { drained, cut, ..Drain::default() })
    }
}

/// A client that waits for a connection, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The connections of a server, each at a place of its own.
#[derive(Debug, Default)]
struct Connections {
    all: Vec<Weak<Activity>>,
    free: Vec<usize>,
}

impl Connections {
    /// Returns its place.
    fn add(&mut self, connection: Weak<Activity>) -> usize {
        if let Some(place) = self.free.pop() {
            self.all[place] = connection;
            return place;
        }
        self.all.push(connection);
        self.all.len() - 1
    }

    fn remove(&mut self, place: usize) {
        self.all[place] = Weak::new();
        self.free.push(place);
    }
}

/// The requests in flight on one connection, in the order in which they came.
#[derive(Debug, Default)]
struct Requests {
    all: VecDeque<Request>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Request {
    number: u64,
    line: RequestLine,
    begun: Instant,
}

impl Requests {
    fn add(&mut self, line: RequestLine, begun: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.all.push_back(Request { number, line, begun });
        number
    }

    fn remove(&mut self, number: u64) {
        if let Some(place) = self.all.iter().position(|request| request.number == number) {
            self.all.remove(place);
        }
    }
}

/// One connection: its requests, and since when it has been silent.
#[derive(Debug)]
pub(crate) struct Activity {
    traffic: Arc<Traffic>,
    /// Its place among all connections.
    place: usize,
    requests: Mutex<Requests>,
    /// Requests whose response is not complete.
    in_flight: AtomicUsize,
    /// Requests in flight whose response has begun.
    answering: AtomicUsize,
    /// Requests in flight whose response is given to the connection and not yet written. HTTP/1 only.
    unwritten: AtomicUsize,
    /// Pieces of responses that are given to the connection and not yet written. HTTP/2 only.
    pieces: AtomicUsize,
    /// Tasks of requests and of tunnels. HTTP/2 only.
    tasks: AtomicUsize,
    /// The system takes no more bytes at the moment.
    stalled: AtomicBool,
    /// The connection is closed although the client has not taken all of a response.
    cut: AtomicBool,
    /// The client has sent a request.
    has_asked: AtomicBool,
    /// A part of a request has come.
    partial: AtomicBool,
    /// A request that is still partial is not waited for.
    gives_up: AtomicBool,
    /// The client has said that it sends no more, and has sent no body that may be unread.
    all_read: AtomicBool,
    /// All of the body of the last request was read.
    is_body_read: AtomicBool,
    /// Nothing is in flight, and nothing came for so long that the connection is to be taken apart. HTTP/1 only.
    silent: AtomicBool,
    /// The connection was upgraded, and the handler reads what the client sends.
    upgraded: AtomicBool,
    /// The next response is the last.
    is_last: AtomicBool,
    /// When the connection was opened, or last answered.
    silent_since: AtomicU64,
    standing: Mutex<Standing>,
    _open: Tallied,
}

/// How a connection counts in the drain. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The drain need not wait for it.
    Idle,
    /// The drain waits for its requests.
    WaitedFor,
    /// The drain waits for it, and it is a stream.
    Stream,
    Closed,
}

impl Activity {
    pub(super) fn new(traffic: &Arc<Traffic>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            place: lock(&traffic.connections).add(Weak::clone(this)),
            requests: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            unwritten: AtomicUsize::new(0),
            has_asked: AtomicBool::new(false),
            partial: AtomicBool::new(false),
            gives_up: AtomicBool::new(false),
            all_read: AtomicBool::new(false),
            is_body_read: AtomicBool::new(true),
            silent: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            pieces: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            stalled: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            is_last: AtomicBool::new(false),
            silent_since: AtomicU64::new(traffic.now()),
            standing: Mutex::new(Standing::Idle),
            _open: traffic.open.count(),
            traffic: Arc::clone(traffic),
        })
    }

    /// Counts a request that has come, until the result is dropped.
    pub(super) fn begin(self: &Arc<Self>, line: RequestLine) -> InFlight {
        let begun = Instant::now();
        let number = Some(lock(&self.requests).add(line, begun));
        self.in_flight.fetch_add(1, Relaxed);
        self.has_asked.store(true, Relaxed);
        self.partial.store(false, Relaxed);
        match self.traffic.stage.load(Relaxed) {
            SERVING => {}
            LEAVING => self.traffic.cx.lame_duck().came(),
            _ => self.count_as(Standing::WaitedFor),
        }
        InFlight {
            activity: Arc::clone(self),
            progress: Progress::NotBegun,
            number,
            begun,
            #[cfg(feature = "metrics")]
            counting: Some(Counting::default()),
        }
    }

    /// As [`Member::noting_polls`](crate::running::member::Member::noting_polls), for what serves this connection.
    pub(super) fn noting_polls<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<'_, F> {
        self.traffic.cx.member().noting_polls(future)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.traffic.stage.load(Relaxed) == STOPPING
    }

    pub(super) fn service(&self) -> &str {
        self.traffic.service()
    }

    /// Notes bytes that were read. Empty lines before a request are not a part of it (RFC 9112, section 2.2).
    pub(super) fn note_read(&self, bytes: &[u8]) {
        if bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.partial.store(true, Relaxed);
        }
    }

    /// Notes that everything the connection was given has been written.
    pub(super) fn note_flushed(&self) {
        let answers = self.unwritten.load(Relaxed);
        if answers > 0 {
            self.unwritten.store(0, Relaxed);
            self.answering.fetch_sub(answers, Relaxed);
            if !self.is_upgraded() {
                let mut requests = lock(&self.requests);
                let written = answers.min(requests.all.len());
                requests.all.drain(..written);
            }
            self.answered(answers);
        }
    }

    /// Notes that so many requests are no longer in flight.
    fn answered(&self, requests: usize) {
        self.silent_since.store(self.traffic.now(), Relaxed);
        self.partial.store(false, Relaxed);
        self.in_flight.fetch_sub(requests, Release);
    }

    /// Notes that the server serves the connection no more. If it is not closed, it was upgraded.
    pub(super) fn note_served(&self) {
        self.count_as(Standing::Stream);
    }

    /// Notes that the connection is closed.
    pub(super) fn close(&self) {
        let Traffic { waited_for, drained, cut, streams, .. } = &*self.traffic;
        let before = mem::replace(&mut *lock(&self.standing), Standing::Closed);
        if !matches!(before, Standing::WaitedFor | Standing::Stream) {
            return;
        }
        waited_for.fetch_sub(1, Relaxed);
        if self.is_stopping() {
            let counted = if self.cut.load(Relaxed) { cut } else { drained };
            counted.fetch_add(1, Relaxed);
        } else if before == Standing::Stream {
            streams.fetch_sub(1, Relaxed);
        }
    }

    /// Counts the connection in the drain, unless it is closed or counts for more already.
    fn count_as(&self, standing: Standing) {
        let mut now = lock(&self.standing);
        if *now >= standing {
            return;
        }
        if *now == Standing::Idle {
            self.traffic.waited_for.fetch_add(1, Relaxed);
        }
        if standing == Standing::Stream {
            self.traffic.streams.fetch_add(1, Relaxed);
        }
        *now = standing;
    }

    /// Waits until the server is asked to stop.
    async fn stop_asked(&self) {
        self.traffic.stop_asked().await;
        self.count_in_flight();
    }

    /// Counts the connection in the drain if something is in flight.
    fn count_in_flight(&self) {
        if self.owes() {
            // Each request in flight has one task, and each tunnel.
            let has_tunnel = self.tasks.load(Relaxed) > self.in_flight.load(Relaxed);
            let is_stream = has_tunnel || self.answering.load(Relaxed) > 0;
            self.count_as(if is_stream { Standing::Stream } else { Standing::WaitedFor });
        }
    }

    /// Waits until the server is asked to stop, and then for a random part of `close_spread`.
    pub(super) async fn is_to_close(&self) {
        self.stop_asked().await;
        if !self.traffic.close_spread.is_zero() {
            sleep(self.traffic.close_spread.mul_f64(chance())).await;
        }
        self.is_last.store(true, Relaxed);
    }

    /// Waits as [`is_to_close`](Self::is_to_close) does, and then until the connection may be closed: no request is in
    /// flight and, since then, the client has been silent for `linger`; or it has sent a part of a request, and does not complete it
    /// in time.
    pub(super) async fn may_close(&self) {
        let waited = if self.traffic.close_spread.is_zero() {
            // One timer for all. Until then, a connection on which nothing comes is not even woken.
            let waited = self.traffic.lingered().await;
            // The server may have counted it a moment before a request began.
            self.count_in_flight();
            self.is_last.store(true, Relaxed);
            waited
        } else {
            self.is_to_close().await;
            sleep(READ_FIRST).await;
            READ_FIRST
        };
        let since = Instant::now();
        while let Some(wait) = self.stays_open_for(waited + since.elapsed()) {
            sleep(wait).await;
        }
        self.gives_up.store(true, Relaxed);
    }

    /// The time for which the connection certainly stays open, `waited` after it was to close.
    fn stays_open_for(&self, waited: Duration) -> Option<Duration> {
        let Traffic { linger, rest_of_head, .. } = *self.traffic;
        let look_again = linger.max(READ_FIRST);
        if self.is_in_flight() {
            return Some(look_again);
        }
        let limit = if self.has_partial_request() { rest_of_head } else { linger };
        let left = limit.saturating_sub(waited.min(self.silent_for()));
        (!left.is_zero()).then(|| left.min(look_again))
    }

    /// HTTP/2, after GOAWAY: waits until nothing is owed and the client has had the time of a round trip. From then on,
    /// [`gives_up`](Self::gives_up) is true. Never completes, so that the connection looks at that again and again.
    #[cfg(feature = "http2")]
    pub(super) async fn close_in_time(&self) -> std::convert::Infallible {
        let round_trip = self.traffic.linger.min(self.traffic.rest_of_head).max(READ_FIRST);
        let since = Instant::now();
        loop {
            let mut wait = round_trip;
            if self.owes() {
                self.count_as(Standing::WaitedFor);
            } else {
                let left = round_trip.saturating_sub(since.elapsed().min(self.silent_for()));
                if left.is_zero() {
                    self.gives_up.store(true, Relaxed);
                } else {
                    wait = left;
                }
            }
            sleep(wait).await;
        }
    }

    /// Notes that the client will send nothing more.
    pub(super) fn note_all_read(&self) {
        self.all_read.store(true, Relaxed);
    }

    /// Notes whether all of the body of the last request was read.
    pub(super) fn note_body(&self, is_read: bool) {
        self.is_body_read.store(is_read, Relaxed);
    }

    /// Returns true if the connection is between two requests, so that it can be taken apart and put together again.
    pub(super) fn is_between_requests(&self) -> bool {
        let is_clear = !self.owes() && !self.has_partial_request() && self.is_body_read.load(Relaxed);
        is_clear && !self.is_upgraded() && !self.is_stopping()
    }

    /// Notes that the connection is to be taken apart, because it is [between two requests](Self::is_between_requests)
    /// and silent.
    pub(super) fn note_silent(&self) {
        lock(&self.requests).all = VecDeque::new();
        self.silent.store(true, Relaxed);
    }

    /// Returns true once after [`note_silent`](Self::note_silent).
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Relaxed) && self.silent.swap(false, Relaxed)
    }

    /// Returns true if the handler has the connection.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Relaxed)
    }

    /// The time to wait for the client to close the connection, too.
    pub(super) fn last_linger(&self) -> Option<Duration> {
        if self.all_read.load(Relaxed) { None } else { self.linger() }
    }

    /// The time for which a client must be silent before the server closes a connection that it has read from.
    pub(super) fn silence(&self) -> Duration {
        self.traffic.linger.max(READ_FIRST)
    }

    /// Notes that the client has not taken all bytes of a response.
    pub(super) fn note_unsent(&self) {
        if self.is_stopping() {
            self.count_as(Standing::WaitedFor);
        }
    }

    /// Notes that the system takes no more bytes, or that it does again.
    pub(super) fn note_stalled(&self, is_stalled: bool) {
        self.stalled.store(is_stalled, Relaxed);
        if is_stalled {
            self.note_unsent();
        }
    }

    /// Notes that the server closes the connection although the client has not taken all of a response.
    pub(super) fn note_cut(&self) {
        self.cut.store(true, Relaxed);
    }

    /// Returns true if the drain waits for the connection.
    pub(super) fn is_waited_for(&self) -> bool {
        *lock(&self.standing) >= Standing::WaitedFor
    }

    /// Returns true if something is in flight, or the drain waits for the connection.
    fn is_busy(&self) -> bool {
        let standing = *lock(&self.standing);
        standing != Standing::Closed && (standing != Standing::Idle || self.owes())
    }

    /// Returns true if the client is to get something: a response, the rest of one, or what a tunnel sends.
    fn owes(&self) -> bool {
        self.is_in_flight()
            || self.pieces.load(Acquire) > 0
            || self.tasks.load(Acquire) > 0
            || self.stalled.load(Relaxed)
    }

    /// Counts a task of this connection until the result is dropped.
    #[cfg(feature = "http2")]
    pub(super) fn begin_task(self: &Arc<Self>) -> RunningTask {
        self.tasks.fetch_add(1, Relaxed);
        RunningTask(Arc::clone(self))
    }

    /// The time for which something may still be on its way from the client.
    fn linger(&self) -> Option<Duration> {
        let linger = self.traffic.linger;
        if self.is_in_flight() || self.has_partial_request() {
            return Some(linger.max(READ_FIRST));
        }
        linger.checked_sub(self.silent_for()).filter(|wait| !wait.is_zero())
    }

    /// Returns true if nothing is waited for any more: no request is in flight, and a partial one has had its time.
    pub(super) fn gives_up(&self) -> bool {
        self.gives_up.load(Relaxed) && !self.owes()
    }

    fn has_partial_request(&self) -> bool {
        self.partial.load(Relaxed)
    }

    /// The time since the connection was opened, or last answered.
    fn silent_for(&self) -> Duration {
        Duration::from_nanos(self.traffic.now().saturating_sub(self.silent_since.load(Relaxed)))
    }

    /// Returns true if a request is not answered yet. If it is false, [`silent_for`](Self::silent_for) counts from the
    /// last response.
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.load(Acquire) > 0
    }

    /// Returns true if the rest of a head is to come, or the first head of the connection.
    pub(super) fn waits_for_head(&self) -> bool {
        let is_to_come = self.has_partial_request() || !self.has_asked.load(Relaxed);
        is_to_come && !self.is_in_flight()
    }

    /// Returns true if other clients wait for a connection.
    pub(super) fn is_in_demand(&self) -> bool {
        self.traffic.waiting.load(Relaxed) > 0
    }

    /// The time for which the client could have sent a request, and has not.
    pub(super) fn idle_for(&self) -> Duration {
        let is_busy = self.is_in_flight() || *lock(&self.standing) == Standing::Stream;
        if is_busy { Duration::ZERO } else { self.silent_for() }
    }
}

/// A task of an HTTP/2 connection: it answers a request, or writes for a tunnel.
#[cfg(feature = "http2")]
#[derive(Debug)]
pub(super) struct RunningTask(Arc<Activity>);

#[cfg(feature = "http2")]
impl RunningTask {
    /// Notes that it is being polled, until the result is dropped.
    pub(super) fn polls(&self) -> Option<OtherPoll<'_>> {
        self.0.traffic.cx.member().polls_other()
    }
}

#[cfg(feature = "http2")]
impl Drop for RunningTask {
    fn drop(&mut self) {
        // Before the stop only responses matter.
        if self.0.is_stopping() {
            self.0.silent_since.store(self.0.traffic.now(), Relaxed);
        }
        self.0.tasks.fetch_sub(1, Release);
    }
}

/// A request, until its response is complete; or a piece of its response, until it is written.
#[derive(Debug)]
pub(crate) struct InFlight {
    activity: Arc<Activity>,
    progress: Progress,
    /// The number of the request on its connection; `None` for a piece that is not the last.
    number: Option<u64>,
    /// When the request came.
    begun: Instant,
    /// `None` for a piece.
    #[cfg(feature = "metrics")]
    counting: Option<Counting>,
}

/// How far a response has come, and so what completes it.
#[derive(Debug)]
enum Progress {
    NotBegun,
    /// It is complete when the connection has been given all of it.
    Begun,
    /// It is complete when all of it is written, too.
    ToBeWritten,
    /// This is a piece of it, which the connection has.
    Piece,
}

impl InFlight {
    /// Returns true if the client is to send no more requests: the server stops, or will soon.
    pub(super) fn is_last(&self) -> bool {
        let Activity { traffic, is_last, .. } = &*self.activity;
        match traffic.stage.load(Relaxed) {
            SERVING => false,
            STOPPING => traffic.close_spread.is_zero() || is_last.load(Relaxed),
            _ => true,
        }
    }

    /// The context of the service that serves.
    pub(super) fn cx(&self) -> &Context {
        &self.activity.traffic.cx
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.activity.traffic
    }

    /// The time at which the request came.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Notes that the handler is being polled, until the result is dropped.
    pub(super) fn polls(&self) -> Option<OtherPoll<'_>> {
        self.cx().member().polls_other()
    }

    /// Polls the handler. One that blocks its thread is found in the service's polls.
    pub(super) fn poll_handler<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let _polls = self.activity.traffic.cx.member().polls_other();
        #[cfg(feature = "metrics")]
        if let Some(counting) = &mut self.counting {
            return counting.during(poll);
        }
        poll()
    }

    /// Finds where the request is counted, if none of its routes has said it: as one for the route that its path has, or
    /// as one of all others.
    #[cfg(feature = "metrics")]
    pub(super) fn find_place(&mut self, line: &RequestLine) {
        let Self { activity, counting: Some(counting), .. } = self else { return };
        let traffic = &activity.traffic;
        counting.place_at(|| {
            let route = line.route_if(|path| traffic.route_of(path)).unwrap_or(OTHER);
            traffic.cx.member().measures().http.of(Method::of(line.method.as_str()), route)
        });
    }

    /// Notes that the response upgrades the connection. Called before the handler gets the connection.
    pub(super) fn upgrade(&self) {
        self.activity.upgraded.store(true, Relaxed);
    }

    /// A piece of the response, which is given to the connection.
    pub(super) fn piece(&self) -> Self {
        self.activity.pieces.fetch_add(1, Relaxed);
        Self {
            activity: Arc::clone(&self.activity),
            progress: Progress::Piece,
            number: None,
            begun: self.begun,
            #[cfg(feature = "metrics")]
            counting: None,
        }
    }

    /// The last piece of the response, which is given to the connection: the request is no longer in flight.
    pub(super) fn into_last_piece(mut self) -> Self {
        self.activity.pieces.fetch_add(1, Relaxed);
        self.complete();
        self.progress = Progress::Piece;
        self
    }

    fn complete(&mut self) {
        #[cfg(feature = "metrics")]
        if let Some(counting) = self.counting.take() {
            counting.end(self.begun.elapsed());
        }
        let activity = &self.activity;
        match self.progress {
            Progress::NotBegun => activity.answered(1),
            Progress::Begun => {
                activity.answering.fetch_sub(1, Relaxed);
                activity.answered(1);
            }
            Progress::ToBeWritten => activity.unwritten.store(activity.unwritten.load(Relaxed) + 1, Relaxed),
            Progress::Piece => {
                activity.silent_since.store(activity.traffic.now(), Relaxed);
                activity.pieces.fetch_sub(1, Release);
            }
        }
    }

    /// Notes that the response begins. Over HTTP/1 responses are written in order, so that a flush tells which of them
    /// have been written.
    pub(super) fn answer(&mut self, is_http1: bool, line: &RequestLine, status: StatusCode) {
        #[cfg(feature = "metrics")]
        {
            self.find_place(line);
            self.counting.iter_mut().for_each(|counting| counting.answered(status));
        }
        #[cfg(not(feature = "metrics"))]
        let _ = (line, status);
        self.progress = if is_http1 { Progress::ToBeWritten } else { Progress::Begun };
        self.activity.answering.fetch_add(1, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Over HTTP/1 a response is in flight until it is written.
        if let Some(number) = self.number.filter(|_| !matches!(self.progress, Progress::ToBeWritten)) {
            lock(&self.activity.requests).remove(number);
        }
        self.complete();
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        lock(&self.traffic.connections).remove(self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::group::Group;

    #[tokio::test]
    async fn a_connection_that_is_closed_while_it_is_noted_as_upgraded_is_not_left() {
        let mut group = Group::new();
        group.add_fn("web", |cx: Context| async move {
            let traffic = Traffic::new(&cx, &Limits::default());
            let connections: Vec<_> = (0..20_000).map(|_| Activity::new(&traffic)).collect();
            let both = Barrier::new(2);
            let all = |change: fn(&Activity)| {
                both.wait();
                for connection in &connections {
                    change(connection);
                }
            };
            thread::scope(|threads| {
                threads.spawn(|| all(Activity::note_served));
                threads.spawn(|| all(Activity::close));
            });
            let Drain { drained, streams, .. } = traffic.counts(Duration::ZERO);
            assert_eq!((traffic.left(), streams, drained), (0, 0, 0));
        });
        let report = group.start().await.unwrap().stop().await;
        assert!(report.is_clean(), "{report}");
    }
}
