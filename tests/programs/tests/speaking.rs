//! What a program writes on stderr, by the subscriber that `#[group::main]` installs.

use std::process::Command;

use programs::Program;

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
    program.logs("3 services are ready");
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
