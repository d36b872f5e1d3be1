//! A program with a group inside of its own: its signals, its log, its settings and its exit code.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use programs::Program;

const NESTED: &str = env!("CARGO_BIN_EXE_nested");

/// Starts the program in a directory of its own, with this `group.toml`.
fn start(test: &str, toml: &str, env: &[(&str, &str)]) -> Program {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("nested-{test}"));
    fs::create_dir_all(&directory).expect("there is a place for files");
    fs::write(directory.join("group.toml"), toml).expect("it can be written");
    Program::start_in(&directory.to_string_lossy(), NESTED, &[], env)
}

const WHEN_ASKED: &str = "[services.shop.ledger]\nends = 'whenasked'";

#[test]
fn a_signal_stops_what_is_inside_in_order_and_cuts_nothing() {
    let mut program = start("term", WHEN_ASKED, &[]);
    let mut client = TcpStream::connect(program.address_of("shop/web")).expect("it listens");
    program.logs("shop is ready");
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").expect("it reads");
    program.prints("asked");
    program.signal("TERM");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    let ended = program.end();
    assert!(answer.ends_with("answered"), "{answer:?} {ended:#?}");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let place = |what: &str| ended.logged.iter().position(|line| line.contains(what)).unwrap_or(usize::MAX);
    assert!(place("shop/web stopped") < place("shop/ledger stopped"), "{ended:#?}");
    assert!(place("shop/ledger stopped") < place(" shop stopped"), "{ended:#?}");
    assert!(ended.last_words().starts_with("stopped cleanly: 1 service in"), "{ended:#?}");
}

#[test]
fn a_failure_inside_is_the_cause_of_the_whole() {
    let ended = start("fails", WHEN_ASKED, &[("GROUP_SHOP__LEDGER__ENDS", "byitself")]).end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.last_words().ends_with("`shop` failed: `shop/ledger` failed: no such file"), "{ended:#?}");
}

#[test]
fn what_hangs_inside_is_given_up_in_time() {
    let toml = "group.stop_timeout = '2s'\n[services.shop.ledger]\nends = 'never'";
    let mut program = start("hangs", toml, &[]);
    program.logs("shop is ready");
    let asked = Instant::now();
    program.signal("TERM");
    let ended = program.end();
    assert!(asked.elapsed() < Duration::from_secs(2), "{ended:#?}");
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert!(ended.logged.iter().any(|line| line.contains("shop/ledger was aborted")), "{ended:#?}");
}

#[test]
fn a_second_signal_ends_what_is_inside_at_once() {
    let mut program = start("forced", "[services.shop.ledger]\nends = 'never'", &[]);
    program.logs("shop is ready");
    program.signal("TERM");
    program.logs("shop/web stopped");
    // Within 500 ms of the first, it would be the same request.
    std::thread::sleep(Duration::from_millis(600));
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(128 + 15), "{ended:#?}");
}

#[test]
fn a_mistake_inside_is_found_before_the_start() {
    let ended = start("mistaken", "[services.shop.ledgr]\nends = 'never'", &[]).end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    let said = "group.toml:1: `services.shop.ledgr` is for a service that is not in `shop`; did you mean `ledger`?";
    assert!(ended.logged.iter().any(|line| line.contains(said)), "{ended:#?}");
}
