//! What is compared. Every contender does the same: it runs `n` services that each wait to be told to stop, and then
//! end. Each is written as its documentation says; what it does not do is in [`Contender`].

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

/// No contender is to run into its own time limit.
const LIMIT: Duration = Duration::from_secs(600);

/// One of those that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What it is called in the table, and on the command line.
    pub name: &'static str,
    /// Whether a service is started only when the one before it is ready.
    pub ready_before_next: bool,
    /// Whether a service is told to stop only when the one that was started after it has ended.
    pub reverse_stop: bool,
    /// Starts and stops so many services.
    pub run: Run,
}

/// Starts and stops so many services.
pub type Run = fn(usize, Stopwatch) -> Pin<Box<dyn Future<Output = Stopwatch> + Send>>;

/// It keeps the order at start, and at stop.
const fn ordered(name: &'static str, run: Run) -> Contender {
    Contender { name, ready_before_next: true, reverse_stop: true, run }
}

/// It keeps the order at stop.
const fn stops_in_order(name: &'static str, run: Run) -> Contender {
    Contender { name, ready_before_next: false, reverse_stop: true, run }
}

/// It keeps no order.
const fn unordered(name: &'static str, run: Run) -> Contender {
    Contender { name, ready_before_next: false, reverse_stop: false, run }
}

/// What the others are compared with.
pub const FLOOR: &str = "floor";

/// All of them, in the order of the table.
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

/// The contender of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Contender> {
    ALL.iter().find(|contender| contender.name == name)
}

/// Opens when everybody has arrived: how one knows that services run where nobody says so.
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

    /// For one who waits.
    async fn all_arrived(&self) {
        self.open.notified().await;
    }
}
