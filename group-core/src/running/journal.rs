//! What happened, when: kept for the report and the status, told to subscribers and to people.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::base::clock::{Moment, Times};
use crate::base::error::{BoxError, Chain, Failure, Failures};
use crate::base::text::{Limit, Took, count};
use crate::lifecycle::budget::Budget;
use crate::lifecycle::event::{Fault, FaultKind, GroupEnd, Id, Reason, Stage};
use crate::lifecycle::plan::Plan;
use crate::record::report::Report;
use crate::record::service_report::{Ending, Rest, ServiceReport};
use crate::record::status::{BACKLOG, Event, Phase, ServiceStatus, State, Status, StopReason};
use crate::running::member::Member;

/// How many restarts of a service are remembered; of those before, only their number.
const RESTARTS: usize = 32;

/// How long a person waits for a service to stop, and does not wonder. To start, it may take twice as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The journal of one group. Every method writes one thing down, tells subscribers, and says it
/// aloud if a person would want to know.
#[derive(Debug)]
pub(crate) struct Journal {
    begun: Instant,
    /// When that happened which is being written down: one moment for all that an event leads to.
    moment: Moment,
    /// When it was last told who is waited for.
    told: Moment,
    budget: Budget,
    phase: Phase,
    /// Whether every service was ready once.
    came_up: bool,
    services: Vec<Entry>,
    stopping: Option<(Moment, StopReason)>,
    exit_code: Option<u8>,
    failures: Failures,
    /// Once somebody wants to know.
    events: Option<broadcast::Sender<Event>>,
}

/// One service. One line of the cache, as it is aligned.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
struct Entry {
    state: State,
    ending: Ending,
    times: Times,
    restarts: Option<Box<Restarts>>,
}

/// Those of a service that failed.
#[derive(Clone, Debug, Default)]
struct Restarts {
    count: u64,
    last: VecDeque<Moment>,
    /// While it waits for that.
    next: Option<Moment>,
}

impl Entry {
    /// Whether it was launched, and is not gone.
    fn is_left(&self) -> bool {
        self.times.launched.is_some() && self.times.gone.is_none()
    }

    /// When its `start` ran last.
    fn started(&self) -> Option<Moment> {
        let restarted = self.restarts.as_ref().and_then(|restarts| restarts.last.back().copied());
        restarted.or(self.times.launched)
    }

    fn restart_count(&self) -> u64 {
        self.restarts.as_ref().map_or(0, |restarts| restarts.count)
    }
}

impl Journal {
    pub(crate) fn new(services: usize, begun: Instant, budget: Budget) -> Self {
        Self {
            begun,
            moment: Moment::FIRST,
            told: Moment::FIRST,
            budget,
            phase: Phase::Starting,
            came_up: false,
            services: vec![Entry::default(); services],
            stopping: None,
            exit_code: None,
            failures: Failures::default(),
            events: None,
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(self.begun)
    }

    /// What is written down from now on has happened at this moment.
    pub(crate) fn at(&mut self, moment: Moment) {
        self.moment = moment;
    }

    /// The time since the request to stop.
    fn stopping_for(&self) -> Duration {
        self.stopping.as_ref().map_or(Duration::ZERO, |(asked, _)| self.moment.since(*asked))
    }

    /// How long a service has been ready.
    pub(crate) fn ready_for(&self, id: Id) -> Duration {
        let entry = &self.services[id];
        if entry.state == State::Ready { since(entry.times.ready, self.now()) } else { Duration::ZERO }
    }

    pub(crate) fn state(&self, id: Id) -> State {
        self.services[id].state
    }

    /// What every service does, at this moment.
    pub(crate) fn status(&self, members: &[Member]) -> Status {
        let now = self.now();
        let services = self.services.iter().zip(members).map(|(entry, member)| ServiceStatus {
            name: name(member).to_owned(),
            state: entry.state,
            critical: member.spec.rules.critical,
            restarts: entry.restart_count(),
            starts_again_in: entry.restarts.as_ref().and_then(|restarts| Some(restarts.next?.since(now))),
        });
        Status { phase: self.phase, came_up: self.came_up, services: services.collect() }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Stopped
    }

    pub(crate) fn subscribe(&mut self) -> broadcast::Receiver<Event> {
        self.events.get_or_insert_with(|| broadcast::Sender::new(BACKLOG)).subscribe()
    }

    fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(events) = &self.events
            && events.receiver_count() > 0
        {
            // Whoever has gone meanwhile need not know.
            let _ = events.send(event());
        }
    }

