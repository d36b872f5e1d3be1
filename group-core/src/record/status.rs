//! The status of a group as the outside sees it, and its changes as events.

use std::fmt;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::base::text::{Took, signal_name};

/// The number of events that a slow reader may fall behind before it misses some.
pub(crate) const BACKLOG: usize = 1024;

/// The state of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// A service that it comes after is not ready yet.
    #[default]
    Waiting,
    /// Its `new` runs.
    Building,
    /// Its `start` runs, and it is not ready yet.
    Starting,
    /// It is up and working.
    Ready,
    /// It failed, and will be started again after a while.
    Restarting,
    /// Its `start` has returned; it is stopped when its turn comes.
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

/// The phase of a whole group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Services are being built and started.
    #[default]
    Starting,
    /// Every service has become ready.
    Running,
    /// As `Running`, while services apply new settings, one after the other.
    Reloading,
    /// A stop was asked for. The group is not ready any more, so that a load balancer sends new clients
    /// elsewhere; requests that still arrive are served for a while: [`Group::drain_delay`](crate::Group::drain_delay).
    LameDuck,
    /// Services are being stopped.
    Stopping,
    /// Everything is over.
    Stopped,
}

impl Phase {
    /// Returns true if the group has come up, and no stop was asked for.
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

/// The status of a group. All of it is from the same moment.
///
/// `Display` prints one line that names no service, fit for a public probe; `{:#}` adds a line for each service.
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
    /// The phase of the whole group.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns true until the group is over: the answer to a liveness probe. It is true while the group starts and
    /// while it stops, however long that takes, because a limit ends each step that hangs: `start_timeout`,
    /// `stop_timeout`, a [`heartbeat`](crate::Context::heartbeat).
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase != Phase::Stopped
    }

    /// Returns true if the group accepts new work: the answer to a readiness probe. It is true from when all
    /// services are ready until a stop is asked for, except while a critical service is being restarted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let works = |service: &ServiceStatus| matches!(service.state, State::Ready | State::Completed);
        self.phase.is_running() && self.services.iter().all(|service| !service.critical || works(service))
    }

    /// Returns true if the group runs while a service that is not critical is down.
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

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The number of restarts.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// The time until the next restart, while the service waits for it.
    #[must_use]
    pub fn starts_again_in(&self) -> Option<Duration> {
        self.starts_again_in
    }
}

/// Something that happened in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The state of a service has changed.
    Service {
        /// Its name.
        name: String,
        /// Its new state.
        state: State,
    },
    /// Every service is ready.
    GroupReady,
    /// A reload begins: services apply new settings.
    GroupReloading,
    /// The reload is over; a service that failed to reload keeps its old state.
    GroupReloaded,
    /// The group stops, and why.
    GroupStopping(StopReason),
    /// Everything is over. Nothing follows.
    GroupStopped,
    /// The reader was too slow, and missed this number of events.
    Missed(u64),
}

/// The events of a group, from the call of [`Handle::events`](crate::Handle::events) on.
///
/// When an event arrives, [`Handle::status`](crate::Handle::status) shows it already. A slow reader
/// delays nothing: it misses the oldest events, and [`Event::Missed`] says how many.
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
    pub(crate) over: bool,
}

impl Events {
    /// Waits for the next event. Returns `None` after [`Event::GroupStopped`].
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
    /// All services completed, or every [`main`](crate::Role::Main) has returned.
    Completed,
    /// This service failed.
    Failed(String),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => f.write_str(&signal_name(*signal)),
            Self::Asked => f.write_str("a stop was asked for"),
            Self::Completed => f.write_str("all services completed"),
            Self::Failed(service) => write!(f, "`{service}` failed"),
        }
    }
}
