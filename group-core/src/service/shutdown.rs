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
use tokio::time::{Instant, sleep_until};

use crate::base::clock::Moment;
use crate::base::sync::Latch;
use crate::running::stop_request::{StopRequest, StopWaiters};
use crate::running::stop_time::StopTime;
use crate::service::context::Context;
use crate::spec::STOP_TIMEOUT;

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
    of: Of,
}

#[derive(Clone, Debug)]
enum Of {
    Service {
        cx: Context,
        /// True if `start` has taken it: to look for the request with it shows that `start` listens.
        is_of_start: bool,
    },
    /// Of no service: a test decides.
    Manual(Arc<Manual>),
}

impl Context {
    /// Returns the [`Shutdown`] of this service, which fires when the service is asked to stop. The group waits for
    /// the `start` of a service that has taken it, instead of dropping it.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.member().set_listens_to_stop(true);
        Shutdown { of: Of::Service { cx: self.clone(), is_of_start: true } }
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
        Self { of: Of::Service { cx, is_of_start: false } }
    }

    /// Makes one without a group, for a unit test of code that takes a `Shutdown`. It fires when the trigger says so.
    ///
    /// ```
    /// use group::Shutdown;
    ///
    /// async fn consume(shutdown: Shutdown) -> &'static str {
    ///     shutdown.requested().await;
    ///     "let go"
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (shutdown, trigger) = Shutdown::manual();
    /// let consumer = tokio::spawn(consume(shutdown));
    /// trigger.request();
    /// assert_eq!(consumer.await.unwrap(), "let go");
    /// # }
    /// ```
    #[must_use]
    pub fn manual() -> (Self, ShutdownTrigger) {
        let trigger = ShutdownTrigger { manual: Arc::new(Manual::default()) };
        (Self { of: Of::Manual(Arc::clone(&trigger.manual)) }, trigger)
    }

    /// The context of its service.
    #[cfg(feature = "http")]
    pub(crate) fn context(&self) -> Option<&Context> {
        match &self.of {
            Of::Service { cx, .. } => Some(cx),
            Of::Manual(_) => None,
        }
    }

    /// Notes that the request is looked for, and seen if there is one.
    pub(crate) fn look(&self) {
        let Of::Service { cx, is_of_start } = &self.of else { return };
        if cx.member().is_asked_to_stop() {
            cx.member().hear_stop();
        }
        if *is_of_start {
            cx.member().note_look_for_stop();
        }
    }

    fn is_asked(&self) -> bool {
        match &self.of {
            Of::Service { cx, .. } => cx.member().is_asked_to_stop(),
            Of::Manual(manual) => manual.request.is_asked(),
        }
    }

    /// For a task that waits for the request elsewhere than in the service's own task.
    fn waiters(&self) -> &StopWaiters {
        match &self.of {
            Of::Service { cx, .. } => cx.member().stop_waiters(),
            Of::Manual(manual) => manual.request.waiters(|| &manual.waiters),
        }
    }

    /// Waits until the service is asked to stop. Safe to drop and call again, as in `select!`.
    pub fn requested(&self) -> impl Future<Output = ()> {
        Requested { shutdown: self, elsewhere: None }
    }

    /// As [`requested`](Self::requested), in a future that borrows nothing: for tasks that are spawned, and for
    /// combinators such as `take_until`.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use group::Shutdown;
    ///
    /// async fn consume(shutdown: Shutdown) {
    ///     let orders = stream::iter(["one tea", "two coffees"]);
    ///     let mut until_stop = orders.take_until(Box::pin(shutdown.requested_owned()));
    ///     while let Some(order) = until_stop.next().await {
    ///         println!("here is {order}");
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (shutdown, _trigger) = Shutdown::manual();
    /// consume(shutdown).await;
    /// # }
    /// ```
    pub async fn requested_owned(self) {
        self.requested().await;
    }

    /// Returns true if the service has been asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.look();
        self.is_asked()
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
        match &self.of {
            Of::Service { cx, .. } => cx.extend(by),
            Of::Manual(manual) if manual.request.is_asked() => manual.time.put_off(manual.now().after(by)),
            Of::Manual(_) => {}
        }
    }

    /// The moment at which the service is aborted: at the end of its own `stop_timeout`, or before, if the group's budget
    /// leaves it less. `None` until it is asked to stop. [`extend`](Self::extend) moves it.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.begun() + Duration::from(self.stop_time().until()?))
    }

    /// The time until the [`deadline`](Self::deadline). `None` until the service is asked to stop, zero when the time is
    /// up.
    ///
    /// ```
    /// use group::Shutdown;
    /// use std::time::Duration;
    ///
    /// /// Writes what it still can.
    /// async fn save(shutdown: Shutdown, mut orders: Vec<String>) {
    ///     shutdown.requested().await;
    ///     while let Some(order) = orders.pop() {
    ///         if shutdown.remaining() < Some(Duration::from_millis(500)) {
    ///             println!("{} orders are not written", orders.len() + 1);
    ///             break;
    ///         }
    ///         println!("here is {order}");
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (shutdown, trigger) = Shutdown::manual();
    /// assert_eq!(shutdown.remaining(), None);
    /// trigger.request_within(Duration::from_secs(5));
    /// assert!(shutdown.remaining() > Some(Duration::from_secs(4)));
    /// save(shutdown, vec!["tea".to_owned()]).await;
    /// # }
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.deadline()?.saturating_duration_since(Instant::now()))
    }

    /// Waits until the request to stop is urgent: a quarter of the service's time to stop is left, or the group's own time
    /// is up and the last grace has begun. A service then gives up what it can do without, and saves the rest: it is
    /// aborted at the [`deadline`](Self::deadline).
    ///
    /// ```
    /// use group::Shutdown;
    ///
    /// async fn upload(shutdown: Shutdown, file: impl Future<Output = ()>) {
    ///     tokio::select! {
    ///         () = file => println!("uploaded"),
    ///         () = shutdown.urgent() => println!("kept for the next start"),
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (shutdown, trigger) = Shutdown::manual();
    /// trigger.hurry();
    /// upload(shutdown, std::future::pending()).await;
    /// # }
    /// ```
    pub async fn urgent(&self) {
        self.requested().await;
        // It may be put off meanwhile.
        while let Some(at) = self.stop_time().urgent().filter(|_| !self.is_urgent()) {
            tokio::select! {
                () = self.last_grace().wait() => return,
                () = sleep_until(self.begun() + Duration::from(at)) => {}
            }
        }
    }

    /// Returns true if the request to stop is [urgent](Self::urgent).
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        let is_late = || self.stop_time().urgent().is_some_and(|urgent| urgent <= Moment::now(self.begun()));
        self.is_requested() && (self.last_grace().is_set() || is_late())
    }

    fn stop_time(&self) -> &StopTime {
        match &self.of {
            Of::Service { cx, .. } => &cx.member().stop_time,
            Of::Manual(manual) => &manual.time,
        }
    }

    fn last_grace(&self) -> &Latch {
        match &self.of {
            Of::Service { cx, .. } => cx.last_grace(),
            Of::Manual(manual) => &manual.last_grace,
        }
    }

    fn begun(&self) -> Instant {
        match &self.of {
            Of::Service { cx, .. } => cx.begun(),
            Of::Manual(manual) => manual.begun,
        }
    }

    /// A token that is cancelled at the same moment, for libraries that take one. With the feature `tokio-util`.
    #[cfg(feature = "tokio-util")]
    #[must_use]
    pub fn token(&self) -> tokio_util::sync::CancellationToken {
        self.look();
        if let Of::Service { cx, .. } = &self.of {
            // Nothing tells who looks at a token, and when.
            cx.member().hear_stop();
        }
        self.waiters().token().child_token()
    }
}

