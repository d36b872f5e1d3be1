//! Told to a service manager of the test's own: what a program says on `NOTIFY_SOCKET`, in which order.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use programs::{Ended, Program};

const TOLD: &str = env!("CARGO_BIN_EXE_told");

/// Longer than any of these programs is silent, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service manager that listens to one program.
struct Manager {
    socket: UnixDatagram,
    /// The value of `NOTIFY_SOCKET`.
    address: String,
}

/// The lines of one datagram.
type Message = Vec<String>;

impl Manager {
    /// At a path of the test's own.
    fn at_path(test: &str) -> Self {
        let path = format!("{}/{test}.socket", env!("CARGO_TARGET_TMPDIR"));
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("the directory is ours");
        Self::new(socket, path)
    }

    /// At an abstract address of the test's own.
    fn abstract_at(test: &str) -> Self {
        let name = format!("group-{test}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("it is short");
        Self::new(UnixDatagram::bind_addr(&address).expect("it is free"), format!("@{name}"))
    }

    fn new(socket: UnixDatagram, address: String) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        Self { socket, address }
    }

    fn start(&self, env: &[(&str, &str)]) -> Program {
        Program::start(TOLD, &[], &[env, &[("NOTIFY_SOCKET", self.address.as_str())]].concat())
    }

    /// Starts a program without macros.
    fn start_by_hand(&self, way: &str) -> Program {
        Program::start(env!("CARGO_BIN_EXE_by_hand"), &[way], &[("NOTIFY_SOCKET", self.address.as_str())])
    }

    /// The next message.
    fn hears(&self) -> Message {
        let mut datagram = [0; 4096];
        let length = self.socket.recv(&mut datagram).expect("it speaks in time");
        let text = str::from_utf8(&datagram[..length]).expect("it is text");
        text.lines().map(str::to_owned).collect()
    }

    /// The next messages, up to the first with this line.
    fn hears_until(&self, line: &str) -> Vec<Message> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.hears());
            if heard.last().is_some_and(|last| last.iter().any(|said| said == line)) {
                return heard;
            }
        }
    }

    /// All messages of a program until it has nothing more to say.
    fn hears_the_rest(&self) -> Vec<Message> {
        let rest = self.hears_until("BARRIER=1");
        self.hears_nothing();
        rest
    }

    fn hears_nothing(&self) {
        self.socket.set_nonblocking(true).expect("it can be set");
        let heard = self.socket.recv(&mut [0; 4096]).map_err(|error| error.kind());
        assert_eq!(heard, Err(ErrorKind::WouldBlock));
    }
}

/// The value of the line that begins so.
fn value<'a>(message: &'a Message, key: &str) -> Option<&'a str> {
    message.iter().find_map(|line| line.strip_prefix(key))
}

fn status(message: &Message) -> &str {
    value(message, "STATUS=").unwrap_or_else(|| panic!("no status: {message:?}"))
}

/// The time that a message asks for.
fn extension(message: &Message) -> Duration {
    let time = value(message, "EXTEND_TIMEOUT_USEC=").unwrap_or_else(|| panic!("asks for no time: {message:?}"));
    Duration::from_micros(time.parse().expect("it is a number"))
}

/// The number of messages with this line.
fn count(messages: &[Message], line: &str) -> usize {
    messages.iter().flatten().filter(|said| *said == line).count()
}

/// Checks that a program says that it stops, and after that only how far it is.
fn stops(heard: &[Message]) {
    let (first, rest) = heard.split_first().expect("it speaks");
    assert_eq!(first[0], "STOPPING=1", "{heard:?}");
    assert!(extension(first) >= Duration::from_secs(5), "{heard:?}");
    assert!(status(first).starts_with("Stop"), "{heard:?}");
    let may_follow = ["STATUS=", "EXTEND_TIMEOUT_USEC=", "BARRIER=1"];
    assert!(rest.iter().flatten().all(|line| may_follow.iter().any(|key| line.starts_with(key))), "{heard:?}");
    assert_eq!(heard.last().expect("it speaks"), &["BARRIER=1"]);
}

fn is_clean(program: Program) -> Ended {
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended
}

