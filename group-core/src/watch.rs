//! The thread that listens for signals, outside the runtime, so that a blocked runtime cannot make
//! the process deaf.

use std::sync::mpsc as thread_mpsc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Handle;
use crate::lifecycle::Outcome;
use crate::shared::{Message, lock};

/// How long the driver has to end the group after a second signal, before the process is exited.
/// It needs half of it to let destructors run.
const FORCED: Duration = Duration::from_millis(90);

/// What leads to a driver, before there is one.
pub(crate) struct Inbox {
    sender: mpsc::UnboundedSender<Message>,
    receiver: mpsc::UnboundedReceiver<Message>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }

    pub(crate) fn into_parts(self) -> (mpsc::UnboundedSender<Message>, mpsc::UnboundedReceiver<Message>) {
        (self.sender, self.receiver)
    }

    /// The next message. It never closes, for it holds a sender.
    pub(crate) async fn recv(&mut self) -> Option<Message> {
        self.receiver.recv().await
    }
}

/// Listens for signals until it is dropped.
pub(crate) struct Watch {
    group: Arc<OnceLock<Handle>>,
    over: CancellationToken,
}

impl Watch {
    /// Returns when the handlers stand. Every signal goes to the inbox.
    pub(crate) fn install() -> io::Result<(Self, Inbox)> {
        let inbox = Inbox::new();
        let watch = Self { group: Arc::default(), over: CancellationToken::new() };
        let (group, over, sender) = (Arc::clone(&watch.group), watch.over.clone(), inbox.sender.clone());
        let (standing, stands) = thread_mpsc::channel();
        thread::Builder::new().name("group-signals".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(standing.send(Err(error))),
            };
            runtime.block_on(async {
                match platform::Signals::new() {
                    Ok(signals) => {
                        if standing.send(Ok(())).is_ok() {
                            listen(signals, &sender, &over, &group).await;
                        }
                    }
                    Err(error) => drop(standing.send(Err(error))),
                }
            });
        })?;
        stands.recv().map_err(io::Error::other)??;
        Ok((watch, inbox))
    }

    /// Whose last words to say if the process must be exited.
    pub(crate) fn attach(&self, group: Handle) {
        let _ = self.group.set(group);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

async fn listen(
    mut signals: platform::Signals,
    sender: &mpsc::UnboundedSender<Message>,
    over: &CancellationToken,
    group: &OnceLock<Handle>,
) {
    for nth in 1.. {
        let signal = tokio::select! {
            signal = signals.recv() => signal,
            () = over.cancelled() => return,
        };
        // The driver's end closes the inbox; then `over` follows.
        let _ = sender.send(Message::Signal(signal));
        if nth > 1 && tokio::time::timeout(FORCED, over.cancelled()).await.is_err() {
            exit(signal, group.get());
        }
    }
}

/// The runtime is blocked: nothing else can end the process any more.
fn exit(signal: i32, group: Option<&Handle>) {
    if let Some(Handle { shared }) = group {
        let _ = lock(&shared.journal).report(Outcome::Forced(signal), &shared.members);
    }
    std::process::exit(128 + signal);
}

#[cfg(unix)]
mod platform {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// The signals that ask for a stop.
    pub(super) struct Signals {
        term: Signal,
        int: Signal,
        quit: Signal,
    }

    impl Signals {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                term: signal(SignalKind::terminate())?,
                int: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
            })
        }

        pub(super) async fn recv(&mut self) -> i32 {
            let (signal, kind) = tokio::select! {
                signal = self.term.recv() => (signal, SignalKind::terminate()),
                signal = self.int.recv() => (signal, SignalKind::interrupt()),
                signal = self.quit.recv() => (signal, SignalKind::quit()),
            };
            // The streams end with the runtime that holds them, which is ours.
            if signal.is_none() {
                std::future::pending::<()>().await;
            }
            kind.as_raw_value()
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::io;

    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

    const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;

    /// The events that ask for a stop.
    pub(super) struct Signals {
        c: CtrlC,
        break_: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                c: ctrl_c()?,
                break_: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn recv(&mut self) -> i32 {
            tokio::select! {
                _ = self.c.recv() => SIGINT,
                _ = self.break_.recv() => SIGINT,
                _ = self.close.recv() => SIGTERM,
                _ = self.logoff.recv() => SIGTERM,
                _ = self.shutdown.recv() => SIGTERM,
            }
        }
    }
}
