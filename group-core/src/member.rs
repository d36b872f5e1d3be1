//! One service, as its group and its own task see it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, Waker};

use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::latch::{Latch, Tally};
use crate::lock::lock;
use crate::panic::caught;
use crate::ready::{Holds, Ready};
use crate::service::DynService;
use crate::stop_request::StopRequest;
use crate::{BoxError, Context, Drain, Messages, Spec, moment};

/// One service, as the others see it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) spec: Spec,
    is_asked_to_stop: AtomicBool,
    /// Whether anybody took a [`Shutdown`](crate::Shutdown): if so, `start` will hear of the request.
    hears: AtomicBool,
    /// Whether `start` is to run again.
    again: AtomicBool,
    is_aborted: AtomicBool,
    /// Wakes its own task, which looks here whenever it is woken.
    task: OnceLock<Waker>,
    instance: Mutex<Option<Arc<dyn DynService>>>,
    /// How many of its tasks are being polled right now: who blocks a thread never leaves.
    polled: AtomicU32,
    /// How much is left of it: it is gone when nothing is.
    remains: AtomicU32,
    /// When its `start` and its `stop` had returned.
    pub(crate) stopped: moment::Once,
    /// What most services never need.
    more: OnceLock<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    /// For those who wait for it elsewhere than in its own task.
    stop: StopRequest,
    holds: Mutex<Vec<oneshot::Receiver<()>>>,
    /// What this run of it has spawned, if it has.
    children: Mutex<Option<Arc<Children>>>,
    /// Held by the thread of a blocking `start`.
    thread: Arc<tokio::sync::Mutex<()>>,
    addr: OnceLock<SocketAddr>,
    /// What came of the messages that it took, if it took any.
    messages: Mutex<Option<Messages>>,
    /// What became of the connections of its servers.
    drain: Mutex<Option<Drain>>,
}

struct Polls<'a>(&'a Member);

