//! Whole programs with two HTTP services: the times from exec to ready, and from SIGTERM to exit with no request in
//! flight.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::page::{Goal, Table};
use crate::sample::{Result, Taken, undisturbed};
use crate::servers::ANSWER;
use crate::statistics::Spread;

/// The programs, each named `serve_…`.
pub const PROGRAMS: &[&str] = &[
    PLAIN,
    GROUP,
    "graceful_shutdown",
    "super_visor",
    "notmad",
    "rs_zero",
    "task_supervisor",
    "supervised",
    "continuo",
];

/// The program that the others are compared with.
pub const PLAIN: &str = "axum";

/// The program on `group`.
pub const GROUP: &str = "group";

/// The pause between the last request and SIGTERM, so that no request is in flight.
const SILENCE: Duration = Duration::from_millis(400);

/// The limit of the time to be ready: a slower program is broken.
const LIMIT: Duration = Duration::from_secs(10);

/// The interval of the requests that find out if a program is ready.
const PAUSE: Duration = Duration::from_micros(50);

/// The measurements of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    program: String,
    round: usize,
    taken: Taken<Life>,
}

/// The two ends of a program's life.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Life {
    /// From before it was started until both addresses have answered, in milliseconds.
    ready: f64,
    /// From the signal until it was reaped, in milliseconds.
    exit: f64,
}

/// Runs every program this many times, interleaved.
///
/// # Errors
///
/// If a program does not start, answer or stop.
pub fn measure(programs: &Path, rounds: usize, tries: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}: from exec to ready, from SIGTERM to exit", round + 1);
        for &program in PROGRAMS {
            let taken = undisturbed(tries, || live(programs, program), |_| 0.0)?;
            rows.push(Row { program: program.to_owned(), round, taken });
        }
    }
    Ok(rows)
}

fn live(programs: &Path, program: &str) -> Result<Life> {
    let addresses = [free_address()?, free_address()?];
    let begun = Instant::now();
    let mut server = Server::start(&mut Command::new(programs.join(format!("serve_{program}"))), addresses)?;
    let ready = begun.elapsed();
    thread::sleep(SILENCE);
    let asked = Instant::now();
    server.terminate()?;
    let status = server.child.wait()?;
    let exit = asked.elapsed();
    if !status.success() {
        return Err(format!("serve_{program} ended with {status}").into());
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    Ok(Life { ready: milliseconds(ready), exit: milliseconds(exit) })
}

/// A program that serves. It is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub(crate) child: Child,
}

impl Server {
    /// Starts it, and returns once both addresses have answered.
    ///
    /// # Errors
    ///
    /// If they do not answer.
    pub fn start(command: &mut Command, addresses: [SocketAddr; 2]) -> Result<Self> {
        let command = command.args(addresses.map(|address| address.to_string()));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self { child };
        // The service that starts last is ready last.
        for address in addresses.iter().rev() {
            wait_for(*address)?;
        }
        Ok(server)
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    ///
    /// If it cannot be sent.
    pub fn terminate(&mut self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended, there is nothing to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an address without a listener.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn wait_for(address: SocketAddr) -> Result<()> {
    let until = Instant::now() + LIMIT;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return ask(stream),
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn ask(mut stream: TcpStream) -> Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") && answer.ends_with(ANSWER) {
        Ok(())
    } else {
        Err(format!("expected `{ANSWER}`, got `{answer}`").into())
    }
}

/// The samples, with the questions that the tables ask.
#[derive(Debug)]
pub struct Results<'a>(pub &'a [Row]);

type Figure = fn(&Life) -> f64;

impl Results<'_> {
    /// Returns the differences to plain axum in the same round, in milliseconds.
    fn more(&self, program: &str, figure: Figure) -> Option<Spread> {
        let plain = |round: usize| self.0.iter().find(|row| row.round == round && row.program == PLAIN);
        let own = self.0.iter().filter(|row| row.program == program);
        Spread::of(own.filter_map(|row| Some(figure(&row.taken.value) - figure(&plain(row.round)?.taken.value))))
    }

    /// Returns the table: the difference of each program to plain axum, in milliseconds.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table =
            Table::new(["", "exec to ready, ms more", "SIGTERM to exit, ms more"].map(str::to_owned).to_vec());
        for program in PROGRAMS {
            let figures: [Figure; 2] = [|life| life.ready, |life| life.exit];
            let cell = |figure| self.more(program, figure).map_or_else(|| "–".to_owned(), |more| more.to_string());
            table.push([format!("`{}`", program.replace('_', "-"))].into_iter().chain(figures.map(cell)).collect());
        }
        table
    }

    /// Returns the goals of `group`.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        vec![
            Goal::at_most("exec to ready, ms more than plain axum".into(), 2.0, self.more(GROUP, |life| life.ready)),
            Goal::at_most("SIGTERM to exit, ms more than plain axum".into(), 1.0, self.more(GROUP, |life| life.exit)),
        ]
    }

    /// Returns how many samples were disturbed at every try, and how many samples there are.
    #[must_use]
    pub fn disturbed(&self) -> (usize, usize) {
        (self.0.iter().filter(|row| row.taken.is_disturbed()).count(), self.0.len())
    }
}