    fn enter(&mut self, id: Id, member: &Member, state: State) {
        let entry = &mut self.services[id];
        if std::mem::replace(&mut entry.state, state) == state {
            return;
        }
        if let (Some(restarts), true) = (&mut entry.restarts, state != State::Restarting) {
            restarts.next = None;
        }
        self.tell(|| Event::Service { name: name(member).to_owned(), state });
    }

    pub(crate) fn launched(&mut self, id: Id, member: &Member) {
        self.services[id].times.launched = Some(self.moment);
        self.enter(id, member, State::Building);
        tracing::debug!(target: "group", service = name(member), "{} is being built", name(member));
    }

    pub(crate) fn built(&mut self, id: Id, member: &Member) {
        let now = self.moment;
        let entry = &mut self.services[id];
        entry.times.built = Some(now);
        if entry.ending == Ending::NeverBuilt {
            entry.ending = Ending::Stopped;
        }
        if entry.state == State::Building {
            self.enter(id, member, State::Starting);
        }
    }

    pub(crate) fn ready(&mut self, id: Id, member: &Member) {
        let now = self.moment;
        let entry = &mut self.services[id];
        let started = entry.started();
        entry.times.ready = Some(now);
        entry.times.first_ready.get_or_insert(now);
        self.enter(id, member, State::Ready);
        let (spec, took) = (&member.spec, Took(since(started, now)));
        if let Some(on) = &spec.more().http_on {
            let (on, prefix) = (on.name(), spec.more().prefix.as_deref().unwrap_or("/"));
            tracing::info!(target: "group", service = name(member), http_on = on.as_str(), prefix, took = %took, "{} is ready on {on}, under {prefix} ({took})", name(member));
        } else if let Some(addr) = member.addr() {
            let scheme = spec.scheme();
            tracing::info!(target: "group", service = name(member), %addr, took = %took, "{} is ready on {scheme}{addr} ({took})", name(member));
        } else if let Some(path) = spec.more().http.as_deref().filter(|address| address.starts_with("unix:")) {
            tracing::info!(target: "group", service = name(member), took = %took, "{} is ready on {path} ({took})", name(member));
        } else {
            tracing::info!(target: "group", service = name(member), took = %took, "{} is ready ({took})", name(member));
        }
    }

    /// Says of each service once that it is waited for, when that takes long and may go on; returns when to look again.
    pub(crate) fn still_waiting(&mut self, members: &[Member]) -> Duration {
        let (now, told) = (self.moment, std::mem::replace(&mut self.told, self.moment));
        let mut next = PATIENCE;
        for (entry, member) in self.services.iter().zip(members) {
            let (start, stop) = (member.spec.start_limit(), member.spec.stop_limit());
            let (what, from, patience, setting, limit) = match entry.state {
                State::Building => ("be built", entry.started(), PATIENCE * 2, "start_timeout", start),
                State::Starting => ("be ready", entry.started(), PATIENCE * 2, "start_timeout", start),
                State::Stopping => ("stop", entry.times.stop_asked, PATIENCE, "stop_timeout", stop),
                _ => continue,
            };
            let waited = since(from, now);
            let left = patience.saturating_sub(waited);
            if !left.is_zero() {
                next = next.min(left);
            } else if since(from, told) < patience && patience < limit {
                let (name, waited, limit, in_hand) = (name(member), Took(waited), Limit(limit), member.in_hand());
                let connections =
                    if in_hand == 0 { String::new() } else { format!(": {} in hand", count(in_hand, "connection")) };
                tracing::info!(target: "group", service = name, took = %waited, in_hand, "still waiting for {name} to {what} ({waited}; {setting} {limit}){connections}");
            }
        }
        next
    }

    pub(crate) fn backing_off(&mut self, id: Id, member: &Member, wait: Duration, nth: u32) {
        self.services[id].restarts.get_or_insert_default().next = Some(self.moment.after(wait));
        self.enter(id, member, State::Restarting);
        let (name, wait, max) = (name(member), Took(wait), member.spec.more().restart.policy.max);
        tracing::warn!(target: "group", service = name, wait = %wait, "{name} is started again in {wait} (restart {nth}, at most {max} in {})", Took(member.spec.more().restart.policy.within));
    }

    pub(crate) fn too_often(member: &Member) {
        let (name, policy) = (name(member), member.spec.more().restart.policy);
        let (max, within) = (policy.max, Took(policy.within));
        tracing::warn!(target: "group", service = name, "{name} is not started again: it was already, {max} times within {within}");
    }

