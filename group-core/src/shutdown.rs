//! How a service learns that it is to stop.

use std::sync::Arc;
use std::task::{self, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::Context;

/// Fires when its service is asked to stop.
///
/// A service whose `start` takes it is waited for: finish what is in hand, then return.
///
/// ```
/// use group::{Group, Shutdown};
/// use std::time::Duration;
///
/// async fn tick(shutdown: Shutdown) {
///     let mut ticker = tokio::time::interval(Duration::from_secs(1));
///     loop {
///         tokio::select! {
///             _ = ticker.tick() => println!("tick"),
///             () = shutdown.requested() => break,
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new().add_fn("ticker", tick).start().await.unwrap();
/// assert!(running.stop().await.is_clean());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown {
    pub(crate) cx: Context,
}

impl Shutdown {
    pub(crate) fn new(cx: Context) -> Self {
        Self { cx }
    }

    /// Waits until the service is asked to stop. Safe to drop and call again, as in `select!`.
    pub async fn requested(&self) {
        self.cx.member().stop.comes().await;
    }

    /// Whether the service has been asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.cx.member().stop.has_come()
    }

    /// Blocks the thread until the service is asked to stop: for a `start` that is no `async fn`,
    /// and so has a thread of its own. In async code it would block the runtime.
    pub fn wait(&self) {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut task = task::Context::from_waker(&waker);
        let mut requested = std::pin::pin!(self.requested());
        while requested.as_mut().poll(&mut task) == Poll::Pending {
            thread::park();
        }
    }

    /// Asks for more time, counted from now: to stop, within what the group's budget leaves and keeps
    /// back for others; or, while the service starts, to become ready. A service that works in steps
    /// calls it before each, and is only given up when it stops doing so.
    ///
    /// It never shortens a limit, and does nothing when no limit runs.
    pub fn extend(&self, by: Duration) {
        self.cx.extend(by);
    }

    /// A token that is cancelled at the same moment, for libraries that take one. With the feature `tokio-util`.
    #[cfg(feature = "tokio-util")]
    #[must_use]
    pub fn token(&self) -> tokio_util::sync::CancellationToken {
        self.cx.member().stop.token().child_token()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
