//! Samples: taken in processes of their own, and taken again when other processes disturbed them.

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The largest share of the processors that other processes may use in an undisturbed sample.
const CALM: f64 = 0.05;

/// The wait before a sample is taken again; it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);

/// The result of taking a sample. No error depends on timing.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A sample, and how much it was disturbed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Taken<T> {
    /// The sample.
    pub value: T,
    /// The share of the processors that other processes used meanwhile.
    pub disturbance: f64,
}

impl<T> Taken<T> {
    /// Returns true if other processes used too much of the processors.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        self.disturbance > CALM
    }
}

/// Takes a sample, again if it was disturbed, at most `tries` times. If all were disturbed, it returns the one that was
/// disturbed least.
///
/// # Errors
///
/// If it cannot be taken.
pub fn undisturbed<T>(
    tries: u32,
    mut take: impl FnMut() -> Result<T>,
    disturbed: impl Fn(&T) -> f64,
) -> Result<Taken<T>> {
    let mut best: Option<Taken<T>> = None;
    for attempt in 0..tries {
        let before = Machine::now()?;
        let value = take()?;
        let disturbance = Machine::now()?.others_since(&before).max(disturbed(&value));
        let taken = Taken { value, disturbance };
        if !taken.is_disturbed() {
            return Ok(taken);
        }
        if best.as_ref().is_none_or(|best| taken.disturbance < best.disturbance) {
            best = Some(taken);
        }
        if attempt + 1 < tries {
            thread::sleep(PAUSE * 2_u32.pow(attempt.min(5)));
        }
    }
    best.ok_or_else(|| "nothing was tried".into())
}

/// The processor time so far.
#[derive(Clone, Copy, Debug)]
struct Machine {
    at: Instant,
    /// Of all processes.
    busy: Duration,
    /// Of this process, and of its child processes that have ended.
    own: Duration,
}

impl Machine {
    fn now() -> Result<Self> {
        let busy = fs::read_to_string("/proc/stat")?;
        // user nice system idle iowait irq softirq steal
        let busy = fields(busy.lines().next().unwrap_or_default(), &[1, 2, 3, 6, 7, 8])?;
        let own = fs::read_to_string("/proc/self/stat")?;
        // The name of the program, in parentheses, may be anything. Behind it: utime stime cutime cstime.
        let own = fields(own.rsplit(')').next().unwrap_or_default(), &[12, 13, 14, 15])?;
        Ok(Self { at: Instant::now(), busy, own })
    }

    /// Returns the share of the processors that other processes used.
    fn others_since(&self, before: &Self) -> f64 {
        let own = self.own.saturating_sub(before.own);
        let others = self.busy.saturating_sub(before.busy).saturating_sub(own);
        // Both count in ticks; below two of them there is nothing to be seen.
        let others = others.saturating_sub(2 * TICK);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        others.div_duration_f64(self.at - before.at) / f64::from(u32::try_from(processors).unwrap_or(u32::MAX))
    }
}

/// The unit of `/proc/stat`, on every Linux of today.
const TICK: Duration = Duration::from_millis(10);

/// The sum of these fields, which are ticks.
fn fields(line: &str, which: &[usize]) -> Result<Duration> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ticks = which.iter().map(|&at| words.get(at).and_then(|word| word.parse::<u32>().ok()));
    let sum: Option<u32> = ticks.sum();
    sum.map(|ticks| TICK * ticks).ok_or_else(|| format!("cannot read the ticks in `{line}`").into())
}

/// Runs a program that prints its measurement as a line of JSON. Kills it and returns `None` if it takes longer than this.
///
/// # Errors
///
/// If it cannot be run, or prints something else.
pub fn run<T: DeserializeOwned>(command: &mut Command, limit: Duration) -> Result<Option<T>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut stdout = child.stdout.take().ok_or("it was to be piped")?;
    let (said, hear) = channel();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = said.send(stdout.read_to_string(&mut text).map(|_| text));
    });
    let text = hear.recv_timeout(limit);
    if let Err(RecvTimeoutError::Timeout) = text {
        child.kill()?;
    }
    child.wait()?;
    if reader.join().is_err() {
        return Err("the reader panicked".into());
    }
    match text {
        Ok(text) => Ok(Some(serde_json::from_str(&text?).map_err(|error| format!("{command:?}: {error}"))?)),
        Err(_) => Ok(None),
    }
}
