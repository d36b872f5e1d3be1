//! One measurement, taken inside of the measured process.

use std::process::exit;
use std::time::{Duration, Instant};
use std::{fs, io};

use serde::{Deserialize, Serialize};

/// The measurements of one contender, from one process.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// From nothing to every service declared, in nanoseconds. Part of `start`.
    pub declare: u64,
    /// From nothing to every service ready, in nanoseconds.
    pub start: u64,
    /// From the request to stop until it is known that every service has ended, in nanoseconds.
    pub stop: u64,
    /// The growth of resident memory from before the first service is declared until all are ready, in bytes.
    pub resident: u64,
    /// The time that threads of the process waited for a processor, in nanoseconds.
    pub delayed: u64,
}

impl Sample {
    /// Returns the median of each figure.
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

    /// Returns the share of the time in which a thread waited for a processor. It means nothing for very short
    /// measurements, because a thread that wakes up always waits for a moment.
    #[must_use]
    pub fn disturbance(&self) -> f64 {
        let wall = Duration::from_nanos(self.start + self.stop);
        if wall < ENOUGH { 0.0 } else { Duration::from_nanos(self.delayed).div_duration_f64(wall) }
    }
}

/// The shortest time in which the waits of threads that wake up do not matter.
const ENOUGH: Duration = Duration::from_millis(10);

/// The phase after which the process ends. The instructions of a phase are the difference of two such runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Every service is declared.
    Declared,
    /// Every service is ready.
    Started,
    /// Every service has ended.
    Stopped,
}

/// Measures the phases of a contender's life.
#[derive(Debug)]
pub struct Stopwatch {
    until: Until,
    sample: Sample,
    resident: u64,
    delayed: u64,
    begun: Instant,
}

impl Stopwatch {
    /// Begins the measurement.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
    pub fn begin(until: Until) -> io::Result<Self> {
        let (resident, delayed) = (resident()?, delayed()?);
        Ok(Self { until, sample: Sample::default(), resident, delayed, begun: Instant::now() })
    }

    /// Notes that every service is declared. It is not called for contenders whose declaration is the start.
    pub fn declared(&mut self) {
        self.sample.declare = nanoseconds(self.begun.elapsed());
        self.end_after(Until::Declared);
    }

    /// Notes that every service is ready. The stop is measured from here on.
    ///
    /// # Panics
    ///
    /// If `/proc` cannot be read.
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

    /// Returns the measurements.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
    pub fn sample(mut self) -> io::Result<Sample> {
        self.sample.delayed = delayed()?.saturating_sub(self.delayed);
        Ok(self.sample)
    }

    /// Exits without dropping anything, because drops would be counted.
    fn end_after(&self, phase: Until) {
        if self.until == phase {
            exit(0);
        }
    }
}

/// Returns the resident memory of this process, in bytes. Unlike `statm`, it is exact: the kernel counts it at the call.
fn resident() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let rss = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = rss.and_then(|rss| rss.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no `Rss: … kB` in /proc/self/smaps_rollup"))
}

/// Returns the time that the threads of this process have waited for a processor.
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
