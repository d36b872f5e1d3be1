//! Holds a service's readiness back until every [`Ready`](crate::Ready) that it took has fired.
//!
//! # Protocol
//!
//! - State: for each `Ready`, a oneshot channel. `Ready` owns the sender; the receiver is in the member's list.
//! - Writers: `Context::ready` adds a receiver, in any task of the service. `Ready::fire` sends. To drop a `Ready`
//!   closes its channel.
//! - Reader: the service's own task. After the first poll of `start` it takes the list out of the member once, and then
//!   polls the receivers. A `Ready` that is taken later is not waited for, and not kept: the next run of `start` begins
//!   with an empty list.
//! - Ordering: a mutex guards the list, and a oneshot orders all that came before the send before the poll that sees
//!   it. Each poll registers the task's waker with one channel only, the last of the list; the next one is polled once
//!   that has fired, so no wake is missed. A `Ready` that is dropped unfired is noticed when its turn comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// The receivers of every [`Ready`](crate::Ready) that a service took. The service is ready when all have fired.
#[derive(Debug)]
pub(crate) struct Holds(pub(crate) Vec<oneshot::Receiver<()>>);

/// A [`Ready`](crate::Ready) was dropped without having been fired.
pub(crate) struct Unfired;

impl Holds {
    /// Returns ready once all have fired, or with an error once one was dropped instead.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Unfired>> {
        while let Some(last) = self.0.last_mut() {
            match Pin::new(last).poll(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Unfired)),
                Poll::Ready(Ok(())) => self.0.pop(),
            };
        }
        Poll::Ready(Ok(()))
    }
}
