//! What happened, when: kept for the report, and told to people as it happens.

use std::time::Duration;

use tokio::time::Instant;

use crate::BoxError;
use crate::error::{Chain, Failure};
use crate::lifecycle::{Fault, FaultKind, Id, Outcome, Reason, Stage};
use crate::report::{Cause, Ending, Report, ServiceReport};
use crate::shared::Member;
use crate::words::{Took, count, signal_name};

/// The journal of one group. Every method writes one thing down, and says it aloud if a person
/// would want to know.
#[derive(Debug)]
pub(crate) struct Journal {
    begun: Instant,
    budget: Duration,
    services: Vec<Entry>,
    group_ready: Option<Duration>,
    stopping: Option<(Duration, Cause)>,
    failures: Vec<Failure>,
}

/// One service's times, since the group began.
#[derive(Clone, Debug, Default)]
struct Entry {
    launched: Option<Duration>,
    built: Option<Duration>,
    ready: Option<Duration>,
    stop_asked: Option<Duration>,
    gone: Option<Duration>,
    ending: Ending,
}

impl Journal {
    pub(crate) fn new(services: usize, budget: Duration) -> Self {
        Self {
            begun: Instant::now(),
            budget,
            services: vec![Entry::default(); services],
            group_ready: None,
            stopping: None,
            failures: Vec::new(),
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The time since the request to stop.
    pub(crate) fn stopping_for(&self) -> Duration {
        self.stopping.as_ref().map_or(Duration::ZERO, |(asked, _)| self.now().saturating_sub(*asked))
    }

    pub(crate) fn launched(&mut self, id: Id, member: &Member) {
        self.services[id].launched = Some(self.now());
        tracing::debug!(target: "group", service = name(member), "{} is being built", name(member));
    }

    pub(crate) fn built(&mut self, id: Id) {
        let now = self.now();
        let entry = &mut self.services[id];
        entry.built = Some(now);
        entry.ending = Ending::Stopped;
    }

    pub(crate) fn ready(&mut self, id: Id, member: &Member) {
        let now = self.now();
        let entry = &mut self.services[id];
        entry.ready = Some(now);
        let took = Took(since(entry.launched, now));
        let name = name(member);
        match (member.addr(), &member.spec.http) {
            (Some(addr), Some(_)) => {
                tracing::info!(target: "group", service = name, %addr, took = %took, "{name} is ready on http://{addr} ({took})");
            }
            (Some(addr), None) => {
                tracing::info!(target: "group", service = name, %addr, took = %took, "{name} is ready on {addr} ({took})");
            }
            (None, _) => tracing::info!(target: "group", service = name, took = %took, "{name} is ready ({took})"),
        }
    }

    pub(crate) fn group_ready(&mut self) {
        let now = self.now();
        self.group_ready = Some(now);
        let took = Took(now);
        match self.services.len() {
            0 => tracing::warn!(target: "group", "there are no services in this group"),
            1 => {}
            all => tracing::info!(target: "group", took = %took, "{all} services are ready ({took})"),
        }
    }

    pub(crate) fn completed(&mut self, id: Id, member: &Member) {
        self.services[id].ending = Ending::Completed;
        let name = name(member);
        tracing::info!(target: "group", service = name, "{name} has completed");
    }

    pub(crate) fn stopping(&mut self, reason: Reason, members: &[Member]) {
        let cause = match reason {
            Reason::Signal(signal) => Cause::Signal(signal),
            Reason::Asked => Cause::Asked,
            Reason::Completed => Cause::Completed,
            Reason::Failed(id) => Cause::Failed(name(&members[id]).to_owned()),
        };
        let budget = Took(self.budget);
        let alive = self.services.iter().filter(|entry| entry.launched.is_some() && entry.gone.is_none()).count();
        let what = match alive {
            0 => ": nothing to stop".to_owned(),
            n => format!(": stopping {}, within {budget}", count(n, "service")),
        };
        tracing::info!(target: "group", cause = %cause, "{cause}{what}");
        self.stopping = Some((self.now(), cause));
    }

    pub(crate) fn stop_asked(&mut self, id: Id, member: &Member) {
        self.services[id].stop_asked = Some(self.now());
        tracing::debug!(target: "group", service = name(member), "{} is asked to stop", name(member));
    }

    pub(crate) fn aborted(&mut self, id: Id) {
        self.services[id].ending = Ending::Aborted;
    }

    pub(crate) fn gone(&mut self, id: Id, member: &Member) {
        let now = self.now();
        let entry = &mut self.services[id];
        entry.gone = Some(now);
        let name = name(member);
        let took = Took(since(entry.stop_asked, now));
        match entry.ending {
            Ending::NeverBuilt => tracing::debug!(target: "group", service = name, "{name} was not built"),
            Ending::Aborted => {
                tracing::warn!(target: "group", service = name, took = %took, "{name} was aborted ({took})");
            }
            Ending::Abandoned => {
                tracing::warn!(target: "group", service = name, took = %took, "{name} was abandoned ({took})");
            }
            Ending::Stopped | Ending::Completed | Ending::Failed => {
                tracing::info!(target: "group", service = name, took = %took, "{name} stopped ({took})");
            }
        }
    }

    /// Writes down what went wrong. `error` is the service's own, where it has one.
    pub(crate) fn blame(&mut self, fault: Fault, error: Option<BoxError>, members: &[Member]) {
        let error = error.unwrap_or_else(|| self.explain(fault, members).into());
        let service = fault.id.map(|id| name(&members[id]));
        if let Some(id) = fault.id {
            self.services[id].ending = match (fault.kind, fault.stage) {
                (FaultKind::Abandoned, _) => Ending::Abandoned,
                (FaultKind::StopTimeout, _) => Ending::Aborted,
                (_, Stage::Build) => Ending::NeverBuilt,
                _ => Ending::Failed,
            };
        }
        let failure = Failure::new(service, fault.stage.into(), error);
        tracing::error!(target: "group", service, "{}", Chain(&failure));
        self.failures.push(failure);
    }

    /// Writes down what went wrong when no service was left to blame.
    pub(crate) fn blame_group(&mut self, error: BoxError) {
        let failure = Failure::new(None, Stage::Stop.into(), error);
        tracing::error!(target: "group", "{}", Chain(&failure));
        self.failures.push(failure);
    }

    /// The group's own words for what a service has no error for.
    fn explain(&self, fault: Fault, members: &[Member]) -> String {
        let entry = fault.id.map(|id| &self.services[id]);
        let since = |moment: Option<Duration>| Took(since(moment, self.now()));
        let launched = since(entry.and_then(|entry| entry.launched));
        let asked = since(entry.and_then(|entry| entry.stop_asked));
        match fault.kind {
            FaultKind::Error => "it failed without an error".to_owned(),
            FaultKind::EndedBeforeReady => "it ended before it was ready".to_owned(),
            FaultKind::EndedUnexpectedly => "ended unexpectedly: it should run until it is stopped".to_owned(),
            FaultKind::StartTimeout if fault.stage == Stage::Build => {
                format!("`new` has not returned after {launched} (start_timeout)")
            }
            FaultKind::StartTimeout => format!("it is not ready after {launched} (start_timeout)"),
            FaultKind::StopTimeout => format!("it has not stopped after {asked} (stop_timeout), so it was aborted"),
            FaultKind::Abandoned => {
                format!("it blocks its thread, so that even abort does not reach it, after {asked}")
            }
            FaultKind::Deadline => format!(
                "the time to stop is almost up (stop_timeout of the group is {}): {}",
                Took(self.budget),
                self.survivors(members)
            ),
        }
    }

    /// Who is left, and what it is doing.
    fn survivors(&self, members: &[Member]) -> String {
        let left = self
            .services
            .iter()
            .zip(members)
            .rev()
            .filter(|(entry, _)| entry.launched.is_some() && entry.gone.is_none());
        let named: Vec<String> = left
            .map(|(entry, member)| match entry.stop_asked {
                Some(_) => format!("`{}` stopping for {}", name(member), Took(since(entry.stop_asked, self.now()))),
                None => format!("`{}` not asked yet", name(member)),
            })
            .collect();
        named.join(", ")
    }

    /// The last words.
    pub(crate) fn report(&self, outcome: Outcome, members: &[Member]) -> Report {
        let outcome = match outcome {
            Outcome::Clean if !self.failures.is_empty() => Outcome::RunFailed,
            outcome => outcome,
        };
        let services = self.services.iter().zip(members).map(|(entry, member)| ServiceReport {
            name: name(member).to_owned(),
            addr: member.addr(),
            launched: entry.launched,
            built: entry.built,
            ready: entry.ready,
            stop_asked: entry.stop_asked,
            gone: entry.gone,
            ending: entry.ending,
        });
        let report =
            Report::new(outcome.into(), services.collect(), self.failures.clone(), self.now(), self.stopping.clone());
        if report.is_clean() {
            tracing::info!(target: "group", exit_code = report.exit_code(), "{}", report.summary());
        } else {
            tracing::error!(target: "group", exit_code = report.exit_code(), "{}", report.summary());
        }
        report
    }
}

fn name(member: &Member) -> &str {
    member.spec.get_name()
}

fn since(moment: Option<Duration>, now: Duration) -> Duration {
    moment.map_or(Duration::ZERO, |moment| now.saturating_sub(moment))
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal(signal) => f.write_str(&signal_name(*signal)),
            Self::Asked => f.write_str("a stop was asked for"),
            Self::Completed => f.write_str("every service has done its work"),
            Self::Failed(service) => write!(f, "`{service}` failed"),
        }
    }
}
