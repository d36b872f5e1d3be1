//! The signals of this platform that ask for a stop or a reload.

pub(super) use self::platform::Signals;

use std::fs::File;
use std::io;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::sleep;

/// Returns true if a person waits for the end: the signal is the Ctrl-C of a terminal.
pub(crate) fn is_waited_for(signal: i32) -> bool {
    let on_terminal = || io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    signal == platform::SIGINT && on_terminal()
}

/// On Windows, no event has this number.
pub(crate) const SIGHUP: i32 = 1;

/// The signals of the table in `/proc/thread-self/status` that matter here. Their numbers are the same on every Linux.
const SIGNALS: [(i32, &str); 4] = [(SIGHUP, "SIGHUP"), (2, "SIGINT"), (3, "SIGQUIT"), (15, "SIGTERM")];

/// The state that the process got from its parent: its signals, and its terminal.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    ignored: u64,
    blocked: u64,
    has_terminal: bool,
}

impl Inherited {
    /// Returns the state before this process had handlers. Only Linux shows it; elsewhere, nothing is ignored or blocked.
    pub(crate) fn get() -> &'static Self {
        static INHERITED: OnceLock<Inherited> = OnceLock::new();
        INHERITED.get_or_init(|| {
            // Of this thread, whose mask the watch thread inherits: libc blocks all signals for a moment in a thread that
            // makes another, as the first one may do meanwhile.
            let status = if cfg!(target_os = "linux") {
                std::fs::read_to_string("/proc/thread-self/status")
            } else {
                Ok(String::new())
            };
            let signals = status.map(|status| Self::of(&status)).unwrap_or_default();
            Self { has_terminal: has_terminal(), ..signals }
        })
    }

    /// Waits until it is clear whether the terminal is gone that there was at the start. A dying session sends SIGHUP
    /// shortly before it gives its terminal up.
    pub(crate) async fn has_lost_terminal(&self) -> bool {
        if !self.has_terminal {
            return false;
        }
        if has_terminal() {
            sleep(GIVES_UP).await;
        }
        !has_terminal()
    }

    fn of(status: &str) -> Self {
        let mask = |key: &str| {
            let masks = status.lines().find_map(|line| line.strip_prefix(key));
            masks.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
        };
        Self { ignored: mask("SigIgn:"), blocked: mask("SigBlk:"), has_terminal: false }
    }

    pub(crate) fn ignores_hangup(&self) -> bool {
        holds(self.ignored, SIGHUP)
    }

    /// The names of the signals that never arrive.
    pub(crate) fn blocked(&self) -> Vec<&'static str> {
        SIGNALS.iter().filter(|(signal, _)| holds(self.blocked, *signal)).map(|(_, name)| *name).collect()
    }
}

/// The time between a SIGHUP and the end of the terminal because of which it was sent.
const GIVES_UP: Duration = Duration::from_millis(20);

/// Returns true if the process has a controlling terminal: only then can this name be opened. Windows has no such name.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Returns true if the signal is in this mask of the kernel's, whose lowest bit is signal 1.
fn holds(mask: u64, signal: i32) -> bool {
    mask >> (signal - 1) & 1 == 1
}

/// Returns true if the signal asks for a picture of the moment.
pub(crate) fn asks_for_picture(signal: i32) -> bool {
    platform::SIGUSR1 == Some(signal)
}

#[cfg(unix)]
mod platform {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(crate) const SIGINT: i32 = 2;

    /// Its number differs from one platform to another.
    pub(crate) const SIGUSR1: Option<i32> = Some(SignalKind::user_defined1().as_raw_value());

    /// The signals that ask for a stop, a reload or a picture of the moment.
    pub(crate) struct Signals {
        term: Signal,
        int: Signal,
        quit: Signal,
        hup: Signal,
        usr1: Signal,
    }

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                term: signal(SignalKind::terminate())?,
                int: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                hup: signal(SignalKind::hangup())?,
                usr1: signal(SignalKind::user_defined1())?,
            })
        }

        /// Returns the number of the next signal.
        pub(crate) async fn recv(&mut self) -> i32 {
            let (signal, kind) = tokio::select! {
                signal = self.term.recv() => (signal, SignalKind::terminate()),
                signal = self.int.recv() => (signal, SignalKind::interrupt()),
                signal = self.quit.recv() => (signal, SignalKind::quit()),
                signal = self.hup.recv() => (signal, SignalKind::hangup()),
                signal = self.usr1.recv() => (signal, SignalKind::user_defined1()),
            };
            // A stream ends with its runtime, and this runs in that.
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

    pub(crate) const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;

    /// There is none.
    pub(crate) const SIGUSR1: Option<i32> = None;

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

        /// Returns the number of the signal that the next event stands for.
        pub(crate) async fn recv(&mut self) -> i32 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_as_the_kernel_writes_it() {
        let status =
            "Name:\tsh\nSigQ:\t0/1\nSigBlk:\t0000000000004002\nSigIgn:\t0000000000000007\nSigCgt:\t0000000000000001\n";
        let inherited = Inherited::of(status);
        assert!(inherited.ignores_hangup());
        assert_eq!(inherited.blocked(), ["SIGINT", "SIGTERM"]);
        let nothing = Inherited::of("");
        assert!(!nothing.ignores_hangup() && nothing.blocked().is_empty());
    }
}
