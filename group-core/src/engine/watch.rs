//! The thread outside of the runtime, which works also when the runtime is blocked: it listens for signals, and holds
//! the deadline, also before `main` has started its group.
//!
//! # Protocol
//!
//! Signal handlers belong to the process and cannot be taken back: once tokio has installed one, the signal does not
//! kill the process any more. So there must always be a thread that acts on signals, also after the last group. Two
//! statics, shared by all groups of the process, see to that:
//!
//! - `WATCHES` counts the groups that are being watched. [`Watch::install`] adds one before its thread has handlers, and
//!   the destructor of its [`Watched`] takes it away.
//! - `LINGERS` is the latch of the one thread that stays when no group is left. A signal then ends the process, as it
//!   would without handlers. Its lock is held while a thread decides to stay, and while a new one relieves it.
//!
//! A thread that ends stays if `WATCHES` is 0 under the lock, and relieves the one that stayed before. A new thread
//! relieves it once its own handlers are in place. **No signal is lost:** if the old thread sees 0, the new group's count
//! comes later, and so does its `relieve`, which finds the latch under the lock. If it sees more, another thread has
//! handlers or is about to. `SeqCst` is plain caution for something that happens once per group: the lock orders the
//! rest. Until it is relieved, the thread that stayed may still end the process, as if the signal had come
//! a moment earlier.
//!
//! In one watch, `signals` is locked by the thread for each signal, and once by [`Watch::know_services`]. The message to
//! the driver is put under this lock, so the driver gets a first signal before the one that forces the end. `asked` (a
//! latch) is set after that message was put; `over` is set by the destructor of [`Watched`]; `group` is a `watch` channel,
//! which [`Watch::attach`] writes.
//!
//! [`StopSignals`] alone decides whether a signal is a new request. The driver takes each [`Message::Signal`] at its word.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc as thread_mpsc};
use std::time::Duration;
use std::{io, thread};

use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::base::clock::{FOREVER, Moment};
use crate::base::error::Failure;
use crate::base::lock;
use crate::base::panic::caught_now;
use crate::base::sync::Latch;
use crate::engine::driver::{Driver, Mailbox};
use crate::engine::signals::{Inherited, SIGHUP, Signals, asks_for_picture};
use crate::engine::stand_in::stand_in;
use crate::engine::stop_signals::{Effect, FirstSignal, StopSignals};
use crate::lifecycle::interface::{GroupEnd, Stage};
use crate::record::console;
use crate::record::report::{Outcome, Report};
use crate::record::report_file::ReportFile;
use crate::running::handle::Handle;
use crate::running::journal::Journal;
use crate::running::message::{Message, Post as _};
use crate::running::picture;
use crate::running::shared::Shared;

/// The time that the driver has to end the group after a second signal, before this thread ends the process. The driver
/// needs 50 ms of it for destructors. With the last words and the exit itself, it adds up to the 100 ms that are promised.
const FORCED: Duration = Duration::from_millis(65);

/// The time that the last words may take: they go to a pipe that is perhaps not read any more.
const LAST_WORDS: Duration = Duration::from_millis(30);

/// Listens for signals, and holds the deadline, until it is dropped.
pub(crate) struct Watch {
    group: watch::Sender<Option<Handle>>,
    requests: Arc<Requests>,
    /// The runtime of the thread.
    runtime: runtime::Handle,
    _watched: Watched,
}

