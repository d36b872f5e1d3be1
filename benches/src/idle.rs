//! Connections over HTTP/1.1 that have been answered once, and wait: what each keeps in memory, and how long the stop takes
//! with all of them open.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::page::{Goal, Table};
use crate::process::{GROUP, PLAIN, Server, free_address};
use crate::sample::{Result, Taken, undisturbed};
use crate::servers::ANSWER;
use crate::statistics::Spread;

/// The number of connections.
const CONNECTIONS: u32 = 4000;

/// The pause after the last answer.
const SILENCE: Duration = Duration::from_secs(3);

/// The measurements of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    program: String,
    round: usize,
    taken: Taken<Idle>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Idle {
    /// The resident bytes of one connection.
    bytes: f64,
    /// From SIGTERM until the program was reaped, in milliseconds.
    exit: f64,
}

/// Runs both programs this many times, in turn.
///
/// # Errors
///
/// If a connection is not answered.
pub fn measure(programs: &Path, rounds: usize, tries: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}: idle connections", round + 1);
        for program in [PLAIN, GROUP] {
            let taken = undisturbed(tries, || idle(programs, program), |_| 0.0)?;
            rows.push(Row { program: program.to_owned(), round, taken });
        }
    }
    Ok(rows)
}

fn idle(programs: &Path, program: &str) -> Result<Idle> {
    let addresses = [free_address()?, free_address()?];
    let mut server = Server::start(&mut Command::new(programs.join(format!("serve_{program}"))), addresses)?;
    let before = resident(server.child.id())?;
    let clients: Result<Vec<TcpStream>> = (0..CONNECTIONS).map(|_| answered(addresses[0])).collect();
    let clients = clients?;
    thread::sleep(SILENCE);
    let bytes = (resident(server.child.id())? - before) / f64::from(CONNECTIONS);
    let asked = Instant::now();
    server.terminate()?;
    server.child.wait()?;
    let exit = asked.elapsed().as_secs_f64() * 1000.0;
    drop(clients);
    Ok(Idle { bytes, exit })
}

/// Asks once, and keeps the connection.
fn answered(address: SocketAddr) -> Result<TcpStream> {
    let mut client = TcpStream::connect(address)?;
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(ANSWER.as_bytes()) {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Err("the connection was closed".into());
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    Ok(client)
}

/// The resident bytes of a process.
fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0)
}

/// The samples, with the questions that the tables ask.
#[derive(Debug)]
pub struct Results<'a>(pub &'a [Row]);

type Figure = fn(&Idle) -> f64;

const FIGURES: [(&str, Figure); 2] = [("resident bytes of one", |idle| idle.bytes), ("SIGTERM to exit", |idle| idle.exit)];

impl Results<'_> {
    /// Returns the ratios to plain axum in the same round.
    fn ratio(&self, figure: Figure) -> Option<Spread> {
        let of = |program| self.0.iter().filter(move |row| row.program == program);
        let pairs = of(GROUP).filter_map(|own| Some((own, of(PLAIN).find(|plain| plain.round == own.round)?)));
        Spread::of(pairs.map(|(own, plain)| figure(&own.taken.value) / figure(&plain.taken.value)))
    }

    /// Returns the table: `group` as a multiple of plain axum.
    #[must_use]
    pub fn table(&self) -> Table {
        let head = [String::new()].into_iter().chain(FIGURES.map(|(what, _)| what.to_owned())).collect();
        let mut table = Table::new(head);
        let cell = |(_, figure)| self.ratio(figure).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
        table.push([format!("{CONNECTIONS} idle connections")].into_iter().chain(FIGURES.map(cell)).collect());
        table
    }

    /// Returns the goal of `group`.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        let [(_, bytes), _] = FIGURES;
        vec![Goal::at_most("an idle connection: resident bytes, × plain axum".into(), 0.15, self.ratio(bytes))]
    }

    /// Returns how many samples were disturbed at every try, and how many samples there are.
    #[must_use]
    pub fn disturbed(&self) -> (usize, usize) {
        (self.0.iter().filter(|row| row.taken.is_disturbed()).count(), self.0.len())
    }
}
