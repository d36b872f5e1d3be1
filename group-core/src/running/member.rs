//! One service, as its group and its own task see it.
//!
//! # Protocol
//!
//! A [`Member`] is shared by the driver, the service's own task (`Life`, in the room above), and everything else that
//! belongs to the service. Its state is in six groups:
//!
//! **Requests to the own task** (`stop`, `again`, `is_aborted`, `is_given_up`): written by the driver, read by the own
//! task, which looks at all of them whenever it is polled. The writer stores the flag (`Release`) and then calls `wake`;
//! the task calls `set_task` in its first poll and then reads the flags (`Acquire`). Both lock `own`. If `wake` locks
//! second, it finds the waker. If `set_task` locks second, it sees the flag that was stored before `wake`. Later polls need
//! nothing more: a tokio task that is woken sees what was done before the wake.
//!
//! **The request to stop, elsewhere than in the own task**: see [`stop_request`](crate::running::stop_request), which has
//! a fence on both sides. `rare` is its `OnceLock`.
//!
//! **The identity of the own task** (`own.task`): [`is_own_task`](Member::is_own_task) asks whether a waker is that of the
//! own task. It is written in the first poll of that task and removed when the service is gone.
//!
//! **Parts** (`remains`): 1 for the own task, stored before that is spawned (`count_own_task`), and 1 for each `Remains`
//! (`add_part`, `remove_part`). It never rises from 0 again. The one that takes it to 0 drops the instance and reports
//! that the service is gone. `remove_part` is `AcqRel`, so that the last one sees all that the others have done, as with
//! an `Arc`; `add_part` may be `Relaxed`, as a clone of an `Arc`: its caller holds a part, or is turned away.
//!
//! **The time to stop** (`stop_time`): `Relaxed`. The driver writes it before it asks for the stop, whose `Release` shows it to
//! those that see the request.
//!
//! **Notes** (`listens_to_stop`, `looks_for_stop`, `is_settled`, `misses_heartbeat`, `is_own_polled`, `polled`, `stopped`): `Relaxed`, as nothing else is read
//! on their account. The first three decide something, but usually in one task; a `Shutdown` that
//! another task takes at the moment of the stop, or a `Ready` at the moment at which the service is ready, may be seen
//! or not, as if it were taken a little later. A hold that slips in so is forgotten when `start` runs again. The counts of
//! polls are for the report only.
//!
//! **Lives** (`is_kept`, `value`): a service that is built again has a new `Member`, see
//! [`running::members`](crate::running::members). `is_kept` is stored before the request to stop. The own task puts the
//! value down before it is gone, and the driver takes it after that news.
//!
//! **The span** (`span`) is set before the own task is spawned, and read by the polls of that and of other tasks. Whatever
//! polls code of the service is in it: see [`polls_own`](Member::polls_own) and [`polls_other`](Member::polls_other).

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tracing::Span;
use tracing::span::Entered;

use crate::base::background::BackgroundRuntime;
use crate::base::clock::SharedMoment;
use crate::base::lock;
use crate::base::panic::caught_now;
#[cfg(feature = "config")]
use crate::config::settings::Settings;
use crate::record::counts::{Drain, Messages};
#[cfg(feature = "metrics")]
use crate::record::measures::Measures;
use crate::record::service_status::{Known, Load};
use crate::running::children::Children;
use crate::running::holds::{Held, Holds, Unfired};
use crate::running::instance::Instance;
use crate::running::jobs::RunningJobs;
#[cfg(feature = "config")]
use crate::running::new_settings::NewSettings;
use crate::running::server::{RequestInFlight, Server, listed};
use crate::running::stop_request::{StopRequest, StopWaiters};
use crate::running::stop_time::StopTime;
use crate::running::threads;
use crate::spec::Spec;

