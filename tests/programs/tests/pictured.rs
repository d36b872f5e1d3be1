//! SIGUSR1 writes a picture of the moment to the log, and never ends the process.

use std::process::{Child, Command, Stdio};

use programs::Program;

/// Asks with curl, in the background.
fn ask(url: &str) -> Child {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "20", url]).stdout(Stdio::null());
    curl.spawn().expect("curl is installed")
}

fn wait(mut curl: Child) {
    curl.wait().expect("is ours to wait for");
}

/// Sends SIGUSR1, and returns the line of the group and that of each of these services.
fn picture(program: &mut Program, services: &[&str]) -> Vec<String> {
    program.signal("USR1");
    let first = program.logs("SIGUSR1: ");
    let lines = services.iter().map(|service| program.logs(&format!("  {service}: ")));
    [first].into_iter().chain(lines.collect::<Vec<_>>()).collect()
}

#[track_caller]
fn has(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

#[test]
fn it_shows_what_each_service_does_and_waits_for() {
    let limit = [("GROUP_STOP_TIMEOUT", "2s")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_pictured"), &[], &limit);
    let web = program.address_of("web");
    program.prints("late starts");
    let held = [1, 2].map(|id| ask(&format!("http://{web}/held/{id}")));
    program.prints("a request is held");
    program.prints("a request is held");

    let all = ["store", "web", "late", "last"];
    let lines = picture(&mut program, &all);
    let [group, store, web_line, late, last] = &lines[..] else { panic!("{lines:#?}") };
    has(group, &[" INFO  group: SIGUSR1: starting, not ready; 4 services, "]);
    has(store, &["store: ready for ", "; 1 task; 1 ticker"]);
    has(web_line, &["web: ready for ", "; 2 requests in flight: 2 × GET /held/{id} for up to "]);
    has(late, &["late: starting for ", "; waits for `start`: its `Ready` was not fired (start_timeout 1m)"]);
    has(last, &["last: waiting for ", "; waits for late"]);
    assert!(lines.iter().all(|line| !line.contains("blocks")), "{lines:#?}");

    let blocked = ask(&format!("http://{web}/blocks"));
    program.prints("a thread is blocked");
    let lines = picture(&mut program, &all);
    has(&lines[2], &["; 3 requests in flight: ", "GET /blocks for ", "; blocks 1 thread: tokio-rt-worker, tid "]);

    program.signal("TERM");
    program.logs("late stopped");
    let lines = picture(&mut program, &all);
    has(&lines[0], &["SIGUSR1: stopping, not ready, because SIGTERM, ", " left; 4 services"]);
    has(&lines[1], &["store: ready for ", "; waits for web"]);
    has(&lines[2], &["web: stopping for ", "; waits for its end (stop_timeout 10 s)", "blocks 1 thread"]);
    has(&lines[3], &["late: gone for "]);
    assert_eq!(program.end().code, Some(3), "the deadline holds");
    held.into_iter().chain([blocked]).for_each(wait);
}

#[test]
fn it_comes_also_when_every_thread_of_the_runtime_is_blocked() {
    let limit = [("GROUP_STOP_TIMEOUT", "1s")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_ending"), &["all-blocked"], &limit);
    program.prints("blocked");
    let lines = picture(&mut program, &["polite", "blocker"]);
    has(&lines[2], &["blocker: ", "; blocks "]);
    program.signal("TERM");
    assert_eq!(program.end().code, Some(3));
}

#[test]
fn a_start_on_a_thread_of_its_own_blocks_no_thread_of_others() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_speaks"), &[], &[]);
    program.logs("4 services are ready");
    let lines = picture(&mut program, &["on-thread"]);
    assert!(!lines[1].contains("blocks"), "{lines:#?}");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn before_there_is_a_group_it_says_so_and_ends_nothing() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_ending"), &["body-hangs"], &[]);
    program.prints("body runs");
    let lines = picture(&mut program, &[]);
    has(&lines[0], &[" INFO  group: SIGUSR1: the body of `main` runs, and there is no group yet"]);
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(
        ended.logged_with("stopped cleanly").len(),
        1,
        "the group's subscriber is there all the same: {ended:#?}"
    );
}

#[test]
fn after_the_group_it_ends_nothing_either() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_by_hand"), &["lingers"], &[]);
    program.prints("ready");
    program.signal("TERM");
    program.prints("stopped cleanly");
    program.signal("USR1");
    program.signal_again("TERM");
    assert_eq!(program.end().code, Some(128 + 15), "it was still there");
}

#[test]
fn many_of_them_do_no_harm_and_a_log_that_nobody_reads_holds_up_nothing() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_ending"), &["stopped"], &[]);
    program.prints("all are ready");
    for _ in 0..20 {
        program.signal("USR1");
    }
    program.signal("TERM");
    program.signal("USR1");
    assert_eq!(program.end().code, Some(0));

    let mut program = Program::start(env!("CARGO_BIN_EXE_shouts"), &[], &[("GROUP_STOP_TIMEOUT", "500ms")]);
    program.prints("ready");
    program.prints("ready");
    program.signal("USR1");
    program.signal("USR1");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(3), "the deadline holds");
}
