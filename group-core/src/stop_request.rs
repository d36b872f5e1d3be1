//! The request to stop, as one service hears it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::lock::lock;

/// Comes once. It is a flag and a list of who waits; a token, which is several times as large, is made only
/// for those who want one.
#[derive(Debug, Default)]
pub(crate) struct StopRequest {
    has_come: AtomicBool,
    told: Notify,
    token: Mutex<Option<CancellationToken>>,
}

impl StopRequest {
    pub(crate) fn send(&self) {
        self.has_come.store(true, Ordering::Release);
        self.told.notify_waiters();
        // Whom it wakes may look here at once, so it is not cancelled under the lock.
        let token = lock(&self.token).clone();
        if let Some(token) = token {
            token.cancel();
        }
    }

    pub(crate) fn has_come(&self) -> bool {
        self.has_come.load(Ordering::Acquire)
    }

    pub(crate) async fn comes(&self) {
        // From here on it is told, so that it cannot come between the look and the wait.
        let told = self.told.notified();
        if !self.has_come() {
            told.await;
        }
    }

    /// Cancelled at the same moment.
    pub(crate) fn token(&self) -> CancellationToken {
        let token = lock(&self.token).get_or_insert_default().clone();
        // Who sends it has either left its mark by now, or will see the token.
        if self.has_come() {
            token.cancel();
        }
        token
    }
}