/// One service.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) spec: Spec,
    /// True if it can be started only once.
    pub(crate) runs_once: bool,
    stop: StopRequest,
    pub(crate) stop_time: StopTime,
    /// True if `start` listens to the request to stop: it has taken a [`Shutdown`](crate::Shutdown).
    listens_to_stop: AtomicBool,
    /// True once this run of `start` has looked for the request with its [`Shutdown`](crate::Shutdown).
    looks_for_stop: AtomicBool,
    /// True once the list of holds of this run of `start` is complete.
    is_settled: AtomicBool,
    /// True once code of the service has seen the request to stop.
    has_heard_stop: AtomicBool,
    /// True if `start` has failed, and nothing of the service had seen a request to stop.
    has_failed_unasked: AtomicBool,
    /// True if this run of `start` has missed a heartbeat.
    misses_heartbeat: AtomicBool,
    /// True if `start` is to run again.
    again: AtomicBool,
    is_aborted: AtomicBool,
    /// True if `start` is to be dropped, or `new` if that still runs.
    is_given_up: AtomicBool,
    /// True if its value is kept when it is gone, for its next life.
    is_kept: AtomicBool,
    own: Mutex<Own>,
    /// The span in which its code runs, if a subscriber wants one.
    span: OnceLock<Box<Span>>,
    /// True while the own task is being polled. A task that blocks its thread stays in a poll.
    is_own_polled: AtomicBool,
    /// The number of other tasks of the service that are being polled.
    polled: AtomicU32,
    /// The number of parts that are left. The service is gone at zero.
    remains: AtomicU32,
    /// The time at which `start` and `stop` had returned.
    pub(crate) stopped: SharedMoment,
    /// Made when first needed, which most services never do.
    rare: OnceLock<Box<Rare>>,
}

/// What is dropped when the service is gone.
#[derive(Debug, Default)]
struct Own {
    /// Wakes the own task, which looks at the flags of the member whenever it is woken.
    task: Option<Waker>,
    instance: Option<Arc<dyn Instance>>,
}

#[derive(Debug, Default)]
struct Rare {
    stop_waiters: StopWaiters,
    holds: Mutex<Holds>,
    /// The tasks that this run of `start` has spawned.
    children: Mutex<Option<Arc<Children>>>,
    jobs: RunningJobs,
    /// Held by the thread of a blocking `start`.
    thread: Arc<tokio::sync::Mutex<()>>,
    /// The runtime of the service, while it has one of its own.
    runtime: Mutex<Option<BackgroundRuntime>>,
    published: Mutex<Published>,
    servers: Mutex<Vec<Weak<dyn Server>>>,
    /// The value of the service, kept for its next life.
    value: Mutex<Option<Value>>,
    lasting: Arc<Lasting>,
}

/// The state that all lives of a service share.
#[derive(Debug, Default)]
struct Lasting {
    /// The settings that the service has taken at its last reload.
    #[cfg(feature = "config")]
    settings: Mutex<Option<Arc<Settings>>>,
    /// The counts of the messages that the service took.
    messages: Mutex<Option<Messages>>,
    /// The counts of the connections of its servers.
    drain: Mutex<Option<Drain>>,
    /// The requests that its servers have cut.
    cut: Mutex<Vec<String>>,
    #[cfg(feature = "metrics")]
    measures: Measures,
}

/// The value of a service that was added as one.
pub(crate) struct Value(pub(crate) Box<dyn Any + Send + Sync>);

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
}

/// The address of the first listener of the last run of `start` that had one.
#[derive(Debug, Default)]
struct Published {
    addr: Option<SocketAddr>,
    /// True once this run of `start` has published an address.
    in_this_run: bool,
}

/// Notes that this thread polls a service, and is in its span, until it is dropped: then, that it polls the one from
/// before.
struct PolledHere<'a> {
    /// The address of the one from before.
    before: usize,
    _in_span: Option<InSpan<'a>>,
}

impl<'a> PolledHere<'a> {
    fn note(member: &'a Member) -> Self {
        Self {
            before: threads::turn_to(member.address()),
            _in_span: member.span.get().and_then(|span| InSpan::enter(span)),
        }
    }
}

impl Drop for PolledHere<'_> {
    fn drop(&mut self) {
        threads::turn_to(self.before);
    }
}

/// A thread is in a span until this is dropped. A subscriber that panics meanwhile harms nobody: its lines lack the span.
struct InSpan<'a>(Option<Entered<'a>>);

