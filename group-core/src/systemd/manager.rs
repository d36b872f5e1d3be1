//! The service manager that has started the process.

use std::env;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime;
use tokio::time::sleep;

use crate::record::report::{Outcome, Report};
use crate::running::handle::Handle;
use crate::systemd::follow::Follower;
use crate::systemd::socket::NotifySocket;
use crate::systemd::words::line;

/// The time in which a manager that works has read everything.
const BARRIER: Duration = Duration::from_secs(1);

/// The time after which the manager is told of a body of `main` that still runs.
const A_WHILE: Duration = Duration::from_secs(1);

/// The environment variable with the address of the manager's socket.
const ADDRESS: &str = "NOTIFY_SOCKET";

/// The variables that are for this process alone.
const VARIABLES: [&str; 3] = [ADDRESS, "WATCHDOG_USEC", "WATCHDOG_PID"];

/// True once the process has looked for a manager: it is told of one group, the first.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The variables of a service manager that wants to be told how the process is.
#[derive(Debug)]
pub(crate) struct Invitation {
    address: OsString,
    watchdog: Option<Duration>,
}

impl Invitation {
    /// Takes the variables out of the environment, so that no child process speaks for this one. The first call of the
    /// process gets them.
    ///
    /// They stay if the process has several threads already, as in a runtime of the user's: another thread may be reading
    /// the environment.
    pub(crate) fn take() -> Option<Self> {
        if TAKEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        let invitation = env::var_os(ADDRESS).filter(|address| !address.is_empty()).map(|address| Self {
            address,
            watchdog: sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()),
        });
        for variable in VARIABLES.into_iter().filter(|variable| env::var_os(variable).is_some()) {
            // None if it stays.
            let _removed: Option<()> = ::env::remove_var(variable);
        }
        invitation
    }

    /// Tells the manager that the body of `main` runs, if it does so for a while. It asks for no more time: a body has no
    /// limit but the manager's own.
    pub(crate) fn tell_of_body(&self) -> impl Future<Output = ()> + Send + use<> {
        let socket = NotifySocket::open(&self.address);
        async move {
            sleep(A_WHILE).await;
            // `accept` warns of an address that is none.
            if let Ok(socket) = socket {
                socket.deliver(&[NotifyState::Status("the body of `main` runs")]).await;
            }
        }
    }

    /// Returns the manager. `None` if its address is none.
    pub(crate) fn accept(self) -> Option<Manager> {
        match NotifySocket::open(&self.address) {
            Ok(socket) => Some(Manager { socket: Arc::new(socket), watchdog: self.watchdog }),
            Err(error) => {
                let address = self.address.display();
                tracing::warn!(target: "group", "{ADDRESS} is `{address}`, so the service manager is told nothing: {error}");
                None
            }
        }
    }
}

/// A service manager that wants to be told how the process is.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: Arc<NotifySocket>,
    /// The manager ends the process if there is no ping for so long.
    watchdog: Option<Duration>,
}

impl Manager {
    /// Tells the manager of a group, whose runtime this is, until the group is over and the manager has read everything.
    pub(crate) async fn follow(self, group: Handle, runtime: runtime::Handle) {
        let follower =
            Follower { group: group.clone(), runtime, socket: Arc::clone(&self.socket), watchdog: self.watchdog };
        follower.follow().await;
        let report = group.wait().await;
        let took = report.ended_at().saturating_sub(report.stop_asked_at().unwrap_or_default());
        let left = group.shared.stop_timeout.saturating_sub(took);
        self.tell(&report, BARRIER.min(left / 2)).await;
    }

    /// Tells the manager of a group that could not be started.
    pub(crate) async fn tell_refused(self, report: &Report) {
        self.tell(report, BARRIER).await;
    }

    /// Tells the manager how it ended, and waits until it has read everything, but no longer than this: once the process
    /// is gone, the manager could not say whose message it is.
    async fn tell(&self, report: &Report, limit: Duration) {
        let status = line(&report.last_words());
        self.socket.send(&[NotifyState::Status(&status)]);
        // A forced end waits for nothing.
        if !matches!(report.outcome(), Outcome::Forced(_)) {
            self.socket.wait_until_read(limit).await;
        }
    }
}