#[test]
fn a_life_is_told_in_order_at_both_kinds_of_address() {
    for manager in [Manager::at_path("life"), Manager::abstract_at("life")] {
        let mut program = manager.start(&[("WATCHDOG_USEC", "60000000"), ("WATCHDOG_PID", "1"), ("STOP", "300")]);
        let start = manager.hears_until("READY=1");
        assert!(extension(&start[0]) > Duration::from_secs(1), "{start:?}");
        assert_eq!(start.last().expect("it speaks"), &["READY=1", "STATUS=Running: 3 services"]);
        program.logs("services are ready");
        program.signal("TERM");
        let stop = manager.hears_the_rest();
        stops(&stop);
        assert!(status(&stop[0]).contains("SIGTERM"), "{stop:?}");
        assert!(extension(&stop[0]) > Duration::from_secs(25), "{stop:?}");
        assert!(status(&stop[stop.len() - 2]).starts_with("stopped cleanly: 3 services"), "{stop:?}");
        assert_eq!(count(&start, "READY=1") + count(&stop, "READY=1"), 1);
        let ended = is_clean(program);
        assert_eq!(ended.printed, ["child: nothing nothing nothing"], "the variables are kept from children");
    }
}

#[test]
fn a_slow_start_asks_for_the_time_that_it_needs() {
    let manager = Manager::at_path("slow");
    let program = manager.start(&[("START", "3500")]);
    let start = manager.hears_until("READY=1");
    let waits = |message: &&Message| status(message).starts_with("Starting: 1/3, waiting for db");
    let waiting: Vec<&Message> = start.iter().filter(waits).collect();
    assert!(waiting.len() >= 2, "{start:?}");
    assert!(waiting.iter().all(|message| extension(message) > Duration::from_secs(55)), "{start:?}");
    // A second is not always seen on a machine that is busy.
    let is_timed =
        |message: &&Message| status(message).contains("waiting for db (") && status(message).ends_with(" s)");
    assert!(waiting.iter().any(is_timed), "{start:?}");
    program.signal("TERM");
    stops(&manager.hears_the_rest());
    is_clean(program);
}

#[test]
fn a_stop_of_its_own_asks_for_the_rest_of_the_budget() {
    let manager = Manager::at_path("own");
    let program = manager.start(&[("END", "10"), ("STOP", "3500"), ("GROUP_STOP_TIMEOUT", "1h")]);
    manager.hears_until("READY=1");
    let stop = manager.hears_the_rest();
    stops(&stop);
    assert!(status(&stop[0]).contains("a stop was asked for"), "{stop:?}");
    assert!(extension(&stop[0]) > Duration::from_secs(3600), "{stop:?}");
    let waiting = |message: &&Message| message.iter().any(|line| line.contains("waiting for db (2 s)"));
    let waiting = stop.iter().find(waiting).unwrap_or_else(|| panic!("{stop:?}"));
    assert!(extension(waiting) > Duration::from_secs(3590), "{stop:?}");
    is_clean(program);
}

#[test]
fn every_hangup_is_answered() {
    for (way, status_after) in [
        ("good", "Running: 4 services"),
        ("bad", "Running: 4 services; the last reload failed: `settings` failed to reload: line 3 is no good READY=1"),
    ] {
        let manager = Manager::at_path(&format!("reload-{way}"));
        let program = manager.start(&[("RELOAD", way)]);
        manager.hears_until("READY=1");
        let mut before = 0_u64;
        for _ in 0..3 {
            program.signal("HUP");
            let reload = manager.hears_until("READY=1");
            let (first, last) = (&reload[0], reload.last().expect("it speaks"));
            assert_eq!(first[0], "RELOADING=1", "{reload:?}");
            let at = value(first, "MONOTONIC_USEC=").and_then(|at| at.parse().ok()).expect("the time stands beside it");
            assert!(before < at, "{reload:?}");
            before = at;
            assert_eq!(status(last), status_after);
        }
        program.signal("TERM");
        stops(&manager.hears_the_rest());
        is_clean(program);
    }
}

#[test]
fn a_group_without_reload_answers_and_goes_on() {
    let manager = Manager::at_path("no-reload");
    let program = manager.start(&[]);
    manager.hears_until("READY=1");
    program.signal("HUP");
    let reload = manager.hears_until("READY=1");
    assert_eq!(reload[0][0], "RELOADING=1", "{reload:?}");
    program.signal("TERM");
    stops(&manager.hears_the_rest());
    let ended = is_clean(program);
    assert_eq!(ended.logged_with("nothing was reloaded").len(), 1, "{ended:#?}");
}

#[test]
fn a_watchdog_is_pinged_while_the_group_lives() {
    let manager = Manager::at_path("watchdog");
    let program = manager.start(&[("WATCHDOG_USEC", "1000000"), ("START", "600"), ("RELOAD", "good")]);
    let start = manager.hears_until("READY=1");
    assert_eq!(count(&start, "WATCHDOG=1"), 0, "{start:?}");
    let begun = Instant::now();
    for _ in 0..5 {
        manager.hears_until("WATCHDOG=1");
    }
    let took = begun.elapsed();
    let four_halves = Duration::from_millis(1990)..Duration::from_secs(4);
    assert!(four_halves.contains(&took), "{took:?}");
    program.signal("HUP");
    manager.hears_until("READY=1");
    manager.hears_until("WATCHDOG=1");
    program.signal("TERM");
    manager.hears_until("STOPPING=1");
    assert_eq!(count(&manager.hears_the_rest(), "WATCHDOG=1"), 0);
    is_clean(program);
}

