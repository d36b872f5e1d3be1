//! A runtime for each processor. A task stays on the thread on which it was spawned, so that nothing is handed from one
//! processor to another.
//!
//! A task that blocks its thread would hold up all others of its processor. So each of the runtimes has a second worker
//! in reserve, which a task of ours blocks (a [`Hold`]). One thread, the lookout, sees in the numbers that tokio keeps of
//! its workers when one neither sleeps nor gets on, and in those that Linux keeps of its thread that it does not only
//! wait for its turn on the processor. Then it lets go of the reserve, which takes over the sockets and all tasks but the
//! one that blocks. When both workers have got on for a while, one of them is put into reserve again.
//!
//! # Protocol
//!
//! - While every worker sleeps, so does the lookout. It stores `Lookout::sleeps` and then looks at the workers once more;
//!   a worker that wakes publishes that, and then reads `sleeps`. With a `SeqCst` fence in between on both sides, one of
//!   the two sees the other.
//! - `Core::has_help` and `Core::thread` are `Relaxed`: they are hints. A task that reads an old value only runs on the
//!   other thread, and a lookout that asks for another thread helps a little too early or too late.

use std::io;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, fence};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, RuntimeMetrics};

use crate::base::background::BackgroundRuntime;
use crate::base::{lock, number_of_thread};

/// The time between two looks at the workers. A task that blocks its thread for two of them is helped. Between two numbers
/// that tokio publishes of a worker it polls 61 tasks.
const LOOK: Duration = Duration::from_millis(5);

/// The least number of looks for which the reserve helps, a second: tasks that block often do not make it come and go.
const HELPS_FOR: u32 = 200;

/// The workers of a runtime: one that works, and one in reserve.
const WORKERS: usize = 2;

/// The runtimes of all processors that this process may use. Dropping it ends them, without waiting for their tasks.
#[derive(Debug)]
pub(crate) struct Cores {
    all: Box<[Core]>,
    /// Kept until they are to end.
    _runtimes: Vec<BackgroundRuntime>,
    lookout: Arc<Lookout>,
}

/// The runtime of one processor.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    handle: Handle,
    has_help: Arc<AtomicBool>,
    /// The number that the system has given to the thread that has last begun to work.
    thread: Arc<AtomicU32>,
}

impl Cores {
    /// Starts as many runtimes as this process has processors. A quota of a cgroup and an affinity are respected.
    ///
    /// # Errors
    ///
    /// If the system gives no more threads or descriptors.
    pub(crate) fn start() -> io::Result<Self> {
        let number = thread::available_parallelism()?.get();
        let lookout = Arc::<Lookout>::default();
        let start = |number| {
            let thread = Arc::<AtomicU32>::default();
            let runtime = runtime(number, Arc::clone(&thread), Arc::clone(&lookout))?;
            Ok((Core { handle: runtime.handle().clone(), has_help: Arc::default(), thread }, runtime))
        };
        let started: io::Result<(Vec<_>, _)> = (0..number).map(start).collect();
        let (all, runtimes) = started?;
        let cores = Self { all: all.into(), _runtimes: runtimes, lookout: Arc::clone(&lookout) };
        let watched = cores.all.iter().map(Watched::new).collect();
        thread::Builder::new().name("group-lookout".to_owned()).spawn(move || lookout.watch(watched))?;
        Ok(cores)
    }

    pub(crate) fn all(&self) -> &[Core] {
        &self.all
    }

    /// The number of tasks that have not ended.
    pub(crate) fn tasks(&self) -> usize {
        let tasks = |core: &Core| core.handle.metrics().num_alive_tasks();
        let holds = |core: &Core| usize::from(!core.has_help());
        self.all.iter().map(|core| tasks(core).saturating_sub(holds(core))).sum()
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        lock(&self.lookout.called).is_over = true;
        self.lookout.calls.notify_one();
    }
}

impl Core {
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns true while a task blocks the thread, and the reserve runs all others.
    pub(crate) fn has_help(&self) -> bool {
        self.has_help.load(Relaxed)
    }
}

fn runtime(number: usize, works: Arc<AtomicU32>, lookout: Arc<Lookout>) -> io::Result<BackgroundRuntime> {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name(format!("group-core-{number}"))
        .enable_all()
        .on_thread_unpark(move || {
            works.store(THREAD.with(|thread| *thread), Relaxed);
            lookout.note_awake();
        })
        .build()
        .map(BackgroundRuntime::new)
}

