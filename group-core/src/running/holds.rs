//! Holds a service's readiness back until every [`Ready`](crate::Ready) that it took has fired.
//!
//! # Protocol
//!
//! - State: for each `Ready`, a oneshot channel. `Ready` owns the sender; the receiver is in the member's list.
//! - Writers: `Context::ready` adds a receiver, in any task of the service. `Ready::fire` sends. To drop a `Ready`
//!   closes its channel.
//! - Readers: the service's own task polls the receivers after the first poll of `start`, and removes each that has
//!   fired. A `Ready` that is taken later is not waited for, and not kept: the next run of `start` begins with an empty
//!   list. The journal counts those that are left when the time to start is up.
//! - Ordering: a mutex guards the list, and a oneshot orders all that came before the send before the poll that sees
//!   it. Each poll registers the task's waker with every channel that is left.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// The receivers of every [`Ready`](crate::Ready) that a service took. The service is ready when all have fired.
#[derive(Debug, Default)]
pub(crate) struct Holds(Vec<oneshot::Receiver<()>>);

/// A [`Ready`](crate::Ready) was dropped without having been fired.
pub(crate) struct Unfired;

impl Holds {
    pub(crate) fn add(&mut self, hold: oneshot::Receiver<()>) {
        self.0.push(hold);
    }

    /// Returns ready once all have fired, or with an error once one was dropped instead.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Unfired>> {
        let mut is_dropped = false;
        self.0.retain_mut(|hold| match Pin::new(hold).poll(task) {
            Poll::Pending => true,
            Poll::Ready(fired) => {
                is_dropped |= fired.is_err();
                false
            }
        });
        if is_dropped {
            Poll::Ready(Err(Unfired))
        } else if self.0.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// The number of those that have not fired.
    pub(crate) fn unfired(&self) -> usize {
        self.0.iter().filter(|hold| hold.is_empty()).count()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
