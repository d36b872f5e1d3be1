//! HTTP services in a process of their own, asked by clients that are not ours.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use programs::Program;

/// Asks with curl, in the background.
fn ask(args: &[&str]) -> Child {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--max-time", "20"]).args(args);
    curl.stdout(Stdio::piped()).spawn().expect("curl is installed")
}

/// The answer that curl got.
fn answer(curl: Child) -> (Option<i32>, String) {
    let output = curl.wait_with_output().expect("is ours to wait for");
    (output.status.code(), String::from_utf8(output.stdout).expect("is text"))
}

#[test]
fn both_answer_at_once() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_servers"), &[], &[]);
    let (morning, evening) = (program.address_of("morning"), program.address_of("evening"));
    program.logs("2 services are ready");
    let asked = [ask(&[&format!("http://{morning}/morning")]), ask(&[&format!("http://{evening}/evening")])];
    let [(_, morning), (_, evening)] = asked.map(answer);
    assert!(morning.starts_with("HTTP/1.1 200 OK") && morning.ends_with("morning!"), "{morning}");
    assert!(evening.starts_with("HTTP/1.1 200 OK") && evening.ends_with("evening!"), "{evening}");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_later_one_answers_and_ends_before_the_earlier_one_is_asked_to() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_servers"), &[], &[]);
    let (morning, evening) = (program.address_of("morning"), program.address_of("evening"));
    let in_flight = ask(&[&format!("http://{evening}/slow/ada")]);
    program.prints("evening was asked");
    program.signal("TERM");
    program.logs("SIGTERM: stopping 2 services");

    // `morning` serves on while `evening` drains: only it can let `evening` answer.
    let (_, let_go) = answer(ask(&["--request", "POST", &format!("http://{morning}/let-evening-answer")]));
    assert!(let_go.starts_with("HTTP/1.1 200 OK"), "{let_go}");
    let (_, answered) = answer(in_flight);
    assert!(answered.starts_with("HTTP/1.1 200 OK") && answered.ends_with("good evening, ada!"), "{answered}");

    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.printed, ["evening was asked", "evening stopped", "morning stopped"]);
}

#[test]
fn idle_connections_are_closed_at_once_and_new_ones_refused() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_servers"), &[], &[]);
    let (morning, evening) = (program.address_of("morning"), program.address_of("evening"));
    let mut used = TcpStream::connect(&evening).expect("it listens");
    used.write_all(b"GET /evening HTTP/1.1\r\nhost: evening\r\n\r\n").expect("it reads");
    let mut answered = [0; 512];
    let read = used.read(&mut answered).expect("it answers");
    assert!(answered[..read].starts_with(b"HTTP/1.1 200 OK"));
    let mut fresh = TcpStream::connect(&morning).expect("it listens");

    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.last_words().starts_with("stopped cleanly: 2 services"), "{ended:#?}");
    let mut rest = Vec::new();
    assert_eq!(used.read_to_end(&mut rest).expect("closed, not reset"), 0);
    assert_eq!(fresh.read_to_end(&mut rest).expect("closed, not reset"), 0);
    let (code, _) = answer(ask(&[&format!("http://{morning}/morning")]));
    assert_eq!(code, Some(7), "curl could not connect");
}

#[test]
fn a_port_that_is_taken_fails_the_start_and_stops_what_was_started() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("is bound").to_string();
    let ended = Program::start(env!("CARGO_BIN_EXE_taken"), &[&address], &[]).end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let error = format!("`evening` failed to start: cannot listen on {address}: Address already in use");
    assert_eq!(ended.told_with(&error).len(), 1, "{ended:#?}");
    assert_eq!(ended.printed, ["morning stopped"]);
}

#[test]
fn a_server_whose_handler_blocks_the_only_thread_is_named() {
    let limit = [("GROUP_STOP_TIMEOUT", "500ms")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_blocks_in_handler"), &[], &limit);
    let web = program.address_of("web");
    let mut asked = ask(&[&format!("http://{web}/blocks")]);
    program.prints("blocked");
    program.signal("TERM");
    let ended = program.end();
    asked.wait().expect("curl ends with the connection");
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert_eq!(ended.told_with("`web` failed to stop: it blocks its thread").len(), 1, "{ended:#?}");
    let cut = ended.logged_with("web drained 0 connections and cut 1 in ");
    assert!(cut.len() == 1 && cut[0].ends_with("(cut: GET /blocks)"), "{ended:#?}");
}

#[test]
fn what_a_second_signal_cuts_is_counted_and_named() {
    for (path, what) in [("blocks", "blocked"), ("held/7", "held")] {
        let mut program = Program::start(env!("CARGO_BIN_EXE_blocks_in_handler"), &[], &[]);
        let web = program.address_of("web");
        let mut asked = ask(&[&format!("http://{web}/{path}")]);
        program.prints(what);
        program.signal("TERM");
        program.signal_again("TERM");
        let ended = program.end();
        asked.wait().expect("curl ends with the connection");
        assert_eq!(ended.code, Some(143), "{ended:#?}");
        let route = if path == "blocks" { "GET /blocks" } else { "GET /held/{id}" };
        let cut = ended.logged_with("web drained 0 connections and cut 1 in ");
        assert!(cut.len() == 1 && cut[0].ends_with(&format!("(cut: {route})")), "{ended:#?}");
    }
}

#[test]
fn who_waits_because_descriptors_have_run_out_is_answered_at_the_stop() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40 && exec $0", env!("CARGO_BIN_EXE_servers")]).env_remove("RUST_LOG");
    let mut program = Program::of(command);
    let morning = program.address_of("morning");
    program.logs("2 services are ready");
    let connect = |_| {
        let mut client = TcpStream::connect(&morning).expect("the system takes it");
        client.write_all(b"GET /morning HTTP/1.1\r\nhost: morning\r\n\r\n").expect("the system takes it");
        client
    };
    let clients: Vec<_> = (0..60).map(connect).collect();
    program.logs("`morning` cannot accept connections: Too many open files");
    program.signal("TERM");
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("it is not reset");
        assert!(answer.ends_with("morning!"), "{answer}");
    }
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let complaints = ended.logged.iter().filter(|line| line.contains("cannot accept connections"));
    assert_eq!(complaints.count(), 1, "{ended:#?}");
}
