//! Stopped by launchers, supervisors and closing terminals, of which many deliver one stop twice: the request in flight is
//! answered under each.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LAUNCHED: &str = env!("CARGO_BIN_EXE_launched");

/// Longer than any launcher takes, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns true if a launcher is installed. The gate installs those that are not; elsewhere their tests are left out.
fn is_installed(launcher: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {launcher}")]).stdout(Stdio::null()).status();
    let is_installed = found.is_ok_and(|status| status.success());
    if !is_installed {
        eprintln!("left out: there is no {launcher}");
    }
    is_installed
}

/// A directory of the test's own.
fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).expect("it can be made");
    directory
}

/// The program below a launcher, with a request in flight.
struct Launched {
    launcher: Child,
    client: TcpStream,
    report: BufReader<TcpStream>,
}

impl Launched {
    /// Runs a command that starts the program sooner or later, in a process group of its own, and sends a request.
    fn below(command: &mut Command) -> Self {
        let reports = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let report_to = reports.local_addr().expect("it listens").to_string();
        command.env("REPORT_TO", report_to).env_remove("RUST_LOG").process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let launcher = command.spawn().expect("it is installed");
        let (report, _) = reports.accept().expect("the program connects");
        report.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        let mut report = BufReader::new(report);
        let mut client = TcpStream::connect(next_line(&mut report)).expect("the program listens");
        client.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").expect("it is open");
        assert_eq!(next_line(&mut report), "in flight");
        Self { launcher, client, report }
    }

    /// Sends a signal to the launcher alone.
    fn signal(&self, name: &str) {
        send(name, &self.launcher.id().to_string());
    }

    /// Sends a signal to the launcher and everything that it has started, as the terminal does for Ctrl-C.
    fn signal_all(&self, name: &str) {
        send(name, &format!("-{}", self.launcher.id()));
    }

    /// Checks that the request is answered and the program ends.
    fn ends_with_the_answer(mut self, launcher: &str) {
        let mut answer = String::new();
        let read = self.client.read_to_string(&mut answer);
        assert!(read.is_ok() && answer.ends_with("answered"), "{launcher}: {read:?} {answer:?}");
        let mut rest = String::new();
        self.report.read_to_string(&mut rest).expect("the program ends");
        self.launcher.wait().expect("the launcher ends");
    }
}

fn send(signal: &str, to: &str) {
    let sent = Command::new("kill").args(["-s", signal, "--", to]).status();
    assert!(sent.expect("there is `kill`").success());
}

fn next_line(report: &mut impl BufRead) -> String {
    let mut line = String::new();
    report.read_line(&mut line).expect("it reports in time");
    line.trim_end().to_owned()
}

#[test]
fn timeout_that_is_over() {
    if is_installed("timeout") {
        Launched::below(Command::new("timeout").args(["5", LAUNCHED])).ends_with_the_answer("timeout");
    }
}

#[test]
fn ctrl_c_below_npm() {
    if !is_installed("npm") {
        return;
    }
    let directory = directory("npm");
    let package = format!(r#"{{"name": "launched", "version": "1.0.0", "scripts": {{"start": "exec {LAUNCHED}"}}}}"#);
    fs::write(directory.join("package.json"), package).expect("it can be written");
    let mut command = Command::new("npm");
    command.args(["start", "--no-update-notifier"]).current_dir(directory);
    let launched = Launched::below(&mut command);
    launched.signal_all("INT");
    launched.ends_with_the_answer("npm");
}

#[test]
fn ctrl_c_below_make() {
    if !is_installed("make") {
        return;
    }
    let directory = directory("make");
    fs::write(directory.join("Makefile"), format!("run:\n\t{LAUNCHED}\n")).expect("it can be written");
    let launched = Launched::below(Command::new("make").arg("run").current_dir(directory));
    launched.signal_all("INT");
    launched.ends_with_the_answer("make");
}

#[test]
fn inits_of_containers() {
    for (init, arguments) in [("tini", &["-s", "--"][..]), ("dumb-init", &[]), ("dumb-init", &["--single-child"])] {
        if is_installed(init) {
            let launched = Launched::below(Command::new(init).args(arguments).arg(LAUNCHED));
            launched.signal("TERM");
            launched.ends_with_the_answer(init);
            let launched = Launched::below(Command::new(init).args(arguments).arg(LAUNCHED));
            launched.signal_all("INT");
            launched.ends_with_the_answer(init);
        }
    }
}

#[test]
fn a_script_that_passes_the_signal_on() {
    let script = format!("trap 'kill -TERM $program' TERM; {LAUNCHED} & program=$!; wait; wait");
    let launched = Launched::below(Command::new("bash").args(["-c", &script]));
    launched.signal_all("TERM");
    launched.ends_with_the_answer("bash");
}

#[test]
fn a_session_of_tmux_that_is_closed() {
    if !is_installed("tmux") {
        return;
    }
    // The pane's own command, and a program in the foreground of a shell.
    let below_bash = format!("bash -c '{LAUNCHED}; true'");
    for (way, command) in [("own", LAUNCHED), ("below-bash", &below_bash)] {
        // Each has a server of its own, which has the environment of the program.
        let socket = format!("launched-{way}-{}", std::process::id());
        let tmux = |arguments: &[&str]| {
            let mut command = Command::new("tmux");
            command.args(["-L", &socket, "-f", "/dev/null"]).args(arguments);
            command
        };
        let mut launched = Launched::below(&mut tmux(&["new-session", "-d", "-s", "launched", command]));
        let status = tmux(&["kill-session", "-t", "launched"]).status();
        assert!(status.expect("it is installed").success());
        launched.launcher.wait().expect("it only asks the server of tmux");
        launched.ends_with_the_answer("tmux");
    }
}

#[test]
fn nohup_and_then_a_stop() {
    if is_installed("nohup") {
        let launched = Launched::below(Command::new("nohup").arg(LAUNCHED));
        launched.signal("HUP");
        launched.signal("TERM");
        launched.ends_with_the_answer("nohup");
    }
}
