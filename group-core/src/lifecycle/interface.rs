//! The machine's inputs and outputs.

use std::fmt;

/// A service's place in start order.
pub(crate) type Id = usize;

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// The group may start.
    Begin,
    /// The service has been built, and its `start` runs.
    Built(Id),
    /// The service is ready.
    Ready(Id),
    /// Its `start` has returned without an error.
    Ended(Id, Again),
    /// It has failed: an error or a panic, in any of its methods.
    Failed(Id, Again),
    /// It is gone: its task has ended, and the service is dropped.
    Gone(Id),
    /// A service accepts clients from outside of the group.
    Serves,
    /// The program asked the group to stop.
    Stop,
    /// The program asked for the end at once.
    Abort,
    /// The process received a signal that asks it to stop. `true`: it came from a person at a terminal, so there is
    /// no delay.
    Signal(i32, bool),
    /// The service is to be controlled by hand.
    ByHand(ByHand, Id),
    /// A timer that was armed has run out.
    Elapsed(Timer),
}

/// A request about one service of a running group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ByHand {
    /// Stop it, after all that come after it, and leave them down.
    Stop,
    /// Build it, if it is down or has failed, and then what was stopped along with it.
    Start,
    /// Stop it as above, and build all of them again.
    Restart,
}

/// Why the machine refuses such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The group does not run: it has not begun, or is to stop.
    NotRunning,
    /// This service, which it comes after, is down.
    KeptDownBy(Id),
    /// The first service would come back, and cannot without the second, which has failed.
    Lacks(Id, Id),
    /// This service blocks its thread, so that it cannot be built again.
    Abandoned(Id),
}

/// The answer of a service's restart policy: may `start` run again?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Again {
    Yes,
    No,
    /// It would, but its restarts are used up.
    TooOften,
}

/// Something to do, or to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Build the service and run its `start`.
    Launch(Id),
    /// Run its `start` again.
    Restart(Id),
    /// Ask it to end, in whatever state it is, and run its `stop` if it was built.
    Stop(Id),
    /// Drop it without waiting.
    Abort(Id),
    /// Start a timer; `Elapsed` follows, unless the timer has become irrelevant by then.
    Arm(Timer),
    /// Record a problem.
    Blame(Problem),
    /// The service is ready.
    TellReady(Id),
    /// The service will be restarted after its backoff.
    TellBackoff(Id),
    /// The service has used up its restarts.
    TellTooOften(Id),
    /// Go on without the service: drop its `start` if that still runs. The service waits for its turn to stop.
    Lose(Id),
    /// The service has completed.
    TellCompleted(Id),
    /// The service is gone.
    TellGone(Id),
    /// The service is gone, and stays down until it is asked for by hand.
    TellDown(Id),
    /// The service is to be built again, after what it comes after.
    TellWaiting(Id),
    /// Every service is ready.
    TellGroupReady,
    /// The group has become a lame duck: it is no longer ready, but it still serves.
    TellLameDuck(Reason),
    /// The group is stopping.
    TellStopping(Reason),
    /// No service is left.
    TellGroupGone,
}

/// A time limit. The machine does not know how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// From launch, or from a restart, until the service is ready. The number counts the runs of `start`, here as in the
    /// next ones.
    Start(Id, u32),
    /// From a failure until the service is restarted.
    Backoff(Id, u32),
    /// From the service's stop request until it is gone.
    Stop(Id, u32),
    /// From the abort of the service until it is gone.
    Abort(Id, u32),
    /// The longest time from the request to stop until the group begins to stop.
    LameDuck,
    /// From the last request until no more are expected.
    Quiet,
    /// From the request to stop until no time is left for turns.
    Deadline,
    /// From then until the services that are left are aborted.
    LastGrace,
}

/// The meaning of `Ok` from a service's `start`, when nothing asked it to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The service has completed, and the group goes on. When all services have completed, the group stops. The
    /// default.
    Task,
    /// The service has failed: it should run until it is stopped. Every service that serves HTTP or gRPC has this role.
    Daemon,
    /// The service is ready only now, and the services after it may be built. A migration, for example.
    Once,
    /// The service has completed. When every service with this role has, the group stops.
    Main,
    /// The service has completed, and the group stops: the first service with this role that returns ends the group.
    Lead,
    /// The service has failed, as a daemon would have. It goes along with the others: it starts before all that it does
    /// not need itself, stops after them, and does not keep the group running. Its clients are no traffic for a
    /// [`drain_delay`](crate::Group::drain_delay). For what operators look at, and what exports telemetry. Kubernetes
    /// has the word and the meaning for containers.
    Sidecar,
}

/// The same words as in the arguments of `#[service]`: `task`, `daemon`, `once`, `main`, `lead`, `sidecar`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Daemon => "daemon",
            Self::Once => "once",
            Self::Main => "main",
            Self::Lead => "lead",
            Self::Sidecar => "sidecar",
        })
    }
}

/// How the group treats a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rules {
    pub(crate) role: Role,
    /// True if the group stops when the service fails.
    pub(crate) critical: bool,
}

impl Rules {
    /// Returns true if the group ends by itself when this service and all others like it have ended: those in the
    /// `decisive` role, or, if there is none, all but the sidecars.
    pub(crate) fn decides(self, decisive: Option<Role>) -> bool {
        decisive.map_or(self.role != Role::Sidecar, |role| self.role == role)
    }
}

/// A problem: where and when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Problem {
    /// The service; `None` for the group itself.
    pub(crate) id: Option<Id>,
    pub(crate) stage: Stage,
    pub(crate) kind: ProblemKind,
    /// True if the group stops for it, or does not end cleanly because of it.
    pub(crate) fatal: bool,
}

/// The part of its life in which a service failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Before anything was built: an invalid setup (a cycle, an unknown dependency, a bad setting).
    Plan,
    /// Running `new`.
    Build,
    /// Running `start`, and not yet ready.
    Start,
    /// Running, and ready.
    Run,
    /// Running `reload`.
    Reload,
    /// Stopping.
    Stop,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProblemKind {
    /// The service's own error or panic.
    Error,
    /// `start` returned before the service was ready.
    EndedBeforeReady,
    /// `start` returned although the service runs until it is stopped.
    EndedUnexpectedly,
    /// A service that it needs failed, so it was never built.
    NeedFailed,
    /// Not ready in time.
    StartTimeout,
    /// Not stopped in time.
    StopTimeout,
    /// Not gone in time after the abort: it blocks its thread.
    Abandoned,
    /// The group's time is up.
    Deadline,
    /// The program asked for the end at once, and services were left.
    Aborted,
}

impl ProblemKind {
    /// Returns true if the stop was cut short; false if something failed.
    pub(crate) fn is_limit(self) -> bool {
        matches!(self, Self::StopTimeout | Self::Abandoned | Self::Deadline | Self::Aborted)
    }
}

/// The reason why a group stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// The process received this signal.
    Signal(i32),
    /// The program asked for it.
    Asked,
    /// All services that the group waits for have completed.
    Completed,
    /// This service failed.
    Failed(Id),
    /// The lame duck had no requests for a while.
    Quiet,
    /// The whole delay of the lame duck is over.
    DelayOver,
}

/// The way in which a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GroupEnd {
    Clean,
    StartFailed,
    RunFailed,
    UncleanStop,
    Forced(i32),
}
