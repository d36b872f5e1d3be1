//! Binds the address of a server, and stops listening without resetting a connection.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use socket2::{SockAddr, SockRef, Type};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

#[cfg(feature = "listenfd")]
use crate::http::handed;
use crate::http::handshakes::Handshakes;
#[cfg(unix)]
use crate::http::socket::SocketFile;
use crate::http::socket::{OPTIONS_ARE_INHERITED, Socket, Stream};

/// The connections that may wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 4096;

/// A bound address.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) socket: Socket,
    /// Set if the listener was handed over to this process: the next process will listen on it.
    #[cfg(feature = "listenfd")]
    pub(super) lent: Option<handed::Lent>,
}

impl Listener {
    /// Binds `host:port`, or `unix:/path`; or takes the listener that was handed over for it, or as `fd:name`.
    pub(super) async fn bind(address: &str) -> io::Result<Self> {
        #[cfg(feature = "listenfd")]
        if let Some((socket, lent)) = handed::take(address).await? {
            return Ok(Self { socket, lent: Some(lent) });
        }
        let socket = match address.strip_prefix("unix:") {
            Some(path) => bind_unix(path).await?,
            None => Socket::Tcp(bind_tcp(address).await?),
        };
        Ok(Self {
            socket,
            #[cfg(feature = "listenfd")]
            lent: None,
        })
    }

    /// The address on which it listens. A unix socket has none.
    pub(super) fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            Socket::Unix(..) => Ok(None),
        }
    }

    /// Sets `TCP_NODELAY` for accepted connections: responses are written whole, and waiting for more bytes would only
    /// delay them. On Linux connections inherit it from the listener.
    pub(super) fn send_at_once(&self) {
        if let (Socket::Tcp(listener), true) = (&self.socket, OPTIONS_ARE_INHERITED) {
            let _ = SockRef::from(listener).set_tcp_nodelay(true);
        }
    }

    /// A listener for each of so many processors: the system spreads the clients over them. Where it does not, or the
    /// listener was handed over, this one stays alone.
    ///
    /// # Errors
    ///
    /// If the system gives no more listeners.
    pub(super) fn one_for_each(self, processors: usize) -> io::Result<Vec<Self>> {
        let mut all = vec![self];
        let Some(first) = all[0].can_be_shared() else { return Ok(all) };
        // Only now, after it was bound: another program that has the address must make the start fail.
        first.set_reuse_port(true)?;
        let address = first.local_addr()?;
        let others: io::Result<Vec<_>> = (1..processors).map(|_| another_on(&address)).collect();
        all.extend(others?);
        Ok(all)
    }

    /// The socket, if the system spreads clients over several of one address.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn can_be_shared(&self) -> Option<SockRef<'_>> {
        #[cfg(feature = "listenfd")]
        if self.lent.is_some() {
            return None;
        }
        match &self.socket {
            Socket::Tcp(listener) => Some(SockRef::from(listener)),
            Socket::Unix(..) => None,
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn can_be_shared(&self) -> Option<SockRef<'_>> {
        None
    }

    /// Moves the listener to the runtime in which this is called.
    pub(super) fn here(self) -> io::Result<Self> {
        let socket = match self.socket {
            Socket::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener.into_std()?)?),
            #[cfg(unix)]
            Socket::Unix(listener, file) => Socket::Unix(UnixListener::from_std(listener.into_std()?)?, file),
        };
        Ok(Self {
            socket,
            #[cfg(feature = "listenfd")]
            lent: self.lent,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            Socket::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Stream::tcp(stream, peer)),
            #[cfg(unix)]
            Socket::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
        }
    }

    /// Stops listening, and returns the connections that the system has made already, or is making: to their clients
    /// they are open, and a request may have been sent on them. Returns `None` for a listener that was handed over: the
    /// next process accepts them.
    pub(super) fn close(self, in_use: bool, at_most: Duration) -> io::Result<Option<Backlog>> {
        #[cfg(feature = "listenfd")]
        if self.lent.is_some() {
            return Ok(None);
        }
        match self.socket {
            Socket::Tcp(listener) => {
                let listener = listener.into_std()?;
                let handshakes = Handshakes::finish(&listener, in_use, at_most);
                Ok(Some(Backlog::Tcp(listener, handshakes)))
            }
            #[cfg(unix)]
            Socket::Unix(listener, file) => {
                let listener = listener.into_std()?;
                // Clients that connect from now on are refused, as if the listener were closed already.
                SockRef::from(&listener).shutdown(std::net::Shutdown::Read)?;
                Ok(Some(Backlog::Unix(listener, file)))
            }
        }
    }
}

/// The connections that the system has made for a listener that has stopped. Dropping it resets them.
#[derive(Debug)]
pub(crate) enum Backlog {
    Tcp(std::net::TcpListener, Option<Handshakes>),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, #[expect(dead_code, reason = "is dropped with it")] Option<SocketFile>),
}

impl Backlog {
    /// Accepts the next connection, or fails with `WouldBlock` if there is none.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener, _) => listener.accept().and_then(|(stream, peer)| Stream::from_tcp(stream, peer)),
            #[cfg(unix)]
            Self::Unix(listener, _) => listener.accept().and_then(|(stream, _)| Stream::from_unix(stream)),
        }
    }

    /// If connections are still being made, waits a moment, and returns true.
    pub(super) async fn grows(&mut self) -> bool {
        match self {
            Self::Tcp(listener, Some(handshakes)) => handshakes.are_under_way(listener).await,
            _ => false,
        }
    }
}

/// Binds a TCP address. tokio and std let 128 connections wait to be accepted, which a burst of clients exceeds; then
/// the system drops what they send, and they try again after a second.
async fn bind_tcp(address: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

/// Another listener on an address that one has already.
#[cfg(unix)]
fn another_on(address: &SockAddr) -> io::Result<Listener> {
    let socket = socket2::Socket::new(address.domain(), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok(Listener {
        socket: Socket::Tcp(listener),
        #[cfg(feature = "listenfd")]
        lent: None,
    })
}

#[cfg(unix)]
async fn bind_unix(path: &str) -> io::Result<Socket> {
    let path = Path::new(path);
    let bound = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path).await => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    };
    Ok(Socket::Unix(bound?, Some(SocketFile::new(path)?)))
}

#[cfg(not(unix))]
fn bind_unix(_: &str) -> impl Future<Output = io::Result<Socket>> {
    std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, "unix sockets are not supported on this system")))
}

/// Returns true if this is the socket of a process that has ended, so that a connection is refused.
#[cfg(unix)]
async fn is_left_over(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    let is_socket = std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::net::TcpStream;

    #[tokio::test]
    async fn an_accepted_connection_sends_at_once() {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        listener.send_at_once();
        let _client = TcpStream::connect(listener.local_addr().unwrap().unwrap()).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert!(matches!(accepted, Stream::Tcp(stream, _) if stream.nodelay().unwrap()));
    }
}
