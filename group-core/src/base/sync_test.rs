//! `tests/loom.rs` tries every interleaving; this holds the plain cases with tokio.

use futures_util::FutureExt as _;

use crate::base::sync::{Latch, Tally};

#[tokio::test]
async fn a_latch_wakes_a_waiter_whether_it_is_set_before_or_after() {
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
