//! Starting and stopping many services: each contender, by number of services and of threads.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contenders::{ALL, Contender, FLOOR};
use crate::page::{Goal, Table};
use crate::sample::{Result, Taken, run, undisturbed};
use crate::statistics::Spread;
use crate::stopwatch::Sample;

/// The numbers of services.
pub const SIZES: &[usize] = &[2, 100, 10_000, 100_000];

/// The number of services at which memory is compared, and growth begins.
const MANY: usize = 10_000;

/// Ten times as many.
const MOST: usize = 100_000;

/// One thread for everything, and two workers.
pub const THREADS: &[usize] = &[1, 2];

/// A sample that takes longer is given up.
const LIMIT: Duration = Duration::from_secs(20);

/// Small groups take too little time to be measured once. So a process starts as many as have this number of services
/// together, and its sample is the median.
const SERVICES_IN_A_SAMPLE: usize = 20_000;

/// A measured sample of one contender.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    contender: String,
    threads: usize,
    services: usize,
    round: usize,
    /// `None` when it was given up.
    taken: Option<Taken<Sample>>,
}

/// The selection of samples to take.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The number of samples of each kind.
    pub rounds: usize,
    /// The number of tries for a sample that is disturbed.
    pub tries: u32,
    /// The numbers of services; all of [`SIZES`] if it is empty.
    pub sizes: Vec<usize>,
    /// The beginning of the names of the contenders; the floor is always among them. `None` for all.
    pub only: Option<String>,
}

impl Wanted {
    fn sizes(&self) -> &[usize] {
        if self.sizes.is_empty() { SIZES } else { &self.sizes }
    }

    fn contenders(&self) -> impl Iterator<Item = &'static Contender> {
        let wants = |name: &str| name == FLOOR || self.only.as_ref().is_none_or(|only| name.starts_with(only.as_str()));
        ALL.iter().filter(move |contender| wants(contender.name))
    }
}

/// Takes all samples, interleaved: every contender once, then every contender again, so that a change in the machine
/// affects all of them.
///
/// # Errors
///
/// If a sample cannot be taken.
pub fn measure(programs: &Path, wanted: &Wanted) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for round in 0..wanted.rounds {
        for (&services, &threads) in
            wanted.sizes().iter().flat_map(|size| THREADS.iter().map(move |threads| (size, threads)))
        {
            eprintln!("round {} of {}: {services} services, {threads} thread(s)", round + 1, wanted.rounds);
            for contender in wanted.contenders() {
                let key = Row { contender: contender.name.into(), threads, services, round, taken: None };
                let hopeless = rows.iter().any(|row| row.is_like(&key) && row.taken.is_none());
                let taken = if hopeless { None } else { take(programs, &key, wanted.tries)? };
                rows.push(Row { taken, ..key });
            }
        }
    }
    Ok(rows)
}

fn take(programs: &Path, row: &Row, tries: u32) -> Result<Option<Taken<Sample>>> {
    let repeats = (SERVICES_IN_A_SAMPLE / row.services).clamp(1, 500);
    let sample = || {
        let args = [row.threads, row.services, repeats].map(|number| number.to_string());
        run(Command::new(programs.join("contender")).arg(&row.contender).args(args), LIMIT)
    };
    let disturbance = |sample: &Option<Sample>| sample.as_ref().map_or(0.0, Sample::disturbance);
    let Taken { value, disturbance } = undisturbed(tries, sample, disturbance)?;
    Ok(value.map(|value| Taken { value, disturbance }))
}

impl Row {
    fn is_like(&self, other: &Self) -> bool {
        (&self.contender, self.threads, self.services) == (&other.contender, other.threads, other.services)
    }
}

/// Reads one figure from a sample.
type Figure = fn(&Sample) -> u64;

const FIGURES: [(&str, Figure); 2] = [("start", |sample| sample.start), ("stop", |sample| sample.stop)];

/// The samples, with the questions that the tables ask.
#[derive(Debug)]
pub struct Results<'a>(pub &'a [Row]);

