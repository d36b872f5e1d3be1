//! The time between the request to stop and the stop, in which the group still serves new requests.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::sync::Latch;

/// The delay between the request to stop and the stop, in which new requests are still served. It may end early when no
/// more come.
#[derive(Debug)]
pub(crate) struct LameDuck {
    begun: Latch,
    created: Instant,
    /// The time of the last connection or request, in milliseconds since `created`.
    last_came: AtomicU64,
}

impl LameDuck {
    pub(crate) fn new() -> Self {
        Self { begun: Latch::default(), created: Instant::now(), last_came: AtomicU64::new(0) }
    }

    pub(crate) fn begin(&self) {
        self.begun.set();
    }

    /// Waits until the group is a lame duck.
    #[cfg(feature = "http")]
    pub(crate) async fn begun(&self) {
        self.begun.wait().await;
    }

    /// Notes that a connection or a request has come.
    #[cfg(feature = "http")]
    pub(crate) fn came(&self) {
        let now = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_came.fetch_max(now, Relaxed);
    }

    pub(super) fn last_came(&self) -> Instant {
        self.created + Duration::from_millis(self.last_came.load(Relaxed))
    }
}
