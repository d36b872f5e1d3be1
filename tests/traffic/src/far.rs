//! This machine, seen from afar: a network in which every packet is under way for a while.
//!
//! Packets to [`FAR`] come to a relay, a pair of threads of this process. It exchanges the two addresses of each, waits,
//! and sends it back. So a client that connects to [`FAR`] comes to the server that listens on [`HERE`], and what is
//! under way is real: handshakes, requests, closes. The checksums stay right, because they add up both addresses.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tappers::{AddAddressV4, Interface, Tun};

/// Where servers listen.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// Where clients find them.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// The time that a packet takes.
pub const EACH_WAY: Duration = Duration::from_millis(10);

/// Set in a process that has a network of its own.
const IS_APART: &str = "TRAFFIC_IS_APART";

/// Runs a test in a process and a network of their own, with the relay. Where that cannot be had, for want of rights,
/// stderr says so.
///
/// # Panics
///
/// If the test fails.
pub fn far_away(test: &str, run: impl FnOnce()) {
    if std::env::var_os(IS_APART).is_some() {
        match relay() {
            Ok(()) => run(),
            Err(error) => skip(test, &format!("there is no TUN device: {error}")),
        }
        return;
    }
    if !apart("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return skip(test, "`unshare` gives no network");
    }
    let this = std::env::current_exe().expect("it runs");
    let mut again = apart(this.to_str().expect("is text"));
    let ended = again.args(["--exact", test, "--nocapture", "--include-ignored"]).env(IS_APART, "").status();
    assert!(ended.is_ok_and(|status| status.success()), "{test} failed far away");
}

/// A command in a network of its own.
fn apart(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", program]);
    command
}

fn skip(test: &str, why: &str) {
    use std::io::Write as _;

    writeln!(io::stderr(), "{test} is SKIPPED: {why}").expect("stderr is open");
}

/// Sets the device up, and begins to relay. It ends with the process.
fn relay() -> io::Result<()> {
    let mut device = Tun::new_named(Interface::new("far")?)?;
    let mut address = AddAddressV4::new(HERE);
    address.set_netmask(24);
    device.add_addr(address)?;
    device.set_up()?;
    let device = Arc::new(device);
    let (sender, packets) = channel();
    let takes = Arc::clone(&device);
    thread::spawn(move || take(&takes, &sender));
    thread::spawn(move || give_back(&device, &packets));
    Ok(())
}

type Packet = (Instant, Vec<u8>);

fn take(device: &Tun, packets: &Sender<Packet>) {
    let mut buffer = [0; 2048];
    while let Ok(length) = device.recv(&mut buffer) {
        let mut packet = buffer[..length].to_vec();
        let is_ipv4 = length >= 20 && packet[0] >> 4 == 4;
        if is_ipv4 {
            let (source, destination) = packet[12..20].split_at_mut(4);
            source.swap_with_slice(destination);
            if packets.send((Instant::now() + EACH_WAY, packet)).is_err() {
                return;
            }
        }
    }
}

fn give_back(device: &Tun, packets: &Receiver<Packet>) {
    while let Ok((due, packet)) = packets.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // What cannot be sent is lost, as in any network.
        let _ = device.send(&packet);
    }
}
