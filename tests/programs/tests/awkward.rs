//! A service fails with an error whose own code does what it should not. The others are stopped all the same, and the log
//! says what it was.

use std::process::{Command, Stdio};

use programs::{Ended, Program};

fn awkward(how: &str) -> Ended {
    Program::start(env!("CARGO_BIN_EXE_awkward"), &[how], &[]).end()
}

#[test]
fn a_text_that_logs_itself_is_logged() {
    let ended = awkward("logs");
    assert_eq!((ended.code, &*ended.printed), (Some(1), &["stops".to_owned()][..]), "{ended:?}");
    assert!(!ended.logged_with("is asked for its text").is_empty(), "{ended:?}");
    assert_eq!(ended.logged_with("`fails` failed: the text").len(), 2, "{ended:?}");
}

#[test]
fn an_error_that_panics_is_the_failure_of_its_service_and_of_no_other() {
    for (how, text) in [
        ("panics", "`fails` failed: (the text of this error panicked: no text, at tests/programs/src/bin/awkward.rs:"),
        ("fails", "`fails` failed: (the text of this error cannot be written)"),
        ("panics-late", "`fails` failed: half of (the text of this error panicked: no more text, at "),
        ("source", "`fails` failed: the text: (the source of this error panicked: no source, at "),
        ("circle", "`fails` failed: the text: the text: "),
        ("drop", "`fails` failed: the text"),
    ] {
        let ended = awkward(how);
        assert_eq!((ended.code, &*ended.printed), (Some(1), &["stops".to_owned()][..]), "{how}: {ended:?}");
        assert!(!ended.logged_with(text).is_empty(), "{how}: {ended:?}");
        assert!(ended.last_words().starts_with("stopped after a failure"), "{how}: {ended:?}");
    }
}

#[test]
fn a_stop_that_prints_to_nobody_is_told_as_that() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awkward"));
    let mut program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(program.stdout.take());
    let ended = program.wait_with_output().expect("it ends");
    let log = String::from_utf8(ended.stderr).expect("is text");
    let words =
        "`bystander` failed to stop: panicked: failed printing to stdout: Broken pipe (os error 32) (nobody reads it";
    assert!(log.contains(words), "{log}");
}
