//! The one sleep that all timers of a driver share.
//!
//! # Protocol
//!
//! A `Sleep` must be polled once after each reset, to note the waker of the task. More polls would cost a lock of tokio's
//! timers each, for every message. So [`poll`](Alarm::poll) polls it once, sets `is_registered`, and from then on only
//! asks whether it has elapsed; [`aim`](Alarm::aim) takes that back.
//!
//! **Assumptions:** one task polls it, the driver's own, and its waker never changes: tokio gives a task the same waker
//! for all its life. In a `join!` or a `FuturesUnordered` that would be wrong, and the alarm would wake nobody. `&mut`
//! rules out a second task at the same time; nothing here is shared, so there are no orderings.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::base::clock::{FOREVER, Moment};

/// Rings at a moment, for one task.
pub(crate) struct Alarm {
    begun: Instant,
    sleep: Pin<Box<Sleep>>,
    /// The time at which it is to ring, if it is.
    until: Option<Moment>,
    /// True once the sleep has been polled since its last reset.
    is_registered: bool,
}

impl Alarm {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, sleep: Box::pin(sleep_until(begun)), until: None, is_registered: false }
    }

    /// Makes it ring at this moment at the latest. An earlier aim is left: to wake once for nothing costs less than a
    /// reset for every service.
    pub(crate) fn aim(&mut self, at: Moment) {
        if self.until.is_none_or(|until| until > at) {
            self.until = Some(at);
            self.sleep.as_mut().reset(self.begun + Duration::from(at).min(FOREVER));
            self.is_registered = false;
        }
    }

    pub(crate) fn until(&self) -> Option<Moment> {
        self.until
    }

    /// Ready once for each time that it rings.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if self.until.is_none() || self.is_registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.is_registered = true;
        ready!(self.sleep.as_mut().poll(task));
        self.until = None;
        Poll::Ready(())
    }
}
