//! Signals as they really come: one request twice, SIGHUP that was meant otherwise, and those that a launcher has ignored
//! or blocked.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use programs::Program;

const SLOW: &str = env!("CARGO_BIN_EXE_slow");
const HUNG_UP: &str = env!("CARGO_BIN_EXE_hung_up");
const ENDING: &str = env!("CARGO_BIN_EXE_ending");

/// A program that runs below a launcher.
fn launched_by(launcher: &[&str], program: &[&str], log: &str) -> Program {
    let mut command = Command::new(launcher[0]);
    command.args(&launcher[1..]).args(program).env("RUST_LOG", log);
    Program::of(command)
}

/// The program is answering a request.
fn with_request_in_flight(program: &mut Program) -> TcpStream {
    let mut client = TcpStream::connect(program.address_of("web")).expect("it listens");
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").expect("it reads");
    program.prints("asked");
    client
}

#[track_caller]
fn check_answered_and_clean(mut client: TcpStream, program: Program) {
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    let ended = program.end();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("answered"), "{answer:?} {ended:#?}");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.last_words().starts_with("stopped cleanly"), "{ended:#?}");
}

#[test]
fn one_stop_that_timeout_delivers_twice_cuts_nothing() {
    for signal in ["TERM", "INT", "QUIT", "HUP"] {
        let mut program = launched_by(&["timeout", "--preserve-status", "60"], &[SLOW], "info");
        let client = with_request_in_flight(&mut program);
        program.signal(signal);
        check_answered_and_clean(client, program);
    }
}

#[test]
fn one_stop_by_signals_of_several_numbers_cuts_nothing() {
    for signals in [["TERM", "TERM"], ["TERM", "INT"], ["HUP", "TERM"], ["INT", "HUP"], ["QUIT", "INT"]] {
        let mut program = Program::start(SLOW, &[], &[("RUST_LOG", "group=debug")]);
        let client = with_request_in_flight(&mut program);
        program.signal(signals[0]);
        program.prints("told");
        program.signal(signals[1]);
        program.logs(&format!("SIG{}: the stop was asked for already, less than 500 ms ago", signals[1]));
        check_answered_and_clean(client, program);
    }
}

#[test]
fn the_first_line_says_how_to_force_the_end() {
    let mut program = Program::start(ENDING, &["deaf"], &[]);
    program.prints("deaf is ready");
    program.signal("TERM");
    program.logs("SIGTERM: stopping 2 services, within 25 s; a second signal forces the end");
    program.signal_again("HUP");
    let ended = program.end();
    assert_eq!(ended.code, Some(128 + 1), "{ended:#?}");
    assert!(ended.last_words().starts_with("forced to end by a second signal, SIGHUP"), "{ended:#?}");
}

#[test]
fn a_second_copy_of_the_stop_does_not_end_what_comes_after_the_group() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_by_hand"), &["cleans up"], &[]);
    program.prints("ready");
    program.signal("TERM");
    program.prints("stopped cleanly");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, ended.signal), (Some(123), None), "{ended:#?}");
    assert_eq!(ended.printed.last().map(String::as_str), Some("cleaned up"), "{ended:#?}");
}

#[test]
fn sighup_never_stops_a_group_with_a_service_that_reloads() {
    for (way, state) in
        [("lost", "the group goes on without reloads"), ("waits for a restart", "reloads: restarting in")]
    {
        let mut program = Program::start(HUNG_UP, &[way], &[]);
        program.logs(state);
        program.signal("HUP");
        program.logs("SIGHUP: nothing was reloaded: no service with a `reload` is ready");
        program.signal("TERM");
        program.logs("SIGTERM: stopping");
        assert_eq!(program.end().code, Some(0), "{way}");
    }
}

#[test]
fn sighups_that_come_while_a_reload_waits_are_that_reload() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_reloads"), &["slow"], &[("RUST_LOG", "group=debug")]);
    program.logs("3 services are ready");
    // Each is awaited before the next comes: the system makes one of two that are not taken yet.
    program.signal("HUP");
    program.logs("SIGHUP: reloading");
    program.prints("first reloads");
    program.signal("HUP");
    program.logs("SIGHUP: reloading");
    for _ in 0..5 {
        program.signal("HUP");
        program.logs("SIGHUP: a reload waits already");
    }
    program.signal("USR1");
    program.logs("2 services reloaded");
    program.prints("first reloads");
    program.signal("USR1");
    program.logs("2 services reloaded");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, ended.printed.len()), (Some(0), 4), "{ended:#?}");
}

