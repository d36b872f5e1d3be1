//! One measurement, from inside the process that is measured.

use std::process::exit;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde::{Deserialize, Serialize};

/// What one process measured of one contender.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// From nothing to every service declared, in nanoseconds. Part of `start`.
    pub declare: u64,
    /// From nothing to every service ready, in nanoseconds.
    pub start: u64,
    /// From the request to stop until it is known that every service has ended, in nanoseconds.
    pub stop: u64,
    /// How many bytes more are resident when every service is ready than before the first was declared.
    pub resident: u64,
    /// How long the process's threads were ready to run while others had their processors, in nanoseconds.
    pub delayed: u64,
}

impl Sample {
    /// Of each figure, the median.
    #[must_use]
    pub fn median_of(samples: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> u64| {
            let mut figures: Vec<u64> = samples.iter().map(figure).collect();
            figures.sort_unstable();
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        Self {
            declare: of(|sample| sample.declare),
            start: of(|sample| sample.start),
            stop: of(|sample| sample.stop),
            resident: of(|sample| sample.resident),
            delayed: of(|sample| sample.delayed),
        }
    }

    /// The share of the time in which a thread that could have run did not. Of what is over at once, it tells
    /// nothing: a thread that wakes up has always waited for a moment.
    #[must_use]
    pub fn disturbance(&self) -> f64 {
        let wall = Duration::from_nanos(self.start + self.stop);
        if wall < ENOUGH { 0.0 } else { Duration::from_nanos(self.delayed).div_duration_f64(wall) }
    }
}

/// A time in which the moments in which threads wake up do not count.
const ENOUGH: Duration = Duration::from_millis(10);

/// After which phase the process ends: to count the instructions of each phase, subtract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Every service is declared.
    Declared,
    /// Every service is ready.
    Started,
    /// Every service has ended.
    Stopped,
}

/// Takes the time of the phases of a contender's life.
#[derive(Debug)]
pub struct Stopwatch {
    until: Until,
    sample: Sample,
    resident: u64,
    delayed: u64,
    begun: Instant,
}

impl Stopwatch {
    /// Begins to measure.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn begin(until: Until) -> io::Result<Self> {
        let (resident, delayed) = (resident()?, delayed()?);
        Ok(Self { until, sample: Sample::default(), resident, delayed, begun: Instant::now() })
    }

    /// Every service is declared. Where to declare is to start, this is not called.
    pub fn declared(&mut self) {
        self.sample.declare = nanoseconds(self.begun.elapsed());
        self.end_after(Until::Declared);
    }

    /// Every service is ready; from here on, the stop is measured.
    ///
    /// # Panics
    ///
    /// When `/proc` cannot be read.
    pub fn started(&mut self) {
        self.sample.start = nanoseconds(self.begun.elapsed());
        self.end_after(Until::Started);
        self.sample.resident = resident().expect("it could be read before").saturating_sub(self.resident);
        self.begun = Instant::now();
    }

    /// Every service has ended.
    pub fn stopped(&mut self) {
        self.sample.stop = nanoseconds(self.begun.elapsed());
    }

    /// What was measured.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn sample(mut self) -> io::Result<Sample> {
        self.sample.delayed = delayed()?.saturating_sub(self.delayed);
        Ok(self.sample)
    }

    /// Without dropping anything: that would be counted.
    fn end_after(&self, phase: Until) {
        if self.until == phase {
            exit(0);
        }
    }
}

/// The bytes of this process that are in memory. Unlike `statm`, exact: the kernel counts them now.
fn resident() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let rss = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = rss.and_then(|rss| rss.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no `Rss: … kB` in /proc/self/smaps_rollup"))
}

/// How long the threads of this process have waited for a processor.
fn delayed() -> io::Result<u64> {
    let mut total = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread may end between being listed and being read.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        total += text.split(' ').nth(1).and_then(|wait| wait.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(total)
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
