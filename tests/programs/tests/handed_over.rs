//! Listeners that are handed over to a process, and outlive it, as with systemd and `systemfd`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use programs::Program;

/// A program that has been given these, with these variables.
fn given(fds: Vec<OwnedFd>, env: &[(&str, &str)]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handed_over"));
    command.env("LISTEN_FDS", fds.len().to_string()).envs(env.iter().copied());
    let mappings = fds.into_iter().zip(3..).map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect()).expect("each has a number of its own");
    Program::of(command)
}

/// The client's end of a connection.
trait Client: Read + Write {}

impl<T: Read + Write> Client for T {}

fn send(client: &mut dyn Client, request: &str) {
    client.write_all(request.as_bytes()).expect("is sent");
}

/// The head of the next answer, and its body.
fn answer(client: &mut dyn Client) -> (String, String) {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(client.read_line(&mut head).expect("is not reset"), 0, "closed after {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("is a number"))];
    client.read_exact(&mut body).expect("is not cut off");
    (head, String::from_utf8(body).expect("is text"))
}

/// Which process answers.
fn ask(client: &mut dyn Client) -> String {
    send(client, "GET /process HTTP/1.1\r\nhost: web\r\n\r\n");
    answer(client).1
}

/// A listener to hand over, and how to connect to it. It stays open here, as it does in systemd.
struct Listening<'a> {
    give: &'a dyn Fn() -> OwnedFd,
    connect: &'a dyn Fn() -> Box<dyn Client>,
}

/// One process stops while somebody connects, and the next one answers.
fn is_passed_on(listening: &Listening<'_>, env: &[(&str, &str)]) {
    let Listening { give, connect } = listening;
    let mut first = given(vec![give()], env);
    let process = first.id();
    first.logs("2 services are ready");
    let mut idle = connect();
    assert_eq!(ask(&mut *idle), process);
    let mut in_hand = connect();
    send(&mut *in_hand, "POST /echo HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    assert!(answer(&mut *in_hand).0.starts_with("HTTP/1.1 100"), "the handler waits for the rest");

    first.signal("TERM");
    // Idle connections are closed when no more are accepted.
    assert_eq!(idle.read(&mut [0]).expect("is closed"), 0);
    let mut between = connect();
    send(&mut *between, "GET /process HTTP/1.1\r\nhost: web\r\n\r\n");
    send(&mut *in_hand, "hello");
    assert_eq!(answer(&mut *in_hand).1, "hello");
    let ended = first.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.logged_with("drained 1 connection").len(), 1, "{ended:#?}");

    let mut second = given(vec![give()], env);
    second.logs("2 services are ready");
    assert_eq!(answer(&mut *between).1, second.id(), "who came meanwhile is answered");
    assert_eq!(ask(&mut *connect()), second.id());
    second.signal("TERM");
    assert_eq!(second.end().code, Some(0));
}

fn tcp() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port is free")
}

/// A client with a timeout.
fn to(listener: &TcpListener) -> Box<dyn Client> {
    let client = TcpStream::connect(listener.local_addr().expect("is bound")).expect("it listens");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("is not zero");
    Box::new(client)
}

fn copy(listener: &TcpListener) -> OwnedFd {
    listener.try_clone().expect("is open").into()
}

type Env<'a> = &'a [(&'a str, &'a str)];

#[test]
fn a_listener_is_passed_on_by_its_name() {
    let listener = tcp();
    let listening = Listening { give: &|| copy(&listener), connect: &|| to(&listener) };
    is_passed_on(&listening, &[("LISTEN_FDNAMES", "web")]);
}

#[test]
fn a_listener_is_passed_on_by_its_number() {
    let listener = tcp();
    let listening = Listening { give: &|| copy(&listener), connect: &|| to(&listener) };
    is_passed_on(&listening, &[("GROUP_WEB__HTTP", "fd:0")]);
}

#[test]
fn a_listener_is_passed_on_for_its_address() {
    let listener = tcp();
    let address = listener.local_addr().expect("is bound").to_string();
    let listening = Listening { give: &|| copy(&listener), connect: &|| to(&listener) };
    is_passed_on(&listening, &[("GROUP_WEB__HTTP", &address)]);
}

