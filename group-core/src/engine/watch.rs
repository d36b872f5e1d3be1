//! The thread outside the runtime, so that a blocked runtime makes the process neither deaf nor
//! immortal: it listens for signals, and holds the deadline, also while `main` still has the word.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc as thread_mpsc};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::base::clock::{FOREVER, Moment};
use crate::base::error::Failure;
use crate::base::lock;
use crate::base::sync::Latch;
use crate::engine::driver::Mailbox;
use crate::engine::signals::Signals;
use crate::lifecycle::event::{GroupEnd, Stage};
use crate::record::console;
use crate::record::report::{Outcome, Report};
use crate::running::handle::Handle;
use crate::running::message::{Message, Post as _};

/// How long the driver has to end the group after a second signal, before this ends the process. It needs 50 ms of it
/// to let destructors run. With the last words and the exit itself, it is the 100 ms that are promised.
const FORCED: Duration = Duration::from_millis(65);

/// How long the last words may take. They are written to where perhaps nobody reads any more.
const LAST_WORDS: Duration = Duration::from_millis(30);

/// Listens for signals, and holds the deadline, until it is dropped.
pub(crate) struct Watch {
    group: watch::Sender<Option<Handle>>,
    over: Arc<Latch>,
}

impl Watch {
    /// Returns when the handlers stand. Every signal goes to the inbox. `stop_timeout` is the limit
    /// until there is a group, which then has its own.
    pub(crate) fn install(stop_timeout: Duration) -> io::Result<(Self, Arc<Mailbox>)> {
        let inbox = Arc::<Mailbox>::default();
        let (group, attached) = watch::channel(None);
        WATCHES.fetch_add(1, Ordering::SeqCst);
        let watch = Self { group, over: Arc::default() };
        let watcher = Watcher {
            group: attached,
            stop_timeout,
            asked: Latch::default(),
            first: OnceLock::new(),
            over: Arc::clone(&watch.over),
            inbox: Arc::clone(&inbox),
        };
        let (standing, stands) = thread_mpsc::channel();
        thread::Builder::new().name("group-watch".to_owned()).spawn(move || {
            // Whoever waits for this is there as long as it has not come.
            let stand = |result| drop(standing.send(result));
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return stand(Err(error)),
            };
            runtime.block_on(async {
                match Signals::new() {
                    Ok(signals) => {
                        relieve();
                        stand(Ok(()));
                        watcher.watch(signals).await;
                    }
                    Err(error) => stand(Err(error)),
                }
            });
        })?;
        stands.recv().map_err(io::Error::other)??;
        Ok((watch, inbox))
    }

    /// Whose deadline to hold, and whose last words to say if the process must be exited.
    pub(crate) fn attach(&self, group: Handle) {
        self.group.send_replace(Some(group));
    }

    /// Goes on watching after the group's end, until the process ends: something of it may be left that
    /// blocks a thread, and could keep the process from that.
    pub(crate) fn stay(self) {
        std::mem::forget(self);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::SeqCst);
        self.over.set();
    }
}

/// How many groups of this process are being watched. Only when there is none may a signal end the
/// process, as it would if nobody had ever listened for it.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// The watcher that lingers after the last group, to be told when there is another.
static LINGERS: Mutex<Option<Arc<Latch>>> = Mutex::new(None);

/// Who lingers need not any more.
fn relieve() {
    if let Some(relieved) = lock(&LINGERS).take() {
        relieved.set();
    }
}

/// To linger until this, unless other watchers are left: then one of them will.
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

/// A signal that asks for a stop.
#[derive(Clone, Copy)]
struct Asked {
    signal: i32,
    at: Instant,
}

/// What the thread does.
struct Watcher {
    group: watch::Receiver<Option<Handle>>,
    /// How long it may take to stop while there is no group.
    stop_timeout: Duration,
    /// Set at the first signal that asks for a stop. A blocked runtime may never hear of it.
    asked: Latch,
    first: OnceLock<Asked>,
    over: Arc<Latch>,
    inbox: Arc<Mailbox>,
}

