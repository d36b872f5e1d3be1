//! One service, as its group and its own task see it.

use std::net::SocketAddr;
use std::ptr;
#[cfg(feature = "http")]
use std::sync::Weak;
#[cfg(feature = "http")]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, Waker};

use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::base::clock::OnceMoment;
use crate::base::lock;
use crate::record::counts::{Drain, Messages};
use crate::running::children::Children;
use crate::running::holds::Holds;
use crate::running::instance::Instance;
use crate::running::stop_request::StopRequest;
use crate::spec::Spec;

/// One service, as the others see it. At its alignment it is two lines of the cache, and not three: of thousands, each
/// is long out of it when its turn comes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Member {
    pub(crate) spec: Spec,
    is_asked_to_stop: AtomicBool,
    /// Whether anybody took a [`Shutdown`](crate::Shutdown): if so, `start` will hear of the request.
    hears: AtomicBool,
    /// Whether `start` is to run again.
    again: AtomicBool,
    is_aborted: AtomicBool,
    /// Whether its `start` is to be dropped, or what builds it.
    is_given_up: AtomicBool,
    own: Mutex<Own>,
    /// What its own task is told from others by, while there is one.
    own_task: AtomicPtr<()>,
    /// Whether its own task is being polled right now, and how much besides: who blocks a thread never leaves.
    is_own_polled: AtomicBool,
    polled: AtomicU32,
    /// How much is left of it: it is gone when nothing is.
    remains: AtomicU32,
    /// When its `start` and its `stop` had returned.
    pub(crate) stopped: OnceMoment,
    /// What most services never need.
    more: OnceLock<Box<More>>,
}

/// What there is until it is gone.
#[derive(Debug, Default)]
struct Own {
    /// Wakes its own task, which looks at the member whenever it is woken.
    task: Option<Waker>,
    instance: Option<Arc<dyn Instance>>,
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
    /// How many connections each of its servers that drain still waits for.
    #[cfg(feature = "http")]
    draining: Mutex<Vec<Weak<AtomicUsize>>>,
    /// What became of the connections of its servers.
    drain: Mutex<Option<Drain>>,
}

struct OwnPoll<'a>(&'a Member);

impl Drop for OwnPoll<'_> {
    fn drop(&mut self) {
        self.0.is_own_polled.store(false, Ordering::Relaxed);
    }
}

struct OtherPoll<'a>(&'a Member);

