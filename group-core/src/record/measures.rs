//! Measures of one service: what its metrics show of its work. They are counted while the service works, across its
//! restarts, and read when someone asks.
//!
//! Each number is an atomic of its own, and `Relaxed`: a reader draws no conclusion from one about another.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::lock;
#[cfg(feature = "http")]
use crate::record::requests::Requests;

/// The measures of one service.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    #[cfg(feature = "http")]
    pub(crate) http: Requests,
    #[cfg(feature = "grpc")]
    pub(crate) grpc: Requests,
    /// Connections that its servers have accepted.
    #[cfg(feature = "http")]
    pub(crate) accepted: AtomicU64,
    pub(crate) beats: AtomicU64,
    pub(crate) missed_beats: AtomicU64,
    /// Messages that were abandoned for good: their consumer has ended.
    pub(crate) abandoned: AtomicU64,
    tickers: Mutex<Vec<(String, Arc<Ticker>)>>,
}

impl Measures {
    /// The counts of the ticker of this name.
    pub(crate) fn ticker(&self, name: &str) -> Arc<Ticker> {
        let mut tickers = lock(&self.tickers);
        if let Some((_, ticker)) = tickers.iter().find(|(one, _)| one == name) {
            return Arc::clone(ticker);
        }
        let ticker = Arc::<Ticker>::default();
        tickers.push((name.to_owned(), Arc::clone(&ticker)));
        ticker
    }

    /// Its tickers, with their names.
    pub(crate) fn tickers(&self) -> Vec<(String, Arc<Ticker>)> {
        lock(&self.tickers).clone()
    }
}

/// The runs of one ticker.
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    finished: AtomicU64,
    failed: AtomicU64,
    nanoseconds: AtomicU64,
    /// The time of the last run that did not fail, in milliseconds since 1970; zero if there was none.
    last: AtomicU64,
}

impl Ticker {
    /// Counts a run that is over.
    pub(crate) fn count(&self, has_finished: bool, took: Duration) {
        let outcome = if has_finished { &self.finished } else { &self.failed };
        outcome.fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        if has_finished {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.last.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Relaxed);
        }
    }

    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// The time that all runs took.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Relaxed))
    }

    /// The time of the last run that did not fail, since 1970.
    pub(crate) fn last(&self) -> Option<Duration> {
        Some(self.last.load(Relaxed)).filter(|last| *last > 0).map(Duration::from_millis)
    }
}
