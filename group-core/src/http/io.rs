//! The bytes of one connection.

#[cfg(feature = "http2")]
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::http::limits::Limits;
use crate::http::room::Room;
use crate::http::socket::{Closed, Stream, Unsent};
use crate::http::traffic::Activity;

/// The first bytes of a client that speaks HTTP/2.
#[cfg(feature = "http2")]
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Pieces that are together no longer than this are copied and written as one, which costs the system less than a
/// vectored write.
const SMALL: usize = 1024;

/// An idle connection looks this often if other clients wait for one.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A connection is taken apart when its client has been silent for this long after a response; for up to the second time
/// if it is used often, so that no request of many in a row finds it apart.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);
const MOST_PATIENCE: Duration = Duration::from_secs(2);

/// The longest time for which a client that goes on sending after its last response is read from, as in nginx.
const MOST_LINGER: Duration = Duration::from_secs(30);

/// The time in which a client's system acknowledges what it has received: it may put that off for 40 ms.
const ACKNOWLEDGES: Duration = Duration::from_millis(60);

const UNREAD: &str = "the client does not read the response (write_timeout)";

/// The stream of a connection. If a handler upgrades the connection, it gets this. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Io {
    stream: Stream,
    /// Bytes that are to be read again: they were read to find out the protocol, or before the connection was taken apart.
    ahead: Vec<u8>,
    activity: Arc<Activity>,
    /// The time that the client may take to send a head. Over HTTP/2 there is none.
    header_read_timeout: Option<Duration>,
    /// The time for which the client may be silent after a response.
    idle_timeout: Duration,
    /// Runs while no request comes. There is one for the connection, not one for each request, so it may have been set
    /// for an earlier request.
    idle: Option<IdleTimer>,
    /// `idle` runs for the rest of a head, or for the first head of the connection.
    waits_for_head: bool,
    /// The time of silence after which the connection is taken apart.
    patience: Duration,
    /// The connection is taken apart.
    is_apart: bool,
    /// The time that a request has whose client has closed its side.
    half_close_timeout: Duration,
    /// Runs while a request is in flight whose client has closed its side.
    half_closed: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
    /// Runs while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Is set while the connection closes.
    closing: Option<Closing>,
    /// Says if a write still waits for the responses that are about to be ready.
    #[cfg(feature = "http2")]
    gathers: Gathers,
    /// Makes room for another connection when this one is closed.
    _room: Room,
}

