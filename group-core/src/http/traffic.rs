//! What a server and its connections have in hand: what a drain waits for, and what it comes to.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::base::chance;
use crate::base::sync::{Latch, Tallied, Tally};
use crate::http::limits::Limits;
use crate::service::context::Context;

/// After this long, what was in the socket when the stop was asked for has been read.
const READ_FIRST: Duration = Duration::from_millis(5);

/// Once the server stops, no client has longer for the rest of a head that it has begun.
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
    /// That of the service which serves.
    cx: Context,
    begun: Instant,
    linger: Duration,
    close_spread: Duration,
    rest_of_head: Duration,
    /// Set when the server is asked to stop.
    stop: Latch,
    /// How far it has come, for those who look at every request.
    stage: AtomicU8,
    /// Every connection until it is closed, also one that was upgraded.
    open: Tally,
    /// Connections that the drain waits for.
    waited_for: Arc<AtomicUsize>,
    /// Once it stops: those of them that are closed.
    drained: AtomicUsize,
    /// Of both, those that are a stream: upgraded, or in the midst of an answer when the stop came.
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
            stage: AtomicU8::new(SERVING),
            open: Tally::default(),
            waited_for: Arc::default(),
            drained: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
        })
    }

    pub(super) fn service(&self) -> &str {
        self.cx.name()
    }

    /// From when the group is a lame duck, every answer says that the connection closes: who asks again
    /// has to come anew, and then somebody else may be told to serve them. Never ends.
    pub(super) async fn leave_when_told(&self) {
        self.cx.lame_duck().begun().await;
        self.stage.store(LEAVING, Relaxed);
        std::future::pending::<()>().await;
    }

    /// Somebody has come. A lame duck stops when nobody does any more.
    pub(super) fn note_arrival(&self) {
        if self.stage.load(Relaxed) == LEAVING {
            self.cx.lame_duck().came();
        }
    }

    pub(super) fn stop(&self) {
        self.stage.store(STOPPING, Relaxed);
        self.stop.set();
    }

    /// Whether any connection is open.
    pub(super) fn is_any_open(&self) -> bool {
        self.open.is_any_left()
    }

    /// Waits until every connection is closed.
    pub(super) async fn ended(&self) {
        self.open.none_left().await;
    }

    /// Connections that were closed after what was in hand.
    pub(super) fn drained(&self) -> usize {
        self.drained.load(Relaxed)
    }

    /// Connections on which something is still in hand.
    pub(super) fn left(&self) -> usize {
        self.waited_for.load(Relaxed)
    }

    /// The same, for the service, which says while it stops how many there are.
    pub(super) fn waited_for(&self) -> &Arc<AtomicUsize> {
        &self.waited_for
    }

    /// Of both, those that were a stream.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// The time since it began. A word that threads can share, to the nanosecond, for 500 years.
    fn now(&self) -> u64 {
        let elapsed = self.begun.elapsed();
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }
}

/// One connection: what is in hand on it, and since when nothing is.
#[derive(Debug)]
pub(crate) struct Activity {
    traffic: Arc<Traffic>,
    /// Requests that are not answered to the end.
    in_hand: AtomicUsize,
    /// Of these, those whose answer has begun.
    answering: AtomicUsize,
    /// Of these, those whose answer is given and not yet written. Over HTTP/1, and so of one task alone.
    unwritten: AtomicUsize,
    /// Whether something of a request came that is not whole yet.
    heard: AtomicBool,
    /// Whether what is not whole by now is not waited for.
    gives_up: AtomicBool,
    /// Whether nobody here reads what the client may still send: it has said that it sends no more, and has sent no
    /// body that may be unread; or a handler reads it, who has upgraded the connection.
    all_read: AtomicBool,
    /// Whether the next answer is the last.
    is_last: AtomicBool,
    /// When it was opened, or last answered.
    silent_since: AtomicU64,
    /// Whether the drain waits for it.
    waited_for: AtomicBool,
    is_stream: AtomicBool,
    closed: AtomicBool,
    _open: Tallied,
}