impl Watcher {
    async fn watch(self, mut signals: Signals) {
        let late = tokio::select! {
            biased;
            () = self.over.wait() => None,
            signal = self.listen(&mut signals) => Some(signal),
            () = self.hold_deadline() => None,
        };
        // Handlers, once installed, stay for as long as the process lives, and would swallow what
        // the rest of `main` should die of.
        if let Some(relieved) = linger() {
            tokio::select! {
                () = relieved.wait() => {}
                () = die_of(late, &mut signals) => {}
            }
        }
    }

    /// Returns the first signal that comes when the group is over already.
    async fn listen(&self, signals: &mut Signals) -> i32 {
        loop {
            let message = signals.recv().await;
            if let (true, Message::Signal(signal) | Message::Reload(signal)) = (self.over.is_set(), &message) {
                return *signal;
            }
            let Message::Signal(signal) = message else {
                self.inbox.put(message);
                continue;
            };
            let second = self.asked.is_set();
            self.first.get_or_init(|| Asked { signal, at: Instant::now() });
            // The driver's end closes the inbox; then `over` follows.
            self.inbox.put(message);
            self.asked.set();
            if second && timeout(FORCED, self.over.wait()).await.is_err() {
                self.exit(GroupEnd::Forced(signal));
            }
        }
    }

    /// The driver ends the group in time. If it cannot, because every thread of its runtime is blocked,
    /// or if `main` does not even get that far, this ends the process.
    async fn hold_deadline(&self) {
        let mut group = self.group.clone();
        tokio::select! {
            () = self.asked.wait() => {}
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
        self.exit(GroupEnd::UncleanStop);
    }

    /// Nothing else can end the process any more.
    fn exit(&self, outcome: GroupEnd) {
        let (group, first) = (self.group.borrow().clone(), self.first.get().copied());
        let (said, is_said) = thread_mpsc::channel();
        // Whoever waits for this is there as long as it has not come, or has lost patience.
        let speak = move || said.send(last_words(group, outcome, first));
        let speaks = thread::Builder::new().spawn(speak);
        let code = speaks.ok().and_then(|_| is_said.recv_timeout(LAST_WORDS).ok());
        std::process::exit(code.unwrap_or_else(|| Outcome::from(outcome).exit_code()).into());
    }
}

/// What a signal does to a process that has no group: one that has come already, or the next.
async fn die_of(late: Option<i32>, signals: &mut Signals) {
    let signal = match late {
        Some(signal) => signal,
        None => loop {
            if let Message::Signal(signal) | Message::Reload(signal) = signals.recv().await {
                break signal;
            }
        },
    };
    std::process::exit(128 + signal);
}

/// Waits until there is a group, and it stops.
async fn stops(mut group: watch::Receiver<Option<Handle>>) {
    let handle = group.wait_for(Option::is_some).await.ok().and_then(|group| group.clone());
    match handle {
        Some(handle) => handle.stopping().await,
        None => std::future::pending().await,
    }
}

/// The exit code of a group that cannot say it itself any more, if there is one yet.
fn last_words(group: Option<Handle>, outcome: GroupEnd, first: Option<Asked>) -> u8 {
    let Some(Handle { shared }) = group else {
        console::install();
        let error = "its body blocks its thread, and nothing was started yet".into();
        let failure = Failure::new(Some("main"), Stage::Stop, true, error);
        return Report::refused(outcome.into(), vec![failure]).exit_code();
    };
    if let Some(report) = &*shared.report.borrow() {
        return report.exit_code();
    }
    // A thread that is blocked while it writes here must not block this one, too.
    let Ok(mut journal) = shared.journal.try_lock() else {
        return Outcome::from(outcome).exit_code();
    };
    if let Some(Asked { signal, at }) = first {
        journal.must_stop(signal, Moment::of(at, shared.begun), &shared.members);
    }
    journal.blame_survivors(&shared.members);
    journal.report(outcome, &shared.members, &shared.plan).exit_code()
}
