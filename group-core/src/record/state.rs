//! The states of a service, and the phases of a group.

use std::fmt;

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
    /// It was stopped by hand, or along with what it comes after, and can be started again:
    /// [`Handle::start_service`](crate::Handle::start_service).
    Stopped,
    /// It has stopped, or was never built.
    Gone,
}

#[cfg(feature = "metrics")]
impl State {
    pub(crate) const ALL: [Self; 10] = [
        Self::Waiting,
        Self::Building,
        Self::Starting,
        Self::Ready,
        Self::Restarting,
        Self::Completed,
        Self::Failed,
        Self::Stopping,
        Self::Stopped,
        Self::Gone,
    ];
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
            Self::Stopped => "stopped",
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
    #[cfg(feature = "metrics")]
    pub(crate) const ALL: [Self; 6] =
        [Self::Starting, Self::Running, Self::Reloading, Self::LameDuck, Self::Stopping, Self::Stopped];

    /// Returns true if the group has come up, and no stop was asked for.
    pub(crate) fn is_running(self) -> bool {
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
