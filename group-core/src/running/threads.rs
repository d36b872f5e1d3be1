//! The threads that poll services: which service each polls at this moment, and whether it is stuck there.
//!
//! # Protocol
//!
//! Each thread that polls a service has a [`PollingThread`]. Only the thread itself writes into it: `member`, the address of
//! the service's [`Member`](crate::running::member::Member) or zero, and `polls`, which grows when a poll begins and when
//! one ends. Others read both, `Relaxed`, without stopping the thread. A thread that is seen twice with the same `polls`,
//! within a poll, has been in that one poll all the time between the two looks.
//!
//! `THREADS` is a list of all of them, for the whole process, so that a look needs no runtime. It holds no thread, and
//! carries nothing from one group to another: an address is compared only with those of a group that is alive.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::thread::Thread;
use std::time::Duration;

use crate::base::{lock, number_of_thread};

thread_local! {
    static THIS: Arc<PollingThread> = PollingThread::register();
}

static THREADS: Mutex<Vec<Weak<PollingThread>>> = Mutex::new(Vec::new());

/// A thread that polls services.
#[derive(Debug)]
struct PollingThread {
    thread: Thread,
    /// Its number in the system, where that can be known.
    tid: Option<u32>,
    /// True if it belongs to a service that may block it.
    may_block: AtomicBool,
    member: AtomicUsize,
    polls: AtomicU64,
}

impl PollingThread {
    fn register() -> Arc<Self> {
        let this = Arc::new(Self {
            thread: thread::current(),
            tid: number_of_thread(),
            may_block: AtomicBool::new(false),
            member: AtomicUsize::new(0),
            polls: AtomicU64::new(0),
        });
        let mut threads = lock(&THREADS);
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&this));
        this
    }

    fn is_watched(&self) -> bool {
        self.member.load(Relaxed) != 0 && !self.may_block.load(Relaxed)
    }
}

/// As a person looks for it: `tokio-rt-worker, tid 4711`.
impl fmt::Display for PollingThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.thread.name().unwrap_or("without a name"))?;
        self.tid.iter().try_for_each(|tid| write!(f, ", tid {tid}"))
    }
}

/// Notes that this thread polls the service at this address, or none if it is zero. Returns the one from before.
pub(super) fn turn_to(member: usize) -> usize {
    let turned = THIS.try_with(|this| {
        let before = this.member.load(Relaxed);
        this.member.store(member, Relaxed);
        this.polls.store(this.polls.load(Relaxed) + 1, Relaxed);
        before
    });
    // Fails only while the thread ends. Then nobody looks at it any more.
    turned.unwrap_or(0)
}

/// The address of the service that this thread polls, or zero.
pub(super) fn polled_here() -> usize {
    THIS.try_with(|this| this.member.load(Relaxed)).unwrap_or(0)
}

/// Returns true in a poll of a service.
pub(crate) fn is_in_service() -> bool {
    polled_here() != 0
}

/// Notes that this thread belongs to a service that may block it.
pub(super) fn may_block() {
    // Fails only while the thread ends.
    let _ = THIS.try_with(|this| this.may_block.store(true, Relaxed));
}

/// A thread that is stuck in a service.
pub(super) struct Stuck {
    /// The address of the service.
    pub(super) member: usize,
    pub(super) thread: String,
}

/// Waits for this long, and returns the threads that were in one poll all the time.
pub(super) fn stuck_for(time: Duration) -> Vec<Stuck> {
    let threads: Vec<Arc<PollingThread>> = lock(&THREADS).iter().filter_map(Weak::upgrade).collect();
    let seen = threads.iter().filter(|thread| thread.is_watched());
    let seen: Vec<_> = seen.map(|thread| (thread, thread.polls.load(Relaxed))).collect();
    thread::sleep(time);
    let stuck = seen.into_iter().filter(|(thread, polls)| thread.polls.load(Relaxed) == *polls && thread.is_watched());
    stuck.map(|(thread, _)| Stuck { member: thread.member.load(Relaxed), thread: thread.to_string() }).collect()
}