impl Results<'_> {
    /// Returns the figure of each sample, in the order of the rounds. `None` if a sample was given up or not taken.
    fn figures(&self, contender: &str, threads: usize, services: usize, figure: Figure) -> Option<Vec<f64>> {
        let rows = self
            .0
            .iter()
            .filter(|row| (row.contender.as_str(), row.threads, row.services) == (contender, threads, services));
        #[expect(clippy::cast_precision_loss, reason = "nobody reads so many digits")]
        let figures: Option<Vec<f64>> = rows.map(|row| row.taken.map(|taken| figure(&taken.value) as f64)).collect();
        figures.filter(|figures| !figures.is_empty())
    }

    /// Returns the ratios to the figure of the floor in the same round.
    fn ratio(&self, contender: &str, threads: usize, services: usize, figure: Figure) -> Option<Spread> {
        let own = self.figures(contender, threads, services, figure)?;
        let floor = self.figures(FLOOR, threads, services, figure)?;
        Spread::of(own.iter().zip(&floor).map(|(own, floor)| own / floor.max(1.0)))
    }

    /// Returns the ratios to the figure of a tenth of the services.
    fn growth(&self, contender: &str, threads: usize, figure: Figure) -> Option<Spread> {
        let many = self.figures(contender, threads, MANY, figure)?;
        let most = self.figures(contender, threads, MOST, figure)?;
        Spread::of(most.iter().zip(&many).map(|(most, many)| most / many.max(1.0)))
    }

    fn was_given_up(&self, contender: &str, threads: usize, services: usize) -> bool {
        let mut rows = self.0.iter().filter(|row| (row.threads, row.services) == (threads, services));
        rows.any(|row| row.contender == contender && row.taken.is_none())
    }

    fn sizes(&self) -> impl Iterator<Item = usize> {
        SIZES.iter().copied().filter(|&size| self.0.iter().any(|row| row.services == size))
    }

    fn contenders(&self) -> impl Iterator<Item = &'static Contender> {
        ALL.iter().filter(|contender| self.0.iter().any(|row| row.contender == contender.name))
    }

    /// Returns how many samples were disturbed at every try, and how many samples there are.
    #[must_use]
    pub fn disturbed(&self) -> (usize, usize) {
        let taken = || self.0.iter().filter_map(|row| row.taken.as_ref());
        (taken().filter(|taken| taken.is_disturbed()).count(), taken().count())
    }

    /// Returns the table of one runtime.
    #[must_use]
    pub fn table(&self, threads: usize) -> Table {
        let mut head = vec![String::new(), "ready before next".to_owned(), "stops in reverse".to_owned()];
        for (what, _) in FIGURES {
            head.extend(self.sizes().map(|size| format!("{what} {size}")));
            head.push(format!("{what} {MOST} / {MANY}"));
        }
        head.push(format!("bytes, {MANY}"));
        let mut table = Table::new(head);
        for contender in self.contenders() {
            table.push(self.line(contender, threads));
        }
        table
    }

    fn line(&self, contender: &Contender, threads: usize) -> Vec<String> {
        let name = contender.name;
        let does = |does: bool| if does { "yes" } else { "no" }.to_owned();
        let mut line = vec![format!("`{name}`"), does(contender.ready_before_next), does(contender.reverse_stop)];
        for (_, figure) in FIGURES {
            line.extend(self.sizes().map(|size| self.cell(name, threads, size, figure)));
            line.push(
                self.growth(name, threads, figure).map_or_else(missing, |growth| format!("{:.1}", growth.median)),
            );
        }
        line.push(self.cell(name, threads, MANY, |sample| sample.resident));
        line
    }

    fn cell(&self, contender: &str, threads: usize, services: usize, figure: Figure) -> String {
        match self.ratio(contender, threads, services, figure) {
            Some(ratio) => ratio.to_string(),
            None if self.was_given_up(contender, threads, services) => format!("> {} s", LIMIT.as_secs()),
            None => missing(),
        }
    }

    /// Returns the short table at the top of the page: two workers, and 10 000 services.
    #[must_use]
    pub fn short_table(&self) -> Table {
        let head = ["", "order kept", "start", "stop", "memory"];
        let mut table = Table::new(head.map(str::to_owned).to_vec());
        for contender in self.contenders() {
            let order = match (contender.ready_before_next, contender.reverse_stop) {
                (true, true) => "start and stop",
                (false, true) => "stop",
                (true, false) => "start",
                (false, false) => "no",
            };
            let ratio = |figure| self.ratio(contender.name, 2, MANY, figure);
            let cell = |figure| ratio(figure).map_or_else(missing, |ratio| format!("{:.1} ×", ratio.median));
            let cells = [cell(|sample| sample.start), cell(|sample| sample.stop), cell(|sample| sample.resident)];
            table.push([format!("`{}`", contender.name), order.to_owned()].into_iter().chain(cells).collect());
        }
        table
    }

    /// The goals of `group`: it is ahead of every peer that keeps the same order, and its times grow with the number of
    /// services.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for (what, figure) in FIGURES {
            let margins = self.margins(figure);
            goals.push(Goal::at_most(
                format!("{what}, N ≥ 100, × the best peer of the same order"),
                1.0,
                worst(margins),
            ));
            let growth = THREADS.iter().filter_map(|&threads| self.growth("group, macros", threads, figure));
            goals.push(Goal::at_most(format!("{what}, growth from {MANY} to {MOST}"), 12.0, worst(growth)));
        }
        goals
    }

    /// The ratio of the time that `group` takes to that of the best peer that keeps the same order, in each case.
    fn margins(&self, figure: Figure) -> impl Iterator<Item = Spread> {
        let is_peer = |contender: &&Contender| {
            let is_other = !contender.name.starts_with("group") && !contender.name.starts_with(FLOOR);
            is_other && contender.ready_before_next && contender.reverse_stop
        };
        self.cases().filter_map(move |(threads, size)| {
            let peers = ALL.iter().filter(is_peer).filter_map(|peer| self.ratio(peer.name, threads, size, figure));
            let best = peers.map(|ratio| ratio.median).min_by(f64::total_cmp)?;
            let own = self.ratio("group, macros", threads, size, figure)?;
            Some(Spread { low: own.low / best, median: own.median / best, high: own.high / best })
        })
    }

    /// The numbers of threads and of services that the goals are about.
    fn cases(&self) -> impl Iterator<Item = (usize, usize)> {
        let sizes: Vec<usize> = self.sizes().filter(|&size| size >= 100).collect();
        sizes.into_iter().flat_map(|size| THREADS.iter().map(move |&threads| (threads, size)))
    }
}

fn missing() -> String {
    "–".to_owned()
}

/// Returns the spread with the highest median.
fn worst(spreads: impl IntoIterator<Item = Spread>) -> Option<Spread> {
    spreads.into_iter().max_by(|one, other| one.median.total_cmp(&other.median))
}
