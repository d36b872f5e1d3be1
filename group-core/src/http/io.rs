//! The bytes of one connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use super::listen::Stream;
use super::traffic::Activity;

/// What a client that speaks HTTP/2 sends first.
#[cfg(feature = "http2")]
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's stream, wherever it goes: also to a handler that upgrades it. To drop it is to close
/// the connection.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    /// What was read to learn the protocol, and is to be read again.
    #[cfg(feature = "http2")]
    preface: Vec<u8>,
    activity: Arc<Activity>,
    write_timeout: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while what comes after the last answer is thrown away.
    lingers: Option<Pin<Box<Sleep>>>,
    /// Makes room for another when it is closed.
    _room: Option<OwnedSemaphorePermit>,
}

impl Io {
    pub(super) fn new(
        stream: Stream,
        activity: Arc<Activity>,
        write_timeout: Duration,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            stream,
            #[cfg(feature = "http2")]
            preface: Vec::new(),
            activity,
            write_timeout,
            stalled: None,
            lingers: None,
            _room: room,
        }
    }

    /// Reads as much as it takes to know.
    #[cfg(feature = "http2")]
    pub(super) async fn speaks_http2(&mut self) -> io::Result<bool> {
        use tokio::io::AsyncReadExt as _;

        let mut buffer = [0; PREFACE.len()];
        while self.preface.len() < PREFACE.len() && PREFACE.starts_with(&self.preface) {
            let read = self.stream.read(&mut buffer[self.preface.len()..]).await?;
            if read == 0 {
                return Ok(false);
            }
            self.activity.hear();
            let so_far = self.preface.len();
            self.preface.extend_from_slice(&buffer[so_far..so_far + read]);
        }
        Ok(self.preface == PREFACE)
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
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing (write_timeout)")))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.activity.close();
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        #[cfg(feature = "http2")]
        if !self.preface.is_empty() {
            let read = self.preface.len().min(buffer.remaining());
            buffer.put_slice(&self.preface[..read]);
            self.preface.drain(..read);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(task, buffer))?;
        if buffer.filled().len() > before {
            self.activity.hear();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.in_time(written, task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(task, slices);
        self.in_time(written, task)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    /// To close a socket in which there is something to read is to reset the connection, and then the
    /// client may never see its answer. So it is read until the client closes, too, or is silent.
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(task))?;
            self.lingers = self.activity.linger().map(|wait| Box::pin(sleep(wait)));
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
