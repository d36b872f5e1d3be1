//! Spreads the connections of a server over the processors.
//!
//! The system chooses a listener, and so a processor, for each new connection by the addresses of the client. It
//! does not know how many each has already, which matters where a few clients, such as a proxy, keep their connections
//! for long. So a processor that has clearly more than another gives a new connection to that one.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::http::socket::Stream;

/// The number of open connections of each processor.
type Loads = Arc<[AtomicUsize]>;

/// A connection that is counted on its processor, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    loads: Loads,
    processor: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.loads[self.processor].fetch_sub(1, Relaxed);
    }
}

/// A connection, on its way to the processor of its place.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) stream: Stream,
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) place: Place,
}

/// One processor of a server, as it sees the others.
#[derive(Debug)]
pub(super) struct Lane {
    processor: usize,
    loads: Loads,
    to: Vec<UnboundedSender<Given>>,
    given: UnboundedReceiver<Given>,
}

impl Lane {
    /// A lane for each processor.
    pub(super) fn all(processors: usize) -> Vec<Self> {
        let loads: Loads = (0..processors).map(|_| AtomicUsize::new(0)).collect();
        let (to, given): (Vec<_>, Vec<_>) = (0..processors).map(|_| unbounded_channel()).unzip();
        let lane = |(processor, given)| Self { processor, loads: Arc::clone(&loads), to: to.clone(), given };
        given.into_iter().enumerate().map(lane).collect()
    }

    /// Finds a place for one more connection: here, unless another processor has clearly fewer.
    pub(super) fn place(&self) -> Place {
        let load = |processor: usize| self.loads[processor].load(Relaxed);
        let least = (0..self.loads.len()).min_by_key(|&processor| load(processor)).unwrap_or(self.processor);
        let is_clearly_less = load(self.processor) > load(least) + 1 + load(least) / 8;
        let processor = if is_clearly_less { least } else { self.processor };
        self.loads[processor].fetch_add(1, Relaxed);
        Place { loads: Arc::clone(&self.loads), processor }
    }

    /// Gives a connection to the processor of its place. Returns it if that is this one, or takes no more.
    pub(super) fn give(&self, connection: Given) -> Option<Given> {
        let to = connection.place.processor;
        if to == self.processor {
            return Some(connection);
        }
        self.to[to].send(connection).err().map(|refused| refused.0)
    }

    /// Waits for a connection that another processor gives.
    pub(super) async fn given(&mut self) -> Option<Given> {
        self.given.recv().await
    }

    /// Gives nothing away any more. Returns what the others have given, and still give.
    pub(super) fn close(self) -> UnboundedReceiver<Given> {
        self.given
    }
}
