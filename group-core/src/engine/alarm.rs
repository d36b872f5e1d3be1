//! The one sleep that all timers of a driver share.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::base::clock::{FOREVER, Moment};

/// Rings at a moment. Only one task hears it.
pub(crate) struct Alarm {
    begun: Instant,
    sleep: Pin<Box<Sleep>>,
    /// Until when it sleeps, if it does.
    until: Option<Moment>,
    /// Whether the task has been noted since.
    is_heard: bool,
}

impl Alarm {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, sleep: Box::pin(sleep_until(begun)), until: None, is_heard: false }
    }

    /// Aims it at this moment at the latest. An earlier one is left: to wake once for nothing costs less than to
    /// aim anew for every service.
    pub(crate) fn aim(&mut self, at: Moment) {
        if self.until.is_none_or(|until| until > at) {
            self.until = Some(at);
            self.sleep.as_mut().reset(self.begun + Duration::from(at).min(FOREVER));
            self.is_heard = false;
        }
    }

    pub(crate) fn until(&self) -> Option<Moment> {
        self.until
    }

    /// Ready when it rings, once.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if self.until.is_none() || self.is_heard && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.is_heard = true;
        ready!(self.sleep.as_mut().poll(task));
        self.until = None;
        Poll::Ready(())
    }
}
