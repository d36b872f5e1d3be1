//! The cost of a request: `group` and plain axum under the same load, in turn.
//!
//! The server has the first processor to itself, the client the last one; or they have all processors together, and then
//! `group` serves once on its own runtime and once on every processor. As many requests as there are connections
//! (over HTTP/2: streams) are in flight at any time, so a server that is slower also lets them wait longer.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::page::{Goal, Table};
use crate::process::{GROUP, PLAIN, Server, free_address};
use crate::sample::{Result, Taken, run, undisturbed};
use crate::statistics::Spread;

/// The kinds of requests, and their names in the table.
pub const WAYS: &[(&str, &str)] = &[
    ("http1", "HTTP/1.1, keep-alive"),
    ("connections", "HTTP/1.1, a connection per request"),
    ("http2", "HTTP/2 without TLS"),
];

/// The servers on all processors, which share them with the client: the program, and where it serves.
pub const ON_ALL: &[(&str, &str)] = &[(PLAIN, ""), (GROUP, "shared"), (GROUP, "per-core")];

/// The times that the client sends requests, in milliseconds: first to warm up, then to measure.
const WARM_UP: u64 = 300;
const LONG: u64 = 2000;

/// The limit of a client: one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// The output of the client.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// The number of answers.
    pub answers: u64,
    /// The time that they took, in seconds.
    pub seconds: f64,
    /// The median of the times of requests, in microseconds.
    pub p50: f64,
    /// The 99th percentile of the times of requests, in microseconds.
    pub p99: f64,
}

/// The measurements of one server.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Load {
    answered: Answered,
    /// The processor time of the server meanwhile, in seconds.
    worked: f64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    program: String,
    /// Where it serves, on all processors; `None` with one processor for each side.
    serve: Option<String>,
    way: String,
    round: usize,
    taken: Taken<Load>,
}

/// Loads both servers this many times with each kind of requests. The first of the two changes each time.
///
/// # Errors
///
/// If a request is not answered.
pub fn measure(programs: &Path, rounds: usize, tries: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}: requests", round + 1);
        for &(way, _) in WAYS {
            let both = if round.is_multiple_of(2) { [PLAIN, GROUP] } else { [GROUP, PLAIN] };
            for program in both {
                let taken = undisturbed(tries, || load(programs, program, None, way), |_| 0.0)?;
                rows.push(Row { program: program.to_owned(), serve: None, way: way.to_owned(), round, taken });
            }
            for at in 0..ON_ALL.len() {
                let (program, serve) = ON_ALL[(at + round) % ON_ALL.len()];
                let taken = undisturbed(tries, || load(programs, program, Some(serve), way), |_| 0.0)?;
                let serve = Some(serve.to_owned());
                rows.push(Row { program: program.to_owned(), serve, way: way.to_owned(), round, taken });
            }
        }
    }
    Ok(rows)
}

fn load(programs: &Path, program: &str, serve: Option<&str>, way: &str) -> Result<Load> {
    let addresses = [free_address()?, free_address()?];
    let last = thread::available_parallelism()?.get() - 1;
    let on = |processor: usize, program: &str| match serve {
        Some(_) => Command::new(programs.join(program)),
        None => pinned(processor, &programs.join(program)),
    };
    let mut command = on(0, &format!("serve_{program}"));
    command.envs(serve.filter(|serve| !serve.is_empty()).map(|serve| ("GROUP_SERVE", serve)));
    let server = Server::start(&mut command, addresses)?;
    let ask = |milliseconds: u64| -> Result<Answered> {
        let mut client = on(last, "client");
        client.args([addresses[0].to_string(), way.to_owned(), milliseconds.to_string()]);
        run(&mut client, LIMIT)?.ok_or_else(|| format!("the client of serve_{program} hangs, {way}").into())
    };
    ask(WARM_UP)?;
    let before = worked(server.child.id())?;
    let answered = ask(LONG)?;
    Ok(Load { answered, worked: worked(server.child.id())? - before })
}

/// Pins a program to this processor. Its runtime then starts one worker.
fn pinned(processor: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(processor.to_string()).arg(program);
    command
}

/// Returns the processor time of a process, in seconds.
fn worked(process: u32) -> Result<f64> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end between being listed and being read.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let ran = text.split(' ').next().ok_or("an empty schedstat")?;
        total += Duration::from_nanos(ran.parse()?);
    }
    Ok(total.as_secs_f64())
}

/// The samples, with the questions that the tables ask.
#[derive(Debug)]
pub struct Results<'a>(pub &'a [Row]);

type Figure = fn(&Load) -> f64;

#[expect(clippy::cast_precision_loss, reason = "nobody reads so many digits")]
const FIGURES: [(&str, Figure); 4] = [
    ("answers per second", |load| load.answered.answers as f64 / load.answered.seconds),
    ("p50", |load| load.answered.p50),
    ("p99", |load| load.answered.p99),
    ("server's processor time per answer", |load| load.worked / load.answered.answers as f64),
];

impl Results<'_> {
    /// Returns the ratios to plain axum in the same round; on all processors if `serve` says where on them.
    fn ratio(&self, way: &str, serve: Option<&str>, figure: Figure) -> Option<Spread> {
        let plain_serve = serve.map(|_| "");
        let of = |program: &'static str, serve: Option<&str>| {
            let serve = serve.map(str::to_owned);
            self.0.iter().filter(move |row| row.way == way && row.program == program && row.serve == serve)
        };
        let plain = |round: usize| of(PLAIN, plain_serve).find(|plain| plain.round == round);
        let pairs = of(GROUP, serve).filter_map(|own| Some((own, plain(own.round)?)));
        Spread::of(pairs.map(|(own, plain)| figure(&own.taken.value) / figure(&plain.taken.value)))
    }

    /// Returns the table: `group` as a multiple of plain axum.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table_of(&[(None, "")])
    }

    /// Returns the table of the servers that have all processors, with their clients.
    #[must_use]
    pub fn table_on_all(&self) -> Table {
        self.table_of(&[(Some("shared"), ", on the group's runtime"), (Some("per-core"), ", on every processor")])
    }

    fn table_of(&self, setups: &[(Option<&str>, &str)]) -> Table {
        let head = [String::new()].into_iter().chain(FIGURES.map(|(what, _)| what.to_owned())).collect();
        let mut table = Table::new(head);
        for (way, called) in WAYS {
            for &(serve, named) in setups {
                let ratio = |figure| self.ratio(way, serve, figure);
                let cell = |(_, figure)| ratio(figure).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
                table.push([format!("{called}{named}")].into_iter().chain(FIGURES.map(cell)).collect());
            }
        }
        table
    }

    /// Returns the goals of `group`.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        let [(_, answers), _, (_, p99), _] = FIGURES;
        let mut goals = Vec::new();
        for (way, called) in WAYS {
            goals.push(Goal::at_least(
                format!("{called}: answers per second, × plain axum"),
                0.98,
                self.ratio(way, None, answers),
            ));
            goals.push(Goal::at_most(format!("{called}: p99, × plain axum"), 1.05, self.ratio(way, None, p99)));
        }
        goals
    }

    /// Returns how many samples were disturbed at every try, and how many samples there are.
    #[must_use]
    pub fn disturbed(&self) -> (usize, usize) {
        (self.0.iter().filter(|row| row.taken.is_disturbed()).count(), self.0.len())
    }
}
