//! A process that is asked to stop, and accepts requests for a while yet.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use programs::Program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lame_duck");

/// The program, and where it serves.
fn start(env: &[(&str, &str)]) -> (Program, String) {
    let mut program = Program::start(PROGRAM, &[], env);
    let address = program.address_of("web");
    (program, address)
}

/// Asks on a connection of its own, with a client that is not ours.
fn ask(address: &str, path: &str) -> (Option<i32>, String) {
    let url = format!("http://{address}{path}");
    let output = Command::new("curl").args(["--silent", "--include", "--max-time", "20", &url]).output();
    let output = output.expect("curl is installed");
    (output.status.code(), String::from_utf8(output.stdout).expect("is text"))
}

#[test]
fn after_sigterm_it_is_not_ready_and_serves_those_who_still_come() {
    let (mut program, address) = start(&[]);
    let (_, before) = ask(&address, "/ready");
    assert!(before.starts_with("HTTP/1.1 200 OK") && before.ends_with("\r\n\r\nready"), "{before}");
    assert!(!before.contains("connection: close"), "{before}");
    let asked = Instant::now();
    program.signal("TERM");
    program.logs("SIGTERM: not ready any more; stopping in 3 s; a second signal forces the end");
    let mut answers = 0;
    while asked.elapsed() < Duration::from_millis(2500) {
        let (_, answer) = ask(&address, "/ready");
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nnot ready"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        answers += 1;
    }
    assert!(answers > 2, "each is a connection of its own");
    let ended = program.end();
    assert!(asked.elapsed() >= Duration::from_secs(3), "{ended:#?}");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.logged_with("drain_delay of 3 s is over: stopping 1 service, within 22 s").len(), 1, "{ended:#?}");
    assert!(ended.last_words().starts_with("stopped cleanly: 1 service"), "{ended:#?}");
    assert_eq!(ask(&address, "/ready").0, Some(7), "curl could not connect");
}

#[test]
fn the_environment_says_how_long_and_it_ends_early_when_nobody_comes() {
    let (mut program, _) = start(&[("GROUP_DRAIN_DELAY", "1s"), ("GROUP_DRAIN_QUIET", "500ms")]);
    program.signal("TERM");
    program.logs("SIGTERM: not ready any more; stopping in 1 s, or once there are no requests for 500 ms");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.logged_with("no requests for 500 ms: stopping 1 service, within ").len(), 1, "{ended:#?}");
}

#[test]
fn ctrl_c_on_a_terminal_does_not_wait() {
    // `exec`, because a shell would be interrupted, too, and its exit code would be the one seen here.
    let command = format!("exec {PROGRAM}");
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
        .env_remove("GROUP_DRAIN_DELAY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script` is there");
    let mut keyboard = terminal.stdin.take().expect("is piped");
    let mut screen = BufReader::new(terminal.stdout.take().expect("is piped"));
    let mut seen = String::new();
    while !seen.contains("web is ready") {
        assert_ne!(screen.read_line(&mut seen).expect("is text"), 0, "{seen}");
    }
    keyboard.write_all(b"\x03").expect("it reads");
    screen.read_to_string(&mut seen).expect("is text");
    assert_eq!(terminal.wait().expect("is ours").code(), Some(0), "{seen}");
    assert!(seen.contains("SIGINT: stopping 1 service, within 25 s"), "{seen}");
    assert!(!seen.contains("not ready any more"), "{seen}");
}

#[test]
fn sigint_without_a_terminal_waits() {
    let (mut program, _) = start(&[("GROUP_DRAIN_DELAY", "200ms")]);
    program.signal("INT");
    program.logs("SIGINT: not ready any more");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_second_signal_does_not_wait() {
    let (mut program, _) = start(&[]);
    program.signal("TERM");
    program.logs("SIGTERM: not ready any more");
    program.signal_again("TERM");
    let again = Instant::now();
    let ended = program.end();
    assert_eq!(ended.code, Some(128 + 15), "{ended:#?}");
    assert!(again.elapsed() < Duration::from_secs(1), "{ended:#?}");
}

#[test]
fn the_watchdog_counts_from_the_signal_and_not_from_the_end_of_the_delay() {
    let (mut program, address) = start(&[("GROUP_STOP_TIMEOUT", "4s")]);
    let asked = Instant::now();
    program.signal("TERM");
    program.logs("SIGTERM: not ready any more");
    let mut blocked = Command::new("curl").arg(format!("http://{address}/blocks")).stderr(Stdio::null()).spawn();
    program.prints("blocked");
    let ended = program.end();
    blocked.as_mut().expect("curl is installed").wait().expect("is ours");
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert_eq!(ended.told_with("`web` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
    let took = asked.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_millis(6500), "{took:?}");
}
