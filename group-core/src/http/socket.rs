//! Listeners and connections, each over TCP or over a unix socket.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// True if accepted connections inherit the options of their listener, which saves a system call for each.
pub(crate) const OPTIONS_ARE_INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a unix socket. It is removed with the listener, unless another file has taken its place.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

#[cfg(unix)]
impl SocketFile {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;

    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// The part of a connection that its client has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It sends no more. It may wait for a response, or be gone.
    ItsSide,
    /// It takes nothing any more.
    Wholly,
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn tcp(stream: TcpStream, peer: SocketAddr) -> Self {
        if !OPTIONS_ARE_INHERITED {
            let _ = stream.set_nodelay(true);
        }
        Self::Tcp(stream, peer)
    }

    pub(super) fn from_tcp(stream: std::net::TcpStream, peer: SocketAddr) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream).map(|stream| Self::tcp(stream, peer))
    }

    /// Moves the connection to the runtime in which this is called.
    pub(super) fn here(self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream, peer) => Ok(Self::Tcp(TcpStream::from_std(stream.into_std()?)?, peer)),
            #[cfg(unix)]
            Self::Unix(stream) => UnixStream::from_std(stream.into_std()?).map(Self::Unix),
        }
    }

    /// The address of the client. A unix socket has none.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, peer) => Some(*peer),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    #[cfg(unix)]
    pub(super) fn from_unix(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream).map(Self::Unix)
    }

    /// Waits until the client's system has acknowledged what was written. Returns `None` where nothing need be waited
    /// for, or where the system cannot tell: a unix socket gives everything to the client at once.
    pub(super) fn unsent(&self) -> Option<Unsent> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tcp(stream, _) => Unsent::of(stream).ok(),
            _ => None,
        }
    }

    /// Completes when there is something to read, or the end of it.
    pub(super) fn poll_readable(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream, _) => stream.poll_read_ready(task),
            #[cfg(unix)]
            Self::Unix(stream) => stream.poll_read_ready(task),
        }
    }

    /// Completes when the client has closed its side of the connection, or all of it. It is not reported while bytes from
    /// it are unread.
    pub(super) fn poll_closed(&self, task: &mut Context<'_>) -> Poll<io::Result<Closed>> {
        let ready = match self {
            Self::Tcp(stream, _) => {
                ready!(stream.poll_read_ready(task))?;
                stream.ready(Interest::READABLE | Interest::WRITABLE).now_or_never()
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                ready!(stream.poll_read_ready(task))?;
                stream.ready(Interest::READABLE | Interest::WRITABLE).now_or_never()
            }
        };
        match ready.transpose()? {
            Some(ready) if ready.is_write_closed() => Poll::Ready(Ok(Closed::Wholly)),
            Some(ready) if ready.is_read_closed() => Poll::Ready(Ok(Closed::ItsSide)),
            _ => Poll::Pending,
        }
    }

    fn reader(&mut self) -> &mut (dyn AsyncRead + Unpin) {
        match self {
            Self::Tcp(stream, _) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
        }
    }

    fn writer(&mut self) -> &mut (dyn AsyncWrite + Unpin) {
        match self {
            Self::Tcp(stream, _) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
        }
    }
}

/// The bytes that a TCP connection has written and its client has not acknowledged.
///
/// On Linux a socket is writable when what it has not sent leaves room in its buffer, and that buffer can be made small
/// at any time: no more than two or three thousand bytes are unacknowledged then. A socket that is newly registered is
/// reported by its present state, so it is registered a second time, under another descriptor.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
pub(crate) struct Unsent(TcpStream);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Unsent {
    fn of(stream: &TcpStream) -> io::Result<Self> {
        let again = socket2::SockRef::from(stream).try_clone()?;
        // The least that the system allows.
        again.set_send_buffer_size(0)?;
        TcpStream::from_std(again.into()).map(Self)
    }

    pub(super) fn poll_sent(&mut self, task: &mut Context<'_>) -> Poll<()> {
        self.0.poll_write_ready(task).map(drop)
    }
}

/// Other systems do not tell what is unsent.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
pub(crate) enum Unsent {}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Unsent {
    pub(super) fn poll_sent(&mut self, _: &mut Context<'_>) -> Poll<()> {
        match *self {}
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.reader()).poll_read(task, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.writer()).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.writer()).poll_write_vectored(task, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.writer()).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.writer()).poll_shutdown(task)
    }
}
