//! Random signals at random moments, to real processes: one request however often it is delivered, an end that is forced
//! by a later one, and SIGHUPs that reload or stop.

use std::thread;
use std::time::{Duration, Instant};

use programs::{Ended, Program};
use test_support::Dice;

/// Each takes about four seconds, of which most is waited.
const RUNS: u64 = 48;

/// So many at the same time.
const AT_ONCE: u64 = 16;

const SIGNALS: [(&str, i32); 4] = [("TERM", 15), ("INT", 2), ("QUIT", 3), ("HUP", 1)];

/// The signals that are sent to one process.
#[derive(Debug)]
struct Plan {
    reloads: bool,
    /// The time to the first signal. Both services are ready after 200 ms.
    first_after: u64,
    /// The time since the one before, in milliseconds, and the signal.
    signals: Vec<(u64, (&'static str, i32))>,
}

impl Plan {
    fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let number = dice.pick(&[1, 2, 2, 3, 4]);
        // Far from the 500 ms within which a signal is the same request, as the machine may be slow.
        let mut signals = |_| (dice.pick(&[0, 0, 1, 5, 40, 100, 900]), dice.pick(&SIGNALS));
        let signals = (0..number).map(&mut signals).collect();
        Self { reloads: dice.chance(40), first_after: dice.pick(&[0, 20, 120, 180, 400]), signals }
    }

    /// True if this signal asks for a stop.
    fn stops(&self, (name, _): (&str, i32)) -> bool {
        !self.reloads || name != "HUP"
    }
}

/// The requests that the signals made.
struct Sent {
    first_stop: Option<Instant>,
    forced_by: Option<i32>,
}

fn send(plan: &Plan, program: &Program) -> Sent {
    let mut sent = Sent { first_stop: None, forced_by: None };
    thread::sleep(Duration::from_millis(plan.first_after));
    for &(after, signal) in &plan.signals {
        thread::sleep(Duration::from_millis(after));
        if sent.forced_by.is_some() {
            break;
        }
        program.signal(signal.0);
        if plan.stops(signal) {
            match sent.first_stop {
                None => sent.first_stop = Some(Instant::now()),
                Some(first) if first.elapsed() > Duration::from_millis(700) => sent.forced_by = Some(signal.1),
                Some(_) => {}
            }
        }
    }
    sent
}

fn run(seed: u64) {
    let plan = Plan::of(seed);
    let way = if plan.reloads { "reloads" } else { "does not reload" };
    let mut program = Program::start(env!("CARGO_BIN_EXE_signalled"), &[way], &[]);
    program.prints("first starts");
    let sent = send(&plan, &program);
    if sent.first_stop.is_none() {
        program.signal("TERM");
    }
    let ended = program.end();
    check(&plan, &sent, &ended);
}

fn check(plan: &Plan, sent: &Sent, ended: &Ended) {
    let code = sent.forced_by.map_or(0, |signal| 128 + signal);
    assert_eq!((ended.code, ended.signal), (Some(code), None), "{plan:?} {ended:#?}");
    let last_words = if sent.forced_by.is_some() { "forced to end by a second signal" } else { "stopped cleanly" };
    assert!(ended.last_words().starts_with(last_words), "{plan:?} {ended:#?}");
    let at = |line: &str| ended.printed.iter().position(|printed| printed == line);
    assert!(ended.printed.iter().all(|line| ended.printed.iter().filter(|other| *other == line).count() == 1));
    if sent.forced_by.is_none() {
        assert!(at("first stopped").is_some(), "{plan:?} {ended:#?}");
        assert_eq!(at("second starts").is_some(), at("second stopped").is_some(), "{plan:?} {ended:#?}");
    }
    if let (Some(second), Some(first)) = (at("second stopped").or(at("second stops")), at("first stops")) {
        assert!(second < first, "{plan:?} {ended:#?}");
    }
}

#[test]
fn signals_at_random_moments() {
    for batch in 0..RUNS / AT_ONCE {
        thread::scope(|threads| {
            for seed in batch * AT_ONCE..(batch + 1) * AT_ONCE {
                threads.spawn(move || run(seed));
            }
        });
    }
}