impl<'a> InSpan<'a> {
    fn enter(span: &'a Span) -> Option<Self> {
        caught_now(|| span.enter()).ok().map(|entered| Self(Some(entered)))
    }
}

impl Drop for InSpan<'_> {
    fn drop(&mut self) {
        let _panicked = caught_now(|| self.0.take());
    }
}

struct OwnPoll<'a> {
    member: &'a Member,
    _here: PolledHere<'a>,
}

impl Drop for OwnPoll<'_> {
    fn drop(&mut self) {
        self.member.is_own_polled.store(false, Ordering::Relaxed);
    }
}

pub(crate) struct OtherPoll<'a> {
    member: &'a Member,
    _here: PolledHere<'a>,
}

impl Drop for OtherPoll<'_> {
    fn drop(&mut self) {
        self.member.polled.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project_lite::pin_project! {
    /// A future of a service. During each poll, it is noted that the service occupies a thread. An `async` block would keep
    /// room for the future twice.
    #[derive(Debug)]
    pub(crate) struct NotingPolls<M, F> {
        pub(crate) of: M,
        #[pin]
        pub(crate) future: F,
    }
}

impl<M: AsRef<Member>, F: Future> Future for NotingPolls<M, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _polls = (*this.of).as_ref().polls_other();
        this.future.poll(task)
    }
}

