//! The request to stop, as a service sees it.
//!
//! # Protocol
//!
//! Each service waits for the request for as long as it runs, so the wait must cost next to nothing: no allocation, and
//! no place in a list of waiters. [`Requested`] saves both if it is polled by the service's own task: the driver stores
//! the flag and wakes that task in any case ([`running::member`](crate::running::member)), the task polls `Requested` again,
//! and that sees the flag.
//!
//! **Assumption:** a future inside of the task that is given the task's own waker is polled whenever the task is. Joins
//! and selects hand the waker through; a combinator that polls only the parts that were woken gives each part a waker
//! of its own, which is not the task's. So a waker decides: [`Member::is_own_task`] compares both parts of it (data and
//! vtable) with `Waker::will_wake`, which may say no for the same task, but never yes for another one. A false "no" is
//! harmless, as `Requested` then waits with the latch; a false "yes" would lose the stop.
//!
//! **Elsewhere**, `Requested` registers with the latch of the [`StopWaiters`](crate::running::stop_request::StopWaiters)
//! before it looks whether that is set. A `Requested` that moves from one task to another while it waits is asked anew
//! with each poll.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use std::{task, thread};

use tokio::sync::futures::Notified;

use crate::service::context::Context;

/// Fires when its service is asked to stop.
///
/// A service whose `start` takes it is waited for: finish what is in flight, then return. One that is not ready yet,
/// because a [`Ready`](crate::Ready) has not fired, is waited for only if it has looked for the request by then.
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
    /// True if `start` has taken it: to look for the request with it shows that `start` listens.
    is_of_start: bool,
}

impl Context {
    /// Returns the [`Shutdown`] of this service, which fires when the service is asked to stop. The group waits for
    /// the `start` of a service that has taken it, instead of dropping it.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.member().set_listens_to_stop(true);
        Shutdown { cx: self.clone(), is_of_start: true }
    }

    /// Returns the [`Shutdown`] of a server, which the group waits for as for a `start` that has taken one.
    #[cfg(feature = "http")]
    pub(crate) fn shutdown_of_server(&self) -> Shutdown {
        self.member().set_listens_to_stop(true);
        Shutdown::beside_start(self.clone())
    }
}

impl Shutdown {
    /// For what runs beside the code of `start`, such as a ticker or a handler.
    pub(crate) fn beside_start(cx: Context) -> Self {
        Self { cx, is_of_start: false }
    }

    /// Notes that the request is looked for, and seen if there is one.
    pub(crate) fn look(&self) {
        if self.cx.member().is_asked_to_stop() {
            self.cx.member().hear_stop();
        }
        if self.is_of_start {
            self.cx.member().note_look_for_stop();
        }
    }

    /// Waits until the service is asked to stop. Safe to drop and call again, as in `select!`.
    pub fn requested(&self) -> impl Future<Output = ()> {
        Requested { shutdown: self, elsewhere: None }
    }

    /// Returns true if the service has been asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.look();
        self.cx.member().is_asked_to_stop()
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
        self.look();
        // Nothing tells who looks at a token, and when.
        self.cx.member().hear_stop();
        self.cx.member().stop_waiters().token().child_token()
    }
}

/// Waits for the request to stop, as the protocol above says.
struct Requested<'a> {
    shutdown: &'a Shutdown,
    /// Its place with the latch, once another task than the service's own has polled it.
    elsewhere: Option<Pin<Box<Notified<'a>>>>,
}

impl Future for Requested<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        self.shutdown.look();
        let member = self.shutdown.cx.member();
        if member.is_asked_to_stop() {
            Poll::Ready(())
        } else if member.is_own_task(task.waker()) {
            Poll::Pending
        } else {
            let latch = &member.stop_waiters().latch;
            let set = self.elsewhere.get_or_insert_with(|| Box::pin(latch.notified()));
            if latch.is_set() { Poll::Ready(()) } else { set.as_mut().poll(task) }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
