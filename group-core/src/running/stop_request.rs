//! The request to stop, as one service hears it.

#[cfg(feature = "tokio-util")]
use std::sync::Mutex;

#[cfg(feature = "tokio-util")]
use tokio_util::sync::CancellationToken;

#[cfg(feature = "tokio-util")]
use crate::base::lock;
use crate::base::sync::Latch;

/// Comes once. A token is made only for those who want one.
#[derive(Debug, Default)]
pub(crate) struct StopRequest {
    pub(crate) latch: Latch,
    #[cfg(feature = "tokio-util")]
    token: Mutex<Option<CancellationToken>>,
}

impl StopRequest {
    pub(crate) fn send(&self) {
        self.latch.set();
        #[cfg(feature = "tokio-util")]
        self.cancel_token();
    }
}

#[cfg(feature = "tokio-util")]
impl StopRequest {
    fn cancel_token(&self) {
        // Whom it wakes may look here at once, so it is not cancelled under the lock.
        let token = lock(&self.token).clone();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Cancelled at the same moment.
    pub(crate) fn token(&self) -> CancellationToken {
        let token = lock(&self.token).get_or_insert_default().clone();
        // Who sends it has either left its mark by now, or will see the token.
        if self.latch.is_set() {
            token.cancel();
        }
        token
    }
}
