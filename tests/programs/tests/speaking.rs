//! What a program writes on stderr, by the subscriber that `#[group::main]` installs.

use std::process::Command;

use programs::{Ended, Program};

/// Asks with curl, and returns the body of the answer.
fn get(url: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "20", url]);
    String::from_utf8(curl.output().expect("curl is installed").stdout).expect("is text")
}

#[test]
fn a_line_of_a_service_bears_its_name_wherever_its_code_runs() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_speaks"), &[], &[]);
    let host = program.address_of("host");
    program.logs("4 services are ready");
    assert_eq!(get(&format!("http://{host}/")), "answered");
    assert_eq!(get(&format!("http://{host}/guest")), "answered");
    program.signal("HUP");
    program.logs("1 service reloaded");
    program.logs("tick");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines = ["new", "start", "task", "task of nobody", "health", "reload", "stop", "handler", "body", "drop"];
    let of_host = lines.map(|line| (line, "speaks [host]"));
    let of_others =
        [("handler of a guest", "speaks [guest]"), ("thread", "speaks [on-thread]"), ("stray task", "speaks")];
    for (line, speaker) in of_host.into_iter().chain(of_others) {
        let wanted = format!(" INFO  {speaker}: {line}");
        let count = ended.logged.iter().filter(|logged| logged.ends_with(&wanted)).count();
        assert_eq!(count, 1, "{wanted:?} in {ended:#?}");
    }
    let ticks = ended.logged_with(": tick");
    assert!(!ticks.is_empty() && ticks.iter().all(|tick| tick.contains("speaks [host]")), "{ended:#?}");
}

#[test]
fn a_line_begins_with_the_time_of_day_where_nobody_looks_on() {
    let program = Program::start(env!("CARGO_BIN_EXE_quiet"), &[], &[("RUST_LOG", "info")]);
    let ended = program.end();
    let shape = |line: &str| -> String {
        line.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect()
    };
    let expected = "0000-00-00T00:00:00.000Z INFO  group: job is ready";
    assert!(ended.logged.iter().any(|line| shape(line).starts_with(expected)), "{ended:#?}");
}

/// The lines for answers, from the service on, without the time that the answer took.
fn answers(ended: &Ended) -> Vec<String> {
    let lines = ended.logged_with(" group::requests: ").into_iter();
    let untimed = |line: &str| {
        let (level, rest) = line.split_once(" group::requests: ").expect("is in it");
        let (answer, took) = rest.split_once(" (").expect("says how long it took");
        let (_, bytes) = took.split_once(", ").expect("says how many bytes");
        format!("{} {answer} ({bytes}", level.split_whitespace().last().unwrap_or_default())
    };
    lines.map(untimed).collect()
}

/// Asks for these paths, stops the program, and returns its end.
fn asked_for(paths: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut program = Program::start(env!("CARGO_BIN_EXE_speaks"), &[], env);
    let host = program.address_of("host");
    program.logs("4 services are ready");
    for path in paths {
        get(&format!("http://{host}{path}"));
    }
    program.signal("TERM");
    program.end()
}

#[test]
fn a_line_for_each_answer_is_switched_on_by_its_target() {
    let ended = asked_for(&["/", "/guest", "/nowhere", "/failing/7"], &[("RUST_LOG", "info,group::requests=debug")]);
    let expected = [
        "DEBUG host: GET /: 200 (8 bytes)",
        "DEBUG guest: GET /guest: 200 (8 bytes)",
        "DEBUG host: GET /nowhere: 404 (0 bytes)",
        "ERROR failing: GET /failing/{id}: 500 (0 bytes)",
    ];
    assert_eq!(answers(&ended), expected, "{ended:#?}");
}

#[test]
fn an_answer_that_is_a_500_is_always_told_and_that_of_a_panic_only_with_the_panic() {
    let ended = asked_for(&["/", "/failing/7", "/failing/7/panics", "/nowhere"], &[]);
    assert_eq!(answers(&ended), ["ERROR failing: GET /failing/{id}: 500 (0 bytes)"], "{ended:#?}");
    let panicked = ended.logged_with("`failing` panicked: no such id");
    assert!(panicked.len() == 1 && panicked[0].ends_with("(on GET /failing/{id}/panics)"), "{ended:#?}");
}