impl Activity {
    pub(super) fn new(traffic: &Arc<Traffic>) -> Arc<Self> {
        Arc::new(Self {
            in_hand: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            unwritten: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            gives_up: AtomicBool::new(false),
            all_read: AtomicBool::new(false),
            is_last: AtomicBool::new(false),
            silent_since: AtomicU64::new(traffic.now()),
            waited_for: AtomicBool::new(false),
            is_stream: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            _open: traffic.open.count(),
            traffic: Arc::clone(traffic),
        })
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> InHand {
        self.in_hand.fetch_add(1, Relaxed);
        self.heard.store(false, Relaxed);
        match self.traffic.stage.load(Relaxed) {
            SERVING => {}
            LEAVING => self.traffic.cx.lame_duck().came(),
            _ => self.wait_for(),
        }
        InHand { activity: Arc::clone(self), answer: Answer::NotBegun }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.traffic.stage.load(Relaxed) == STOPPING
    }

    pub(super) fn service(&self) -> &str {
        self.traffic.service()
    }

    /// This was read. Empty lines before a request are nothing of it (RFC 9112, section 2.2).
    pub(super) fn hear(&self, bytes: &[u8]) {
        if bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.heard.store(true, Relaxed);
        }
    }

    /// All that was to be written has been.
    pub(super) fn written(&self) {
        let answers = self.unwritten.load(Relaxed);
        if answers > 0 {
            self.unwritten.store(0, Relaxed);
            self.answering.fetch_sub(answers, Relaxed);
            self.answered(answers);
        }
    }

    /// So many requests are not in hand any more.
    fn answered(&self, requests: usize) {
        self.silent_since.store(self.traffic.now(), Relaxed);
        self.heard.store(false, Relaxed);
        self.in_hand.fetch_sub(requests, Relaxed);
    }