impl Io {
    pub(super) fn new(stream: Stream, activity: Arc<Activity>, limits: Limits, room: Room) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            activity,
            header_read_timeout: Some(limits.header_read_timeout),
            idle_timeout: limits.idle_timeout,
            idle: None,
            waits_for_head: true,
            patience: PATIENCE,
            is_apart: true,
            half_close_timeout: limits.half_close_timeout,
            half_closed: None,
            write_timeout: limits.write_timeout,
            stalled: None,
            closing: None,
            #[cfg(feature = "http2")]
            gathers: Gathers::Never,
            _room: room,
        }
    }

    /// Reads as many bytes as it takes to find out.
    #[cfg(feature = "http2")]
    pub(super) async fn speaks_http2(&mut self) -> io::Result<bool> {
        while self.ahead.len() < PREFACE.len() && PREFACE.starts_with(&self.ahead) {
            if poll_fn(|task| self.poll_ahead(task)).await? == 0 {
                return Ok(false);
            }
        }
        Ok(self.ahead.starts_with(PREFACE))
    }

    #[cfg(feature = "http2")]
    fn poll_ahead(&mut self, task: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Most heads fit, so that they are not read in two pieces.
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(self.poll_stream(task, &mut buffer))?;
        self.ahead.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Waits until the client sends something or closes the connection, which is taken apart. Fails if it is silent for too
    /// long.
    pub(super) fn poll_comes(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_apart = true;
        if self.ahead.is_empty() && self.stream.poll_readable(task)?.is_pending() {
            return self.poll_idle(task);
        }
        self.is_apart = false;
        if let Some(idle) = self.idle.as_mut().filter(|_| !self.waits_for_head) {
            idle.reset(self.patience);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads these bytes again, first of all. They are a part of a request.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.activity.note_read(bytes);
        self.ahead.splice(..0, bytes.iter().copied());
    }

    /// The address of the client, if it has one.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }

    /// Notes that the connection speaks HTTP/2: it may be silent for any time, and has many responses at a time.
    #[cfg(feature = "http2")]
    pub(super) fn is_http2(&mut self) {
        self.header_read_timeout = None;
        self.gathers = Gathers::First;
    }

    fn poll_stream(&mut self, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(task, buffer) else {
            return self.poll_idle(task);
        };
        self.activity.note_read(&buffer.filled()[before..]);
        self.half_closed = None;
        Poll::Ready(read)
    }

    /// Fails if the client of a request in flight is gone: it takes nothing any more, or has closed its side and may not
    /// wait for longer. Over HTTP/1 the connection is flushed in each of its polls, but not always read.
    fn poll_gone(&mut self, task: &mut Context<'_>) -> Poll<io::Error> {
        let is_http1 = self.header_read_timeout.is_some();
        if !is_http1 || !self.activity.is_in_flight() || self.activity.is_upgraded() {
            return Poll::Pending;
        }
        match ready!(self.stream.poll_closed(task)) {
            Err(error) => Poll::Ready(error),
            Ok(Closed::Wholly) => Poll::Ready(io::ErrorKind::ConnectionReset.into()),
            Ok(Closed::ItsSide) => {
                let limit = self.half_close_timeout;
                let timer = self.half_closed.get_or_insert_with(|| Box::pin(sleep(limit)));
                timer.as_mut().poll(task).map(|()| timed_out("the client has closed its side (half_close_timeout)"))
            }
        }
    }

    /// Fails if the client has sent no request in time: it has gone, or only keeps the connection busy. From the first
    /// byte of a head on, the time for the head counts; other bytes give it no more time.
    ///
    /// The timer is set also while a request is in flight, because hyper does not read again when that is answered.
    fn poll_idle(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(limit) = self.header_read_timeout else {
            // At the end of what it reads, h2 closes the connection. It would wait for an answer to its PING.
            return if self.activity.gives_up() { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        if self.activity.gives_up() {
            return Poll::Ready(Err(timed_out("the server stops, and the client has not sent a complete request")));
        }
        let idle = self.idle.get_or_insert_with(|| IdleTimer::after(limit));
        let waits_for_head = self.activity.waits_for_head();
        if waits_for_head != self.waits_for_head {
            idle.reset(if waits_for_head { limit } else { self.patience });
        }
        self.waits_for_head = waits_for_head;
        loop {
            ready!(idle.poll(task));
            let (limit, why) = match (waits_for_head, self.activity.is_in_demand()) {
                (true, _) => (limit, "the client sent no request in time (header_read_timeout)"),
                (false, true) => (limit.min(self.idle_timeout), "idle while other clients wait (max_connections)"),
                (false, false) => (self.idle_timeout, "the client sent no request for long (idle_timeout)"),
            };
            let silent_for = self.activity.idle_for();
            let left = limit.saturating_sub(silent_for);
            if left.is_zero() {
                return Poll::Ready(Err(timed_out(why)));
            }
            let look_again = left.min(LOOK_AGAIN);
            if self.is_apart || waits_for_head {
                idle.reset(look_again);
            } else if silent_for >= self.patience && self.activity.is_between_requests() {
                idle.reset(look_again);
                self.activity.note_silent();
                return Poll::Pending;
            } else {
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
                idle.reset(look_again.min(self.patience));
            }
        }
    }

    /// Lets other tasks go first, once for each flush: those that have been woken run before this is polled again.
    #[cfg(feature = "http2")]
    fn gather(&mut self, task: &Context<'_>) -> Poll<()> {
        if self.gathers != Gathers::First || !self.activity.is_in_flight() {
            return Poll::Ready(());
        }
        self.gathers = Gathers::Done;
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Fails if a write is pending for too long: a client that does not read for a while will not read the rest.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, task: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.half_closed = None;
            if self.stalled.take().is_some() {
                self.activity.note_stalled(false);
            }
            return written;
        }
        ready!(self.poll_stalled(task));
        Poll::Ready(Err(timed_out(UNREAD)))
    }

    /// Completes when the client has left its response unread for too long.
    fn poll_stalled(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let limit = self.write_timeout;
        if self.stalled.is_none() {
            self.activity.note_stalled(true);
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(task));
        self.activity.note_cut();
        Poll::Ready(())
    }

    /// Begins to close the connection. Returns `None` if nothing is to be waited for.
    fn closing(&self) -> Option<Closing> {
        let linger = self.activity.last_linger().filter(|_| !self.has_had_its_time());
        if self.activity.is_upgraded() || linger.is_none() && !self.activity.is_stopping() {
            return None;
        }
        Some(Closing {
            unsent: self.stream.unsent(),
            acknowledges: Box::pin(sleep(ACKNOWLEDGES)),
            linger,
            is_shut: false,
            heard: false,
            silence: None,
            most: None,
        })
    }

    /// Returns true if this is an HTTP/2 connection that was idle at the stop, and has been given the time to end.
    fn has_had_its_time(&self) -> bool {
        self.header_read_timeout.is_none() && self.activity.gives_up() && !self.activity.is_waited_for()
    }

    /// Throws away what the client sends. Returns true if the client has closed the connection.
    fn discard(&mut self, task: &mut Context<'_>) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        loop {
            let mut buffer = ReadBuf::uninit(&mut buffer);
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(task, &mut buffer) else { return Ok(false) };
            read?;
            if buffer.filled().is_empty() {
                return Ok(true);
            }
            self.activity.note_read(buffer.filled());
            if let Some(closing) = &mut self.closing {
                closing.heard = true;
            }
        }
    }

    /// Returns true if a client that goes on sending is waited for. It may be reading its last responses; over HTTP/2,
    /// it says so as it reads.
    fn waits_while_heard(&self) -> bool {
        if self.header_read_timeout.is_none() {
            return self.activity.is_waited_for();
        }
        !self.activity.gives_up()
    }

    /// The longest time for which a client that goes on sending is waited for. At the stop, the service's own limit ends
    /// that, too.
    fn most(&self) -> Duration {
        let is_http2 = self.header_read_timeout.is_none();
        if is_http2 && self.activity.is_stopping() { self.write_timeout } else { MOST_LINGER }
    }
}

/// A connection that the server closes.
///
/// To close a socket that has unread bytes is to reset the connection, and so is to receive bytes afterwards: then the
/// system throws away what the client has not taken. So the server reads on until the client has all, and is silent.
#[derive(Debug)]
struct Closing {
    /// Completes when the client has taken what was written; `None` if that is so, or if the system cannot tell.
    unsent: Option<Unsent>,
    /// Runs while the client's system may only be slow to acknowledge.
    acknowledges: Pin<Box<Sleep>>,
    /// The time for which a client that is silent already is waited for; `None` if nothing can come from it.
    linger: Option<Duration>,
    /// The client has been told that nothing more comes.
    is_shut: bool,
    /// Bytes came since `silence` began.
    heard: bool,
    /// Runs while the client is silent.
    silence: Option<Pin<Box<Sleep>>>,
    /// When a client that goes on sending is not waited for any more.
    most: Option<Instant>,
}

impl Io {
    pub(super) fn poll_close(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.stream).poll_flush(task))?;
            self.closing = self.closing();
        }
        if self.closing.is_none() {
            return Pin::new(&mut self.stream).poll_shutdown(task);
        }
        if self.discard(task)? {
            return Pin::new(&mut self.stream).poll_shutdown(task);
        }
        let Some(closing) = &mut self.closing else { return Poll::Ready(Ok(())) };
        if let Some(unsent) = &mut closing.unsent {
            if unsent.poll_sent(task).is_pending() {
                ready!(closing.acknowledges.as_mut().poll(task));
                closing.linger = Some(self.activity.silence());
                self.activity.note_unsent();
                ready!(self.poll_stalled(task));
                return Poll::Ready(Err(timed_out(UNREAD)));
            }
            closing.unsent = None;
            if self.stalled.take().is_some() {
                self.activity.note_stalled(false);
            }
        }
        let (may_go_on, most) = (self.waits_while_heard(), self.most());
        let Some(closing) = &mut self.closing else { return Poll::Ready(Ok(())) };
        if !closing.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(task))?;
            closing.is_shut = true;
        }
        let Some(linger) = closing.linger else { return Poll::Ready(Ok(())) };
        if closing.heard && may_go_on && Instant::now() < *closing.most.get_or_insert_with(|| Instant::now() + most) {
            closing.silence = Some(Box::pin(sleep(self.activity.silence())));
            closing.heard = false;
        }
        let silence = closing.silence.get_or_insert_with(|| Box::pin(sleep(linger)));
        silence.as_mut().poll(task).map(Ok)
    }
}

