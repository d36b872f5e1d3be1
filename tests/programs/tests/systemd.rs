//! Run by a real systemd: it waits for the start as long as the services need, reloads, stops, restarts and kills as the
//! program tells it.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const TOLD: &str = env!("CARGO_BIN_EXE_told");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd.sh");

/// The exit code of the script where it cannot run a systemd.
const CANNOT: i32 = 77;

/// A systemd of the test's own. It ends when this is dropped, and also when the test is killed.
struct Systemd {
    directory: PathBuf,
    script: Child,
    version: u32,
}

impl Systemd {
    /// `None` where this machine cannot run one: it takes root, a cgroup that may be written, and systemd.
    fn boot(test: &str) -> Option<Self> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("systemd").join(test);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("units")).expect("the directory is ours");
        let programs = Path::new(TOLD).parent().expect("it is in a directory");
        let mut command = Command::new(SCRIPT);
        command.arg("up").args([&directory, programs]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().expect("there is bash");
        let mut said = String::new();
        let stdout = script.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said).expect("it is text");
        if said.trim() != "up" {
            let status = script.wait().expect("it is ours to wait for");
            assert_eq!(status.code(), Some(CANNOT), "the script failed");
            eprintln!("left out: this machine cannot run a systemd");
            return None;
        }
        let mut systemd = Self { directory, script, version: 0 };
        let version = systemd.says(&["systemctl", "--version"]);
        systemd.version = version.split(' ').nth(1).and_then(|version| version.parse().ok()).expect("it has a version");
        Some(systemd)
    }

    fn run(&self, command: &[&str]) -> Output {
        let mut inside = Command::new(SCRIPT);
        inside.arg("in").arg(&self.directory).args(command).output().expect("there is bash")
    }

    fn says(&self, command: &[&str]) -> String {
        let output = self.run(command);
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// Adds a unit that runs the program with these lines of its `[Service]`.
    fn unit(&self, name: &str, lines: &str) -> Unit<'_> {
        // Another unit refers to it, so that it is not forgotten when it has ended.
        let units = self.directory.join("units");
        let keeper = format!("[Unit]\nDefaultDependencies=no\nAfter={name}.service\n");
        let service = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart={TOLD}\nKillMode=mixed\n\
             RestartPreventExitStatus=78\n{lines}\n"
        );
        fs::write(units.join(format!("{name}-keeper.target")), keeper).expect("the directory is ours");
        fs::write(units.join(format!("{name}.service")), service).expect("the directory is ours");
        assert!(self.run(&["systemctl", "daemon-reload"]).status.success());
        assert!(self.run(&["systemctl", "start", &format!("{name}-keeper.target")]).status.success());
        Unit { systemd: self, name: format!("{name}.service") }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // The end of its stdin ends it.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

struct Unit<'a> {
    systemd: &'a Systemd,
    name: String,
}

