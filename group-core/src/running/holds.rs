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

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// The receivers of every [`Ready`](crate::Ready) that a service took. The service is ready when all have fired.
#[derive(Debug, Default)]
pub(crate) struct Holds(Vec<(Held, oneshot::Receiver<()>)>);

/// What holds a service's readiness back, as the log tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// A parameter of `new` or `start`.
    Parameter,
    /// A call of [`Context::ready`](crate::Context::ready).
    TakenAt(&'static Location<'static>),
    /// The start of the group that the service is.
    Inside,
    #[cfg(feature = "http")]
    Server,
    #[cfg(feature = "http")]
    Mount,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter => f.write_str("its `Ready` was not fired"),
            Self::TakenAt(place) => write!(f, "its `Ready` of {}:{} was not fired", place.file(), place.line()),
            Self::Inside => f.write_str("not all services inside of it are ready"),
            #[cfg(feature = "http")]
            Self::Server => f.write_str("its server does not listen yet"),
            #[cfg(feature = "http")]
            Self::Mount => f.write_str("its routes are not mounted yet"),
        }
    }
}

/// A [`Ready`](crate::Ready) was dropped without having been fired.
pub(crate) struct Unfired;

impl Holds {
    pub(crate) fn add(&mut self, held: Held, receiver: oneshot::Receiver<()>) {
        self.0.push((held, receiver));
    }

    /// Returns ready once all have fired, or with an error once one was dropped instead.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Unfired>> {
        let mut is_dropped = false;
        self.0.retain_mut(|(_, hold)| match Pin::new(hold).poll(task) {
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

    /// Those that have not fired.
    pub(crate) fn unfired(&self) -> Vec<Held> {
        self.0.iter().filter(|(_, hold)| hold.is_empty()).map(|(held, _)| *held).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
