//! The tasks that a service has spawned.

use std::sync::Mutex;

use crate::base::error::BoxError;
use crate::base::lock;
use crate::base::sync::{Latch, Tallied, Tally};

/// The tasks that a service spawned.
#[derive(Debug, Default)]
pub(crate) struct Children {
    tasks: Tally,
    /// Those that end by themselves once the service is asked to stop.
    tickers: Tally,
    aborted: Latch,
    /// Its servers, wherever they run.
    servers: Tally,
    /// Set when they are to finish what they have in hand.
    closed: Latch,
    /// Every failure among them that was not told yet.
    failures: Mutex<Vec<BoxError>>,
}

impl Children {
    /// Counts a task until what is returned is dropped.
    pub(crate) fn count_task(&self) -> Tallied {
        self.tasks.count()
    }

    /// Counts a task that ends by itself once the service is asked to stop.
    pub(crate) fn count_ticker(&self) -> Tallied {
        self.tickers.count()
    }

    /// Waits until the tasks are aborted.
    pub(crate) async fn aborted(&self) {
        self.aborted.wait().await;
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(&self) {
        self.tasks.none_left().await;
    }

    /// Waits until those have ended that do so by themselves once the service is asked to stop.
    pub(crate) async fn tickers_ended(&self) {
        self.tickers.none_left().await;
    }

    /// Whether a server of theirs is left.
    pub(crate) fn are_serving(&self) -> bool {
        self.servers.is_any_left()
    }

    pub(crate) async fn servers_ended(&self) {
        self.servers.none_left().await;
    }

    /// Servers accept nothing new from now on, and finish what they have in hand.
    pub(crate) fn close_servers(&self) {
        self.closed.set();
    }

    /// Waits until servers are to end.
    #[cfg(feature = "http")]
    pub(crate) async fn servers_closed(&self) {
        self.closed.wait().await;
    }

    /// Counts a server until what is returned is dropped.
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

    /// One of them has failed.
    pub(crate) fn fail(&self, error: BoxError) {
        lock(&self.failures).push(error);
    }

    pub(crate) fn has_failures(&self) -> bool {
        !lock(&self.failures).is_empty()
    }

    /// Every failure among them, once.
    pub(crate) fn take_failures(&self) -> Vec<BoxError> {
        std::mem::take(&mut *lock(&self.failures))
    }
}
