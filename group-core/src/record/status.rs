//! What a group looks like from outside, now and as it changes.

use std::fmt;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::base::text::{Took, signal_name};

/// How many events a slow reader may fall behind before it misses some.
pub(crate) const BACKLOG: usize = 1024;

/// What a service is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// What it comes after is not ready yet.
    #[default]
    Waiting,
    /// Its `new` runs.
    Building,
    /// Its `start` runs, and it is not ready yet.
    Starting,
    /// It does its work.
    Ready,
    /// It failed, and will be started again after a while.
    Restarting,
    /// It has done its work; it is stopped when its turn comes.
    Completed,
    /// It failed; it is stopped when its turn comes.
    Failed,
    /// It has been asked to stop.
    Stopping,
    /// It has stopped, or was never built.
    Gone,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Building => "building",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Restarting => "restarting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
            Self::Gone => "gone",
        })
    }
}

/// What the group as a whole is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Services are being built and started.
    #[default]
    Starting,
    /// Every service has been ready.
    Running,
    /// The same, while services take in new settings, one after the other.
    Reloading,
    /// A stop was asked for, and those who still come are served for a while, while nobody is sent here
    /// any more: [`Group::drain_delay`](crate::Group::drain_delay).
    LameDuck,
    /// Services are being stopped.
    Stopping,
    /// Everything is over.
    Stopped,
}

impl Phase {
    /// Whether the group has come up, and no stop was asked for.
    fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Reloading)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Reloading => "reloading",
            Self::LameDuck => "lame duck",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// A consistent picture of a group: all of it is of the same moment.
///
/// Displayed, it is a line that names no service, as for a probe that anybody may ask; `{:#}` adds a
/// line for each service.
///
/// ```
/// use group::{Group, Shutdown, State};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new()
///     .add_fn("worker", |shutdown: Shutdown| async move { shutdown.requested().await })
///     .start()
///     .await
///     .unwrap();
/// let status = running.handle().status();
/// assert!(status.is_ready() && status.is_live() && !status.is_degraded());
/// assert_eq!(status.service("worker").unwrap().state(), State::Ready);
/// assert_eq!(format!("{status}"), "running, ready");
/// assert_eq!(format!("{status:#}"), "running, ready\n  worker  ready");
/// # running.stop().await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Status {
    pub(crate) phase: Phase,
    pub(crate) came_up: bool,
    pub(crate) services: Vec<ServiceStatus>,
}

/// One service in a [`Status`].
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) critical: bool,
    pub(crate) restarts: u64,
    pub(crate) starts_again_in: Option<Duration>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = if self.is_ready() { "ready" } else { "not ready" };
        let degraded = if self.is_degraded() { ", degraded" } else { "" };
        write!(f, "{}, {ready}{degraded}", self.phase)?;
        let services = if f.alternate() { self.services() } else { &[] };
        let width = services.iter().map(|service| service.name.len()).max().unwrap_or(0);
        services.iter().try_for_each(|service| write!(f, "\n  {:width$}  {service}", service.name))
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        match self.starts_again_in {
            Some(wait) => write!(f, " in {}", Took(wait)),
            None => Ok(()),
        }
    }
}

impl Status {
    /// What the group as a whole is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the group has come up and is not over: what a liveness probe asks. Stays true while
    /// it stops.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.came_up && self.phase != Phase::Stopped
    }

    /// Whether the group takes new work: what a readiness probe asks. True from when all services
    /// are ready until a stop is asked for, except while a critical one is being restarted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let works = |service: &ServiceStatus| matches!(service.state, State::Ready | State::Completed);
        self.phase.is_running() && self.services.iter().all(|service| !service.critical || works(service))
    }

    /// Whether the group runs without a service that it can do without.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        let down = |service: &ServiceStatus| !matches!(service.state, State::Ready | State::Completed);
        self.phase.is_running() && self.services.iter().any(|service| !service.critical && down(service))
    }

    /// Every service, in start order.
    #[must_use]
    pub fn services(&self) -> &[ServiceStatus] {
        &self.services
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceStatus> {
        self.services.iter().find(|service| service.name == name)
    }
}

impl ServiceStatus {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// How often it was started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How long until it is started again, while it waits for that.
    #[must_use]
    pub fn starts_again_in(&self) -> Option<Duration> {
        self.starts_again_in
    }
}

/// Something that happened in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A service does something else now.
    Service {
        /// Its name.
        name: String,
        /// What it does now.
        state: State,
    },
    /// Every service is ready.
    GroupReady,
    /// Services are asked to take in new settings.
    GroupReloading,
    /// They have, each of them that could; the group runs on.
    GroupReloaded,
    /// The group stops, and why.
    GroupStopping(StopReason),
    /// Everything is over. Nothing follows.
    GroupStopped,
    /// The reader was too slow, and missed so many events.
    Missed(u64),
}

/// What happens in a group, from the moment of [`Handle::events`](crate::Handle::events) on.
///
/// When an event arrives, [`Handle::status`](crate::Handle::status) shows it already. A reader that
/// never reads holds nothing up: it misses the oldest events, and learns how many.
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
    pub(crate) over: bool,
}

impl Events {
    /// The next event; `None` after [`Event::GroupStopped`].
    pub async fn recv(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        let event = match self.receiver.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(missed)) => Event::Missed(missed),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        self.over = event == Event::GroupStopped;
        Some(event)
    }
}

/// Why a group stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The process received this signal.
    Signal(i32),
    /// The program asked for it: [`Handle::stop`](crate::Handle::stop).
    Asked,
    /// There was nothing left to do.
    Completed,
    /// This service failed.
    Failed(String),
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal(signal) => f.write_str(&signal_name(*signal)),
            Self::Asked => f.write_str("a stop was asked for"),
            Self::Completed => f.write_str("every service has done its work"),
            Self::Failed(service) => write!(f, "`{service}` failed"),
        }
    }
}
