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
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use crate::http::limits::Limits;
use crate::http::socket::Stream;
use crate::http::traffic::Activity;

/// What a client that speaks HTTP/2 sends first.
#[cfg(feature = "http2")]
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The pieces of what is no longer than this are copied and written as one: it costs the system less.
const SMALL: usize = 1024;

/// A connection's stream, wherever it goes: also to a handler that upgrades it. To drop it is to close
/// the connection.
#[derive(Debug)]
pub(crate) struct Io {
    stream: Stream,
    /// What was read to learn the protocol, and is to be read again.
    #[cfg(feature = "http2")]
    ahead: Vec<u8>,
    activity: Arc<Activity>,
    /// How long the client may take to ask.
    header_read_timeout: Option<Duration>,
    /// Runs while nothing is asked. One for the connection, not one for each request: it may have been set
    /// for an earlier one.
    awaits: Option<Alarm>,
    write_timeout: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while what comes after the last answer is thrown away.
    lingers: Option<Pin<Box<Sleep>>>,
    /// Whether what is to be written waits for the answers that are about to be ready.
    #[cfg(feature = "http2")]
    gathers: Gathers,
    /// Makes room for another when it is closed.
    _room: Option<OwnedSemaphorePermit>,
}

impl Io {
    pub(super) fn new(
        stream: Stream,
        activity: Arc<Activity>,
        limits: Limits,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            stream,
            #[cfg(feature = "http2")]
            ahead: Vec::new(),
            activity,
            header_read_timeout: Some(limits.header_read_timeout),
            awaits: None,
            write_timeout: limits.write_timeout,
            stalled: None,
            lingers: None,
            #[cfg(feature = "http2")]
            gathers: Gathers::Never,
            _room: room,
        }
    }

    /// Reads as much as it takes to know.
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
        // Enough for the head of most requests, so that it is not read in two pieces.
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(self.poll_stream(task, &mut buffer))?;
        self.ahead.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Who has connected, if that has an address.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }

    /// It may be silent for as long as it likes, and has many answers at a time.
    #[cfg(feature = "http2")]
    pub(super) fn is_http2(&mut self) {
        self.header_read_timeout = None;
        self.gathers = Gathers::First;
    }

    fn poll_stream(&mut self, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(task, buffer) else {
            return self.await_request(task);
        };
        self.activity.hear(&buffer.filled()[before..]);
        Poll::Ready(read)
    }

    /// A client that asks nothing for a while has gone, or wants to keep us busy. What it sends of a request
    /// gives it no more time.
    ///
    /// The alarm is set also where something is in hand: hyper does not read again when that is answered.
    fn await_request(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(limit) = self.header_read_timeout else { return Poll::Pending };
        if self.activity.gives_up() {
            return Poll::Ready(Err(timed_out("the server stops, and the client asks nothing whole")));
        }
        let awaits = self.awaits.get_or_insert_with(|| Alarm::after(limit));
        loop {
            ready!(awaits.poll(task));
            let left = limit.saturating_sub(self.activity.asks_nothing_for());
            if left.is_zero() {
                return Poll::Ready(Err(timed_out("the client asks nothing (header_read_timeout)")));
            }
            awaits.ring_after(left);
        }
    }

    /// Lets others go first, if there are any: those that have been woken run before this is polled again.
    #[cfg(feature = "http2")]
    fn gather(&mut self, task: &Context<'_>) -> Poll<()> {
        if self.gathers != Gathers::First || !self.activity.is_in_hand() {
            return Poll::Ready(());
        }
        self.gathers = Gathers::Done;
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// A client that takes nothing for a while will not take the rest, either.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, task: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(task));
        Poll::Ready(Err(timed_out("the client takes nothing (write_timeout)")))
    }
}

/// Over HTTP/2 every answer wakes the connection, which would write each for itself. But the tasks of others
/// may be about to run: so before the connection writes, it lets them go first, once for each flush.
#[cfg(feature = "http2")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathers {
    /// It has one answer at a time.
    Never,
    /// Before it writes.
    First,
    /// It has, and writes.
    Done,
}

/// A sleep that is polled often, and hardly ever over.
#[derive(Debug)]
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes.
    wakes: Waker,
}

impl Alarm {
    fn after(time: Duration) -> Self {
        Self { sleep: Box::pin(sleep(time)), wakes: Waker::noop().clone() }
    }

    fn ring_after(&mut self, time: Duration) {
        self.sleep.set(sleep(time));
        self.wakes.clone_from(Waker::noop());
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        // To register again would change nothing.
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
        #[cfg(feature = "http2")]
        if !self.ahead.is_empty() {
            let read = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..read]);
            self.ahead.drain(..read);
            if self.ahead.is_empty() {
                // Nothing of it is needed again, for as long as the connection is open.
                self.ahead = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        self.poll_stream(task, buffer)
    }
}

/// It is flushed when all that was to be written has been: hyper keeps what the stream does not take.
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
        self.activity.written();
        Poll::Ready(Ok(()))
    }

    /// To close a socket in which there is something to read is to reset the connection, and then the
    /// client may never see its answer. So it is read until the client closes, too, or is silent. One that has
    /// said that it sends no more is not waited for; and of one that was upgraded the handler reads the rest.
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(task))?;
            self.lingers = self.activity.last_linger().map(|wait| Box::pin(sleep(wait)));
        }
        let Some(lingers) = &mut self.lingers else { return Poll::Ready(Ok(())) };
        if lingers.as_mut().poll(task).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut buffer = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut self.stream).poll_read(task, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