#[test]
fn sighup_during_the_start_waits_where_a_service_reloads() {
    let mut program = Program::start(HUNG_UP, &["not built"], &[("RUST_LOG", "group=debug")]);
    program.prints("hangs");
    program.signal("HUP");
    program.logs("SIGHUP: reloading");
    program.signal("TERM");
    program.logs("SIGTERM: stopping");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn sighup_during_the_start_stops_at_once_where_nothing_reloads() {
    let mut program = Program::start(HUNG_UP, &["hangs"], &[("GROUP_STOP_TIMEOUT", "2s")]);
    program.prints("hangs");
    program.signal("HUP");
    program.logs("SIGHUP: stopping 1 service");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn sighup_in_the_body_of_main_stops_the_group_where_nothing_reloads() {
    let mut program = Program::start(HUNG_UP, &["in main"], &[]);
    program.prints("body runs");
    program.signal("HUP");
    program.logs("SIGHUP: ");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn sighup_that_nohup_has_ignored_stops_nothing() {
    for launcher in [&["nohup"][..], &["env", "--ignore-signal=HUP"]] {
        let mut program = launched_by(launcher, &[ENDING, "stopped"], "group=debug");
        program.prints("all are ready");
        program.signal("HUP");
        program.logs("SIGHUP: ignored, as it was when the program was started");
        program.signal("TERM");
        program.logs("SIGTERM: stopping 2 services");
        assert_eq!(program.end().code, Some(0));
    }
}

#[test]
fn sighup_that_nohup_has_ignored_still_reloads() {
    let mut program = launched_by(&["nohup"], &[env!("CARGO_BIN_EXE_reloads")], "info");
    program.logs("3 services are ready");
    program.signal("HUP");
    program.logs("2 services reloaded");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn sighup_that_nohup_has_ignored_does_not_end_what_comes_after_the_group() {
    let mut program = launched_by(&["nohup"], &[env!("CARGO_BIN_EXE_by_hand"), "cleans up"], "info");
    program.prints("ready");
    program.signal("TERM");
    program.prints("stopped cleanly");
    program.signal_again("HUP");
    let ended = program.end();
    assert_eq!((ended.code, ended.signal), (Some(123), None), "{ended:#?}");
}

#[test]
fn a_stop_signal_that_the_launcher_has_blocked_is_told_at_the_start() {
    for (blocked, told) in [
        ("--block-signal=TERM", "SIGTERM is blocked, as it was when the program was started, and stops nothing"),
        (
            "--block-signal=TERM,INT",
            "SIGINT and SIGTERM are blocked, as they were when the program was started, and stop nothing",
        ),
    ] {
        let mut program = launched_by(&["env", blocked], &[ENDING, "stopped"], "info");
        program.logs(told);
        program.prints("all are ready");
        program.signal("TERM");
        program.signal("QUIT");
        program.logs("SIGQUIT: stopping 2 services");
        assert_eq!(program.end().code, Some(0));
    }
}

#[test]
fn a_ctrl_c_that_also_kills_the_child_of_a_service_is_the_cause() {
    for _ in 0..30 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_struck"));
        command.arg("child").process_group(0);
        let mut program = Program::of(command);
        program.prints("the child runs");
        program.logs("2 services are ready");
        let all = format!("-{}", program.id());
        assert!(Command::new("kill").args(["-INT", "--", &all]).status().expect("there is `kill`").success());
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(!ended.logged_with("SIGINT").is_empty() && ended.logged_with("ERROR group").len() <= 1, "{ended:#?}");
    }
}

#[test]
fn a_failure_shortly_before_or_after_a_signal_is_survived_and_any_other_is_the_cause() {
    for (how, ms, code) in [("before", "0", 0), ("after", "0", 0), ("before", "400", 1), ("after", "400", 1)] {
        let mut program = Program::start(env!("CARGO_BIN_EXE_struck"), &[how, ms], &[]);
        if how == "after" {
            program.logs("2 services are ready");
            program.signal("INT");
        }
        let ended = program.end();
        assert_eq!(ended.code, Some(code), "{how} {ms}: {ended:#?}");
        let is_explained = !ended.logged_with("SIGINT came").is_empty();
        // A service with a handler of its own that fails at once may be earlier than the group's handler.
        let may_be_either = how == "after" && code == 0;
        assert!(may_be_either || is_explained == (how == "before" && code == 0), "{how} {ms}: {ended:#?}");
        assert!(!ended.logged_with("`struck` failed: struck").is_empty(), "{how} {ms}: {ended:#?}");
    }
}

/// A program with a `reload` below a terminal, which `script` opens. It logs into a file.
struct OnTerminal {
    script: Child,
    log: PathBuf,
}

impl OnTerminal {
    fn start(name: &str, launcher: &str) -> Self {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
        let (program, log_path) = (env!("CARGO_BIN_EXE_reloads"), log.display());
        let program = format!("echo $$ > {log_path}.pid; exec {launcher} {program} > /dev/null 2> {log_path}");
        let _ = fs::remove_file(&log);
        let mut script = Command::new("script");
        script.args(["-qec", &program, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let terminal = Self { script: script.spawn().expect("there is `script`"), log };
        terminal.logs("3 services are ready");
        terminal
    }

    /// Waits until the log contains this.
    fn logs(&self, text: &str) {
        let read = || fs::read_to_string(&self.log).unwrap_or_default();
        let begun = Instant::now();
        while !read().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(20), "no {text:?} in {}", read());
            sleep(Duration::from_millis(5));
        }
    }

    /// The process of the program.
    fn id(&self) -> String {
        fs::read_to_string(format!("{}.pid", self.log.display())).expect("it was written").trim().to_owned()
    }

    /// Closes the terminal.
    fn close(&mut self) {
        self.script.kill().expect("it is ours");
        self.script.wait().expect("it is ours");
    }
}

fn kill(signal: &str, process: &str) {
    assert!(Command::new("kill").args([signal, process]).status().expect("there is `kill`").success());
}

#[test]
fn a_terminal_that_is_closed_stops_a_program_that_reloads() {
    let mut terminal = OnTerminal::start("closed", "");
    kill("-HUP", &terminal.id());
    terminal.logs("2 services reloaded");
    terminal.close();
    terminal.logs("SIGHUP: stopping 3 services");
    terminal.logs("stopped cleanly: 3 services");
}

#[test]
fn below_nohup_a_program_that_reloads_outlives_its_terminal() {
    let mut terminal = OnTerminal::start("nohup", "nohup");
    let program = terminal.id();
    terminal.close();
    terminal.logs("2 services reloaded");
    kill("-TERM", &program);
    terminal.logs("SIGTERM: stopping 3 services");
    terminal.logs("stopped cleanly: 3 services");
}