impl Watch {
    /// Returns when the handlers are installed. Every signal goes to the inbox. `stop_timeout` is the limit
    /// until there is a group, which then has its own, and so is `report_file`.
    pub(crate) fn install(stop_timeout: Duration, report_file: ReportFile) -> io::Result<(Self, Arc<Mailbox>)> {
        let inbox = Arc::<Mailbox>::default();
        let (group, attached) = watch::channel(None);
        // Before there are handlers, which replace what was ignored.
        let inherited = Inherited::get();
        let requests = Arc::new(Requests {
            signals: Mutex::new(StopSignals::new(inherited.ignores_hangup())),
            asked: Latch::default(),
            inbox: Arc::clone(&inbox),
        });
        let watched = Watched::begin();
        let watch_thread = WatchThread {
            group: attached,
            stop_timeout,
            report_file,
            picture: Arc::new(Semaphore::new(1)),
            over: Arc::clone(&watched.over),
            requests: Arc::clone(&requests),
        };
        let (installed, is_installed) = thread_mpsc::channel();
        thread::Builder::new().name("group-watch".to_owned()).spawn(move || {
            // The receiver outlives this send: it blocks until it has come.
            let report = |result| drop(installed.send(result));
            let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return report(Err(error)),
            };
            runtime.block_on(async {
                match Signals::new() {
                    Ok(signals) => {
                        relieve();
                        report(Ok(runtime::Handle::current()));
                        watch_thread.watch(signals).await;
                    }
                    Err(error) => report(Err(error)),
                }
            });
        })?;
        let runtime = is_installed.recv().map_err(io::Error::other)??;
        Ok((Self { group, requests, runtime, _watched: watched }, inbox))
    }

    /// Sets whether SIGHUP asks for a reload, and not for the stop. Also for one that has come already. Warns of signals that the group will never get.
    pub(crate) fn know_services(&self, reloads: bool) {
        warn_of_blocked(&Inherited::get().blocked());
        let mut signals = lock(&self.requests.signals);
        if let Some(effect) = signals.know_services(reloads) {
            self.requests.pass_on(SIGHUP, effect);
        }
    }

    /// Sets the group whose deadline is held, and which has the last words if the thread must exit the process.
    pub(crate) fn attach(&self, group: Handle) {
        group.shared.hears_signals.store(true, Ordering::Relaxed);
        self.group.send_replace(Some(group));
    }

    /// Runs a future on the thread, beside the group's runtime, until the group is over. It must never block.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(future)
    }

    /// Goes on watching after the group's end, until the process ends: a thread of it that is still blocked could
    /// keep the process from ending.
    pub(crate) fn stay(self) {
        std::mem::forget(self);
    }
}

/// One group that is being watched, until this is dropped.
struct Watched {
    over: Arc<Latch>,
}

impl Watched {
    fn begin() -> Self {
        WATCHES.fetch_add(1, Ordering::SeqCst);
        Self { over: Arc::default() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::SeqCst);
        self.over.set();
    }
}

/// The number of groups of this process that are being watched. A signal may end the process only when there is none.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// The latch of the thread that lingers after the last group. It is set when another thread takes over.
static LINGERS: Mutex<Option<Arc<Latch>>> = Mutex::new(None);

/// Ends the lingering thread, if there is one.
fn relieve() {
    if let Some(relieved) = lock(&LINGERS).take() {
        relieved.set();
    }
}

/// Returns the latch until which this thread must linger, or `None` if other groups are watched: one of their threads
/// will linger.
fn linger() -> Option<Arc<Latch>> {
    let mut lingers = lock(&LINGERS);
    if WATCHES.load(Ordering::SeqCst) > 0 {
        return None;
    }
    let relieved = Arc::<Latch>::default();
    // One is enough.
    if let Some(other) = lingers.replace(Arc::clone(&relieved)) {
        other.set();
    }
    Some(relieved)
}

/// Warns of signals that the parent of this process has blocked.
fn warn_of_blocked(blocked: &[&str]) {
    match blocked {
        [] => {}
        [one] => {
            tracing::warn!(target: "group", "{one} is blocked, as it was when the program was started, and stops nothing");
        }
        many => {
            let many = many.join(" and ");
            tracing::warn!(target: "group", "{many} are blocked, as they were when the program was started, and stop nothing");
        }
    }
}

/// The requests that signals have made, and the way to the driver.
struct Requests {
    signals: Mutex<StopSignals>,
    /// Set at the first signal that asks for a stop. A blocked runtime may never read the message.
    asked: Latch,
    inbox: Arc<Mailbox>,
}

impl Requests {
    /// Decides the effect of a signal that has just come, and passes it on to the driver.
    fn receive(&self, signal: i32) -> Effect {
        let mut signals = lock(&self.signals);
        let effect = signals.receive(signal, Instant::now());
        self.pass_on(signal, effect);
        effect
    }

