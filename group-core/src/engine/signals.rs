//! The signals of this platform that ask for a stop or a reload.

pub(super) use self::platform::Signals;

use std::io;
use std::io::IsTerminal as _;

/// Returns true if a person waits for the end: the signal is the Ctrl-C of a terminal.
pub(crate) fn is_waited_for(signal: i32) -> bool {
    let on_terminal = || io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    signal == platform::SIGINT && on_terminal()
}

#[cfg(unix)]
mod platform {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use crate::running::message::Message;

    pub(crate) const SIGINT: i32 = 2;

    /// The signals that ask for a stop or a reload.
    pub(crate) struct Signals {
        term: Signal,
        int: Signal,
        quit: Signal,
        hup: Signal,
    }

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                term: signal(SignalKind::terminate())?,
                int: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                hup: signal(SignalKind::hangup())?,
            })
        }

        pub(crate) async fn recv(&mut self) -> Message {
            let (signal, kind) = tokio::select! {
                signal = self.term.recv() => (signal, SignalKind::terminate()),
                signal = self.int.recv() => (signal, SignalKind::interrupt()),
                signal = self.quit.recv() => (signal, SignalKind::quit()),
                signal = self.hup.recv() => (signal, SignalKind::hangup()),
            };
            // A stream ends with its runtime, and this runs in that.
            if signal.is_none() {
                std::future::pending::<()>().await;
            }
            match kind {
                hup if hup == SignalKind::hangup() => Message::Reload(hup.as_raw_value()),
                stop => Message::Signal(stop.as_raw_value()),
            }
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::io;

    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

    use crate::running::message::Message;

    pub(crate) const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;

    /// The events that ask for a stop.
    pub(crate) struct Signals {
        c: CtrlC,
        break_: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                c: ctrl_c()?,
                break_: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(crate) async fn recv(&mut self) -> Message {
            Message::Signal(tokio::select! {
                _ = self.c.recv() => SIGINT,
                _ = self.break_.recv() => SIGINT,
                _ = self.close.recv() => SIGTERM,
                _ = self.logoff.recv() => SIGTERM,
                _ = self.shutdown.recv() => SIGTERM,
            })
        }
    }
}