impl Drop for OtherPoll<'_> {
    fn drop(&mut self) {
        self.0.polled.fetch_sub(1, Ordering::Relaxed);
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
            is_given_up: AtomicBool::new(false),
            own: Mutex::default(),
            own_task: AtomicPtr::default(),
            is_own_polled: AtomicBool::new(false),
            polled: AtomicU32::new(0),
            remains: AtomicU32::new(0),
            stopped: OnceMoment::default(),
            more: OnceLock::new(),
        }
    }

    fn more(&self) -> &More {
        self.more.get_or_init(Box::default)
    }

    /// Its own task is woken by this, from now on.
    pub(crate) fn is_woken_by(&self, waker: &Waker) {
        self.own_task.store(waker.data().cast_mut(), Ordering::Relaxed);
        lock(&self.own).task = Some(waker.clone());
    }

    /// Whether what this wakes is its own task, and all of it: not another, nor a part that is polled by itself.
    /// Nothing else can be at that address while the task is.
    pub(crate) fn is_own_task(&self, waker: &Waker) -> bool {
        ptr::eq(self.own_task.load(Ordering::Relaxed), waker.data())
    }

    /// Has its own task look here. It sees what was done before, or is woken: either may come first, as both lock.
    pub(crate) fn wake(&self) {
        if let Some(task) = &lock(&self.own).task {
            task.wake_by_ref();
        }
    }

    /// Counts the service's own task, before its first poll.
    pub(crate) fn begin(&self) {
        self.remains.store(1, Ordering::Relaxed);
    }

    /// Counts one more part of the service, unless it is gone.
    pub(crate) fn add_part(&self) -> bool {
        let one_more = |left: u32| (left > 0).then(|| left + 1);
        self.remains.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// One part of the service is over. Returns true for the last one, which sees all that the others have done, as
    /// with an `Arc`.
    pub(crate) fn remove_part(&self) -> bool {
        self.remains.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Nothing is left of it but the service itself, which is dropped.
    pub(crate) fn leave(&self) {
        self.own_task.store(ptr::null_mut(), Ordering::Relaxed);
        // After the lock is released: the service's destructor may look here.
        let _own = std::mem::take(&mut *lock(&self.own));
    }

    pub(crate) fn ask_to_stop(&self) {
        self.is_asked_to_stop.store(true, Ordering::Release);
        self.wake();
        // Pairs with the fence in `stop_request`: at least one of the two sees what the other has done.
        fence(Ordering::SeqCst);
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

    /// Nobody waits for its `start` any more.
    pub(crate) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Acquire)
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.is_asked_to_stop.load(Ordering::Acquire)
    }

    /// The request to stop, for those who wait for it elsewhere than in its own task.
    pub(crate) fn stop_request(&self) -> &StopRequest {
        let request = &self.more().stop;
        // Pairs with the fence in `ask_to_stop`.
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

    /// Holds the service's readiness back until something is sent. To drop it instead is to fail.
    pub(crate) fn hold(&self) -> oneshot::Sender<()> {
        let (sender, hold) = oneshot::channel();
        lock(&self.more().holds).push(hold);
        sender
    }

    pub(crate) fn take_holds(&self) -> Holds {
        Holds(self.more.get().map(|more| std::mem::take(&mut *lock(&more.holds))).unwrap_or_default())
    }

    pub(crate) fn instance(&self) -> Option<Arc<dyn Instance>> {
        lock(&self.own).instance.clone()
    }

    pub(crate) fn children(&self) -> Option<Arc<Children>> {
        lock(&self.more.get()?.children).clone()
    }

    /// What this run of it has spawned, and will.
    pub(crate) fn own_children(&self) -> Arc<Children> {
        Arc::clone(lock(&self.more().children).get_or_insert_default())
    }

    pub(crate) fn take_children(&self) -> Option<Arc<Children>> {
        lock(&self.more.get()?.children).take()
    }

    /// Whether something that it spawned has failed, and nobody has told that yet.
    pub(crate) fn has_failed_children(&self) -> bool {
        self.children().is_some_and(|children| children.has_failures())
    }

    /// Notes that its own task is being polled, until what is returned is dropped. There is but one.
    pub(crate) fn polls_own(&self) -> impl Drop {
        self.is_own_polled.store(true, Ordering::Relaxed);
        OwnPoll(self)
    }

    /// Notes that something else of the service is being polled, until what is returned is dropped.
    pub(crate) fn polls_other(&self) -> impl Drop {
        self.polled.fetch_add(1, Ordering::Relaxed);
        OtherPoll(self)
    }

    /// Whether the service holds a thread at this moment.
    pub(crate) fn is_polled(&self) -> bool {
        self.is_own_polled.load(Ordering::Relaxed) || self.polled.load(Ordering::Relaxed) > 0
    }

    /// Waits until no thread runs its `start` any more: one that was dropped runs on.
    pub(crate) async fn own_thread(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.more().thread).lock_owned().await
    }

    pub(crate) fn set_instance(&self, instance: Arc<dyn Instance>) {
        lock(&self.own).instance = Some(instance);
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

    /// One of its servers stops, and waits for so many connections.
    #[cfg(feature = "http")]
    pub(crate) fn drains(&self, waits_for: &Arc<AtomicUsize>) {
        let mut draining = lock(&self.more().draining);
        // Of one that is started again and again, the servers before are gone.
        draining.retain(|server| server.strong_count() > 0);
        draining.push(Arc::downgrade(waits_for));
    }

    /// Connections on which those that stop have something in hand.
    #[cfg_attr(not(feature = "http"), expect(clippy::unused_self, reason = "nothing serves without it"))]
    pub(crate) fn in_hand(&self) -> usize {
        #[cfg(feature = "http")]
        if let Some(more) = self.more.get() {
            let draining = lock(&more.draining);
            return draining.iter().filter_map(Weak::upgrade).map(|waits_for| waits_for.load(Ordering::Relaxed)).sum();
        }
        0
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