impl Drop for Polls<'_> {
    fn drop(&mut self) {
        self.0.polled.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Held by all that is left of a service: its task, what it spawned, its connections, the thread of a blocking
/// `start`. When the last of them lets go, the service is gone.
#[derive(Debug)]
pub(crate) struct Remains {
    cx: Context,
}

impl Remains {
    /// Of a service that begins.
    pub(crate) fn first(cx: Context) -> Self {
        cx.member().remains.store(1, Ordering::Relaxed);
        Self { cx }
    }

    pub(crate) fn cx(&self) -> &Context {
        &self.cx
    }

    /// One more, unless the service is gone.
    pub(crate) fn of(cx: &Context) -> Option<Self> {
        let one_more = |left: u32| (left > 0).then(|| left + 1);
        let left = cx.member().remains.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        left.is_ok().then(|| Self { cx: cx.clone() })
    }
}

impl Clone for Remains {
    fn clone(&self) -> Self {
        self.cx.member().remains.fetch_add(1, Ordering::Relaxed);
        Self { cx: self.cx.clone() }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        // As with an `Arc`: what the others did has been done when the last lets go.
        if self.cx.member().remains.fetch_sub(1, Ordering::AcqRel) == 1 {
            crate::runner::gone(&self.cx);
        }
    }
}

/// The tasks that a service spawned.
#[derive(Debug, Default)]
pub(crate) struct Children {
    tasks: Tally,
    /// Those that end by themselves once the service is asked to stop.
    tickers: Tally,
    aborted: Latch,
    /// Every failure among them that was not told yet.
    failures: Mutex<Vec<BoxError>>,
}

impl Children {
    /// Waits until all have ended.
    pub(crate) async fn ended(&self) {
        self.tasks.none_left().await;
    }

    /// Waits until those have ended that do so by themselves once the service is asked to stop.
    pub(crate) async fn tickers_ended(&self) {
        self.tickers.none_left().await;
    }

    pub(crate) fn abort(&self) {
        self.aborted.set();
    }

    pub(crate) fn are_aborted(&self) -> bool {
        self.aborted.is_set()
    }

    /// One of them has failed.
    pub(crate) fn fail(&self, error: BoxError) {
        lock(&self.failures).push(error);
    }

    /// Every failure among them, once.
    pub(crate) fn take_failures(&self) -> Vec<BoxError> {
        std::mem::take(&mut *lock(&self.failures))
    }
}

impl Member {
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            is_asked_to_stop: AtomicBool::new(false),
            hears: AtomicBool::new(false),
            again: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
            task: OnceLock::new(),
            instance: Mutex::new(None),
            polled: AtomicU32::new(0),
            remains: AtomicU32::new(0),
            stopped: moment::Once::default(),
            more: OnceLock::new(),
        }
    }

    fn more(&self) -> &More {
        self.more.get_or_init(Box::default)
    }

    /// Its own task is woken by this, from now on.
    pub(crate) fn is_woken_by(&self, waker: &Waker) {
        if self.task.get().is_none() {
            let _ = self.task.set(waker.clone());
            // Either it sees what it is woken for, or whoever wakes it sees this.
            fence(Ordering::SeqCst);
        }
    }

    /// Whether what this wakes is its own task, and all of it: not another, nor a part that is polled by itself.
    pub(crate) fn is_own_task(&self, waker: &Waker) -> bool {
        self.task.get().is_some_and(|own| own.will_wake(waker))
    }

    /// Has its own task look here.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }

    pub(crate) fn ask_to_stop(&self) {
        self.is_asked_to_stop.store(true, Ordering::Release);
        self.wake();
        if let Some(more) = self.more.get() {
            more.stop.send();
        }
    }

    /// Its task is to end, and what is left of the service to be dropped.
    pub(crate) fn abort(&self) {
        self.is_aborted.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::Acquire)
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.is_asked_to_stop.load(Ordering::Acquire)
    }

    /// The request to stop, for those who wait for it elsewhere than in its own task.
    pub(crate) fn stop_request(&self) -> &StopRequest {
        let request = &self.more().stop;
        // Who asks either finds it, or is seen here.
        fence(Ordering::SeqCst);
        if self.is_asked_to_stop() {
            request.send();
        }
        request
    }

    pub(crate) fn start_again(&self) {
        self.again.store(true, Ordering::Release);
        self.wake();
    }

    /// Ready when a stop is asked for, which is `false`, or when `start` is to run again. Of its own task.
    pub(crate) fn poll_again(&self) -> Poll<bool> {
        if self.is_asked_to_stop() {
            Poll::Ready(false)
        } else if self.again.swap(false, Ordering::Acquire) {
            Poll::Ready(true)
        } else {
            Poll::Pending
        }
    }

    /// From now on, `start` will hear of a request to stop.
    pub(crate) fn will_hear(&self) {
        self.set_hears(true);
    }

    pub(crate) fn set_hears(&self, hears: bool) {
        self.hears.store(hears, Ordering::Relaxed);
    }

    /// Whether `start` will hear of a request to stop.
    pub(crate) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    pub(crate) fn ready(&self) -> Ready {
        let (ready, hold) = Ready::new();
        lock(&self.more().holds).push(hold);
        ready
    }

    pub(crate) fn take_holds(&self) -> Holds {
        Holds(self.more.get().map(|more| std::mem::take(&mut *lock(&more.holds))).unwrap_or_default())
    }

    pub(crate) fn instance(&self) -> Option<Arc<dyn DynService>> {
        lock(&self.instance).clone()
    }

    pub(crate) fn children(&self) -> Option<Arc<Children>> {
        lock(&self.more.get()?.children).clone()
    }

    pub(crate) fn take_children(&self) -> Option<Arc<Children>> {
        lock(&self.more.get()?.children).take()
    }

    /// Whether something that it spawned has failed, and nobody has told that yet.
    pub(crate) fn has_failed_children(&self) -> bool {
        self.children().is_some_and(|children| !lock(&children.failures).is_empty())
    }

    /// Notes that a task of the service is being polled, until what is returned is dropped.
    pub(crate) fn polls(&self) -> impl Drop {
        self.polled.fetch_add(1, Ordering::Relaxed);
        Polls(self)
    }

    /// Whether the service holds a thread at this moment.
    pub(crate) fn is_polled(&self) -> bool {
        self.polled.load(Ordering::Relaxed) > 0
    }

    /// Waits until no thread runs its `start` any more: one that was dropped runs on.
    pub(crate) async fn own_thread(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.more().thread).lock_owned().await
    }

    pub(crate) fn set_instance(&self, instance: Option<Arc<dyn DynService>>) {
        // The old one is dropped after the lock is released: its destructor may look here.
        let _old = std::mem::replace(&mut *lock(&self.instance), instance);
    }

    pub(crate) fn set_addr(&self, addr: SocketAddr) {
        // A service with several listeners is known by its first.
        let _ = self.more().addr.set(addr);
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.more.get()?.addr.get().copied()
    }

    pub(crate) fn count_messages(&self, change: impl FnOnce(&mut Messages)) {
        change(lock(&self.more().messages).get_or_insert_default());
    }

    pub(crate) fn messages(&self) -> Option<Messages> {
        *lock(&self.more.get()?.messages)
    }

    /// One of its servers has stopped.
    #[cfg(feature = "http")]
    pub(crate) fn add_drain(&self, more: Drain) {
        let mut drain = lock(&self.more().drain);
        let so_far = drain.unwrap_or_default();
        *drain = Some(Drain {
            drained: so_far.drained + more.drained,
            cut: so_far.cut + more.cut,
            streams: so_far.streams + more.streams,
            took: so_far.took.max(more.took),
        });
    }

    pub(crate) fn drain(&self) -> Option<Drain> {
        *lock(&self.more.get()?.drain)
    }
}

/// What a service spawns lives and dies with it.
impl Context {
    /// Spawns a task of the service. Its failure is the service's.
    pub(crate) fn spawn_child(&self, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let children = Arc::clone(lock(&self.member().more().children).get_or_insert_default());
        // Nothing is left of the service only when nothing is left of what it spawned.
        let (remains, cx) = (Remains::of(self), self.clone());
        let counted = children.tasks.count();
        tokio::spawn(async move {
            // Dropped when the task is, and in reverse.
            let (_remains, _counted) = (remains, counted);
            // Its destructor, too, may panic.
            let ended = caught(async {
                tokio::select! {
                    biased;
                    () = children.aborted.wait() => Ok(()),
                    result = task => result,
                }
            });
            if let Err(error) = ended.await.and_then(|result| result) {
                children.fail(error);
                cx.member().wake();
            }
        });
    }

    /// The same, for a task that ends by itself once the service is asked to stop.
    pub(crate) fn spawn_ticker(&self, ticker: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let ticking = lock(&self.member().more().children).get_or_insert_default().tickers.count();
        self.spawn_child(async move {
            let _ticking = ticking;
            ticker.await
        });
    }
}