    /// Passes a signal on, under the lock of `signals`. This thread logs nothing: a log that is not read would block it.
    fn pass_on(&self, signal: i32, effect: Effect) {
        self.inbox.put(match effect {
            Effect::Stop | Effect::Force => Message::Signal(signal),
            Effect::SameRequest => Message::SameRequest(signal),
            Effect::Reload => Message::Reload(signal),
            Effect::Ignored => Message::Ignored(signal),
            Effect::Undecided => return,
        });
        if effect == Effect::Stop {
            self.asked.set();
        }
    }

    /// Returns true if a signal ends the process now that the group is over.
    fn ends_process(&self, signal: i32) -> bool {
        lock(&self.signals).ends_process(signal, Instant::now())
    }
}

/// The state of the thread.
struct WatchThread {
    group: watch::Receiver<Option<Handle>>,
    /// The limit of a stop while there is no group.
    stop_timeout: Duration,
    report_file: ReportFile,
    /// Is acquired while a picture of the moment is told.
    picture: Arc<Semaphore>,
    over: Arc<Latch>,
    requests: Arc<Requests>,
}

impl WatchThread {
    async fn watch(&self, mut signals: Signals) {
        let late = tokio::select! {
            biased;
            () = self.over.wait() => None,
            signal = self.listen(&mut signals) => Some(signal),
            () = self.hold_deadline() => None,
            () = self.stand_in() => None,
        };
        // The handlers stay for as long as the process lives, and would swallow a signal that should end the rest of
        // `main`.
        if let Some(relieved) = linger() {
            tokio::select! {
                () = relieved.wait() => {}
                () = self.die_of(late, &mut signals) => {}
            }
        }
    }

    /// Returns the next signal that asks for something else than a picture of the moment. That can be had in each phase.
    async fn next(&self, signals: &mut Signals) -> i32 {
        loop {
            let signal = signals.recv().await;
            if !asks_for_picture(signal) {
                return signal;
            }
            self.show_picture();
        }
    }

    /// Tells a picture of the moment, in a thread of its own, because a log that nobody reads would block it. While one is
    /// being told, there is no other.
    fn show_picture(&self) {
        let Ok(turn) = Arc::clone(&self.picture).try_acquire_owned() else { return };
        let group = self.group.borrow().clone();
        let show = move || {
            let _turn = turn;
            // The log is the user's code. Its panic has been printed, and ends only this picture.
            let _panicked = caught_now(|| picture::tell(group.as_ref(), "SIGUSR1"));
        };
        // If there can be no more threads, there is no picture.
        let _ = thread::Builder::new().name("group-picture".to_owned()).spawn(show);
    }

    /// Returns the first signal that comes when the group is over already.
    async fn listen(&self, signals: &mut Signals) -> i32 {
        loop {
            let signal = self.next(signals).await;
            if self.over.is_set() {
                return signal;
            }
            // The driver's end closes the inbox; then `over` follows.
            if signal == SIGHUP && Inherited::get().has_lost_terminal().await {
                lock(&self.requests.signals).lose_terminal();
            }
            let effect = self.requests.receive(signal);
            if effect == Effect::Force && timeout(FORCED, self.over.wait()).await.is_err() {
                self.exit(GroupEnd::Forced(signal));
            }
        }
    }

    /// Ends the process at the deadline. Usually the driver has ended the group by then; it cannot if every thread of its
    /// runtime is blocked, or if `main` has not started the group yet.
    async fn hold_deadline(&self) {
        let mut group = self.group.clone();
        tokio::select! {
            () = self.requests.asked.wait() => {}
            () = stops(group.clone()) => {}
        }
        let asked = Instant::now();
        loop {
            let limit = group.borrow_and_update().as_ref().map_or(self.stop_timeout, |group| group.shared.stop_timeout);
            tokio::select! {
                biased;
                Ok(()) = group.changed() => {}
                () = sleep_until(asked + limit.min(FOREVER)) => break,
            }
        }
        // A failure before the stop decides, also here.
        let outcome = self.requests.inbox.look(Driver::outcome);
        self.exit(outcome.filter(|&outcome| outcome != GroupEnd::Clean).unwrap_or(GroupEnd::UncleanStop));
    }