/// Fires the [`Shutdown`] of [`Shutdown::manual`]. To drop it fires nothing.
#[derive(Debug)]
pub struct ShutdownTrigger {
    manual: Arc<Manual>,
}

/// The request to stop, in a test.
#[derive(Debug)]
struct Manual {
    begun: Instant,
    request: StopRequest,
    waiters: StopWaiters,
    time: StopTime,
    last_grace: Latch,
}

impl Default for Manual {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            request: StopRequest::default(),
            waiters: StopWaiters::default(),
            time: StopTime::default(),
            last_grace: Latch::default(),
        }
    }
}

impl Manual {
    fn now(&self) -> Moment {
        Moment::now(self.begun)
    }
}

impl ShutdownTrigger {
    /// Asks for the stop, with the 10 s that a service has by default. Only the first request counts.
    pub fn request(&self) {
        self.request_within(STOP_TIMEOUT);
    }

    /// Asks for the stop within this time: nothing is aborted after it. Only the first request counts.
    pub fn request_within(&self, limit: Duration) {
        let Manual { request, waiters, time, .. } = &*self.manual;
        if !request.is_asked() {
            let now = self.manual.now();
            time.begin(now, now.after(limit));
            request.ask(|| Some(waiters));
        }
    }

    /// Makes the request [urgent](Shutdown::urgent), and asks for the stop, if that was not done.
    pub fn hurry(&self) {
        self.manual.last_grace.set();
        self.request();
    }
}

/// Waits for the request to stop, as the protocol above says.
struct Requested<'a> {
    shutdown: &'a Shutdown,
    /// Its place with the latch, once another task than the service's own has polled it.
    elsewhere: Option<Pin<Box<Notified<'a>>>>,
}

impl Requested<'_> {
    /// Returns true if this waker wakes the service's own task.
    fn is_own_task(&self, waker: &Waker) -> bool {
        match &self.shutdown.of {
            Of::Service { cx, .. } => cx.member().is_own_task(waker),
            Of::Manual(_) => false,
        }
    }
}

impl Future for Requested<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        self.shutdown.look();
        if self.shutdown.is_asked() {
            Poll::Ready(())
        } else if self.is_own_task(task.waker()) {
            Poll::Pending
        } else {
            let latch = &self.shutdown.waiters().latch;
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
