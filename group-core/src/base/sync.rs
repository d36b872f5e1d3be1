//! What many wait for: that something has happened, or that nothing is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Is set once, and waited for by many. A `CancellationToken` is that, too, and a tree and an allocation besides.
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

    /// Is told when it is set, from here on: look only now whether it is already.
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

/// Counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Tallied(Arc<Counted>);

impl Tally {
    /// One more.
    pub(crate) fn count(&self) -> Tallied {
        self.shared.left.fetch_add(1, Ordering::Relaxed);
        Tallied(Arc::clone(&self.shared))
    }

    pub(crate) fn is_any_left(&self) -> bool {
        self.shared.left.load(Ordering::Acquire) > 0
    }

    /// Waits until nothing is left.
    pub(crate) async fn none_left(&self) {
        loop {
            // As with a latch.
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
        // As with an `Arc`: what the others did has been done when the last lets go.
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_latch_is_told_whether_it_was_set_before_or_is_set_later() {
        let latch = Latch::default();
        let waits = [latch.wait(), latch.wait()];
        assert!(!latch.is_set() && latch.wait().now_or_never().is_none());
        latch.set();
        assert!(latch.is_set() && latch.wait().now_or_never().is_some());
        for wait in waits {
            wait.await;
        }
    }

    #[tokio::test]
    async fn nothing_is_left_when_the_last_is_dropped() {
        let tally = Tally::default();
        tally.none_left().await;
        let (one, other) = (tally.count(), tally.count());
        let mut none_left = std::pin::pin!(tally.none_left());
        assert!(none_left.as_mut().now_or_never().is_none());
        drop(one);
        assert!(none_left.as_mut().now_or_never().is_none());
        drop(other);
        none_left.await;
    }
}