impl Unit<'_> {
    /// Has `systemctl` do this, and returns true if it could.
    fn is_told_to(&self, verb: &str) -> bool {
        self.systemd.run(&["systemctl", verb, &self.name]).status.success()
    }

    /// A property of the unit.
    fn get(&self, property: &str) -> String {
        let shown = self.systemd.says(&["systemctl", "show", "--value", "--property", property, &self.name]);
        shown.trim().to_owned()
    }

    /// Waits until a property has this value.
    fn until(&self, property: &str, value: &str) {
        self.until_is(property, |is| is == value);
    }

    /// Waits until a property has such a value.
    fn until_is(&self, property: &str, is_wanted: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !is_wanted(&self.get(property)) {
            let log = || self.systemd.says(&["journalctl", "--no-pager", "-o", "cat", "-u", &self.name]);
            assert!(begun.elapsed() < Duration::from_secs(40), "{property} is {}: {}", self.get(property), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Checks how it ended: its result for systemd, and the exit code or signal of the program.
    fn ended(&self, result: &str, code: &str) {
        let is = [self.get("Result"), self.get("ExecMainStatus")];
        assert_eq!(is, [result, code], "{}", self.systemd.says(&["journalctl", "--no-pager", "-u", &self.name]));
    }
}

#[test]
fn a_start_may_take_as_long_as_the_services_need() {
    let Some(systemd) = Systemd::boot("start") else { return };
    let unit = systemd.unit("slow", "TimeoutStartSec=2s\nEnvironment=START=5000");
    let begun = Instant::now();
    assert!(unit.is_told_to("start"), "{}", unit.get("Result"));
    assert!(begun.elapsed() >= Duration::from_secs(5), "it waits until the group is ready");
    assert_eq!([unit.get("SubState"), unit.get("StatusText")], ["running", "Running: 3 services"]);
    assert!(unit.is_told_to("stop"));
    unit.ended("success", "0");
}

#[test]
fn who_is_waited_for_is_shown() {
    let Some(systemd) = Systemd::boot("status") else { return };
    let unit = systemd.unit("waits", "Environment=START=60000");
    assert!(systemd.run(&["systemctl", "start", "--no-block", &unit.name]).status.success());
    unit.until_is("StatusText", |status| status.starts_with("Starting: 1/3, waiting for db ("));
    assert!(unit.is_told_to("stop"));
    unit.ended("success", "0");
}

#[test]
fn a_reload_is_over_when_the_services_have_reloaded() {
    let Some(systemd) = Systemd::boot("reload") else { return };
    let notifies_reload = systemd.version >= 253;
    let kind = if notifies_reload { "Type=notify-reload" } else { "ExecReload=kill -HUP $MAINPID" };
    for (way, status) in [
        ("good", "Running: 4 services"),
        ("bad", "Running: 4 services; the last reload failed: `settings` failed to reload: line 3 is no good READY=1"),
    ] {
        let unit = systemd.unit(way, &format!("{kind}\nEnvironment=RELOAD={way}"));
        assert!(unit.is_told_to("start"), "{}", unit.get("Result"));
        for _ in 0..3 {
            assert!(unit.is_told_to("reload"));
            if notifies_reload {
                assert_eq!(unit.get("StatusText"), status, "when the reload is over");
            }
            unit.until("StatusText", status);
            unit.until("SubState", "running");
        }
        assert!(unit.is_told_to("stop"));
        unit.ended("success", "0");
    }
    let unit = systemd.unit("without", kind);
    assert!(unit.is_told_to("start") && unit.is_told_to("reload"));
    unit.until("SubState", "running");
    unit.until("StatusText", "Running: 3 services");
    assert!(unit.is_told_to("stop"));
    unit.ended("success", "0");
}

#[test]
fn a_stop_of_its_own_has_its_whole_budget() {
    let Some(systemd) = Systemd::boot("stop") else { return };
    let own = systemd.unit("own", "TimeoutStopSec=2s\nEnvironment=END=100 STOP=5000");
    assert!(own.is_told_to("start"));
    own.until("ActiveState", "inactive");
    own.ended("success", "0");
    // It asks for more than the unit has: that is taken from the program.
    let asked = systemd.unit("asked", "TimeoutStopSec=2s\nEnvironment=STOP=5000");
    assert!(asked.is_told_to("start") && asked.is_told_to("stop"));
    asked.ended("success", "0");
}

#[test]
fn a_blocked_program_is_killed_and_started_again() {
    let Some(systemd) = Systemd::boot("watchdog") else { return };
    let unit = systemd.unit("blocks", "WatchdogSec=1s\nRestart=on-failure\nRestartSec=0\nTimeoutStopSec=2s");
    assert!(unit.is_told_to("start"));
    let first = unit.get("MainPID");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!([unit.get("MainPID"), unit.get("NRestarts")], [first.clone(), "0".to_owned()], "pings keep it alive");
    assert!(systemd.run(&["systemctl", "kill", "--kill-whom=main", "--signal=USR2", &unit.name]).status.success());
    unit.until("NRestarts", "1");
    unit.until("SubState", "running");
    assert_ne!(unit.get("MainPID"), first);
    let log = systemd.says(&["journalctl", "--no-pager", "-o", "cat", "-u", &unit.name]);
    assert!(log.contains("Blocked: no thread of the runtime is free; `web` runs on one"), "{log}");
    assert!(unit.is_told_to("stop"));
}

#[test]
fn exit_codes_are_results() {
    let Some(systemd) = Systemd::boot("codes") else { return };
    let invalid = systemd.unit("invalid", "Restart=on-failure\nRestartSec=0\nEnvironment=GROUP_STOP_TIMEOUT=soon");
    assert!(!invalid.is_told_to("start"));
    invalid.until("ActiveState", "failed");
    invalid.ended("exit-code", "78");
    assert_eq!(invalid.get("NRestarts"), "0");
    let status = invalid.get("StatusText");
    assert!(status.starts_with("nothing was started: invalid setup (exit code 78)"), "{status}");

    let no_start = systemd.unit("no-start", "Environment=START=60000 GROUP_DB__START_TIMEOUT=100ms");
    assert!(!no_start.is_told_to("start"));
    no_start.until("ActiveState", "failed");
    no_start.ended("exit-code", "2");

    let too_slow = systemd.unit("too-slow", "Environment=STOP=60000 GROUP_STOP_TIMEOUT=1s");
    assert!(too_slow.is_told_to("start"));
    too_slow.is_told_to("stop");
    too_slow.until("ActiveState", "failed");
    too_slow.ended("exit-code", "3");

    let short = systemd.unit("short", "Environment=END=0");
    assert!(short.is_told_to("start"), "it was ready");
    short.until("ActiveState", "inactive");
    short.ended("success", "0");
}
