//! The socket of a service manager.

use std::ffi::OsStr;
use std::io;
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::Duration;

use sd_notify::NotifyState;
use sendfd::SendWithFd as _;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// The time after which a message is sent again that the manager had no room for.
const AGAIN: Duration = Duration::from_millis(100);

/// The socket of a service manager. No send waits until the manager reads.
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: UnixDatagram,
    address: SocketAddr,
}

/// The result of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// The manager has no room for it at the moment.
    Full,
    /// Nobody listens there.
    Lost,
}

impl NotifySocket {
    /// `address` is an absolute path, or the name of an abstract socket after an `@`.
    pub(super) fn open(address: &OsStr) -> io::Result<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a path nor an `@` with a name")),
        };
        Ok(Self { socket: socket()?, address })
    }

    /// Sends these in one datagram.
    pub(super) fn send(&self, states: &[NotifyState<'_>]) -> Sent {
        let lines: Vec<String> = states.iter().map(|state| format!("{state}\n")).collect();
        match self.socket.send_to_addr(lines.concat().as_bytes(), &self.address) {
            Ok(_) => Sent::Yes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::Full,
            Err(_) => Sent::Lost,
        }
    }

    /// Sends these in one datagram, as soon as the manager has room for it.
    pub(super) async fn deliver(&self, states: &[NotifyState<'_>]) {
        while self.send(states) == Sent::Full {
            sleep(AGAIN).await;
        }
    }

    /// Waits until the manager has read everything that was sent, but no longer than this.
    pub(super) async fn wait_until_read(&self, limit: Duration) {
        if let Ok(barrier) = self.barrier() {
            let read = spawn_blocking(move || {
                barrier.set_read_timeout(Some(limit))?;
                // The end of the stream: the manager has closed it.
                (&barrier).read(&mut [0])
            });
            // There is nothing to do about an error, or about a manager that is slower.
            let _ = read.await;
        }
    }

    /// Sends the manager the other end of a stream. The manager closes that after it has read everything before it.
    fn barrier(&self) -> io::Result<UnixStream> {
        let (own, managers) = UnixStream::pair()?;
        let socket = socket()?;
        socket.connect_addr(&self.address)?;
        socket.send_with_fd(b"BARRIER=1\n", &[managers.as_raw_fd()])?;
        Ok(own)
    }
}

fn socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
