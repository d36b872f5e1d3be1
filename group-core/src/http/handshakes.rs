//! Connections that are being made when a listener stops: to close it then would reset them, although their clients
//! may have sent a request already.

use std::net::TcpListener;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The time that a client may take to complete a connection that it has asked for already, where the system does not
/// tell more: the way to a nearby client and back. It is also the time between two looks at what the system tells.
const NEARBY: Duration = Duration::from_millis(5);

/// The connections to a listener that takes no more. The round trip of their clients decides when all are made.
#[derive(Debug)]
pub(super) struct Handshakes {
    since: Instant,
    at_most: Duration,
    /// Clients have come lately, so that some may be nearly here, whatever the system tells.
    in_use: bool,
}

impl Handshakes {
    /// Lets no new connections begin. Those that have begun are waited for, `at_most` so long. Returns `None` if the
    /// system cannot do that.
    pub(super) fn finish(listener: &TcpListener, in_use: bool, at_most: Duration) -> Option<Self> {
        take_no_more(listener).then(|| Self { since: Instant::now(), at_most, in_use })
    }

    /// If connections are being made, waits a moment, and returns true.
    pub(super) async fn are_under_way(&mut self, listener: &TcpListener) -> bool {
        let are_some = std::mem::take(&mut self.in_use) || is_any_left(listener);
        let waits = are_some && self.since.elapsed() < self.at_most.max(NEARBY);
        if waits {
            sleep(NEARBY).await;
        }
        waits
    }
}

/// Makes the system ignore clients that ask for a new connection. Those that are being made can then be awaited and
/// accepted, and the listener closed, without resetting a connection that comes in between. Returns true if the system
/// can do that.
///
/// The filter drops each TCP segment that has SYN among its flags, which are its byte 13. Such a client asks again
/// after a second, and is refused then.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn take_no_more(listener: &TcpListener) -> bool {
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
fn take_no_more(_: &TcpListener) -> bool {
    false
}

/// Returns true if a connection to this port is being made: the system has answered its client, and waits for the
/// client's answer. False also if the system does not tell.
fn is_any_left(listener: &TcpListener) -> bool {
    const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    let Ok(addr) = listener.local_addr() else { return false };
    // To read a table takes a millisecond or two, so the second is read only where it can have such a connection.
    let tables = if addr.is_ipv4() { &TABLES[..1] } else { &TABLES };
    tables.iter().any(|table| is_any_in(table, addr.port()))
}

/// Each line of the table is a connection: its number, the local address, the client's, its state, and more.
fn is_any_in(table: &str, port: u16) -> bool {
    use std::io::{BufRead as _, BufReader};

    const BEING_MADE: &str = "03";
    let port = format!(":{port:04X}");
    let is_one = |line: String| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_here = fields.next().is_some_and(|local| local.ends_with(&port));
        is_here && fields.nth(1) == Some(BEING_MADE)
    };
    std::fs::File::open(table).is_ok_and(|table| BufReader::new(table).lines().map_while(Result::ok).any(is_one))
}
