//! What goes into the machine, and what comes out.

use std::fmt;

/// A service's place in start order.
pub(crate) type Id = usize;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The group may start.
    Begin,
    /// The service has been built, and its `start` runs.
    Built(Id),
    /// The service does its work.
    Ready(Id),
    /// Its `start` has returned without an error.
    Ended(Id, Again),
    /// It has failed: an error or a panic, in whatever it was doing.
    Failed(Id, Again),
    /// It is over, and nothing of it is left.
    Gone(Id),
    /// Clients come to one of the services from outside.
    Serves,
    /// Somebody asked the group to stop.
    Stop,
    /// The process received a signal that asks it to stop. `true`: somebody waits for that.
    Signal(i32, bool),
    /// A timer that was armed has run out.
    Elapsed(Timer),
}

/// Whether a service's `start` may run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Again {
    Yes,
    No,
    /// It would, had it not done so as often as it may.
    TooOften,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Build the service and run its `start`.
    Launch(Id),
    /// Run its `start` again.
    Restart(Id),
    /// Ask it to end, however far it has come, and run its `stop` if it was built.
    Stop(Id),
    /// Drop it without waiting.
    Abort(Id),
    /// Let this much time be measured; `Elapsed` follows unless it no longer matters.
    Arm(Timer),
    /// Something went wrong.
    Blame(Fault),
    /// The service is ready.
    TellReady(Id),
    /// The service will be started again after a while.
    TellBackoff(Id),
    /// The service was started again as often as it may be.
    TellTooOften(Id),
    /// Go on without the service: what runs of it is dropped, and it waits for its turn to stop.
    Lose(Id),
    /// The service has done its work.
    TellCompleted(Id),
    /// The service is over.
    TellGone(Id),
    /// Every service is ready.
    TellGroupReady,
    /// The group is to stop, and is not ready any more, but goes on for a while.
    TellLameDuck(Reason),
    /// The group stops.
    TellStopping(Reason),
    /// The group is over.
    TellGroupGone,
}

/// A limit on time. How long it is, is not the machine's concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// From launch, or from this restart, until the service is ready.
    Start(Id, u32),
    /// From a failure until the service is started again.
    Backoff(Id),
    /// From being told to stop until the service is gone.
    Stop(Id),
    /// From abort until the service is gone.
    Abort(Id),
    /// From the request to stop until the stop begins at the latest.
    LameDuck,
    /// From when somebody last came until nobody more is likely to.
    Quiet,
    /// From the request to stop until no time is left to take turns.
    Deadline,
    /// What then remains for all that are left.
    LastGrace,
}

/// What it means when a service's `start` returns `Ok` by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It has completed, and the group goes on. When all services have, the group stops. The
    /// default.
    Task,
    /// It has failed: it should run until it is stopped. What every HTTP service is.
    Daemon,
    /// Only now is it ready, and what comes after it may be built: a migration, say.
    Once,
    /// When every `main` has returned, the group stops.
    Main,
}

/// As the argument of `#[service]` is written: `task`, `daemon`, `once`, `main`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Daemon => "daemon",
            Self::Once => "once",
            Self::Main => "main",
        })
    }
}

/// How the group treats a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rules {
    pub(crate) role: Role,
    /// Whether the group cannot do without it.
    pub(crate) critical: bool,
}

/// What went wrong, where and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fault {
    /// The service, unless it is the group itself.
    pub(crate) id: Option<Id>,
    pub(crate) stage: Stage,
    pub(crate) kind: FaultKind,
    /// Whether the group ends for it, or ends otherwise than cleanly.
    pub(crate) fatal: bool,
}

/// What a service was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing yet: the group itself is wrong (a cycle, an unknown dependency, a bad setting).
    Plan,
    /// Running `new`.
    Build,
    /// Running `start`, and not yet ready.
    Start,
    /// Running, and ready.
    Run,
    /// Running, and taking in new settings.
    Reload,
    /// Stopping.
    Stop,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FaultKind {
    /// The service's own error or panic.
    Error,
    /// `start` returned before the service was ready.
    EndedBeforeReady,
    /// `start` returned although the service runs until it is stopped.
    EndedUnexpectedly,
    /// What it needs failed, so it was never built.
    NeedFailed,
    /// Not ready in time.
    StartTimeout,
    /// Not stopped in time.
    StopTimeout,
    /// Not gone in time after the abort: it blocks its thread.
    Abandoned,
    /// The group's time is up.
    Deadline,
}

impl FaultKind {
    /// Whether stopping took too long, rather than failed.
    pub(crate) fn is_limit(self) -> bool {
        matches!(self, Self::StopTimeout | Self::Abandoned | Self::Deadline)
    }
}

/// Why a group stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// A signal.
    Signal(i32),
    /// The program's own request.
    Asked,
    /// There is nothing left to do.
    Completed,
    /// A service failed.
    Failed(Id),
    /// It was a lame duck, and nobody has come for a while.
    Quiet,
    /// It was a lame duck for as long as it may be.
    DelayOver,
}

/// How a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GroupEnd {
    Clean,
    StartFailed,
    RunFailed,
    UncleanStop,
    Forced(i32),
}
