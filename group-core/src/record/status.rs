//! The status of a group as the outside sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::error::Failure;
use crate::lifecycle::plan::{Plan, Schedule};
use crate::record::event::{Event, StopReason};
use crate::record::report::{Outcome, Report};
use crate::record::service_status::ServiceStatus;
use crate::record::state::{Phase, State};

/// The status of a group. All of it is from the same moment.
///
/// With the feature `serde` it can be serialized, with every time in milliseconds.
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
    pub(crate) plan: Arc<Plan>,
    pub(crate) now: Moment,
    pub(crate) ready: Option<Moment>,
    /// When the group was asked to stop, and why.
    pub(crate) stopping: Option<(Moment, StopReason)>,
    pub(crate) time_left: Option<Duration>,
    /// The first fatal failure.
    pub(crate) cause: Option<Failure>,
    /// The outcome, if no more goes wrong.
    pub(crate) so_far: Outcome,
    /// The exit code of a clean end.
    pub(crate) exit_code: Option<u8>,
    pub(crate) report: Option<Report>,
    pub(crate) recent: Vec<(Duration, Event)>,
    pub(crate) forgotten: u64,
    pub(crate) services: Vec<ServiceStatus>,
    /// The place of each service of the plan in `services`, which has those inside of others, too.
    pub(crate) places: Vec<usize>,
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

impl Status {
    /// The phase of the whole group.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns true until the group is over: the answer to a liveness probe. It is true while the group starts and
    /// while it stops, however long that takes, because a limit ends each step that hangs: `start_timeout`,
    /// `stop_timeout`. Only a service that has missed a [`heartbeat`](crate::Context::heartbeat) and cannot be ended,
    /// because it blocks its thread, is not live.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.why_not_live().is_none()
    }

    /// The reason why the group is not live.
    pub(crate) fn why_not_live(&self) -> Option<String> {
        if self.phase == Phase::Stopped {
            return Some(self.to_string());
        }
        let hangs = self.services.iter().find(|service| service.hangs())?;
        Some(format!("{} has missed a heartbeat", hangs.name))
    }

    /// Returns true once all services have been ready, also while the group stops: the answer to a startup probe.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.ready.is_some()
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

    /// The way in which the group walks its order.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        self.plan.schedule()
    }

    /// The time since the group began to start; once it is over, until its end.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.report.as_ref().map_or(self.now.into(), Report::ended_at)
    }

    /// The time from when the group began to start until every service was ready. `None` before that.
    #[must_use]
    pub fn took_to_start(&self) -> Option<Duration> {
        self.ready.map(Duration::from)
    }

    /// Why the group stops. `None` until a stop is asked for.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&StopReason> {
        self.stopping.as_ref().map(|(_, reason)| reason)
    }

    /// The time of the request to stop, counted from when the group began to start.
    #[must_use]
    pub fn stop_asked_at(&self) -> Option<Duration> {
        self.stopping.as_ref().map(|(asked, _)| (*asked).into())
    }

    /// The time that is left of the group's [`stop_timeout`](crate::Group::stop_timeout), while it stops.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.time_left
    }

    /// The first failure for which the group stops, or does not end cleanly.
    #[must_use]
    pub fn cause(&self) -> Option<&Failure> {
        self.cause.as_ref()
    }

    /// The outcome, once a stop was asked for: what it will be if no more goes wrong and, at the end, what it is.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match (&self.report, &self.stopping) {
            (Some(report), _) => Some(report.outcome()),
            (None, stopping) => stopping.as_ref().map(|_| self.so_far),
        }
    }

    /// The exit code of the [`outcome`](Self::outcome).
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match (&self.report, self.outcome()?) {
            (Some(report), _) => Some(report.exit_code()),
            (None, Outcome::Clean) => Some(self.exit_code.unwrap_or_default()),
            (None, outcome) => Some(outcome.exit_code()),
        }
    }

    /// The last 256 events, each with its time, counted from when the group began to start. The latest one is the last.
    #[must_use]
    pub fn recent_events(&self) -> &[(Duration, Event)] {
        &self.recent
    }

    /// The number of earlier events, which are not kept.
    #[must_use]
    pub fn forgotten_events(&self) -> u64 {
        self.forgotten
    }

    /// The report, once everything is over.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Every service, in start order. One that is a [group](crate::Group::add_group) is followed by those inside of it.
    #[must_use]
    pub fn services(&self) -> &[ServiceStatus] {
        &self.services
    }

    /// A service of the plan.
    #[cfg(any(feature = "admin", feature = "cli"))]
    pub(crate) fn planned(&self, id: usize) -> &ServiceStatus {
        &self.services[self.places[id]]
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceStatus> {
        self.services.iter().find(|service| service.name == name)
    }
}
