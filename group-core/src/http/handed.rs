//! Listeners that were handed over to this process by its parent, such as systemd or `systemfd`. Needs the feature
//! `listenfd`.
//!
//! The parent keeps them open when this process has ended, and a connection that was not accepted here is accepted by
//! the next process. So they are never closed, shut down or unlinked here, and a server that stops leaves unaccepted
//! connections in them.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::{fmt, io};

use listenfd::ListenFd;
use tokio::net::lookup_host;

use crate::http::socket::Socket;

/// A process gets its listeners once, so they are kept here: a service that is restarted takes the same one again.
static HANDED: OnceLock<Vec<Handed>> = OnceLock::new();

#[derive(Debug)]
struct Handed {
    name: Option<String>,
    /// `None` if a server cannot listen on it.
    given: Option<Given>,
    lent: AtomicBool,
}

#[derive(Debug)]
enum Given {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Marks a listener as used by a server, until this is dropped.
#[derive(Debug)]
pub(super) struct Lent(&'static Handed);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.lent.store(false, Relaxed);
    }
}

/// Takes the listeners over, and removes them from the environment, so that no child of this process uses them.
pub(crate) fn receive() {
    handed();
}

fn handed() -> &'static [Handed] {
    HANDED.get_or_init(|| {
        // `from_env` ignores listeners that are for another process (LISTEN_PID).
        let mut fds = ListenFd::from_env();
        let all = 0..fds.len();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').map(Some).chain(std::iter::repeat(None));
        let take = |(at, name): (usize, Option<&str>)| Handed {
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
            given: Given::take(&mut fds, at),
            lent: AtomicBool::new(false),
        };
        all.zip(names).map(take).collect()
    })
}

impl Given {
    fn take(fds: &mut ListenFd, at: usize) -> Option<Self> {
        if let Ok(Some(listener)) = fds.take_tcp_listener(at) {
            return listens(&listener).then_some(Self::Tcp(listener));
        }
        #[cfg(unix)]
        if let Ok(Some(listener)) = fds.take_unix_listener(at) {
            return listens(&listener).then_some(Self::Unix(listener));
        }
        None
    }
}

/// Returns false if the socket is a connection and not a listener. Where the system does not say, returns true.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn listens(socket: &impl std::os::fd::AsFd) -> bool {
    socket2::SockRef::from(socket).is_listener().unwrap_or(true)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn listens<T>(_: &T) -> bool {
    true
}

/// Takes the socket that was handed over as `fd:name` or `fd:0`, or for an address. Returns `None` if none was handed
/// over for the address.
///
/// # Errors
///
/// If there is no such `fd:`, it does not listen, or another server uses it.
pub(super) async fn take(address: &str) -> io::Result<Option<(Socket, Lent)>> {
    let all = handed();
    if let Some(which) = address.strip_prefix("fd:") {
        return find(all, which)?.lend().map(Some);
    }
    for one in all {
        if !one.lent.load(Relaxed) && one.is_at(address).await {
            return one.lend().map(Some);
        }
    }
    Ok(None)
}

/// Finds a listener by its number, counted from 0, or by its name. If several have the name, it is the first that no
/// other server uses.
fn find(all: &'static [Handed], which: &str) -> io::Result<&'static Handed> {
    if let Some(one) = which.parse().ok().and_then(|at: usize| all.get(at)) {
        return Ok(one);
    }
    let named = || all.iter().filter(|one| one.name.as_deref() == Some(which));
    let found = named().find(|one| !one.lent.load(Relaxed)).or_else(|| named().next());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, not_found(all)))
}

impl Handed {
    async fn is_at(&self, address: &str) -> bool {
        match &self.given {
            Some(Given::Tcp(listener)) => {
                let Ok(own) = listener.local_addr() else { return false };
                lookup_host(address).await.is_ok_and(|mut all| all.any(|one| one == own))
            }
            #[cfg(unix)]
            Some(Given::Unix(listener)) => {
                let own = listener.local_addr().ok();
                let path = own.as_ref().and_then(|own| own.as_pathname());
                address.strip_prefix("unix:").is_some_and(|address| path == Some(address.as_ref()))
            }
            None => false,
        }
    }

    fn lend(&'static self) -> io::Result<(Socket, Lent)> {
        let Some(given) = &self.given else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the handed-over socket {self} does not listen"),
            ));
        };
        if self.lent.swap(true, Relaxed) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("another service uses the handed-over socket {self}"),
            ));
        }
        let lent = Lent(self);
        Ok((given.socket()?, lent))
    }
}

impl Given {
    fn socket(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener.try_clone()?).map(Socket::Tcp)
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let listener = tokio::net::UnixListener::from_std(listener.try_clone()?)?;
                // The file belongs to the process that has bound it.
                Ok(Socket::Unix(listener, None))
            }
        }
    }
}

/// As in `` `web` on 127.0.0.1:8080 ``.
impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`")?,
            None => f.write_str("without a name")?,
        }
        match &self.given {
            Some(Given::Tcp(listener)) => listener.local_addr().map_or(Ok(()), |own| write!(f, " on {own}")),
            #[cfg(unix)]
            Some(Given::Unix(listener)) => {
                let own = listener.local_addr().ok();
                let path = own.as_ref().and_then(|own| own.as_pathname());
                path.map_or(Ok(()), |path| write!(f, " on unix:{}", path.display()))
            }
            None => Ok(()),
        }
    }
}

/// Says which listeners were handed over instead of the one that was not found.
fn not_found(all: &[Handed]) -> String {
    let all: Vec<String> = all.iter().enumerate().map(|(at, one)| format!("{at}: {one}")).collect();
    match &all[..] {
        [] => "no socket was handed over to this process (LISTEN_FDS)".to_owned(),
        all => format!("no such socket was handed over, only {}", all.join(", ")),
    }
}
