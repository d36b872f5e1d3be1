//! Guards that are kept in a group outlive its last line, however the group ends.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use programs::{Ended, Program};

/// The file of the log, for one test.
struct Log(PathBuf);

impl Log {
    fn new(test: &str) -> Self {
        Self(std::env::temp_dir().join(format!("guards-{test}-{}.log", std::process::id())))
    }

    fn start(&self, args: &[&str]) -> Program {
        let log = self.0.to_str().expect("is text");
        Program::start(env!("CARGO_BIN_EXE_guarded"), args, &[("LOG", log)])
    }

    /// The last line.
    fn last(&self) -> String {
        let log = fs::read_to_string(&self.0).expect("the log is a file");
        log.lines().last().unwrap_or_default().to_owned()
    }

    fn ends_with(&self, words: &str, ended: &Ended) {
        assert!(self.last().contains(words), "{}\n{ended:#?}", self.last());
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("the log is a file");
    }
}

/// The lines that the program prints when its guards are dropped, in this order.
const DROPPED: [&str; 3] = ["last dropped", "telemetry sent", "first dropped"];

#[test]
fn the_last_line_is_in_the_file_after_a_signal() {
    let log = Log::new("signal");
    let mut program = log.start(&["signal"]);
    program.prints("works");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.printed, [&["works"], &DROPPED[..]].concat(), "{ended:#?}");
    log.ends_with("stopped cleanly: 1 service in ", &ended);
}

#[test]
fn the_last_line_is_in_the_file_by_hand() {
    let log = Log::new("run");
    let mut program = log.start(&["run", "by-hand"]);
    program.prints("works");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, &ended.printed[1..]), (Some(0), &DROPPED.map(str::to_owned)[..]), "{ended:#?}");
    log.ends_with("stopped cleanly", &ended);

    let log = Log::new("start");
    let ended = log.start(&["start", "by-hand"]).end();
    assert_eq!((ended.code, &ended.printed[1..]), (Some(0), &DROPPED.map(str::to_owned)[..]), "{ended:#?}");
    log.ends_with("stopped cleanly", &ended);
}

#[test]
fn the_last_line_is_in_the_file_when_nothing_comes_up() {
    for (way, code, words) in [
        ("start-failed", 2, "(exit code 2): `db` failed to start: no route"),
        ("invalid", 78, "nothing was started: invalid setup (exit code 78): cannot configure `bd`"),
        ("body-failed", 2, "start failed; nothing had been started (exit code 2): `main` failed to start: there is no"),
    ] {
        let log = Log::new(way);
        let ended = log.start(&[way]).end();
        assert_eq!((ended.code, &ended.printed[..]), (Some(code), &DROPPED.map(str::to_owned)[..]), "{ended:#?}");
        log.ends_with(words, &ended);
    }
    for (way, code) in [("start-failed", 2), ("invalid", 78)] {
        let log = Log::new(&format!("{way}-by-hand"));
        let ended = log.start(&[way, "by-hand"]).end();
        assert_eq!((ended.code, &ended.printed[..]), (Some(code), &DROPPED.map(str::to_owned)[..]), "{ended:#?}");
        log.ends_with(&format!("(exit code {code})"), &ended);
    }
}

#[test]
fn a_guard_that_panics_is_told_and_survived() {
    let log = Log::new("panics");
    let report = std::env::temp_dir().join(format!("guards-{}.json", std::process::id()));
    let path = report.to_str().expect("is text");
    let env = [("LOG", log.0.to_str().expect("is text")), ("GROUP_REPORT_TO", path)];
    let mut program = Program::start(env!("CARGO_BIN_EXE_guarded"), &["guard-panics"], &env);
    program.prints("works");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!((ended.code, &ended.printed[1..]), (Some(0), &DROPPED.map(str::to_owned)[..]), "{ended:#?}");
    log.ends_with("stopped cleanly", &ended);
    let said = "the guard `guarded::Panics` panicked: the disk is full, at ";
    assert_eq!(ended.logged_with(said).len(), 1, "{ended:#?}");
    let written = fs::read_to_string(&report).expect("the report is a file");
    assert!(written.contains(said), "{written}");
    fs::remove_file(report).expect("the report is a file");
}

#[test]
fn a_guard_that_hangs_is_given_up_at_the_deadline() {
    let log = Log::new("hangs");
    let mut program = log.start(&["guard-hangs"]);
    program.prints("works");
    let asked = Instant::now();
    program.signal("TERM");
    let ended = program.end();
    assert!((400..900).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert_eq!(ended.logged_with("the guard `guarded::Hangs` is still being dropped").len(), 1, "{ended:#?}");
}

#[test]
fn a_second_signal_does_not_wait_for_a_guard() {
    let log = Log::new("forced");
    let log_file = log.0.to_str().expect("is text");
    let env = [("LOG", log_file), ("GROUP_STOP_TIMEOUT", "20s")];
    let mut program = Program::start(env!("CARGO_BIN_EXE_guarded"), &["guard-hangs"], &env);
    program.prints("works");
    program.signal("TERM");
    program.prints("hangs");
    std::thread::sleep(Duration::from_millis(600));
    let forced = Instant::now();
    program.signal("TERM");
    let ended = program.end();
    assert!(forced.elapsed() < Duration::from_millis(500), "{:?}", forced.elapsed());
    assert_eq!(ended.code, Some(128 + 15), "{ended:#?}");
}

#[test]
fn a_blocked_runtime_has_its_last_words_in_the_file_and_on_stderr() {
    let log = Log::new("blocked");
    let mut program = log.start(&["blocked"]);
    program.prints("works");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let words = "stopped, but not cleanly";
    log.ends_with(words, &ended);
    assert_eq!(ended.logged_with(words).len(), 1, "{ended:#?}");
}