    /// Runs the group's driver when its runtime is blocked.
    async fn stand_in(&self) {
        let mut group = self.group.clone();
        let attached = group.wait_for(Option::is_some).await.ok().and_then(|group| group.clone());
        match attached {
            Some(group) => stand_in(&self.requests.inbox, &group.shared).await,
            None => std::future::pending().await,
        }
    }

    /// Ends the process, with the group's last words.
    fn exit(&self, outcome: GroupEnd) {
        let (group, first) = (self.group.borrow().clone(), lock(&self.requests.signals).first());
        let report_file = self.report_file.clone();
        let exits = std::time::Instant::now() + LAST_WORDS;
        let (said, is_said) = thread_mpsc::channel();
        // A failed send means that the receiver has timed out.
        let speak = move || said.send(last_words(group, outcome, first, &report_file));
        let speaks = thread::Builder::new().spawn(speak);
        let code = speaks.ok().and_then(|_| is_said.recv_timeout(LAST_WORDS).ok());
        if !console::writes_at_once() {
            // A thread of the subscriber's may still be writing.
            thread::sleep(exits.saturating_duration_since(std::time::Instant::now()));
        }
        std::process::exit(code.unwrap_or_else(|| Outcome::from(outcome).exit_code()).into());
    }

    /// Ends the process, which has no group: by a signal that has come already, or by the next that is not a copy of the
    /// one that has stopped the group.
    async fn die_of(&self, late: Option<i32>, signals: &mut Signals) {
        let mut next = late;
        let signal = loop {
            let signal = match next.take() {
                Some(signal) => signal,
                None => self.next(signals).await,
            };
            if self.requests.ends_process(signal) {
                break signal;
            }
        };
        std::process::exit(128 + signal);
    }
}

/// Waits until there is a group, and it stops.
async fn stops(mut group: watch::Receiver<Option<Handle>>) {
    let handle = group.wait_for(Option::is_some).await.ok().and_then(|group| group.clone());
    match handle {
        Some(handle) => handle.stopping().await,
        None => std::future::pending().await,
    }
}

/// Logs the end of a group that cannot do so itself any more, and returns the exit code. `group` is none if it has not
/// been started yet.
fn last_words(group: Option<Handle>, outcome: GroupEnd, first: Option<FirstSignal>, report_file: &ReportFile) -> u8 {
    let Some(Handle { shared }) = group else {
        console::install();
        let error = "its body blocks its thread, and nothing was started yet".into();
        let failure = Failure::new(Some("main"), Stage::Stop, true, error);
        let report = Report::of_nothing(outcome.into(), vec![failure]);
        say_besides(&report);
        report.log_refusal();
        report_file.write(&report);
        return report.exit_code();
    };
    if let Some(report) = &*shared.report.borrow() {
        return report.exit_code();
    }
    let ended = lock(&shared.journal).ended().cloned();
    if let Some(report) = ended {
        return last_words_for_guards(&report, &shared, outcome);
    }
    shared.blame_inside();
    let inside = shared.inside();
    let write = |journal: &mut Journal| {
        if let Some(FirstSignal { signal, at }) = first {
            journal.must_stop(signal, Moment::of(at, shared.begun), &shared.members);
        }
        journal.blame_survivors(&shared.members);
        journal.report(outcome, &shared.members, &shared.plan, &inside)
    };
    let report = shared.write_last(write, say_besides);
    shared.guards.drop_all();
    report.exit_code()
}

/// As [`last_words`], for a group whose last line is written, and whose guards are still being dropped.
fn last_words_for_guards(report: &Report, shared: &Shared, outcome: GroupEnd) -> u8 {
    if let GroupEnd::Forced(_) = outcome {
        return Outcome::from(outcome).exit_code();
    }
    let since = Duration::from(Moment::now(shared.begun)).saturating_sub(report.ended_at());
    let report = report.with(vec![shared.guards.late(since)]);
    say_besides(&report);
    report.exit_code()
}

/// Writes the last words to stderr, unless the log goes there. In a thread of its own: stderr may not be read, either.
fn say_besides(report: &Report) {
    let words = report.last_words();
    // If there can be no more threads, the log has them.
    let _ = thread::Builder::new().spawn(move || console::say_besides(&words));
}