impl AsRef<Self> for Member {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Member {
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            runs_once: false,
            stop: StopRequest::default(),
            stop_time: StopTime::default(),
            listens_to_stop: AtomicBool::new(false),
            looks_for_stop: AtomicBool::new(false),
            is_settled: AtomicBool::new(false),
            has_heard_stop: AtomicBool::new(false),
            has_failed_unasked: AtomicBool::new(false),
            misses_heartbeat: AtomicBool::new(false),
            again: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            is_kept: AtomicBool::new(false),
            own: Mutex::default(),
            span: OnceLock::new(),
            is_own_polled: AtomicBool::new(false),
            polled: AtomicU32::new(0),
            remains: AtomicU32::new(0),
            stopped: SharedMoment::default(),
            rare: OnceLock::new(),
        }
    }

    /// The next life of this service, which is gone.
    pub(super) fn next_life(&self) -> Self {
        let next = Self { runs_once: self.runs_once, ..Self::new(self.spec.clone()) };
        if let Some(rare) = self.rare.get() {
            let lasting = Arc::clone(&rare.lasting);
            // It is made once.
            let _ = next.rare.set(Box::new(Rare { lasting, ..Rare::default() }));
        }
        next
    }

    /// Asks the service to stop, and to keep its value if it was added as one.
    pub(crate) fn ask_to_stop_by_hand(&self) {
        self.is_kept.store(true, Ordering::Release);
        self.ask_to_stop();
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Acquire)
    }

    /// Keeps the value of the service for its next life.
    pub(crate) fn keep(&self, value: Value) {
        *lock(&self.rare().value) = Some(value);
    }

    /// Takes the value that was kept.
    pub(crate) fn take_value(&self) -> Option<Value> {
        lock(&self.rare.get()?.value).take()
    }

    /// The settings that the service has: those of the start, until a reload of it has taken others.
    #[cfg(feature = "config")]
    pub(crate) fn settings(&self) -> Arc<Settings> {
        let taken = self.rare.get().and_then(|rare| lock(&rare.lasting.settings).clone());
        taken.unwrap_or_else(|| Arc::clone(&self.spec.details().settings))
    }

    /// Notes the settings that a reload of the service has taken.
    #[cfg(feature = "config")]
    pub(super) fn set_settings(&self, NewSettings { settings }: NewSettings) {
        *lock(&self.rare().lasting.settings) = Some(settings);
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// Sets the waker of the own task.
    pub(crate) fn set_task(&self, waker: &Waker) {
        lock(&self.own).task = Some(waker.clone());
    }

    /// Returns true only if this waker wakes the own task: `will_wake` guarantees that. A part of the task that has a
    /// waker of its own, as in a `FuturesUnordered`, is another task here.
    pub(crate) fn is_own_task(&self, waker: &Waker) -> bool {
        lock(&self.own).task.as_ref().is_some_and(|task| task.will_wake(waker))
    }

    /// Wakes the own task. If there is none yet, its first poll sees what was stored before this.
    pub(crate) fn wake(&self) {
        if let Some(task) = &lock(&self.own).task {
            task.wake_by_ref();
        }
    }

    /// Counts the service's own task, before its first poll, and makes the span for it and for all others.
    pub(crate) fn begin_own_task(&self) {
        self.remains.store(1, Ordering::Relaxed);
        let service = self.spec.get_name();
        // An error's level, so that each filter that lets any line of the service through lets the span through, too.
        let span = caught_now(|| tracing::error_span!(target: "group", parent: None, "service", service));
        if let Some(span) = span.ok().filter(|span| !span.is_disabled()) {
            // It is begun once.
            let _ = self.span.set(Box::new(span));
        }
    }

    /// Counts one more part of the service, unless it is gone.
    pub(crate) fn add_part(&self) -> bool {
        let one_more = |left: u32| (left > 0).then(|| left + 1);
        self.remains.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Counts one part less. Returns true for the last one, which sees all that the others have done.
    pub(crate) fn remove_part(&self) -> bool {
        self.remains.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Returns the service's value, to be dropped, and forgets its task.
    pub(super) fn take_instance(&self) -> Option<Arc<dyn Instance>> {
        // The lock is released first: the waker of the task, which is dropped here, is not our code.
        let own = std::mem::take(&mut *lock(&self.own));
        own.instance
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.ask(|| self.rare.get().map(|rare| &rare.stop_waiters));
        self.wake();
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop.is_asked()
    }

    /// Notes that code of the service has seen the request to stop, or may have.
    pub(crate) fn hear_stop(&self) {
        self.has_heard_stop.store(true, Ordering::Relaxed);
    }

    /// Notes that `start` has failed.
    pub(crate) fn note_failure(&self) {
        self.has_failed_unasked.store(!self.has_heard_stop.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Returns true if `start` has failed by itself, even if the service was asked to stop at the same moment.
    pub(crate) fn has_failed_unasked(&self) -> bool {
        self.has_failed_unasked.load(Ordering::Relaxed)
    }

    /// Notes that this run of `start` has missed a heartbeat.
    pub(crate) fn miss_heartbeat(&self) {
        self.misses_heartbeat.store(true, Ordering::Relaxed);
    }

    /// For a task that waits for the request to stop elsewhere than in the own task.
    pub(crate) fn stop_waiters(&self) -> &StopWaiters {
        self.stop.waiters(|| &self.rare().stop_waiters)
    }

    /// Makes the own task end at once, and drop the service.
    pub(crate) fn abort(&self) {
        self.is_aborted.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::Acquire)
    }

    /// Makes the own task drop `start`: the group does not wait for it any more.
    pub(crate) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Acquire)
    }

    pub(crate) fn start_again(&self) {
        self.again.store(true, Ordering::Release);
        self.wake();
    }

    /// Ready with true when `start` is to run again, with false when a stop is asked for. For the own task only.
    pub(crate) fn poll_again(&self) -> Poll<bool> {
        if self.is_asked_to_stop() {
            Poll::Ready(false)
        } else if self.again.swap(false, Ordering::Acquire) {
            self.begin_next_run();
            Poll::Ready(true)
        } else {
            Poll::Pending
        }
    }

    /// Notes whether `start` listens to the request to stop, and so is waited for.
    pub(crate) fn set_listens_to_stop(&self, listens: bool) {
        self.listens_to_stop.store(listens, Ordering::Relaxed);
    }

    pub(crate) fn listens_to_stop(&self) -> bool {
        self.listens_to_stop.load(Ordering::Relaxed)
    }

    /// Notes that `start` looks for the request to stop, and so will see it.
    pub(crate) fn note_look_for_stop(&self) {
        self.looks_for_stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn looks_for_stop(&self) -> bool {
        self.looks_for_stop.load(Ordering::Relaxed)
    }

    /// Holds the service's readiness back until something is sent. If the sender is dropped instead, the service fails.
    /// After [`poll_holds`](Self::poll_holds), it holds nothing back, and is not kept.
    pub(crate) fn hold(&self, held: Held) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        if !self.is_settled.load(Ordering::Relaxed) {
            lock(&self.rare().holds).add(held, receiver);
        }
        sender
    }

    /// Ready once nothing holds the service's readiness back in this run of `start`. Its list of holds is complete now.
    pub(crate) fn poll_holds(&self, task: &mut Context<'_>) -> Poll<Result<(), Unfired>> {
        self.is_settled.store(true, Ordering::Relaxed);
        self.rare.get().map_or(Poll::Ready(Ok(())), |rare| lock(&rare.holds).poll(task))
    }

    /// What holds the service's readiness back: `its Ready was not fired`.
    pub(crate) fn unfired(&self) -> Option<String> {
        let unfired = lock(&self.rare.get()?.holds).unfired();
        let named: Vec<String> = unfired.iter().map(Held::to_string).collect();
        (!named.is_empty()).then(|| listed(&named))
    }

    /// Forgets what was noted of the run of `start` that is over.
    fn begin_next_run(&self) {
        if let Some(rare) = self.rare.get() {
            lock(&rare.holds).clear();
            lock(&rare.published).in_this_run = false;
        }
        self.is_settled.store(false, Ordering::Relaxed);
        self.looks_for_stop.store(false, Ordering::Relaxed);
        self.misses_heartbeat.store(false, Ordering::Relaxed);
    }

    pub(crate) fn instance(&self) -> Option<Arc<dyn Instance>> {
        lock(&self.own).instance.clone()
    }

    pub(crate) fn children(&self) -> Option<Arc<Children>> {
        lock(&self.rare.get()?.children).clone()
    }

    /// The tasks of this run of `start`, for one more to be added.
    pub(crate) fn own_children(&self) -> Arc<Children> {
        Arc::clone(lock(&self.rare().children).get_or_insert_default())
    }

    /// Returns true if a task of this run of `start` may be left, or a job.
    pub(crate) fn has_spawned(&self) -> bool {
        self.children().is_some() || self.jobs().is_some_and(|jobs| jobs.left() > 0)
    }

    /// Its jobs, for one more to be added.
    pub(crate) fn own_jobs(&self) -> &RunningJobs {
        &self.rare().jobs
    }

    /// Its jobs, if any may have been there.
    pub(crate) fn jobs(&self) -> Option<&RunningJobs> {
        self.rare.get().map(|rare| &rare.jobs)
    }

    pub(crate) fn take_children(&self) -> Option<Arc<Children>> {
        lock(&self.rare.get()?.children).take()
    }

    /// Returns true if a spawned task has failed, and that is not reported yet.
    pub(crate) fn has_failed_children(&self) -> bool {
        self.children().is_some_and(|children| children.has_failures())
    }

    /// Notes that the own task is being polled, until the returned guard is dropped.
    pub(crate) fn polls_own(&self) -> impl Drop {
        self.is_own_polled.store(true, Ordering::Relaxed);
        OwnPoll { member: self, _here: PolledHere::note(self) }
    }

    /// Notes that another task of the service is being polled, until the returned guard is dropped.
    /// Within another poll of the same service, that is noted already: then there is none.
    pub(crate) fn polls_other(&self) -> Option<OtherPoll<'_>> {
        if self.is_polled_here() {
            return None;
        }
        self.polled.fetch_add(1, Ordering::Relaxed);
        Some(OtherPoll { member: self, _here: PolledHere::note(self) })
    }

    /// Runs a future of the service. During each poll, it is noted that the service occupies a thread.
    #[cfg(feature = "http")]
    pub(crate) fn noting_polls<F: Future>(&self, future: F) -> NotingPolls<&Self, F> {
        NotingPolls { of: self, future }
    }

    /// Returns true if any task of the service is being polled at this moment, and so holds a thread.
    pub(crate) fn is_polled(&self) -> bool {
        self.is_own_polled.load(Ordering::Relaxed) || self.polled.load(Ordering::Relaxed) > 0
    }

    /// Notes that this thread belongs to the service, which may block it, until the returned guard is dropped.
    pub(crate) fn has_this_thread(&self) -> Option<OtherPoll<'_>> {
        threads::may_block();
        self.polls_other()
    }

    /// Tells this service from all others that are there at this moment.
    pub(super) fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Returns true if this thread polls a task of the service.
    pub(crate) fn is_polled_here(&self) -> bool {
        self.address() == threads::polled_here()
    }

    /// Waits until no thread runs `start` any more. A thread cannot be dropped: that of an earlier run may go on.
    pub(crate) async fn own_thread(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.rare().thread).lock_owned().await
    }

    /// Returns true if a thread of its own runs `start`.
    pub(crate) fn has_thread(&self) -> bool {
        self.rare.get().is_some_and(|rare| rare.thread.try_lock().is_err())
    }

    /// Starts the runtime of the service, if it has one of its own.
    ///
    /// # Errors
    ///
    /// If the system does not give it what it needs.
    pub(crate) fn start_runtime(&self) -> io::Result<Option<Handle>> {
        let Some(own) = self.spec.get_runtime() else { return Ok(None) };
        let started = BackgroundRuntime::start(self.spec.get_name(), own.worker_threads, &own.cpus)?;
        let handle = started.handle().clone();
        *lock(&self.rare().runtime) = Some(started);
        Ok(Some(handle))
    }

    /// The runtime of the service, while it has one of its own.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        lock(&self.rare.get()?.runtime).as_ref().map(|runtime| runtime.handle().clone())
    }

    /// Spawns a task of the service: on its own runtime if it has one, else on the one from which this is called.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self.runtime() {
            Some(own) => own.spawn(task),
            None => tokio::spawn(task),
        };
    }

    /// Ends the runtime of the service, without waiting for what it still runs.
    pub(crate) fn end_runtime(&self) {
        if let Some(rare) = self.rare.get() {
            // The lock is released first: tasks of the service may be dropped here.
            let _ended = lock(&rare.runtime).take();
        }
    }

    pub(crate) fn set_instance(&self, instance: Arc<dyn Instance>) {
        lock(&self.own).instance = Some(instance);
    }

    /// Publishes the address of a listener. A service with several is known by the first of this run of `start`. Returns
    /// true if this is the first.
    pub(crate) fn publish_addr(&self, addr: SocketAddr) -> bool {
        let mut published = lock(&self.rare().published);
        let is_first = !published.in_this_run;
        if is_first {
            *published = Published { addr: Some(addr), in_this_run: true };
        }
        is_first
    }

    /// Publishes the address of the host on which this service is mounted.
    #[cfg(feature = "http")]
    pub(crate) fn publish_addr_of_host(&self, addr: SocketAddr) {
        lock(&self.rare().published).addr = Some(addr);
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        lock(&self.rare.get()?.published).addr
    }

    pub(crate) fn count_messages(&self, change: impl FnOnce(&mut Messages)) {
        change(lock(&self.rare().lasting.messages).get_or_insert_default());
    }

    pub(crate) fn messages(&self) -> Option<Messages> {
        *lock(&self.rare.get()?.lasting.messages)
    }

    /// What is counted of its work.
    #[cfg(feature = "metrics")]
    pub(crate) fn measures(&self) -> &Measures {
        &self.rare().lasting.measures
    }

    /// What was counted of its work, if anything was.
    #[cfg(feature = "metrics")]
    pub(crate) fn measured(&self) -> Option<&Measures> {
        self.rare.get().map(|rare| &rare.lasting.measures)
    }

    /// Notes one of its servers.
    #[cfg(feature = "http")]
    pub(crate) fn add_server(&self, server: &Arc<impl Server + 'static>) {
        let mut servers = lock(&self.rare().servers);
        // Servers of earlier runs are removed.
        servers.retain(|server| server.strong_count() > 0);
        let server: Weak<dyn Server> = Arc::downgrade(server) as _;
        servers.push(server);
    }

    /// Its servers that have connections.
    fn servers(&self) -> Vec<Arc<dyn Server>> {
        let servers = self.rare.get().map(|rare| lock(&rare.servers));
        servers.iter().flat_map(|servers| servers.iter()).filter_map(Weak::upgrade).collect()
    }

    /// The part of the status that the journal does not have.
    pub(crate) fn known(&self) -> Known {
        let load = self.servers().iter().map(|server| server.load()).reduce(|all, one| Load {
            connections: all.connections + one.connections,
            requests: all.requests + one.requests,
        });
        let (addr, details) = (self.addr(), self.spec.details());
        let unix = || Some(details.http.as_deref().filter(|address| address.starts_with("unix:"))?.to_owned());
        let address = addr.map(|addr| format!("{}{addr}", self.spec.scheme())).or_else(unix);
        let misses_heartbeat = self.misses_heartbeat.load(Ordering::Relaxed);
        Known { addr, address, load, messages: self.messages(), misses_heartbeat }
    }

    /// The number of connections with something in flight, and the requests on them.
    pub(crate) fn in_flight(&self) -> (usize, Vec<RequestInFlight>) {
        let servers = self.servers();
        let requests = servers.iter().flat_map(|server| server.requests()).collect();
        (servers.iter().map(|server| server.in_flight()).sum(), requests)
    }

    /// Adds the counts of a server that has stopped.
    #[cfg(feature = "http")]
    pub(crate) fn add_drain(&self, server: Drain) {
        lock(&self.rare().lasting.drain).get_or_insert_default().add(server);
    }

    /// Adds requests that a server has cut.
    #[cfg(feature = "http")]
    pub(crate) fn add_cut(&self, requests: Vec<String>) {
        lock(&self.rare().lasting.cut).extend(requests);
    }

    /// The counts of servers that have not reported them, because they cannot stop.
    pub(crate) fn unreported(&self) -> Option<Drain> {
        self.servers().iter().filter_map(|server| server.unreported()).reduce(|mut all, one| {
            all.add(one);
            all
        })
    }

    /// The counts of the connections of its servers. What a server that cannot stop has in flight is cut.
    pub(crate) fn drain(&self) -> Option<Drain> {
        let mut drain = *lock(&self.rare.get()?.lasting.drain);
        if let Some(unreported) = self.unreported() {
            drain.get_or_insert_default().add(unreported);
        }
        drain
    }

    /// The connections of its servers that were drained and cut so far. `None` if it has had no server.
    #[cfg(all(feature = "metrics", feature = "http"))]
    pub(crate) fn drained_so_far(&self) -> Option<Drain> {
        let rare = self.rare.get()?;
        let reported = *lock(&rare.lasting.drain);
        if reported.is_none() && lock(&rare.servers).is_empty() {
            return None;
        }
        let mut drain = reported.unwrap_or_default();
        self.servers().iter().filter_map(|server| server.drained_so_far()).for_each(|server| drain.add(server));
        Some(drain)
    }

    /// The requests that its servers have cut.
    pub(crate) fn cut(&self) -> Vec<String> {
        let Some(rare) = self.rare.get() else { return Vec::new() };
        let mut cut = lock(&rare.lasting.cut).clone();
        for server in self.servers().iter().filter(|server| server.unreported().is_some()) {
            cut.extend(server.requests().into_iter().map(|request| request.name));
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_holds_are_not_kept() {
        let member = Member::new(Spec::new("service"));
        let mut task = Context::from_waker(Waker::noop());
        let _in_time = member.hold(Held::Parameter);
        assert!(member.poll_holds(&mut task).is_pending());
        let _late: Vec<_> = (0..10).map(|_| member.hold(Held::Parameter)).collect();
        assert_eq!(member.unfired(), Some("its `Ready` was not fired".to_owned()));
        member.start_again();
        assert!(member.poll_again().is_ready());
        assert_eq!(member.unfired(), None);
        let _of_the_next_run = member.hold(Held::Parameter);
        assert_eq!(member.unfired(), Some("its `Ready` was not fired".to_owned()));
    }
}