    pub(crate) fn restarted(&mut self, id: Id, member: &Member) {
        let now = self.moment;
        let entry = &mut self.services[id];
        let restarts = entry.restarts.get_or_insert_default();
        restarts.count += 1;
        if restarts.last.len() == RESTARTS {
            restarts.last.pop_front();
        }
        restarts.last.push_back(now);
        entry.ending = Ending::Stopped;
        self.enter(id, member, State::Starting);
    }

    pub(crate) fn reloading(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Reloading;
            self.tell(|| Event::GroupReloading);
        }
    }

    pub(crate) fn reloaded(&mut self) {
        if self.phase == Phase::Reloading {
            self.phase = Phase::Running;
            self.tell(|| Event::GroupReloaded);
        }
    }

    pub(crate) fn lost(&mut self, id: Id, member: &Member) {
        self.enter(id, member, State::Failed);
        let name = name(member);
        tracing::warn!(target: "group", service = name, "the group goes on without {name}: it is degraded");
    }

    pub(crate) fn group_ready(&mut self) {
        self.phase = Phase::Running;
        self.came_up = true;
        self.tell(|| Event::GroupReady);
        let took = Took(self.moment.into());
        match self.services.len() {
            0 => tracing::warn!(target: "group", "there are no services in this group"),
            1 => {}
            all => tracing::info!(target: "group", took = %took, "{all} services are ready ({took})"),
        }
    }

    pub(crate) fn completed(&mut self, id: Id, member: &Member) {
        self.services[id].ending = Ending::Completed;
        self.enter(id, member, State::Completed);
        let name = name(member);
        tracing::info!(target: "group", service = name, "{name} has completed");
    }

    /// The exit code of a clean end. The first that was asked for counts.
    pub(crate) fn exit_with(&mut self, code: u8) {
        self.exit_code.get_or_insert(code);
    }

    /// A stop was asked for, and those who still come are served for a while.
    pub(crate) fn lame_duck(&mut self, reason: Reason, members: &[Member]) {
        self.ask_to_stop(Phase::LameDuck, reason, members);
        let (delay, quiet) = (Took(self.budget.delay()), Took(self.budget.quiet()));
        tracing::info!(target: "group", drain_delay = %delay, "{}: not ready any more; stopping in {delay}, or when nobody has come for {quiet}", self.why(reason, members));
    }

    pub(crate) fn stopping(&mut self, reason: Reason, members: &[Member]) {
        // Without what a delay has taken of it.
        let budget = Took(self.budget.total().saturating_sub(self.stopping_for()));
        self.ask_to_stop(Phase::Stopping, reason, members);
        let what = || match self.services.iter().filter(|entry| entry.is_left()).count() {
            0 => "nothing to stop".to_owned(),
            n => format!("stopping {}, within {budget}", count(n, "service")),
        };
        let why = || self.why(reason, members);
        tracing::info!(target: "group", cause = why(), "{}: {}", why(), what());
        for (id, member) in members.iter().enumerate().rev() {
            if self.services[id].times.launched.is_none() {
                self.enter(id, member, State::Gone);
            }
        }
    }

    /// The first reason is the cause; later ones only end a delay.
    fn ask_to_stop(&mut self, phase: Phase, reason: Reason, members: &[Member]) {
        self.phase = phase;
        if let (None, Some(cause)) = (&self.stopping, cause(reason, members)) {
            self.stopping = Some((self.moment, cause.clone()));
            self.tell(|| Event::GroupStopping(cause));
        }
    }

    fn why(&self, reason: Reason, members: &[Member]) -> String {
        match (cause(reason, members), reason) {
            (Some(cause), _) => cause.to_string(),
            (None, Reason::Quiet) => format!("nobody has come for {}", Took(self.budget.quiet())),
            (None, _) => format!("{} are over (drain_delay)", Took(self.budget.delay())),
        }
    }

    pub(crate) fn stop_asked(&mut self, id: Id, member: &Member) {
        self.services[id].times.stop_asked = Some(self.moment);
        self.enter(id, member, State::Stopping);
        tracing::debug!(target: "group", service = name(member), "{} is asked to stop", name(member));
    }

    pub(crate) fn aborted(&mut self, id: Id) {
        self.services[id].ending = Ending::Aborted;
    }

    pub(crate) fn gone(&mut self, id: Id, member: &Member) {
        let now = self.moment;
        let entry = &mut self.services[id];
        entry.times.gone = Some(now);
        let (ending, asked) = (entry.ending, entry.times.stop_asked);
        self.enter(id, member, State::Gone);
        let took = Took(since(asked, now));
        match ending {
            Ending::NeverBuilt => {
                tracing::debug!(target: "group", service = name(member), "{} was not built", name(member));
            }
            Ending::Aborted => {
                tracing::warn!(target: "group", service = name(member), took = %took, "{} was aborted ({took})", name(member));
            }
            Ending::Abandoned => {
                tracing::warn!(target: "group", service = name(member), took = %took, "{} was abandoned ({took})", name(member));
            }
            Ending::Stopped | Ending::Completed | Ending::Failed => {
                tracing::info!(target: "group", service = name(member), took = %took, "{} stopped ({took})", name(member));
            }
        }
    }

    /// Writes down what went wrong. `error` is the service's own, where it has one.
    pub(crate) fn blame(&mut self, fault: Fault, error: Option<BoxError>, members: &[Member]) {
        let error = error.unwrap_or_else(|| self.explain(fault, members).into());
        let service = fault.id.map(|id| name(&members[id]));
        if let Some(id) = fault.id {
            let entry = &mut self.services[id];
            entry.ending = match (fault.kind, fault.stage) {
                (FaultKind::Abandoned, _) => Ending::Abandoned,
                (FaultKind::StopTimeout, _) => Ending::Aborted,
                // A destructor that panics does not change how it came to that.
                _ if entry.ending == Ending::Aborted => Ending::Aborted,
                _ if entry.times.built.is_none() => Ending::NeverBuilt,
                _ => Ending::Failed,
            };
        }
        if let (Some(id), true, Stage::Build | Stage::Start | Stage::Run) = (fault.id, fault.fatal, fault.stage) {
            self.enter(id, &members[id], State::Failed);
        }
        let failure = Failure::new(service, fault.stage, fault.fatal, error);
        if fault.fatal {
            tracing::error!(target: "group", service, "{}", Chain(&failure));
        } else {
            tracing::warn!(target: "group", service, "{}", Chain(&failure));
        }
        self.failures.push(failure);
    }

    /// Writes down what went wrong in a service besides what it has just failed for.
    pub(crate) fn also_failed(&mut self, member: &Member, error: BoxError) {
        let name = name(member);
        let failed = self.failures.kept().iter().rfind(|failure| failure.service() == Some(name));
        let stage = failed.map_or(Stage::Run, Failure::stage);
        let failure = Failure::new(Some(name), stage, false, error);
        tracing::error!(target: "group", service = failure.service(), "{}", Chain(&failure));
        self.failures.push(failure);
    }

    /// Writes down that a handler of a service panicked. The service goes on.
    pub(crate) fn handler_panicked(&mut self, member: &Member, error: BoxError) {
        self.failures.push(Failure::new(Some(name(member)), Stage::Run, false, error));
    }

    /// Writes down that a service failed to reload; it keeps its old state.
    pub(crate) fn reload_failed(&mut self, failure: Failure) {
        tracing::error!(target: "group", service = failure.service(), "{}; it keeps its old state", Chain(&failure));
        self.failures.push(failure);
    }

    /// Writes down what went wrong after the last service was gone.
    pub(crate) fn blame_at_the_end(&mut self, member: Option<&Member>, error: BoxError) {
        let fatal = member.is_none_or(|member| member.spec.rules.critical);
        let failure = Failure::new(member.map(name), Stage::Stop, fatal, error);
        tracing::error!(target: "group", service = failure.service(), "{}", Chain(&failure));
        self.failures.push(failure);
    }

    /// The group's own words for what a service has no error for.
    fn explain(&self, fault: Fault, members: &[Member]) -> String {
        let entry = fault.id.map(|id| &self.services[id]);
        let since = |moment: Option<Moment>| Took(since(moment, self.now()));
        let launched = since(entry.and_then(Entry::started));
        let all_asked = self.stopping.as_ref().map(|(asked, _)| *asked);
        let asked = since(entry.and_then(|entry| entry.times.stop_asked).or(all_asked));
        match fault.kind {
            FaultKind::Error => "it failed without an error".to_owned(),
            FaultKind::EndedBeforeReady => "it ended before it was ready".to_owned(),
            FaultKind::EndedUnexpectedly => "ended unexpectedly: it should run until it is stopped".to_owned(),
            FaultKind::NeedFailed => "what it needs has failed".to_owned(),
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
                Took(self.budget.total()),
                self.survivors(members)
            ),
        }
    }

    /// Writes down a signal that the driver has not heard, because it was given no thread.
    pub(crate) fn must_stop(&mut self, signal: i32, at: Moment, members: &[Member]) {
        if self.stopping.is_none() {
            self.at(at);
            self.stopping(Reason::Signal(signal), members);
        }
    }

    /// Blames every service that is left, when nothing else can be done about them.
    pub(crate) fn blame_survivors(&mut self, members: &[Member]) {
        if !self.services.iter().any(Entry::is_left) {
            let was_launched = |entry: &Entry| entry.times.launched.is_some();
            let error = if self.services.iter().any(was_launched) {
                "what was provided to the services is still being dropped"
            } else {
                "nothing was started yet: something else blocks every thread of the runtime"
            };
            self.blame_at_the_end(None, error.into());
        }
        for (id, member) in members.iter().enumerate().rev() {
            if self.services[id].is_left() {
                let fault = Fault { id: Some(id), stage: Stage::Stop, kind: FaultKind::Abandoned, fatal: true };
                let innocent = || "it could not be stopped: something else blocks every thread of the runtime".into();
                self.blame(fault, (!member.is_polled()).then(innocent), members);
                self.enter(id, member, State::Gone);
            }
        }
    }

    /// Who is left, and what it is doing.
    fn survivors(&self, members: &[Member]) -> String {
        let left = self.services.iter().zip(members).rev().filter(|(entry, _)| entry.is_left());
        let named: Vec<String> = left
            .map(|(entry, member)| match entry.times.stop_asked {
                Some(_) => {
                    format!("`{}` stopping for {}", name(member), Took(since(entry.times.stop_asked, self.now())))
                }
                None => format!("`{}` not asked yet", name(member)),
            })
            .collect();
        named.join(", ")
    }

    /// The last words.
    pub(crate) fn report(&mut self, outcome: GroupEnd, members: &[Member], plan: &Arc<Plan>) -> Report {
        let outcome = match outcome {
            GroupEnd::Clean if self.failures.kept().iter().any(Failure::is_fatal) => GroupEnd::RunFailed,
            outcome => outcome,
        };
        let services = self.services.iter().zip(members).map(|(entry, member)| service_report(entry, member));
        let report = Report::new(
            outcome.into(),
            services.collect(),
            self.failures.clone(),
            self.now().into(),
            self.stopping.as_ref().map(|(asked, cause)| ((*asked).into(), cause.clone())),
            self.exit_code,
            Arc::clone(plan),
        );
        self.phase = Phase::Stopped;
        self.tell(|| Event::GroupStopped);
        if report.is_clean() {
            tracing::info!(target: "group", exit_code = report.exit_code(), "{}", report.summary());
        } else {
            tracing::error!(target: "group", exit_code = report.exit_code(), "{}", report.summary());
        }
        report
    }
}

