//! The request to stop one service, and the tasks that wait for it.
//!
//! # Protocol
//!
//! The service's own task is woken by its waker in any case, so most services need no more than the flag. The
//! [`StopWaiters`] are made by the first task that waits elsewhere: a ticker, a spawned task, a thread. So the request
//! and the first waiter can miss each other:
//!
//! ```text
//! the driver:  ask()                              a waiter:  waiters()
//!   1. is_asked = true                              1. makes the waiters known, in the `OnceLock` of the owner
//!   2. fence(SeqCst)                                2. fence(SeqCst)
//!   3. looks for the waiters, wakes them            3. looks at is_asked, wakes the waiters if it is set
//! ```
//!
//! Each writes one thing and then reads what the other has written. `Release` and `Acquire` alone allow both reads to
//! miss: then the waiter sleeps until its limit. The two fences have one order, and the side whose fence is second sees
//! what the other has written before its own. If both see it, the waiters are woken twice, which is harmless: the latch
//! is set once. One fence alone orders nothing.
//!
//! `is_asked` is written with `Release` and read with `Acquire`, so that a task that sees it sees what the driver did
//! before. A waiter registers with the latch before it looks whether that is set, as everywhere
//! ([`base::sync`](crate::base::sync)).

#[cfg(feature = "tokio-util")]
use tokio_util::sync::CancellationToken;

#[cfg(feature = "tokio-util")]
use crate::base::lock;
#[cfg(feature = "tokio-util")]
use crate::base::primitives::Mutex;
use crate::base::primitives::{AtomicBool, Ordering, fence};
use crate::base::sync::Latch;

/// The request to stop one service. It is made once.
#[derive(Debug, Default)]
pub(crate) struct StopRequest {
    is_asked: AtomicBool,
}

/// The tasks that wait for the request elsewhere than in the service's own task.
#[derive(Debug, Default)]
pub(crate) struct StopWaiters {
    pub(crate) latch: Latch,
    /// Made when first wanted.
    #[cfg(feature = "tokio-util")]
    token: Mutex<Option<CancellationToken>>,
}

impl StopRequest {
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Acquire)
    }

    /// Asks for the stop, and wakes the waiters if `known` finds any.
    pub(crate) fn ask<'a>(&self, known: impl FnOnce() -> Option<&'a StopWaiters>) {
        self.is_asked.store(true, Ordering::Release);
        // Pairs with the fence in `waiters`: at least one of the two sees what the other has written.
        fence(Ordering::SeqCst);
        if let Some(waiters) = known() {
            waiters.wake();
        }
    }

    /// Returns the waiters, to wait with them. `make_known` makes them, unless they are there already: from then on,
    /// `known` of [`ask`](Self::ask) must find them.
    pub(crate) fn waiters<'a>(&self, make_known: impl FnOnce() -> &'a StopWaiters) -> &'a StopWaiters {
        let waiters = make_known();
        // Pairs with the fence in `ask`.
        fence(Ordering::SeqCst);
        if self.is_asked() {
            waiters.wake();
        }
        waiters
    }
}

impl StopWaiters {
    fn wake(&self) {
        self.latch.set();
        #[cfg(feature = "tokio-util")]
        self.cancel_token();
    }
}

#[cfg(feature = "tokio-util")]
impl StopWaiters {
    fn cancel_token(&self) {
        // Not under the lock: a task that the token wakes may come here at once.
        let token = lock(&self.token).clone();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// A token that is cancelled by the request.
    pub(crate) fn token(&self) -> CancellationToken {
        let token = lock(&self.token).get_or_insert_default().clone();
        // `wake` sets the latch first. If it came to the lock before this, the latch is set; else it finds the token.
        if self.latch.is_set() {
            token.cancel();
        }
        token
    }
}
