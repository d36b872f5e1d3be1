//! Follows a group through its life, and tells the service manager.
//!
//! This runs on the thread that also listens for signals, beside the group's runtime: a service that blocks its thread
//! while it starts, reloads or stops is no reason to be silent. It logs nothing, because a log that is not read would make
//! that thread deaf.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime;
use tokio::time::{Instant, sleep, timeout_at};

use crate::base::clock::FOREVER;
use crate::base::error::Failure;
use crate::base::lock;
use crate::record::state::{Phase, State};
use crate::record::status::Status;
use crate::running::handle::Handle;
use crate::running::one_life::OneLife;
use crate::systemd::socket::NotifySocket;
use crate::systemd::watchdog;
use crate::systemd::words;

/// The time between two messages while the group starts or stops.
const RENEW: Duration = Duration::from_secs(1);

/// The time that is asked for beyond each limit of the group: for what follows a limit, such as the exit of the process,
/// and for the next message.
const SLACK: Duration = Duration::from_secs(5);

/// A reload that takes longer is over for the manager, which has no limit of its own.
const RELOAD: Duration = Duration::from_secs(60);

/// Tells a service manager of one group.
pub(super) struct Follower {
    pub(super) group: Handle,
    /// The runtime of the group.
    pub(super) runtime: runtime::Handle,
    pub(super) socket: Arc<NotifySocket>,
    pub(super) watchdog: Option<Duration>,
}

impl Follower {
    /// Tells the manager how the group is, until the group is over.
    pub(super) async fn follow(self) {
        let is_ready = &self.group.shared.ready;
        tokio::select! {
            biased;
            () = self.group.stopping() => {}
            () = is_ready.wait() => {}
            () = self.start() => {}
        }
        // Also if the group stops already: it was ready all the same.
        if is_ready.is_set() {
            tokio::select! {
                biased;
                () = self.tell(&[NotifyState::Ready]) => {}
                () = self.group.stopping() => {}
            }
            tokio::select! {
                biased;
                () = self.group.stopping() => {}
                () = self.run() => {}
                () = self.ping() => {}
            }
        }
        tokio::select! {
            biased;
            () = self.stop() => {}
            _ = self.group.wait() => {}
        }
    }

    /// Asks for the time that the services need which start at the moment, again and again, until the group stops.
    async fn start(&self) {
        loop {
            let status = self.group.status();
            if status.stopped_by().is_some() {
                return;
            }
            let words = words::status(&status, None);
            self.socket.send(&[NotifyState::Status(&words), extend(self.left_to_start(&status))]);
            sleep(RENEW).await;
        }
    }

    /// The time that the services need at the longest which start at the moment. Zero if they have no limit.
    fn left_to_start(&self, status: &Status) -> Duration {
        let services = OneLife::all(&self.group.shared);
        let limits = services.iter().map(|life| life.member().spec.start_limit());
        let left = status.services().iter().zip(limits).filter_map(|(service, limit)| {
            let starts = matches!(service.state(), State::Building | State::Starting);
            let waited = status.uptime().saturating_sub(service.state_at());
            (starts && limit < FOREVER).then(|| limit.saturating_sub(waited))
        });
        left.max().unwrap_or_default()
    }

    /// Tells of every reload, and of services that fail and come back, until the group stops.
    async fn run(&self) {
        let mut events = self.group.events();
        let (mut told_reloads, mut told) = (0, words::status(&self.group.status(), None));
        // The time at which the manager is told at the latest that a reload is over.
        let mut until: Option<Instant> = None;
        loop {
            let (status, (reloads, failure)) = (self.group.status(), self.reloads());
            if status.stopped_by().is_some() {
                return;
            }
            if reloads > told_reloads {
                told_reloads = reloads;
                // That cannot fail. A wrong time would be the end of the manager's wait.
                let now = NotifyState::monotonic_usec_now().unwrap_or(NotifyState::MonotonicUsec(0));
                self.tell(&[NotifyState::Reloading, now]).await;
                until = Some(Instant::now() + RELOAD);
            }
            let words = words::status(&status, failure.as_ref());
            let is_late = until.is_some_and(|until| until <= Instant::now());
            if until.is_some() && (is_late || status.phase() != Phase::Reloading) {
                until = None;
                self.tell(&[NotifyState::Ready]).await;
            } else if words != told {
                self.socket.send(&[NotifyState::Status(&words)]);
            }
            told = words;
            let next = timeout_at(until.unwrap_or_else(|| Instant::now() + FOREVER), events.recv());
            if let Ok(None) = next.await {
                return;
            }
        }
    }

    async fn ping(&self) {
        match self.watchdog {
            Some(interval) => watchdog::ping(&self.group, &self.runtime, &self.socket, interval).await,
            None => pending().await,
        }
    }

    /// Says that the group stops, and asks for the rest of its time, again and again.
    async fn stop(&self) {
        let left = |status: &Status| extend(status.time_left().unwrap_or_default());
        self.tell(&[NotifyState::Stopping, left(&self.group.status())]).await;
        loop {
            sleep(RENEW).await;
            let status = self.group.status();
            self.socket.send(&[NotifyState::Status(&words::status(&status, None)), left(&status)]);
        }
    }

    /// Delivers these, with the status.
    async fn tell(&self, states: &[NotifyState<'_>]) {
        let words = words::status(&self.group.status(), self.reloads().1.as_ref());
        let states: Vec<_> = states.iter().cloned().chain([NotifyState::Status(&words)]).collect();
        self.socket.deliver(&states).await;
    }

    /// The number of reloads that have begun, and what went wrong first in the last one.
    fn reloads(&self) -> (u64, Option<Failure>) {
        lock(&self.group.shared.journal).reloads()
    }
}

/// Asks for this time from now on, and some more. Without a limit, only until the next message.
fn extend(left: Duration) -> NotifyState<'static> {
    let left = if left < FOREVER { left } else { Duration::ZERO };
    NotifyState::ExtendTimeoutUsec(u32::try_from((left + SLACK).as_micros()).unwrap_or(u32::MAX))
}