thread_local! {
    /// The number that the system has given to this thread; 0 where it does not tell.
    static THREAD: u32 = number_of_thread().unwrap_or_default();
}

/// How long a thread has had a processor. Linux tells it in nanoseconds, as the first of three numbers (`schedstats` in its
/// documentation of the scheduler).
fn has_run(thread: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Returns true if a thread runs or waits for its turn, false if it sleeps. The letter that says so follows the name of the
/// thread, which is in brackets (`proc_pid_stat(5)`).
fn is_runnable(thread: u32) -> Option<bool> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.starts_with('R'))
}

/// The thread that looks after the workers, as they see it.
#[derive(Debug, Default)]
struct Lookout {
    /// True while the thread waits to be called.
    sleeps: AtomicBool,
    called: Mutex<Called>,
    calls: Condvar,
}

#[derive(Debug, Default)]
struct Called {
    is_awake: bool,
    is_over: bool,
}

impl Lookout {
    /// Called by a worker that has slept, after tokio has published that it does not any more.
    fn note_awake(&self) {
        fence(SeqCst);
        if self.sleeps.load(Relaxed) {
            lock(&self.called).is_awake = true;
            self.calls.notify_one();
        }
    }

    fn watch(&self, mut cores: Vec<Watched>) {
        while !self.is_over_after(LOOK) {
            cores.iter_mut().for_each(Watched::look);
            if cores.iter().all(Watched::sleeps) {
                self.sleep(&cores);
            }
        }
    }

    /// Waits. Returns true if the runtimes are to end.
    fn is_over_after(&self, time: Duration) -> bool {
        let waited = self.calls.wait_timeout_while(lock(&self.called), time, |called| !called.is_over);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// Waits until a worker wakes.
    fn sleep(&self, cores: &[Watched]) {
        self.sleeps.store(true, Relaxed);
        fence(SeqCst);
        let mut called = lock(&self.called);
        if cores.iter().all(Watched::sleeps) {
            let sleeps = |called: &mut Called| !called.is_awake && !called.is_over;
            called = self.calls.wait_while(called, sleeps).unwrap_or_else(PoisonError::into_inner);
        }
        called.is_awake = false;
        self.sleeps.store(false, Relaxed);
    }
}

/// One runtime, as the lookout sees it.
struct Watched {
    core: Core,
    metrics: RuntimeMetrics,
    /// The numbers of the workers at the last look.
    seen: [Seen; WORKERS],
    /// Blocks the worker in reserve; `None` while that helps.
    hold: Option<Hold>,
    /// The number of looks since the reserve was let go of, or since it was put back.
    looks: u32,
    /// Set while no worker gets on.
    suspected: Option<Suspected>,
}

/// A worker that perhaps only waits for its turn on the processor.
struct Suspected {
    since: Instant,
    thread: u32,
    /// How long it had had a processor by then.
    had_run: Option<Duration>,
}

impl Suspected {
    fn now(core: &Core) -> Self {
        let thread = core.thread.load(Relaxed);
        Self { since: Instant::now(), thread, had_run: has_run(thread) }
    }

    /// Returns true if it does not sleep, and has not had a processor for most of the time since.
    fn waits_for_turn(&self) -> bool {
        let ran = has_run(self.thread).zip(self.had_run).map(|(now, before)| now.saturating_sub(before));
        is_runnable(self.thread) == Some(true) && ran.is_some_and(|ran| ran < self.since.elapsed() / 2)
    }
}

/// The numbers that tokio keeps of a worker. They change while it gets on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    busy: Duration,
    /// Odd while it sleeps.
    sleeps: u64,
}

impl Seen {
    fn is_asleep(self) -> bool {
        self.sleeps % 2 == 1
    }

    /// Returns true if the worker has done something since then, or has nothing to do.
    fn gets_on(self, before: Self) -> bool {
        self.is_asleep() || self != before
    }
}

impl Watched {
    fn new(core: &Core) -> Self {
        let hold = Some(Hold::on(&core.handle));
        let metrics = core.handle.metrics();
        Self { core: core.clone(), metrics, seen: Default::default(), hold, looks: 0, suspected: None }
    }