    /// Nobody answers requests on it any more. If it is not closed, it has become something else.
    pub(super) fn served(&self) {
        if !self.closed.load(Relaxed) {
            self.wait_for();
            self.is_stream();
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        if !self.waited_for.load(Relaxed) {
            return;
        }
        self.traffic.waited_for.fetch_sub(1, Relaxed);
        if self.is_stopping() {
            self.traffic.drained.fetch_add(1, Relaxed);
        } else if self.is_stream.load(Relaxed) {
            self.traffic.streams.fetch_sub(1, Relaxed);
        }
    }

    /// Waits until the server is asked to stop.
    async fn stop_asked(&self) {
        self.traffic.stop.wait().await;
        if self.is_in_hand() {
            self.wait_for();
        }
        if self.answering.load(Relaxed) > 0 {
            self.is_stream();
        }
    }

    /// Waits until the server is asked to stop, and then for the connection's own moment to be closed.
    pub(super) async fn is_to_close(&self) {
        self.stop_asked().await;
        if !self.traffic.close_spread.is_zero() {
            sleep(self.traffic.close_spread.mul_f64(chance())).await;
        }
        self.is_last.store(true, Relaxed);
    }

    /// The same, and until the connection may be closed: nothing is in hand, and the client has been silent for so
    /// long that nothing is on its way, either; or it has begun to ask, and does not go on in time.
    pub(super) async fn may_close(&self) {
        self.is_to_close().await;
        let told = Instant::now();
        sleep(READ_FIRST).await;
        while let Some(wait) = self.stays_open_for(told.elapsed()) {
            sleep(wait).await;
        }
        self.gives_up.store(true, Relaxed);
    }

    /// How long it certainly stays open, so long after it was to close.
    fn stays_open_for(&self, told: Duration) -> Option<Duration> {
        let wait = self.linger()?;
        if self.is_in_hand() || !self.has_begun_to_ask() {
            return Some(wait);
        }
        let left = self.traffic.rest_of_head.saturating_sub(told.min(self.silent_for()));
        (!left.is_zero()).then(|| wait.min(left))
    }

    /// Nothing that the client will send is to be read here.
    pub(super) fn all_read(&self) {
        self.all_read.store(true, Relaxed);
    }

    /// How long to wait for the client to close the connection, too.
    pub(super) fn last_linger(&self) -> Option<Duration> {
        if self.all_read.load(Relaxed) { None } else { self.linger() }
    }

    /// How long something may still be on its way from the client.
    fn linger(&self) -> Option<Duration> {
        let linger = self.traffic.linger;
        if self.is_in_hand() || self.has_begun_to_ask() {
            return Some(linger.max(READ_FIRST));
        }
        linger.checked_sub(self.silent_for()).filter(|wait| !wait.is_zero())
    }

    /// Whether nothing is waited for any more: nothing is in hand, and what has begun to come has had its time.
    pub(super) fn gives_up(&self) -> bool {
        self.gives_up.load(Relaxed) && !self.is_in_hand()
    }

    fn has_begun_to_ask(&self) -> bool {
        self.heard.load(Relaxed)
    }

    /// How long ago it was opened, or last answered.
    fn silent_for(&self) -> Duration {
        Duration::from_nanos(self.traffic.now().saturating_sub(self.silent_since.load(Relaxed)))
    }

    /// Whether something is to be answered.
    pub(super) fn is_in_hand(&self) -> bool {
        self.in_hand.load(Relaxed) > 0
    }

    /// For how long the client might have asked something, and has not.
    pub(super) fn asks_nothing_for(&self) -> Duration {
        let is_busy = self.is_in_hand() || self.is_stream.load(Relaxed);
        if is_busy { Duration::ZERO } else { self.silent_for() }
    }

    fn wait_for(&self) {
        if !self.waited_for.swap(true, Relaxed) {
            self.traffic.waited_for.fetch_add(1, Relaxed);
        }
    }

    fn is_stream(&self) {
        if !self.is_stream.swap(true, Relaxed) {
            self.traffic.streams.fetch_add(1, Relaxed);
        }
    }
}

/// A request, until it is answered to the end.
#[derive(Debug)]
pub(crate) struct InHand {
    activity: Arc<Activity>,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    NotBegun,
    /// It is over when the connection has been given all of it.
    Begun,
    /// It is over when all of it is written, too.
    ToBeWritten,
}

impl InHand {
    /// Whether the client is to send no more: the server stops, or will soon.
    pub(super) fn is_last(&self) -> bool {
        let Activity { traffic, is_last, .. } = &*self.activity;
        match traffic.stage.load(Relaxed) {
            SERVING => false,
            STOPPING => traffic.close_spread.is_zero() || is_last.load(Relaxed),
            _ => true,
        }
    }

    /// That of the service which serves.
    pub(super) fn cx(&self) -> &Context {
        &self.activity.traffic.cx
    }

    /// Notes that its handler is being polled, until what is returned is dropped.
    pub(super) fn polls(&self) -> impl Drop {
        self.cx().member().polls_other()
    }

    /// Its answer makes the connection something else. Told before the handler has it.
    pub(super) fn upgrade(&self) {
        self.activity.all_read();
    }

    /// Its answer begins. Over HTTP/1 all that the connection is given is written in order, so that it is known when
    /// an answer has been.
    pub(super) fn answer(&mut self, is_http1: bool) {
        self.answer = if is_http1 { Answer::ToBeWritten } else { Answer::Begun };
        self.activity.answering.fetch_add(1, Relaxed);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let activity = &self.activity;
        match self.answer {
            Answer::NotBegun => activity.answered(1),
            Answer::Begun => {
                activity.answering.fetch_sub(1, Relaxed);
                activity.answered(1);
            }
            Answer::ToBeWritten => activity.unwritten.store(activity.unwritten.load(Relaxed) + 1, Relaxed),
        }
    }
}