fn service_report(entry: &Entry, member: &Member) -> ServiceReport {
    ServiceReport {
        name: member.spec.name.clone(),
        times: entry.times,
        stopped: member.stopped.get(),
        ending: entry.ending,
        rest: rest(entry, member),
    }
}

/// What there is to tell of a service besides its times.
fn rest(entry: &Entry, member: &Member) -> Option<Box<Rest>> {
    let (addr, messages, drain) = (member.addr(), member.messages(), member.drain());
    if entry.restarts.is_none() && addr.is_none() && messages.is_none() && drain.is_none() {
        return None;
    }
    let last_restarts = entry.restarts.iter().flat_map(|restarts| &restarts.last);
    Some(Box::new(Rest {
        addr,
        restarts: entry.restart_count(),
        last_restarts: last_restarts.map(|&restarted| restarted.into()).collect(),
        messages,
        drain,
    }))
}

/// Of the end of a delay, the cause is what it began with.
fn cause(reason: Reason, members: &[Member]) -> Option<StopReason> {
    Some(match reason {
        Reason::Signal(signal) => StopReason::Signal(signal),
        Reason::Asked => StopReason::Asked,
        Reason::Completed => StopReason::Completed,
        Reason::Failed(id) => StopReason::Failed(name(&members[id]).to_owned()),
        Reason::Quiet | Reason::DelayOver => return None,
    })
}

fn name(member: &Member) -> &str {
    member.spec.get_name()
}

fn since(moment: Option<Moment>, now: Moment) -> Duration {
    moment.map_or(Duration::ZERO, |moment| now.since(moment))
}
