//! Counts of requests, by their route, method and status.
//!
//! To find the counts of a route takes a lock, so a route over HTTP keeps what it has found. To count takes none: each number
//! is an atomic of its own, and `Relaxed`, because a reader draws no conclusion from one about another.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// The upper bounds of the buckets for durations, in seconds: those of Prometheus' own clients, from 5 ms to 10 s, and
/// three below them, because a handler that only computes or reads a cache answers in less.
pub(crate) const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Stands for everything that is not told apart.
pub(crate) const OTHER: &str = "_OTHER";

/// The methods that are told apart. A client may send any word as a method, so that all others are counted as one.
const NAMES: [&str; METHODS] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", OTHER];

/// The number of methods that are told apart.
pub(crate) const METHODS: usize = 10;

/// The method of a request, as far as it is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method(usize);

impl Method {
    pub(crate) fn of(name: &str) -> Self {
        Self(NAMES.iter().position(|method| *method == name).unwrap_or(METHODS - 1))
    }

    /// Its place among all of them.
    pub(crate) fn place(self) -> usize {
        self.0
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES[self.0]
    }
}

/// Requests, by their route.
#[derive(Debug, Default)]
pub(crate) struct Requests(RwLock<Vec<Arc<RouteCounts>>>);

impl Requests {
    /// The counts of a route.
    pub(crate) fn of(&self, method: Method, route: &str) -> Arc<RouteCounts> {
        if let Some(counts) = self.find(method, route) {
            return counts;
        }
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it meanwhile.
        let found = routes.iter().find(|one| one.is(method, route)).cloned();
        found.unwrap_or_else(|| {
            let counts = Arc::new(RouteCounts::new(method, route));
            routes.push(Arc::clone(&counts));
            counts
        })
    }

    /// The counts of a route that has had a request.
    pub(crate) fn find(&self, method: Method, route: &str) -> Option<Arc<RouteCounts>> {
        self.read().iter().find(|one| one.is(method, route)).cloned()
    }

    /// The number of routes that have had a request.
    #[cfg(feature = "grpc")]
    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<RouteCounts>> {
        self.read().clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<RouteCounts>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The requests of one route and method.
#[derive(Debug)]
pub(crate) struct RouteCounts {
    method: Method,
    route: Box<str>,
    statuses: Statuses,
    durations: Durations,
}

impl RouteCounts {
    fn new(method: Method, route: &str) -> Self {
        Self { method, route: route.into(), statuses: Statuses::default(), durations: Durations::default() }
    }

    fn is(&self, method: Method, route: &str) -> bool {
        self.method == method && *self.route == *route
    }

    pub(crate) fn method(&self) -> &'static str {
        self.method.name()
    }

    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    /// Counts a request that is over.
    pub(crate) fn count(&self, status: u16, took: Duration) {
        self.statuses.count(status);
        self.durations.count(took);
    }

    /// Each status that was counted, with how often.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (usize, u64)> {
        self.statuses.all()
    }

    pub(crate) fn durations(&self) -> &Durations {
        &self.durations
    }
}

/// The number of statuses of one page: those of one class, such as 2xx.
const PAGE: usize = 100;

/// How often each status was given, of those from 0 to 999. A page of counts is made when the first of its class comes.
#[derive(Debug, Default)]
struct Statuses([OnceLock<Box<[AtomicU64; PAGE]>>; 10]);

impl Statuses {
    fn count(&self, status: u16) {
        let status = usize::from(status);
        if let Some(page) = self.0.get(status / PAGE) {
            let page = page.get_or_init(|| Box::new([const { AtomicU64::new(0) }; PAGE]));
            page[status % PAGE].fetch_add(1, Relaxed);
        }
    }

    fn all(&self) -> impl Iterator<Item = (usize, u64)> {
        let pages = self.0.iter().enumerate().filter_map(|(class, page)| Some((class * PAGE, page.get()?)));
        let counts = pages.flat_map(|(first, page)| (first..).zip(page.iter().map(|count| count.load(Relaxed))));
        counts.filter(|(_, count)| *count > 0)
    }
}

/// A histogram of durations. Unlike that of `prometheus-client` it takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// The number of durations in each of [`BUCKETS`], and in that above the last bound.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Durations {
    fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The sum of all durations, in seconds.
    pub(crate) fn sum(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64()
    }

    /// Each bucket with its upper bound; the last has none.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
        bounds.zip(self.buckets.iter().map(|count| count.load(Relaxed))).collect()
    }
}
