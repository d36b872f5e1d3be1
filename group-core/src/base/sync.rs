//! Two things to wait for, each by many tasks: that something has happened, and that nothing is left.
//!
//! # Protocol
//!
//! Both wait in the same way: **register first, then look.** A [`Notified`] that exists is woken by every
//! `notify_waiters` from then on, even if it was not polled. A task that looked first could miss the wake between its
//! look and its registration.
//!
//! - [`Latch`]: `is_set` is written once, by `set`, before it wakes. `Release` and `Acquire` show what was written before
//!   `set` to those that see it.
//! - [`Tally`]: `left` is counted up by `count`, and down by each destructor; the one that reaches zero wakes. `Release`
//!   there and `Acquire` in `none_left` show everything that was done while it was counted: each later change of `left`
//!   continues what the earlier ones have released. To count up may be `Relaxed`: the new part is passed on by means
//!   that order it.

use std::sync::Arc;

use crate::base::primitives::{AtomicBool, AtomicUsize, Notified, Notify, Ordering};

/// Is set once, and waited for by many. It is smaller than a `CancellationToken`, which is also a tree, and allocates.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    is_set: AtomicBool,
    set: Notify,
}

impl Latch {
    pub(crate) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.set.notify_waiters();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Registers for the wake. Call `is_set` only afterwards, or a wake in between is lost.
    pub(crate) fn notified(&self) -> Notified<'_> {
        self.set.notified()
    }

    pub(crate) async fn wait(&self) {
        let set = self.notified();
        if !self.is_set() {
            set.await;
        }
    }
}

/// Counts what is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    shared: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    left: AtomicUsize,
    none: Notify,
}

/// Is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Tallied(Arc<Counted>);

impl Tally {
    /// Counts one more.
    pub(crate) fn count(&self) -> Tallied {
        self.shared.left.fetch_add(1, Ordering::Relaxed);
        Tallied(Arc::clone(&self.shared))
    }

    pub(crate) fn left(&self) -> usize {
        self.shared.left.load(Ordering::Acquire)
    }

    pub(crate) fn is_any_left(&self) -> bool {
        self.left() > 0
    }

    /// Waits until nothing is left.
    pub(crate) async fn none_left(&self) {
        loop {
            // Register before looking, or a wake in between is lost.
            let none = self.shared.none.notified();
            if !self.is_any_left() {
                return;
            }
            none.await;
        }
    }
}

impl Drop for Tallied {
    fn drop(&mut self) {
        if self.0.left.fetch_sub(1, Ordering::Release) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
