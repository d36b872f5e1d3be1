//! Watches a child process: what it prints, how it takes a signal, how it ends.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

pub mod staged;

/// A program of this package that runs.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    /// What it has printed so far.
    pub printed: Vec<String>,
    /// What it has logged so far.
    pub logged: Vec<String>,
    patience: Option<Sender<()>>,
}

/// Longer than any of these programs takes, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills a process after a while, unless what is returned is dropped before.
fn kill_after(limit: Duration, process: u32) -> Sender<()> {
    let (watched, gone) = channel();
    std::thread::spawn(move || {
        if gone.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &process.to_string()]).status();
        }
    });
    watched
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// All that it printed.
    pub printed: Vec<String>,
    /// All that it logged.
    pub logged: Vec<String>,
}

impl Program {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(path: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_in(".", path, args, env)
    }

    /// Starts a program in a directory.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start_in(directory: &str, path: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(path);
        command
            .current_dir(directory)
            .args(args)
            .env_remove("RUST_LOG")
            .env_remove("GROUP_CONFIG")
            .env_remove("GROUP_SCHEDULE")
            .env_remove("GROUP_STOP_TIMEOUT")
            .env_remove("GROUP_DRAIN_DELAY")
            .env_remove("GROUP_DRAIN_QUIET")
            .envs(env.iter().copied());
        Self::of(command)
    }

    /// Starts a command as it is.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("is piped"));
        let patience = Some(kill_after(PATIENCE, child.id()));
        Self { child, stdout, stderr, printed: Vec::new(), logged: Vec::new(), patience }
    }

    /// Waits until it prints a line that contains `text`, and returns the line.
    ///
    /// # Panics
    ///
    /// When it ends without.
    pub fn prints(&mut self, text: &str) -> String {
        read_until(&mut self.stdout, &mut self.printed, text)
    }

    /// Waits until it logs a line that contains `text`, and returns the line.
    ///
    /// # Panics
    ///
    /// When it ends without.
    pub fn logs(&mut self, text: &str) -> String {
        read_until(&mut self.stderr, &mut self.logged, text)
    }

    /// Waits until the service of this name is ready, and returns the address on which it serves.
    ///
    /// # Panics
    ///
    /// When the program ends before.
    pub fn address_of(&mut self, service: &str) -> String {
        let line = self.logs(&format!("{service} is ready on "));
        let (_, rest) = line.split_once("://").expect("has an address");
        rest.split(' ').next().expect("is not empty").to_owned()
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Sends it a signal, by name: `TERM`.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("there is `kill`").success());
    }

    /// Sends it a signal that is no longer taken for the one that was sent just before: after more than 500 ms.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub fn signal_again(&self, name: &str) {
        std::thread::sleep(Duration::from_millis(600));
        self.signal(name);
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// When what it says is no text.
    #[must_use]
    pub fn end(mut self) -> Ended {
        let mut rest = (String::new(), String::new());
        // A program logs little, so that it fits into the pipe while stdout is read.
        self.stdout.read_to_string(&mut rest.0).expect("is text");
        self.stderr.read_to_string(&mut rest.1).expect("is text");
        self.printed.extend(rest.0.lines().map(str::to_owned));
        self.logged.extend(rest.1.lines().map(str::to_owned));
        let status = self.child.wait().expect("is ours to wait for");
        let (printed, logged) = (std::mem::take(&mut self.printed), std::mem::take(&mut self.logged));
        Ended { code: status.code(), signal: status.signal(), printed, logged }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that failed must not leave it behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.patience.take();
    }
}

impl Ended {
    /// The last line of its log, without time, level and target.
    ///
    /// # Panics
    ///
    /// When it logged nothing.
    #[must_use]
    pub fn last_words(&self) -> &str {
        let last = self.logged.last().expect("says how it ended");
        last.split_once("group: ").map_or(last, |(_, message)| message)
    }

    /// The lines of its log that contain `text`, without the last one, which repeats the cause of a failure.
    #[must_use]
    pub fn told_with(&self, text: &str) -> Vec<&str> {
        let told = &self.logged[..self.logged.len().saturating_sub(1)];
        told.iter().map(String::as_str).filter(|line| line.contains(text)).collect()
    }

    /// The lines of its log that contain `text`.
    #[must_use]
    pub fn logged_with(&self, text: &str) -> Vec<&str> {
        self.logged.iter().map(String::as_str).filter(|line| line.contains(text)).collect()
    }
}

fn read_until(from: &mut impl BufRead, so_far: &mut Vec<String>, text: &str) -> String {
    loop {
        let mut line = String::new();
        let read = from.read_line(&mut line).expect("is text");
        assert_ne!(read, 0, "ended without {text:?}: {so_far:#?}");
        let line = line.trim_end().to_owned();
        so_far.push(line.clone());
        if line.contains(text) {
            return line;
        }
    }
}
