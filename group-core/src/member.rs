//! One service, as its group and its own task see it.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use tokio::sync::{Notify, OwnedMutexGuard, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lock::lock;
use crate::ready::{Holds, Ready};
use crate::service::DynService;
use crate::{BoxError, Drain, Messages, Spec};

/// One service, as the others see it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) spec: Spec,
    /// Cancelled when the service is asked to stop.
    stop: CancellationToken,
    /// Whether anybody took a [`Shutdown`]: if so, `start` will hear of it.
    hears: AtomicBool,
    /// Notified when `start` is to run again.
    again: Notify,
    holds: Mutex<Vec<oneshot::Receiver<()>>>,
    instance: Mutex<Option<Arc<dyn DynService>>>,
    /// What this run of it has spawned, if it has.
    children: Mutex<Option<Arc<Children>>>,
    child_failed: Arc<Notify>,
    /// How many of its tasks are being polled right now: who blocks a thread never leaves.
    polled: AtomicUsize,
    /// Held by the thread of a blocking `start`.
    thread: OnceLock<Arc<tokio::sync::Mutex<()>>>,
    /// When its `start` and its `stop` had returned.
    stopped: OnceLock<Instant>,
    /// The service is gone when all of this is.
    remains: Mutex<Option<Weak<Remains>>>,
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

/// What is left of a service holds this; when the last holder is gone, so is the service.
pub(crate) type Remains = dyn Any + Send + Sync;

/// The tasks that a service spawned.
#[derive(Debug, Default)]
pub(crate) struct Children {
    tasks: TaskTracker,
    /// Those that end by themselves once the service is asked to stop.
    tickers: TaskTracker,
    aborted: CancellationToken,
    /// Every failure among them that was not told yet.
    failures: Mutex<Vec<BoxError>>,
}

impl Children {
    /// Waits until all have ended.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until those have ended that do so by themselves once the service is asked to stop.
    pub(crate) async fn tickers_ended(&self) {
        self.tickers.close();
        self.tickers.wait().await;
    }

    pub(crate) fn abort(&self) {
        self.aborted.cancel();
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
            stop: CancellationToken::new(),
            hears: AtomicBool::new(false),
            again: Notify::new(),
            holds: Mutex::new(Vec::new()),
            instance: Mutex::new(None),
            children: Mutex::new(None),
            child_failed: Arc::default(),
            polled: AtomicUsize::new(0),
            thread: OnceLock::new(),
            stopped: OnceLock::new(),
            remains: Mutex::new(None),
            addr: OnceLock::new(),
            messages: Mutex::new(None),
            drain: Mutex::new(None),
        }
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn stop_asked(&self) -> &CancellationToken {
        &self.stop
    }

    pub(crate) fn start_again(&self) {
        self.again.notify_one();
    }

    /// Waits until `start` is to run again.
    pub(crate) async fn again(&self) {
        self.again.notified().await;
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
        lock(&self.holds).push(hold);
        ready
    }

    pub(crate) fn take_holds(&self) -> Holds {
        Holds(std::mem::take(&mut *lock(&self.holds)))
    }

    pub(crate) fn instance(&self) -> Option<Arc<dyn DynService>> {
        lock(&self.instance).clone()
    }

    /// Spawns a task that lives and dies with the service. Its failure is the service's.
    pub(crate) fn spawn(&self, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let children = Arc::clone(lock(&self.children).get_or_insert_default());
        let child_failed = Arc::clone(&self.child_failed);
        // Nothing is left of the service only when nothing is left of what it spawned.
        let remains = self.remains();
        children.tasks.spawn({
            let children = Arc::clone(&children);
            async move {
                let _remains = remains;
                if let Some(Err(error)) = children.aborted.run_until_cancelled(task).await {
                    lock(&children.failures).push(error);
                    child_failed.notify_one();
                }
            }
        });
    }

    /// The same, for a task that ends by itself once the service is asked to stop.
    pub(crate) fn spawn_ticker(&self, ticker: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let ticking = lock(&self.children).get_or_insert_default().tickers.token();
        self.spawn(async move {
            let _ticking = ticking;
            ticker.await
        });
    }

    pub(crate) fn children(&self) -> Option<Arc<Children>> {
        lock(&self.children).clone()
    }

    pub(crate) fn take_children(&self) -> Option<Arc<Children>> {
        lock(&self.children).take()
    }

    /// Waits until something that it spawned has failed.
    pub(crate) async fn child_failed(&self) {
        loop {
            self.child_failed.notified().await;
            // Word of an earlier run may have been left over.
            if self.children().is_some_and(|children| !lock(&children.failures).is_empty()) {
                return;
            }
        }
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
        Arc::clone(self.thread.get_or_init(Arc::default)).lock_owned().await
    }

    pub(crate) fn set_stopped(&self) {
        // It stops once.
        let _ = self.stopped.set(Instant::now());
    }

    pub(crate) fn stopped(&self) -> Option<Instant> {
        self.stopped.get().copied()
    }

    pub(crate) fn remains(&self) -> Option<Arc<Remains>> {
        lock(&self.remains).as_ref()?.upgrade()
    }

    pub(crate) fn set_remains(&self, remains: &Arc<Remains>) {
        *lock(&self.remains) = Some(Arc::downgrade(remains));
    }

    pub(crate) fn set_instance(&self, instance: Option<Arc<dyn DynService>>) {
        // The old one is dropped after the lock is released: its destructor may look here.
        let _old = std::mem::replace(&mut *lock(&self.instance), instance);
    }

    pub(crate) fn set_addr(&self, addr: SocketAddr) {
        // A service with several listeners is known by its first.
        let _ = self.addr.set(addr);
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.addr.get().copied()
    }

    pub(crate) fn count_messages(&self, change: impl FnOnce(&mut Messages)) {
        change(lock(&self.messages).get_or_insert_default());
    }

    pub(crate) fn messages(&self) -> Option<Messages> {
        *lock(&self.messages)
    }

    /// One of its servers has stopped.
    #[cfg(feature = "http")]
    pub(crate) fn add_drain(&self, more: Drain) {
        let mut drain = lock(&self.drain);
        let so_far = drain.unwrap_or_default();
        *drain = Some(Drain {
            drained: so_far.drained + more.drained,
            cut: so_far.cut + more.cut,
            streams: so_far.streams + more.streams,
            took: so_far.took.max(more.took),
        });
    }

    pub(crate) fn drain(&self) -> Option<Drain> {
        *lock(&self.drain)
    }
}
