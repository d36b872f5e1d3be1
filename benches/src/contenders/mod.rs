//! The contenders. Each runs `n` services, which wait for the request to stop and then end. Each is used as its
//! documentation says; [`Contender`] notes which order it keeps.

mod continuo;
mod floor;
mod graceful_shutdown;
mod groups;
mod peers;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use group::Schedule;
use tokio::sync::Notify;

use crate::stopwatch::Stopwatch;

/// A time limit that no contender reaches.
const LIMIT: Duration = Duration::from_secs(600);

/// A contender.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// Its name in the table and on the command line.
    pub name: &'static str,
    /// True if it starts a service only once the one before it is ready.
    pub ready_before_next: bool,
    /// True if it asks a service to stop only once the one that was started after it has ended.
    pub reverse_stop: bool,
    /// Starts and stops this many services.
    pub run: Run,
}

/// Starts and stops this many services.
pub type Run = fn(usize, Stopwatch) -> Pin<Box<dyn Future<Output = Stopwatch> + Send>>;

/// Makes a contender that keeps the order at the start and at the stop.
const fn ordered(name: &'static str, run: Run) -> Contender {
    Contender { name, ready_before_next: true, reverse_stop: true, run }
}

/// Makes a contender that keeps the order at the stop.
const fn stops_in_order(name: &'static str, run: Run) -> Contender {
    Contender { name, ready_before_next: false, reverse_stop: true, run }
}

/// Makes a contender that keeps no order.
const fn unordered(name: &'static str, run: Run) -> Contender {
    Contender { name, ready_before_next: false, reverse_stop: false, run }
}

/// The contender that the others are compared with.
pub const FLOOR: &str = "floor";

/// All contenders, in the order of the table.
pub const ALL: &[Contender] = &[
    ordered(FLOOR, |n, watch| Box::pin(floor::ordered(n, watch))),
    ordered("group", |n, watch| Box::pin(groups::functions(n, watch, Schedule::Strict))),
    ordered("group, by hand", |n, watch| Box::pin(groups::by_hand(n, watch, Schedule::Strict))),
    ordered("group, macros", |n, watch| Box::pin(groups::by_macro(n, watch, Schedule::Strict))),
    ordered("tokio-graceful-shutdown, ordered", |n, watch| Box::pin(graceful_shutdown::ordered(n, watch))),
    stops_in_order("super-visor", |n, watch| Box::pin(peers::super_visor(n, watch))),
    stops_in_order("notmad", |n, watch| Box::pin(peers::notmad(n, watch))),
    unordered("floor, no order", |n, watch| Box::pin(floor::unordered(n, watch))),
    unordered("group, graph", |n, watch| Box::pin(groups::functions(n, watch, Schedule::Graph))),
    unordered("group, graph, macros", |n, watch| Box::pin(groups::by_macro(n, watch, Schedule::Graph))),
    unordered("tokio-graceful-shutdown", |n, watch| Box::pin(graceful_shutdown::plain(n, watch))),
    unordered("rs-zero", |n, watch| Box::pin(peers::rs_zero(n, watch))),
    unordered("task-supervisor", |n, watch| Box::pin(peers::task_supervisor(n, watch))),
    unordered("supervised", |n, watch| Box::pin(peers::supervised(n, watch))),
    unordered("continuo", |n, watch| Box::pin(continuo::run(n, watch))),
];

/// Returns the contender of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Contender> {
    ALL.iter().find(|contender| contender.name == name)
}

/// Opens once all services have arrived, for libraries that do not report that services run.
#[derive(Debug)]
struct Gate {
    missing: AtomicUsize,
    open: Notify,
}

impl Gate {
    fn new(expected: usize) -> Self {
        Self { missing: AtomicUsize::new(expected), open: Notify::new() }
    }

    fn arrive(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.open.notify_one();
        }
    }

    /// Returns a future that waits until it opens.
    async fn all_arrived(&self) {
        self.open.notified().await;
    }
}
