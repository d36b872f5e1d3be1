//! The tasks that a service has spawned.

use std::sync::Mutex;

use crate::base::error::BoxError;
use crate::base::lock;
use crate::base::sync::{Latch, Tallied, Tally};

/// Counts the tasks and servers that one run of a service spawned, aborts them, and collects their failures. The tasks
/// themselves run on the runtime; each holds a [`Tallied`] until it ends.
#[derive(Debug, Default)]
pub(crate) struct Children {
    tasks: Tally,
    /// The tasks that end by themselves once the service is asked to stop. They count as tasks, too.
    tickers: Tally,
    aborted: Latch,
    /// The servers of the service, in whichever task they run.
    servers: Tally,
    /// Set when the servers are to answer the requests in flight, and end.
    closed: Latch,
    /// The failures of tasks that were not reported yet.
    failures: Mutex<Vec<BoxError>>,
}

impl Children {
    /// Counts a task until the returned value is dropped.
    pub(crate) fn count_task(&self) -> Tallied {
        self.tasks.count()
    }

    /// Counts a task that ends by itself once the service is asked to stop, until the returned value is dropped.
    pub(crate) fn count_ticker(&self) -> Tallied {
        self.tickers.count()
    }

    /// Waits until the tasks are aborted.
    pub(crate) async fn aborted(&self) {
        self.aborted.wait().await;
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(&self) {
        self.tasks.none_left().await;
    }

    /// Waits until the tasks have ended that end by themselves once the service is asked to stop.
    pub(crate) async fn tickers_ended(&self) {
        self.tickers.none_left().await;
    }

    /// The numbers of tasks and of tickers that are left.
    pub(crate) fn left(&self) -> (usize, usize) {
        let tickers = self.tickers.left();
        (self.tasks.left().saturating_sub(tickers), tickers)
    }

    /// Returns true if a server is left.
    pub(crate) fn are_serving(&self) -> bool {
        self.servers.is_any_left()
    }

    pub(crate) async fn servers_ended(&self) {
        self.servers.none_left().await;
    }

    /// Makes the servers end: they accept nothing new, and answer the requests in flight.
    pub(crate) fn close_servers(&self) {
        self.closed.set();
    }

    /// Waits until the servers are to end.
    #[cfg(feature = "http")]
    pub(crate) async fn servers_closed(&self) {
        self.closed.wait().await;
    }

    /// Counts a server until the returned value is dropped.
    #[cfg(feature = "http")]
    pub(crate) fn count_server(&self) -> Tallied {
        self.servers.count()
    }

    pub(crate) fn abort(&self) {
        self.aborted.set();
    }

    pub(crate) fn are_aborted(&self) -> bool {
        self.aborted.is_set()
    }

    /// Adds the failure of a task.
    pub(crate) fn fail(&self, error: BoxError) {
        lock(&self.failures).push(error);
    }

    pub(crate) fn has_failures(&self) -> bool {
        !lock(&self.failures).is_empty()
    }

    /// Takes the failures out, so that each is reported once.
    pub(crate) fn take_failures(&self) -> Vec<BoxError> {
        std::mem::take(&mut *lock(&self.failures))
    }
}