    fn now(&self) -> [Seen; WORKERS] {
        let seen = |worker| Seen {
            busy: self.metrics.worker_total_busy_duration(worker),
            sleeps: self.metrics.worker_park_unpark_count(worker),
        };
        std::array::from_fn(seen)
    }

    /// Returns true if there is nothing to look after. The worker in reserve does not sleep: it is blocked.
    fn sleeps(&self) -> bool {
        self.hold.is_some() && self.looks > 1 && self.now().iter().any(|worker| worker.is_asleep())
    }

    /// Looks whether the workers get on, and lets go of the reserve if none does, or puts one back if all do.
    fn look(&mut self) {
        let now = self.now();
        let get_on = now.iter().zip(self.seen).filter(|(now, before)| now.gets_on(*before)).count();
        self.seen = now;
        self.looks += 1;
        if get_on == 0 && self.hold.is_some() {
            self.suspect();
            return;
        }
        self.suspected = None;
        if self.hold.is_none() && get_on == WORKERS && self.looks >= HELPS_FOR {
            self.hold = Some(Hold::on(&self.core.handle));
            self.set_help(false);
        } else if self.hold.is_some() && self.looks == 1 {
            // The worker that was put into reserve may have had tasks that it did not begin. The other one sees this
            // task, and then looks for more.
            self.core.handle.spawn(std::future::ready(()));
        }
    }

    /// Lets go of the reserve if no worker has got on since the last look, either, and was not waiting for its turn.
    fn suspect(&mut self) {
        let Some(suspected) = &self.suspected else {
            self.suspected = Some(Suspected::now(&self.core));
            return;
        };
        let waits = suspected.waits_for_turn();
        self.suspected = waits.then(|| Suspected::now(&self.core));
        if let Some(hold) = self.hold.take_if(|_| !waits) {
            hold.let_go();
            self.set_help(true);
        }
    }

    fn set_help(&mut self, has_help: bool) {
        self.looks = 0;
        self.core.has_help.store(has_help, Relaxed);
    }
}

impl Drop for Watched {
    /// A worker that is blocked would never end.
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.let_go();
        }
    }
}

/// A task that blocks its worker.
#[derive(Clone, Default)]
struct Hold(Arc<(Mutex<bool>, Condvar)>);

impl Hold {
    fn on(runtime: &Handle) -> Self {
        let hold = Self::default();
        let blocks = hold.clone();
        runtime.spawn(async move { blocks.block() });
        hold
    }

    fn block(&self) {
        let Self(hold) = self;
        let (lets_go, changes) = &**hold;
        drop(changes.wait_while(lock(lets_go), |lets_go| !*lets_go));
    }

    fn let_go(&self) {
        let Self(hold) = self;
        *lock(&hold.0) = true;
        hold.1.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn core() -> (Cores, Handle) {
        let cores = Cores::start().expect("they can be started");
        let handle = cores.all()[0].handle().clone();
        (cores, handle)
    }

    /// Runs a task, and waits until it has run.
    fn runs_a_task(handle: &Handle) -> bool {
        let (ran, has_run) = mpsc::channel();
        handle.spawn(async move { ran.send(()) });
        has_run.recv_timeout(SOON).is_ok()
    }

    #[test]
    fn a_task_that_blocks_its_thread_does_not_hold_up_the_others() {
        let (cores, handle) = core();
        for _ in 0..3 {
            let (end, ends) = mpsc::channel::<()>();
            let (began, has_begun) = mpsc::channel();
            handle.spawn(async move {
                let _ = began.send(());
                let _ = ends.recv();
            });
            has_begun.recv_timeout(SOON).expect("it begins");
            assert!(runs_a_task(&handle));
            while !cores.all()[0].has_help() {
                thread::yield_now();
            }
            assert!(runs_a_task(&handle));
            end.send(()).expect("it still blocks");
            while cores.all()[0].has_help() {
                thread::yield_now();
            }
            assert!(runs_a_task(&handle));
        }
    }

    #[test]
    fn a_task_runs_also_when_everything_has_slept() {
        let (cores, handle) = core();
        while !cores.lookout.sleeps.load(Relaxed) {
            thread::yield_now();
        }
        assert!(runs_a_task(&handle));
    }
}