/// The path of a socket. The file is removed when this is dropped.
struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_unix_socket_is_passed_on_and_its_file_stays() {
    let path = SocketPath(std::env::temp_dir().join(format!("group-handed-over-{}.sock", std::process::id())));
    let listener = UnixListener::bind(&path.0).expect("nobody else is there");
    let connect = || -> Box<dyn Client> {
        let client = UnixStream::connect(&path.0).expect("it listens");
        client.set_read_timeout(Some(Duration::from_secs(20))).expect("is not zero");
        Box::new(client)
    };
    let give = || listener.try_clone().expect("is open").into();
    let listening = Listening { give: &give, connect: &connect };
    is_passed_on(&listening, &[("LISTEN_FDNAMES", "web")]);
    is_passed_on(&listening, &[("GROUP_WEB__HTTP", &format!("unix:{}", path.0.display()))]);
    assert!(path.0.exists(), "it is not ours to remove");
}

#[test]
fn a_service_that_is_started_again_takes_its_own_again() {
    let (web, other) = (tcp(), tcp());
    let address = other.local_addr().expect("is bound").to_string();
    for own in ["fd:1", "fd:other", &address] {
        let env = [("LISTEN_FDNAMES", "web:other"), ("GROUP_OTHER__HTTP", own), ("GROUP_OTHER__RESTART", "on-failure")];
        let mut program = given(vec![copy(&web), copy(&other)], &env);
        program.logs("2 services are ready");
        for _ in 0..2 {
            let mut client = to(&other);
            send(&mut *client, "POST /fail HTTP/1.1\r\nhost: other\r\ncontent-length: 0\r\n\r\n");
            program.logs("somebody asked for it");
            // This is true also of a client that connects before the service listens again.
            assert_eq!(ask(&mut *to(&other)), program.id(), "{own}");
        }
        program.signal("TERM");
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}

#[test]
fn two_are_told_apart() {
    let (web, other) = (tcp(), tcp());
    let env = [("LISTEN_FDNAMES", "other:web"), ("GROUP_OTHER__HTTP", "fd:other")];
    let mut program = given(vec![copy(&other), copy(&web)], &env);
    assert_eq!(program.address_of("web"), web.local_addr().expect("is bound").to_string());
    assert_eq!(program.address_of("other"), other.local_addr().expect("is bound").to_string());
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn what_was_not_handed_over_is_said() {
    let listener = tcp();
    let address = listener.local_addr().expect("is bound");
    let connection = || TcpStream::connect(address).expect("it listens").into();
    let other_process = ("LISTEN_PID", "1");
    let nothing = "cannot listen on fd:web: no socket was handed over to this process (LISTEN_FDS)".to_owned();
    let wrong_name = format!(
        "cannot listen on fd:web: no such socket was handed over, only 0: `api` on {address}, 1: without a name"
    );
    let not_listening = "cannot listen on fd:web: the handed-over socket `web` does not listen".to_owned();
    let twice = format!("cannot listen on fd:0: another service uses the handed-over socket `web` on {address}");
    let cases: [(Vec<OwnedFd>, Env<'_>, String); 5] = [
        (vec![], &[], nothing.clone()),
        (vec![copy(&listener)], &[("LISTEN_FDNAMES", "web"), other_process], nothing),
        (vec![copy(&listener), connection()], &[("LISTEN_FDNAMES", "api")], wrong_name),
        (vec![connection()], &[("LISTEN_FDNAMES", "web")], not_listening),
        (vec![copy(&listener)], &[("LISTEN_FDNAMES", "web"), ("GROUP_OTHER__HTTP", "fd:0")], twice),
    ];
    for (fds, env, said) in cases {
        let ended = given(fds, env).end();
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        // Once when it happens, and once in the last line.
        assert_eq!(ended.logged_with(&said).len(), 2, "{said}: {ended:#?}");
        assert!(ended.last_words().ends_with(&said), "{said}: {ended:#?}");
    }
}
