//! What holds a service's readiness back.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Every [`Ready`](crate::Ready) that a service took: it is ready when all of them have fired.
#[derive(Debug)]
pub(crate) struct Holds(pub(crate) Vec<oneshot::Receiver<()>>);

/// A [`Ready`](crate::Ready) was dropped without having been fired.
pub(crate) struct Unfired;

impl Holds {
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
