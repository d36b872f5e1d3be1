//! Where a server listens.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

#[cfg(feature = "listenfd")]
use crate::http::handed;
#[cfg(unix)]
use crate::http::socket::SocketFile;
use crate::http::socket::{HANDS_ON, Socket, Stream};

/// How long a client may take to complete a connection that it has asked for already: the way to it and
/// back, nearby.
const HANDSHAKE: Duration = Duration::from_millis(5);

/// A bound address.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) socket: Socket,
    /// It was handed over to this process, and others will listen on it.
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
            None => Socket::Tcp(TcpListener::bind(address).await?),
        };
        Ok(Self {
            socket,
            #[cfg(feature = "listenfd")]
            lent: None,
        })
    }

    /// Where it listens, if that has an address.
    pub(super) fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(Some),
            #[cfg(unix)]
            Socket::Unix(..) => Ok(None),
        }
    }

    /// What it accepts sends at once what is written: answers are written whole, and waiting for more would
    /// only delay them. On Linux the connections have it from the listener.
    pub(super) fn send_at_once(&self) {
        if let (Socket::Tcp(listener), true) = (&self.socket, HANDS_ON) {
            let _ = socket2::SockRef::from(listener).set_tcp_nodelay(true);
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            Socket::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Stream::tcp(stream, peer)),
            #[cfg(unix)]
            Socket::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
        }
    }

    /// Stops listening. Connections that the system has made already are to be accepted, because to their
    /// clients they are open, and something may have been asked on them. Where it is in use, those that
    /// are being made are waited for. On what was handed over, they are the next process's.
    pub(super) async fn close(self, in_use: bool) -> io::Result<Option<Queue>> {
        #[cfg(feature = "listenfd")]
        if self.lent.is_some() {
            return Ok(None);
        }
        match self.socket {
            Socket::Tcp(listener) => {
                let listener = listener.into_std()?;
                if in_use && take_no_more(&listener) {
                    sleep(HANDSHAKE).await;
                }
                Ok(Some(Queue::Tcp(listener)))
            }
            #[cfg(unix)]
            Socket::Unix(listener, file) => {
                let listener = listener.into_std()?;
                // Whoever connects from now on is refused, as if it were closed already.
                socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Read)?;
                Ok(Some(Queue::Unix(listener, file)))
            }
        }
    }
}

/// The connections that the system has made for a listener which has stopped. To drop it is to reset them.
#[derive(Debug)]
pub(crate) enum Queue {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, #[expect(dead_code, reason = "is dropped with it")] Option<SocketFile>),
}

impl Queue {
    /// The next of them, without waiting for any.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener.accept().and_then(|(stream, peer)| Stream::from_tcp(stream, peer)),
            #[cfg(unix)]
            Self::Unix(listener, _) => listener.accept().and_then(|(stream, _)| Stream::from_unix(stream)),
        }
    }
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
    std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, "there are no unix sockets here")))
}

/// No client gets a connection any more that has not asked for one. So those that are being made can be
/// waited for and accepted, and the listener closed without a connection that comes in between and is
/// reset. Returns whether that can be done here.
///
/// The filter drops what asks for a connection: a TCP segment with SYN among its flags, which are its
/// byte 13. Such a client asks again after a second, and is refused then.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn take_no_more(listener: &std::net::TcpListener) -> bool {
    use socket2::{SockFilter, SockRef};

    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, 13),
        SockFilter::new(JUMP_IF_ANY_BIT, 0, 1, 0x02),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn take_no_more(_: &std::net::TcpListener) -> bool {
    false
}

/// Whether this is the socket of a process that has ended: nobody answers there.
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
    async fn what_is_accepted_sends_at_once() {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        listener.send_at_once();
        let _client = TcpStream::connect(listener.local_addr().unwrap().unwrap()).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert!(matches!(accepted, Stream::Tcp(stream, _) if stream.nodelay().unwrap()));
    }
}
