//! Random groups, played to their end and held against every promise.
//!
//! A seed determines a group, everything that its services do, and when it is asked to stop
//! ([`scenario`]). It is played on a clock that does not wait ([`play`]), with services that write
//! down what happens to them ([`probe`]), and the history is checked against the promises
//! ([`promises`]). The model check proves the pure lifecycle (`group-core/src/lifecycle/check`); here
//! the same promises are checked on the whole group.
//!
//! `GROUP_SCENARIOS=1000000 cargo test --release --test random random_groups` plays more of them than
//! usual. `GROUP_SEED=7 cargo test --test random random_groups` plays the scenario of seed 7 alone;
//! with `GROUP_SCENARIOS`, also those that follow it.

mod by_hand;
mod caught;
mod play;
mod probe;
mod promises;
mod scale;
mod scenario;
mod threads;

use std::str::FromStr;
use std::sync::Mutex;
use std::thread;

use group::{Ending, Outcome};

use crate::play::{History, play};
use crate::probe::What;
use crate::promises::broken;
use crate::scenario::{Scenario, simpler};

/// These take a few seconds.
const SCENARIOS: u64 = 3000;

/// Those in real time, and how many of them are played at once. They take a few seconds, of which most is waited.
const BLOCKING: usize = 300;
const AT_ONCE: usize = 8;

#[test]
fn random_groups_keep_every_promise() {
    let seed = number("GROUP_SEED");
    let scenarios = number("GROUP_SCENARIOS").unwrap_or(if seed.is_some() { 1 } else { SCENARIOS });
    let mut covered = Covered::default();
    for seed in (seed.unwrap_or(0)..).take(usize::try_from(scenarios).expect("it is a number")) {
        let scenario = Scenario::of(seed);
        match judged(&scenario) {
            Ok(history) => covered.add(&history),
            Err(complaints) => panic!("{}", verdict(seed, scenario, complaints)),
        }
    }
    println!("{covered:#?}");
}

/// Real time is needed, because a clock that does not wait stands still while a thread is blocked.
#[test]
fn random_groups_keep_their_order_on_one_worker_that_they_block() {
    let seeds = number("GROUP_SEED").unwrap_or(0)..;
    let seeds = Mutex::new(seeds.take(number("GROUP_SCENARIOS").unwrap_or(BLOCKING)));
    let next = || seeds.lock().expect("no thread panics here").next();
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(seed) = next() {
                    let scenario = Scenario::on_one_worker(seed);
                    if let Err(complaints) = judged(&scenario) {
                        panic!("{}", verdict(seed, scenario, complaints));
                    }
                }
            });
        }
    });
}

#[test]
fn a_seed_is_repeatable() {
    for seed in 0..300 {
        let [first, again] = [(); 2].map(|()| play(&Scenario::of(seed)).map(|history| history.to_string()));
        assert_eq!(first, again, "seed {seed}");
    }
}

fn number<N: FromStr>(variable: &str) -> Option<N> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is `{value}`, and no number")))
}

/// Plays a scenario. The error lists the promises that it broke.
fn judged(scenario: &Scenario) -> Result<History, Vec<String>> {
    let history = play(scenario).map_err(|error| vec![error])?;
    let complaints = broken(&history);
    if complaints.is_empty() { Ok(history) } else { Err(complaints) }
}

/// The message about a seed that fails, with the simplest scenario that fails in the same way. In real time, no scenario
/// goes the same way twice.
fn verdict(seed: u64, mut scenario: Scenario, mut complaints: Vec<String>) -> String {
    let first = complaints.join("\n  ");
    let promise = promise(&complaints);
    let simpler = |scenario: &Scenario| if scenario.blocks { Vec::new() } else { simpler(scenario) };
    while let Some((simpler, again)) = simpler(&scenario).into_iter().find_map(|simpler| {
        let again = judged(&simpler).err()?;
        (self::promise(&again) == promise).then_some((simpler, again))
    }) {
        (scenario, complaints) = (simpler, again);
    }
    let history = play(&scenario).map_or_else(|error| error, |history| history.to_string());
    let complaints = complaints.join("\n  ");
    format!(
        "seed {seed} breaks a promise:\n  {first}\nIts simplest form does, too:\n  {complaints}\n{scenario}\n{history}\n\
         To play it again: GROUP_SEED={seed} cargo test --test random random_groups"
    )
}

fn promise(complaints: &[String]) -> Option<String> {
    complaints.first()?.split(':').next().map(str::to_owned)
}

/// What was tried.
#[derive(Debug, Default)]
struct Covered {
    scenarios: u64,
    services: usize,
    faults: usize,
    reloads: usize,
    extended: usize,
    restarts: u64,
    aborted: usize,
    clean: u64,
    start_failed: u64,
    run_failed: u64,
    unclean: u64,
    stopped_during_start: u64,
    dropped_unseen: u64,
}

impl Covered {
    fn add(&mut self, history: &History) {
        self.scenarios += 1;
        self.services += history.scenario.services.len();
        let count = |is: fn(&What) -> bool| history.entries.iter().filter(|entry| is(&entry.what)).count();
        self.faults += count(|what| matches!(what, What::Fault(_)));
        self.reloads += count(|what| *what == What::Reloads);
        self.extended += count(|what| matches!(what, What::Extends(_)));
        let Some(report) = &history.report else {
            self.dropped_unseen += 1;
            return;
        };
        self.restarts += report.services.iter().map(|service| service.restarts).sum::<u64>();
        self.aborted += report.services.iter().filter(|service| service.ending == Ending::Aborted).count();
        let outcome = match report.outcome {
            Outcome::StartFailed => &mut self.start_failed,
            Outcome::RunFailed => &mut self.run_failed,
            Outcome::UncleanStop => &mut self.unclean,
            _ => &mut self.clean,
        };
        *outcome += 1;
        let never_up = history.came_up != Some(true) && report.outcome != Outcome::StartFailed;
        self.stopped_during_start += u64::from(never_up);
    }
}