#[test]
fn a_blocked_runtime_does_not_ping_and_is_found_out() {
    let manager = Manager::at_path("blocked");
    let program = manager.start(&[("WATCHDOG_USEC", "1000000")]);
    manager.hears_until("WATCHDOG=1");
    program.signal("USR2");
    let heard = manager.hears_until("WATCHDOG=trigger");
    let last = heard.last().expect("it speaks");
    assert_eq!(status(last), "Blocked: no thread of the runtime is free; `web` runs on one");
    program.signal("TERM");
    // From the thread that listens for signals.
    program.signal_again("TERM");
    assert_eq!(program.end().code, Some(143));
}

#[test]
fn a_watchdog_of_another_process_is_not_pinged() {
    let manager = Manager::at_path("other");
    let program = manager.start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1"), ("END", "300")]);
    let start = manager.hears_until("READY=1");
    let rest = manager.hears_the_rest();
    assert_eq!(count(&start, "WATCHDOG=1") + count(&rest, "WATCHDOG=1"), 0);
    is_clean(program);
}

#[test]
fn a_group_that_is_over_at_once_was_ready() {
    let manager = Manager::at_path("short");
    let program = manager.start(&[("END", "0")]);
    manager.hears_until("READY=1");
    stops(&manager.hears_the_rest());
    is_clean(program);
}

#[test]
fn a_group_that_is_run_by_hand_speaks_too() {
    let manager = Manager::at_path("by-hand");
    let program = manager.start_by_hand("plain");
    manager.hears_until("READY=1");
    program.signal("TERM");
    stops(&manager.hears_the_rest());
    assert!(program.end().code.is_some());
}

#[test]
fn only_the_first_group_of_a_process_speaks() {
    let manager = Manager::at_path("again");
    let program = manager.start_by_hand("again and again");
    manager.hears_until("READY=1");
    stops(&manager.hears_until("BARRIER=1"));
    is_clean(program);
    manager.hears_nothing();
}

#[test]
fn an_invalid_setup_is_told() {
    let manager = Manager::at_path("invalid");
    let program = manager.start(&[("GROUP_STOP_TIMEOUT", "soon")]);
    let heard = manager.hears_the_rest();
    assert!(status(&heard[0]).starts_with("nothing was started: invalid setup (exit code 78)"), "{heard:?}");
    assert_eq!(program.end().code, Some(78));
}

#[test]
fn a_body_of_main_that_fails_is_told() {
    let manager = Manager::at_path("body");
    let program = manager.start(&[("FAIL", "yes")]);
    let heard = manager.hears_the_rest();
    assert!(status(&heard[0]).starts_with("start failed; nothing had been started (exit code 2)"), "{heard:?}");
    assert_eq!(program.end().code, Some(2));
}

#[test]
fn a_body_of_main_that_takes_long_is_told_and_gets_no_more_time() {
    let manager = Manager::at_path("long-body");
    let program = manager.start(&[("BODY", "1500"), ("END", "10")]);
    assert_eq!(manager.hears(), ["STATUS=the body of `main` runs"]);
    let heard = manager.hears_until("READY=1");
    assert!(!heard.iter().flatten().any(|line| line == "STATUS=the body of `main` runs"), "{heard:?}");
    is_clean(program);
}

#[test]
fn a_manager_that_does_not_listen_hurts_nobody() {
    let full = Manager::at_path("full");
    let sender = UnixDatagram::unbound().expect("there are sockets");
    sender.set_nonblocking(true).expect("it can be set");
    while sender.send_to(b"noise", &full.address).is_ok() {}
    let gone = Manager::at_path("gone");
    fs::remove_file(&gone.address).expect("it is there");
    for address in [full.address.as_str(), gone.address.as_str(), "@", "vsock:2:1234", "nowhere"] {
        let begun = Instant::now();
        let env = [("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", "1000"), ("END", "10"), ("GROUP_STOP_TIMEOUT", "5s")];
        let ended = is_clean(Program::start(TOLD, &[], &env));
        assert!(begun.elapsed() < Duration::from_secs(4), "{address}");
        assert_eq!(ended.printed, ["child: nothing nothing nothing"], "{address}");
        let is_address = address.starts_with(['/', '@']);
        assert_eq!(ended.logged_with("the service manager is told nothing").is_empty(), is_address, "{ended:#?}");
    }
}
