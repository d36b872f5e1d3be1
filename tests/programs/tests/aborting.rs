//! A program that is built with `panic = "abort"` ends at a panic; what it can still do is to say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use programs::{Ended, Program};

/// Builds the program with that profile, beside the other programs.
fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_ending")).ancestors().nth(2).expect("the target directory");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--offline", "--package", "aborting", "--target-dir"]).arg(target);
    build.env("CARGO_PROFILE_DEV_PANIC", "abort");
    assert!(build.status().expect("cargo can be run").success());
    target.join("debug/aborting")
}

fn aborting(program: &Path, place: &str) -> Ended {
    Program::start(program.to_str().expect("is text"), &[place], &[]).end()
}

const WARNING: &str = "this program is built with panic = \"abort\"";

#[test]
fn it_warns_once_and_its_last_words_name_whose_panic_it_was_and_what_was_running() {
    let program = build();
    let rest = "; the process ends at once (panic = \"abort\"); not stopped: store (ready), worker (ready)";
    for (place, whose) in [
        ("start", "`worker` panicked: no more work, at tests/fixtures/aborting/src/main.rs:"),
        ("task", "`worker` panicked: no more tasks, at "),
        ("thread", "something else than a service panicked: no more threads, at "),
    ] {
        let ended = aborting(&program, place);
        assert_eq!((ended.code, ended.signal), (None, Some(6)), "{ended:#?}");
        assert_eq!(ended.logged_with(WARNING).len(), 1, "{ended:#?}");
        assert!(ended.last_words().starts_with(whose) && ended.last_words().ends_with(rest), "{ended:#?}");
    }
    let ended = aborting(&program, "stops");
    assert_eq!((ended.code, ended.logged_with(WARNING).len()), (Some(0), 1), "{ended:#?}");
}

#[test]
fn a_program_that_unwinds_is_not_warned() {
    let ended = Program::start(env!("CARGO_BIN_EXE_ending"), &["completed"], &[]).end();
    assert!(ended.logged_with(WARNING).is_empty(), "{ended:#?}");
}