/// Over HTTP/2 every response wakes the connection, which would write each with a system call of its own. So before the
/// connection writes, it lets the tasks of other responses run, once for each flush.
#[cfg(feature = "http2")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathers {
    /// The connection has one response at a time.
    Never,
    /// The next write lets other tasks go first.
    First,
    /// They have had their turn, and the connection writes.
    Done,
}

/// A sleep that is polled often and hardly ever ends. It skips the polls that would only register the same waker again.
#[derive(Debug)]
struct IdleTimer {
    sleep: Pin<Box<Sleep>>,
    /// The waker that is registered.
    wakes: Waker,
}

impl IdleTimer {
    fn after(time: Duration) -> Self {
        Self { sleep: Box::pin(sleep(time)), wakes: Waker::noop().clone() }
    }

    fn reset(&mut self, time: Duration) {
        self.sleep.set(sleep(time));
        self.wakes.clone_from(Waker::noop());
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if self.wakes.will_wake(task.waker()) && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.wakes.clone_from(task.waker());
        self.sleep.as_mut().poll(task)
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl Drop for Io {
    fn drop(&mut self) {
        self.activity.close();
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let read = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..read]);
            self.ahead.drain(..read);
            if self.ahead.is_empty() {
                // Frees the memory: the buffer is not needed again on this connection.
                self.ahead = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        self.poll_stream(task, buffer)
    }
}

/// A flush completes when everything has been written: hyper keeps the bytes that the stream does not take.
impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        #[cfg(feature = "http2")]
        ready!(self.gather(task));
        let written = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.in_time(written, task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        #[cfg(feature = "http2")]
        ready!(self.gather(task));
        let mut room = [MaybeUninit::uninit(); SMALL];
        let mut whole = ReadBuf::uninit(&mut room);
        let written = if slices.iter().map(|slice| slice.len()).sum::<usize>() <= SMALL {
            for slice in slices {
                whole.put_slice(slice);
            }
            Pin::new(&mut self.stream).poll_write(task, whole.filled())
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(task, slices)
        };
        self.in_time(written, task)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        #[cfg(feature = "http2")]
        if self.gathers == Gathers::Done {
            self.gathers = Gathers::First;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(task))?;
        self.activity.note_flushed();
        match self.poll_gone(task) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    /// Completes when the client has taken its responses and is silent, or has closed the connection, too. It does not
    /// wait for a client that has said that it sends no more, except for what it has not taken at the stop; nor on an
    /// upgraded connection, whose rest the handler reads.
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close(task)
    }
}
