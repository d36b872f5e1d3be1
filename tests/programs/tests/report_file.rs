//! The last report of a program, as a file: there at every end, and always whole.

use std::fs;
use std::path::{Path, PathBuf};

use programs::{Ended, Program};
use serde_json::Value;

/// A folder of a test's own, which is removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("group-report-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("can be made");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("last.json")
    }

    /// The names of the files in it.
    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).expect("is there");
        files.map(|file| file.expect("can be read").file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(way: &str, file: &Path, limit: &str) -> Program {
    let file = file.to_str().expect("is text");
    let env = [("GROUP_REPORT_TO", file), ("GROUP_STOP_TIMEOUT", limit)];
    Program::start(env!("CARGO_BIN_EXE_ending"), &[way], &env)
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("is written")).expect("is a whole report")
}

fn check(ended: &Ended, folder: &Folder, code: i32, outcome: &str) -> Value {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    let report = read(&folder.file());
    assert_eq!((&report["outcome"], &report["exit_code"]), (&outcome.into(), &code.into()), "{report:#}");
    assert_eq!(folder.names(), ["last.json"], "nothing else is left");
    report
}

#[test]
fn it_is_there_after_a_clean_stop_and_replaces_the_one_from_before() {
    let folder = Folder::new("clean");
    fs::write(folder.file(), "an earlier report").expect("can be written");
    let mut program = start("stopped", &folder.file(), "25s");
    program.prints("all are ready");
    program.signal("TERM");
    let report = check(&program.end(), &folder, 0, "clean");
    assert_eq!(report["stopped_by"], "SIGTERM");
    assert_eq!(report["services"].as_array().map(Vec::len), Some(2));
}

#[test]
fn it_is_there_after_a_failure_and_names_the_cause() {
    let folder = Folder::new("failed");
    let report = check(&start("start-failed", &folder.file(), "25s").end(), &folder, 2, "start_failed");
    assert_eq!(report["failures"][0]["error"], "no route to the database: cable unplugged");
}

#[test]
fn it_is_there_after_a_forced_end() {
    let folder = Folder::new("forced");
    let mut program = start("deaf", &folder.file(), "25s");
    program.prints("deaf is ready");
    program.signal("TERM");
    program.prints("deaf was told");
    program.signal_again("INT");
    check(&program.end(), &folder, 128 + 2, "forced");
}

#[test]
fn it_is_there_after_the_deadline_of_a_blocked_runtime() {
    for (way, name) in [("all-blocked", "blocked"), ("body-blocks", "body")] {
        let folder = Folder::new(name);
        let mut program = start(way, &folder.file(), "1s");
        program.prints("blocked");
        program.signal("TERM");
        let report = check(&program.end(), &folder, 3, "unclean_stop");
        assert!(report["failures"].as_array().is_some_and(|failures| !failures.is_empty()), "{report:#}");
    }
}

#[test]
fn it_is_there_when_nothing_was_started() {
    for (way, code, outcome) in [("cycle", 78, "bad_group"), ("body-failed", 2, "start_failed")] {
        let folder = Folder::new(way);
        check(&start(way, &folder.file(), "25s").end(), &folder, code, outcome);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_changes_nothing() {
    let folder = Folder::new("nowhere");
    let mut program = start("stopped", &folder.0.join("missing/last.json"), "25s");
    program.prints("all are ready");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let told = ended.logged_with(" WARN  group: cannot write the report to ");
    assert!(told.len() == 1 && told[0].contains("missing/last.json: "), "{ended:#?}");
    assert!(ended.last_words().starts_with("stopped cleanly"), "{ended:#?}");

    let empty = start("stopped", Path::new(""), "25s").end();
    assert_eq!(empty.code, Some(78), "{empty:#?}");
    assert_eq!(empty.told_with("GROUP_REPORT_TO is text: expected the path of a file").len(), 1, "{empty:#?}");
}
