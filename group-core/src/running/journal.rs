//! Keeps what happened in a group and when, for the report and the status, and publishes it to subscribers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;
use tracing::Level;

use crate::base::clock::{Moment, Times};
use crate::base::error::{BoxError, Failure, Failures};
use crate::base::text::{Took, count};
use crate::lifecycle::budget::Budget;
use crate::lifecycle::interface::{ByHand, GroupEnd, Id, Problem, ProblemKind, Reason, Stage};
use crate::lifecycle::plan::Plan;
use crate::record::counts::Jobs;
use crate::record::event::{BACKLOG, Event, StopReason};
use crate::record::report::{End, Report, SLOW_START, SLOW_STOP};
use crate::record::report_file::ReportFile;
use crate::record::service_report::{Ending, Rest, ServiceReport};
use crate::record::service_status::Restarted;
use crate::record::state::{Phase, State};
use crate::running::jobs::RunningJobs;
use crate::running::journal::recent::{Happened, Recent};
use crate::running::log;
use crate::running::member::Member;
use crate::running::members::Members;
use crate::running::outbox::Outbox;
use crate::running::server::listed;
use crate::spec::Spec;
use crate::spec::name::Name;

mod recent;
mod status;

/// The number of restarts of a service that are kept with their times; earlier ones are only counted.
const RESTARTS: usize = 32;

/// A stop or a reload that takes longer than this is mentioned in the log; of a start, one that takes [`SLOW_START`].
pub(crate) const PATIENCE: Duration = SLOW_STOP;

/// A service that fails within this time of a stop signal, before it or after, fails because of the signal: Ctrl-C, and
/// many supervisors, signal the child processes of a service, too. Those die within some milliseconds.
const ONE_CAUSE: Duration = Duration::from_millis(100);

/// The journal of one group. Each method that writes keeps one thing, publishes it to the subscribers, and has it logged
/// where an operator needs to know it. Both are done by the [`Outbox`], once the journal is unlocked.
///
/// The kinds of its methods, each in the order in which they are called:
///
/// - the clock: `at`, before each write, sets the moment of all that is written next; `now`.
/// - reads, at any time: `state`, `ready_for`, `status`, `reloads`, `is_over`, `subscribe`.
/// - a service: `launched`, `built`, `ready`. Then `completed`; or, after a failure, `backing_off` and `restarted` (and
///   `ready` again), or `too_often`, or `lost`. At last `stop_asked`, maybe `aborted`, `gone`. All the
///   while `still_waiting`, when it is due.
/// - the group: `group_ready`; `reloading` and `reloaded` in pairs; maybe `exit_with`; maybe `lame_duck`; `stopping`;
///   `report`.
/// - failures: `blame`, before the step that follows from it, and then `also_failed`; `handler_panicked` and
///   `reload_failed`, at any time; `blame_at_the_end`, after the last `gone`.
/// - the watchdog, when the driver is stuck: maybe `must_stop`; `blame_survivors`; `report`.
pub(crate) struct Journal {
    /// Set if the group is a service of another one.
    around: Option<Around>,
    /// When the outermost group got a stop signal.
    signal_outside: Option<Moment>,
    begun: Instant,
    /// When the thing happened that is being written down: one moment for all that an event leads to.
    moment: Moment,
    /// When [`still_waiting`](Self::still_waiting) looked last.
    looked: Moment,
    budget: Budget,
    phase: Phase,
    services: Vec<Entry>,
    /// The time at which every service was ready.
    all_ready: Option<Moment>,
    stopping: Option<(Moment, StopReason)>,
    /// True if the group stops because a limit was passed.
    is_past_limit: bool,
    /// The time at which the last service was gone, if the group has waited after that.
    ended: Option<Moment>,
    /// The number of tasks of no service that are left at the end.
    detached: usize,
    exit_code: Option<u8>,
    /// The number of reloads that have begun.
    reloads: u64,
    /// What went wrong first in the last reload.
    reload_failure: Option<Failure>,
    failures: Failures,
    /// How the group would end if no more went wrong.
    so_far: GroupEnd,
    report: Option<Report>,
    recent: Recent,
    report_file: ReportFile,
    /// Made by the first subscription.
    events: Option<broadcast::Sender<Event>>,
    /// The lines and events that are published once the journal is unlocked.
    pub(super) outbox: Outbox,
}

/// The part of a report that is of the services inside of another one, which is a group.
pub(crate) struct Inside {
    pub(super) id: Id,
    pub(super) services: Vec<ServiceReport>,
    pub(super) failures: Failures,
}

/// The group around another one, as the journal of that sees it.
pub(crate) struct Around {
    /// The service that the inner group is.
    pub(super) name: Name,
    /// Tells the outer journal in which state a service is.
    pub(super) tell: Arc<Tell>,
}

/// Takes the name of a service, and the state that it has come into.
type Tell = dyn Fn(&str, State) + Send + Sync;

/// One service.
#[derive(Clone, Default)]
struct Entry {
    state: State,
    /// When it came into this state; `None` for the first one.
    since: Option<Moment>,
    ending: Ending,
    times: Times,
    restarts: Option<Box<RestartLog>>,
}

/// The restarts of a service that failed.
#[derive(Clone, Default)]
struct RestartLog {
    count: u64,
    last: VecDeque<Restarted>,
    /// When `start` had ended that is to run again.
    ended: Option<Moment>,
    /// When the next restart is due, while the service waits for it.
    next: Option<Moment>,
}

/// A step of a service that may take too long.
struct Step {
    /// The step as the log words it: `stop`.
    name: &'static str,
    since: Option<Moment>,
    /// The log mentions the step after this time.
    patience: Duration,
    /// The setting that limits the step.
    setting: &'static str,
    limit: Duration,
}

impl Entry {
    /// Returns true if the service was launched, and is not gone.
    fn is_left(&self) -> bool {
        self.times.launched.is_some() && self.times.gone.is_none()
    }

    /// The time of the last run of `start`.
    fn started(&self) -> Option<Moment> {
        let restarted = self.restarts.as_ref().and_then(|restarts| restarts.last.back());
        restarted.map(|restarted| restarted.started).or(self.times.launched)
    }

    fn restart_count(&self) -> u64 {
        self.restarts.as_ref().map_or(0, |restarts| restarts.count)
    }

    /// The step that the group waits for, if it does.
    fn step(&self, spec: &Spec) -> Option<Step> {
        let (name, since, patience, setting, limit) = match self.state {
            State::Building => ("be built", self.started(), SLOW_START, "start_timeout", spec.start_limit()),
            State::Starting => ("be ready", self.started(), SLOW_START, "start_timeout", spec.start_limit()),
            State::Stopping => ("stop", self.times.stop_asked, PATIENCE, "stop_timeout", spec.stop_limit()),
            _ => return None,
        };
        Some(Step { name, since, patience, setting, limit })
    }
}

impl Journal {
    pub(crate) fn new(services: usize, begun: Instant, budget: Budget, report_file: ReportFile) -> Self {
        Self {
            around: None,
            signal_outside: None,
            begun,
            moment: Moment::FIRST,
            looked: Moment::FIRST,
            budget,
            phase: Phase::Starting,
            services: vec![Entry::default(); services],
            all_ready: None,
            stopping: None,
            is_past_limit: false,
            ended: None,
            detached: 0,
            exit_code: None,
            reloads: 0,
            reload_failure: None,
            failures: Failures::default(),
            so_far: GroupEnd::Clean,
            report: None,
            recent: Recent::default(),
            report_file,
            events: None,
            outbox: Outbox::default(),
        }
    }

    /// The journal of a group that is a service of another one.
    pub(crate) fn inside(self, around: Around) -> Self {
        Self { around: Some(around), ..self }
    }

    /// The journal of the next life of this group, which is over. It keeps what went wrong, and counts the restarts.
    pub(crate) fn of_next_life(&self, around: Around) -> Self {
        let now = self.now();
        let mut failures = self.failures.clone();
        failures.survive();
        let waiting = |entry: &Entry| Entry { state: State::Waiting, since: Some(now), ..entry.clone() };
        Self {
            around: Some(around),
            services: self.services.iter().map(waiting).collect(),
            failures,
            recent: self.recent.clone(),
            ..Self::new(self.services.len(), self.begun, self.budget, self.report_file.clone())
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(self.begun)
    }

    /// Sets the time to stop, which the outer group leaves to this one.
    pub(crate) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Sets the moment of all that is written next.
    pub(crate) fn at(&mut self, moment: Moment) {
        self.moment = moment;
    }

    /// Keeps something that has happened, and tells the subscribers of it.
    fn publish(&mut self, happened: Happened, event: impl FnOnce() -> Event) {
        self.recent.keep(self.moment, happened);
        if let Some(events) = &self.events
            && events.receiver_count() > 0
        {
            let (events, event) = (events.clone(), event());
            // Fails when the last receiver was dropped meanwhile.
            self.outbox.put(move |_| drop(events.send(event)));
        }
    }

    fn enter(&mut self, id: Id, spec: &Spec, state: State) {
        let entry = &mut self.services[id];
        if std::mem::replace(&mut entry.state, state) == state {
            return;
        }
        entry.since = Some(self.moment);
        if let (Some(restarts), true) = (&mut entry.restarts, state != State::Restarting) {
            restarts.next = None;
        }
        self.publish(Happened::Service(id, state), || Event::Service { name: spec.get_name().to_owned(), state });
        if let Some(Around { tell, .. }) = &self.around {
            let tell = Arc::clone(tell);
            self.outbox.put(move |members| tell(members.spec(id).get_name(), state));
        }
    }

    /// A service inside of another one came into this state.
    pub(crate) fn told_inside(&mut self, service: &str, state: State) {
        self.at(self.now());
        let name = || service.to_owned();
        self.publish(Happened::Inside(service.into(), state), || Event::Service { name: name(), state });
        if let Some(Around { tell, .. }) = &self.around {
            let (tell, name) = (Arc::clone(tell), name());
            self.outbox.put(move |_| tell(&name, state));
        }
    }
}

/// Reads.
impl Journal {
    /// The last failure of a service.
    pub(crate) fn last_failure(&self, service: &str) -> Failure {
        let failed = self.failures.kept().iter().rfind(|failure| failure.service() == Some(service));
        // So many failures came later that it is not kept.
        failed.cloned().unwrap_or_else(|| Failure::new(Some(service), Stage::Start, false, "it failed".into()))
    }

    pub(crate) fn state(&self, id: Id) -> State {
        self.services[id].state
    }

    /// For how long a service has been ready. Zero if it is not.
    pub(crate) fn ready_for(&self, id: Id) -> Duration {
        let entry = &self.services[id];
        if entry.state == State::Ready { since(entry.times.ready, self.now()) } else { Duration::ZERO }
    }

    /// The number of reloads that have begun, and what went wrong first in the last one.
    #[cfg_attr(
        not(all(feature = "systemd", target_os = "linux")),
        expect(dead_code, reason = "only a service manager asks")
    )]
    pub(crate) fn reloads(&self) -> (u64, Option<Failure>) {
        (self.reloads, self.reload_failure.clone())
    }

    /// Returns true once a service was launched, or the group is over.
    pub(crate) fn is_launched(&self) -> bool {
        self.is_over() || self.services.iter().any(|entry| entry.state != State::Waiting)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Stopped
    }

    pub(crate) fn subscribe(&mut self) -> broadcast::Receiver<Event> {
        self.events.get_or_insert_with(|| broadcast::Sender::new(BACKLOG)).subscribe()
    }
}

/// A service.
impl Journal {
    pub(crate) fn launched(&mut self, id: Id, spec: &Spec) {
        let entry = &mut self.services[id];
        if entry.times.launched.is_none() {
            entry.times.launched = Some(self.moment);
        } else {
            let asked = entry.times.stop_asked.take();
            entry.times.gone = None;
            self.begin_again(id, asked);
        }
        self.enter(id, spec, State::Building);
        self.outbox.log(Level::DEBUG, move |members| log::building(title(members.spec(id))));
    }

    pub(crate) fn built(&mut self, id: Id, spec: &Spec) {
        let now = self.moment;
        let entry = &mut self.services[id];
        entry.times.built.get_or_insert(now);
        if entry.ending == Ending::NeverBuilt {
            entry.ending = Ending::Stopped;
        }
        if entry.state == State::Building {
            self.enter(id, spec, State::Starting);
        }
    }

    pub(crate) fn ready(&mut self, id: Id, spec: &Spec) {
        let now = self.moment;
        let entry = &mut self.services[id];
        let took = since(entry.started(), now);
        entry.times.ready = Some(now);
        entry.times.first_ready.get_or_insert(now);
        if let Some(restarted) = entry.restarts.as_mut().and_then(|restarts| restarts.last.back_mut()) {
            restarted.ready = Some(now);
        }
        self.enter(id, spec, State::Ready);
        self.outbox.log(Level::INFO, move |members| log_ready(&members.get(id), took));
    }

    /// Logs each step that takes long and may go on, once. Returns the time until the next look is due.
    pub(crate) fn still_waiting(&mut self, members: &Members) -> Duration {
        let (now, looked) = (self.moment, std::mem::replace(&mut self.looked, self.moment));
        let mut next = PATIENCE;
        for (id, (entry, member)) in self.services.iter().zip(members.iter()).enumerate() {
            let Some(step) = entry.step(&member.spec) else { continue };
            let waited = since(step.since, now);
            let left = step.patience.saturating_sub(waited);
            if !left.is_zero() {
                next = next.min(left);
            } else if since(step.since, looked) < step.patience && step.patience < step.limit {
                self.outbox.log(Level::INFO, move |members| log_still_waiting(&members.get(id), &step, waited));
            }
        }
        next
    }

    pub(crate) fn completed(&mut self, id: Id, spec: &Spec) {
        self.services[id].ending = Ending::Completed;
        self.enter(id, spec, State::Completed);
        self.outbox.log(Level::INFO, move |members| log::completed(title(members.spec(id))));
    }

    pub(crate) fn backing_off(&mut self, id: Id, spec: &Spec, wait: Duration, nth: u32) {
        let restarts = self.services[id].restarts.get_or_insert_default();
        (restarts.ended, restarts.next) = (Some(self.moment), Some(self.moment.after(wait)));
        self.enter(id, spec, State::Restarting);
        self.outbox.log(Level::WARN, move |members| {
            let policy = members.spec(id).details().restart.policy;
            log::restarting(title(members.spec(id)), wait, nth, policy.max, policy.within);
        });
    }

    pub(crate) fn restarted(&mut self, id: Id, spec: &Spec) {
        let ended = self.services[id].restarts.as_ref().and_then(|restarts| restarts.ended);
        self.begin_again(id, ended);
        self.enter(id, spec, State::Starting);
    }

    /// Counts a restart, by policy or by hand.
    fn begin_again(&mut self, id: Id, ended: Option<Moment>) {
        let now = self.moment;
        let entry = &mut self.services[id];
        let restarts = entry.restarts.get_or_insert_default();
        restarts.count += 1;
        if restarts.last.len() == RESTARTS {
            restarts.last.pop_front();
        }
        restarts.last.push_back(Restarted { ended: ended.unwrap_or(now), started: now, ready: None });
        entry.ending = Ending::Stopped;
    }

    /// The service was restarted as often as it may be.
    pub(crate) fn too_often(&mut self, id: Id) {
        self.outbox.log(Level::WARN, move |members| {
            let policy = members.spec(id).details().restart.policy;
            log::giving_up(title(members.spec(id)), policy.max, policy.within);
        });
    }

    /// The group goes on without the service.
    pub(crate) fn lost(&mut self, id: Id, spec: &Spec) {
        self.enter(id, spec, State::Failed);
        self.outbox.log(Level::WARN, move |members| log::degraded(title(members.spec(id))));
    }

    /// The service was stopped by hand, or along with another one.
    pub(crate) fn down(&mut self, id: Id, spec: &Spec) {
        self.end(id, spec, State::Stopped);
    }

    /// The service comes back, after what it comes after.
    pub(crate) fn waits(&mut self, id: Id, spec: &Spec) {
        self.enter(id, spec, State::Waiting);
    }

    pub(crate) fn stop_asked(&mut self, id: Id, spec: &Spec) {
        self.services[id].times.stop_asked = Some(self.moment);
        self.enter(id, spec, State::Stopping);
        self.outbox.log(Level::DEBUG, move |members| log::asked_to_stop(title(members.spec(id))));
    }

    pub(crate) fn aborted(&mut self, id: Id) {
        self.services[id].ending = Ending::Aborted;
    }

    pub(crate) fn gone(&mut self, id: Id, spec: &Spec) {
        self.end(id, spec, State::Gone);
    }

    fn end(&mut self, id: Id, spec: &Spec, state: State) {
        let now = self.moment;
        let entry = &mut self.services[id];
        let was_there = entry.is_left();
        if was_there {
            entry.times.gone = Some(now);
        }
        let (ending, took) = (entry.ending, since(entry.times.stop_asked, now));
        self.enter(id, spec, state);
        let level = match ending {
            // It waited to be built again.
            _ if !was_there => return,
            Ending::NeverBuilt => Level::DEBUG,
            Ending::Aborted | Ending::Abandoned => Level::WARN,
            Ending::Stopped | Ending::Completed | Ending::Failed => Level::INFO,
        };
        self.outbox.log(level, move |members| log_gone(members.spec(id), ending, took));
    }
}

/// The group.
impl Journal {
    pub(crate) fn group_ready(&mut self) {
        self.phase = Phase::Running;
        self.all_ready = Some(self.moment);
        self.publish(Happened::Ready, || Event::GroupReady);
        let took = self.moment.into();
        match self.services.len() {
            0 => self.outbox.log(Level::WARN, |_| log::no_services()),
            // The service's own line says it, as does that of the group as a service.
            1 => {}
            _ if self.around.is_some() => {}
            all => self.outbox.log(Level::INFO, move |_| log::all_ready(all, took)),
        }
    }

    /// Has something logged that changes nothing.
    pub(crate) fn mention(&mut self, line: impl FnOnce() + Send + 'static) {
        self.outbox.log(Level::DEBUG, move |_| line());
    }

    /// A request about one service was made by hand, and is not refused.
    pub(crate) fn asked_by_hand(&mut self, id: Id, what: ByHand) {
        self.outbox.log(Level::INFO, move |members| log::asked_by_hand(title(members.spec(id)), what));
    }

    pub(crate) fn reloading(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Reloading;
            self.reloads += 1;
            self.reload_failure = None;
            self.publish(Happened::Reloading, || Event::GroupReloading);
        }
    }

    pub(crate) fn reloaded(&mut self) {
        if self.phase == Phase::Reloading {
            self.phase = Phase::Running;
            self.publish(Happened::Reloaded, || Event::GroupReloaded);
        }
    }

    /// Sets the exit code of a clean end. The first code counts.
    pub(crate) fn exit_with(&mut self, code: u8) {
        self.exit_code.get_or_insert(code);
    }

    /// A stop was asked for, and new requests are still served for a while.
    pub(crate) fn lame_duck(&mut self, reason: Reason, members: &Members) {
        self.ask_to_stop(Phase::LameDuck, reason, members);
        let (why, delay, quiet) = (self.why(reason, members), self.budget.delay(), self.budget.quiet());
        let by_signal = matches!(reason, Reason::Signal(_));
        self.outbox.log(Level::INFO, move |_| log::lame_duck(&why, by_signal, delay, quiet));
    }

    pub(crate) fn stopping(&mut self, reason: Reason, members: &Members) {
        let by_signal = self.stopping.is_none() && matches!(reason, Reason::Signal(_));
        // A delay before the stop has used up some of the time.
        let within = self.budget.total().saturating_sub(self.stopping_for());
        self.ask_to_stop(Phase::Stopping, reason, members);
        // To put a stop into words is to look at every service.
        if self.outbox.reads(Level::INFO) {
            self.log_stopping(reason, by_signal, within, members);
        }
        for (id, spec) in (0..self.services.len()).map(|id| (id, members.spec(id))).rev() {
            let entry = &self.services[id];
            if entry.times.launched.is_none() || matches!(entry.state, State::Waiting | State::Stopped) {
                self.enter(id, spec, State::Gone);
            }
        }
    }

    fn log_stopping(&mut self, reason: Reason, by_signal: bool, within: Duration, members: &Members) {
        let built = self.services.iter().filter(|entry| entry.is_left() && entry.times.built.is_some()).count();
        let building = self.services.iter().filter(|entry| entry.state == State::Building).count();
        // The outer group has written that it stops.
        if self.around.is_some() && reason == Reason::Asked {
            return;
        }
        let why = self.why(reason, members);
        let cause = self.stopping.as_ref().map_or_else(|| why.clone(), |(_, reason)| reason.to_string());
        let why = self.around.as_ref().map_or_else(|| why.clone(), |around| format!("{}: {why}", around.name));
        self.outbox.put(move |_| log::stopping(&why, &cause, by_signal, built, building, within));
    }

    /// For how long a stop signal may still come that explains why the group stops.
    pub(crate) fn awaits_signal(&self) -> Duration {
        match self.stopping {
            Some((_, StopReason::Failed(_))) if !self.is_past_limit => ONE_CAUSE.saturating_sub(self.stopping_for()),
            _ => Duration::ZERO,
        }
    }

    /// The last service is gone. What is waited for from now on is no part of the group's time.
    pub(crate) fn all_gone(&mut self) {
        self.ended = Some(self.moment);
    }

    /// Returns false if a task of a service is left, because it blocks its thread.
    pub(crate) fn knows_whose_tasks_are_left(&self) -> bool {
        !self.services.iter().any(|entry| entry.is_left() || entry.ending == Ending::Abandoned)
    }

    /// So many tasks are left, which no service owns.
    pub(crate) fn detached(&mut self, tasks: usize) {
        self.detached = tasks;
    }

    /// A stop signal has come. If the group has just begun to stop because a service failed, the signal is why.
    pub(crate) fn signalled(&mut self, signal: i32) {
        let (awaited, after) = (self.awaits_signal(), self.stopping_for());
        let Some((_, reason)) = self.stopping.as_mut().filter(|_| !awaited.is_zero()) else { return };
        let failed = std::mem::replace(reason, StopReason::Signal(signal));
        self.failures.excuse();
        self.so_far = GroupEnd::Clean;
        self.outbox.log(Level::INFO, move |_| log::signal_explains(&StopReason::Signal(signal), &failed, after));
    }

    /// The outermost group got a stop signal, which may explain what fails here.
    pub(crate) fn signalled_outside(&mut self, signal: i32) {
        self.at(self.now());
        self.signal_outside.get_or_insert(self.moment);
        self.signalled(signal);
    }

    /// Returns true if a stop signal that has just come explains this.
    fn is_explained(&self, problem: Problem, members: &Members) -> bool {
        let was_asked =
            problem.stage == Stage::Stop && problem.id.is_none_or(|id| !members.get(id).has_failed_unasked());
        let outside = self.signal_outside.is_some_and(|at| self.moment.since(at) <= ONE_CAUSE);
        let by_signal = matches!(self.stopping, Some((_, StopReason::Signal(_)))) && self.stopping_for() <= ONE_CAUSE;
        let by_signal = by_signal || outside;
        by_signal && !was_asked && !is_past_limit(problem.kind)
    }

    /// Keeps the first reason, which is why the group stops; later ones only end a delay.
    fn ask_to_stop(&mut self, phase: Phase, reason: Reason, members: &Members) {
        self.phase = phase;
        if let (None, Some(reason)) = (&self.stopping, stop_reason(reason, members)) {
            self.stopping = Some((self.moment, reason.clone()));
            self.publish(Happened::Stopping, || Event::GroupStopping(reason));
        }
    }

    /// The time since the request to stop.
    fn stopping_for(&self) -> Duration {
        self.stopping.as_ref().map_or(Duration::ZERO, |(asked, _)| self.moment.since(*asked))
    }

    fn why(&self, reason: Reason, members: &Members) -> String {
        match (stop_reason(reason, members), reason) {
            (Some(reason), _) => reason.to_string(),
            (None, Reason::Quiet) => format!("no requests for {}", Took(self.budget.quiet().unwrap_or_default())),
            (None, _) => format!("drain_delay of {} is over", Took(self.budget.delay())),
        }
    }

    /// The file that the report is written to.
    pub(crate) fn report_file(&self) -> ReportFile {
        self.report_file.clone()
    }

    /// The report, once it is made.
    pub(crate) fn ended(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Makes the report. Nothing is written after that.
    pub(crate) fn report(
        &mut self,
        outcome: GroupEnd,
        members: &Members,
        plan: &Arc<Plan>,
        inside: &[Inside],
    ) -> Report {
        let has_failed = self.failures.kept().iter().any(Failure::is_fatal);
        let outcome = match outcome {
            // Something was aborted inside of a service that is a group, before anything else went wrong.
            GroupEnd::Clean | GroupEnd::RunFailed if has_failed && self.so_far == GroupEnd::UncleanStop => {
                GroupEnd::UncleanStop
            }
            GroupEnd::Clean if has_failed => GroupEnd::RunFailed,
            // Every failure is excused: a signal was the cause.
            GroupEnd::RunFailed | GroupEnd::StartFailed if !has_failed => GroupEnd::Clean,
            outcome => outcome,
        };
        for member in members.iter() {
            if let Some(drain) = member.unreported() {
                let (name, cut) = (title(&member.spec).clone(), member.cut());
                self.outbox.log(Level::WARN, move |_| log::drained(name.as_str(), drain, &cut));
            }
        }
        let (services, places) = self.service_reports(members, inside);
        let end = End {
            outcome: outcome.into(),
            at: self.ended.unwrap_or_else(|| self.now()).into(),
            stopping: self.stopping.as_ref().map(|(asked, reason)| ((*asked).into(), reason.clone())),
            exit_code: self.exit_code,
            detached: self.detached,
        };
        let failures = self.all_failures(members, inside);
        let report = Report::new(end, services, failures, Arc::clone(plan)).with_places(places);
        self.report = Some(report.clone());
        self.phase = Phase::Stopped;
        self.publish(Happened::Stopped, || Event::GroupStopped);
        let (said, file) = (report.clone(), self.report_file.clone());
        self.outbox.put(move |_| file.write(&said));
        // Of a group inside of another one, the line of the service says it.
        if self.around.is_none() {
            let said = report.clone();
            self.outbox.log(Level::ERROR, move |_| log::ended(&said));
        }
        report
    }

    /// The reports of all services, each that is a group before those inside of it, and the place of each service of this group
    /// among them.
    pub(super) fn service_reports(&self, members: &Members, inside: &[Inside]) -> (Vec<ServiceReport>, Vec<usize>) {
        let (mut reports, mut places) = (Vec::with_capacity(members.len()), Vec::with_capacity(members.len()));
        let mut inside = inside.iter().peekable();
        for (id, (entry, member)) in self.services.iter().zip(members.iter()).enumerate() {
            places.push(reports.len());
            reports.push(service_report(entry, &member));
            if let Some(inside) = inside.next_if(|inside| inside.id == id) {
                reports.extend(inside.services.iter().cloned());
            }
        }
        (reports, places)
    }

    /// All failures, also those of the services inside of others. The first cause of a group that failed as a service is said by
    /// that failure.
    pub(super) fn all_failures(&self, members: &Members, inside: &[Inside]) -> Failures {
        let mut all = self.failures.clone();
        for Inside { id, failures, .. } in inside {
            let name = members.spec(*id).get_name();
            let of_it: Vec<&Failure> =
                self.failures.kept().iter().filter(|failure| failure.service() == Some(name)).collect();
            let is_fatal = of_it.iter().any(|failure| failure.is_fatal());
            for failure in failures.kept().iter().filter(|inside| !of_it.iter().any(|failure| failure.tells(inside))) {
                // The one that is forgotten for it is kept where it was.
                drop(all.push(if is_fatal { failure.clone() } else { failure.survived() }));
            }
        }
        all
    }
}

/// Failures.
impl Journal {
    /// Writes down a failure. `error` is the service's own, if there is one.
    pub(crate) fn blame(&mut self, problem: Problem, error: Option<BoxError>, members: &Members) {
        let error = error.unwrap_or_else(|| self.explain(problem, members).into());
        if let Some(id) = problem.id {
            let entry = &mut self.services[id];
            entry.ending = match (problem.kind, problem.stage) {
                (ProblemKind::Abandoned, _) => Ending::Abandoned,
                (ProblemKind::StopTimeout, _) => Ending::Aborted,
                // A panic in the destructor of an aborted service does not change its ending.
                _ if entry.ending == Ending::Aborted => Ending::Aborted,
                _ if entry.times.built.is_none() => Ending::NeverBuilt,
                _ => Ending::Failed,
            };
        }
        if let (Some(id), true, Stage::Build | Stage::Start | Stage::Run) = (problem.id, problem.fatal, problem.stage) {
            self.enter(id, members.spec(id), State::Failed);
        }
        let service = problem.id.map(|id| members.spec(id).get_name());
        let fatal = problem.fatal && !self.is_explained(problem, members);
        self.is_past_limit |= fatal && is_past_limit(problem.kind);
        if fatal && self.so_far == GroupEnd::Clean {
            self.so_far = match self.phase {
                Phase::Starting => GroupEnd::StartFailed,
                Phase::Stopping if problem.kind.is_limit() => GroupEnd::UncleanStop,
                _ => GroupEnd::RunFailed,
            };
        }
        let failure = Failure::new(service, problem.stage, fatal, error);
        self.keep(failure, if fatal { log::failed } else { log::survived });
    }

    /// Keeps a failure, and has it logged with these words. A failure that is forgotten for it is dropped outside of the
    /// lock.
    fn keep(&mut self, failure: Failure, words: fn(&Failure)) {
        let said = failure.clone();
        self.outbox.log(Level::ERROR, move |_| words(&said));
        self.keep_silently(failure);
    }

    fn keep_silently(&mut self, failure: Failure) {
        if let Some(forgotten) = self.failures.push(failure) {
            self.outbox.put(move |_| drop(forgotten));
        }
    }

    /// Writes down a failure of a service besides the one for which it has just been blamed.
    pub(crate) fn also_failed(&mut self, spec: &Spec, error: BoxError) {
        let name = spec.get_name();
        let failed = self.failures.kept().iter().rfind(|failure| failure.service() == Some(name));
        let stage = failed.map_or(Stage::Run, Failure::stage);
        self.keep(Failure::new(Some(name), stage, false, error), log::failed);
    }

    /// Writes down that a job of a service failed, or a run of a ticker. The service goes on.
    pub(crate) fn survived(&mut self, spec: &Spec, error: BoxError) {
        self.keep(Failure::new(Some(spec.get_name()), Stage::Run, false, error), log::survived);
    }

    /// Writes down that something inside of a service was aborted, which has stopped itself.
    pub(crate) fn stopped_uncleanly(&mut self, spec: &Spec, error: BoxError) {
        let fatal = spec.rules.critical;
        if fatal && self.so_far == GroupEnd::Clean {
            self.so_far = GroupEnd::UncleanStop;
        }
        self.is_past_limit |= fatal;
        let failure = Failure::new(Some(spec.get_name()), Stage::Stop, fatal, error);
        self.keep(failure, if fatal { log::failed } else { log::survived });
    }

    /// Writes down that a handler of a service panicked. The server has logged it, and the service goes on.
    pub(crate) fn handler_panicked(&mut self, spec: &Spec, error: BoxError) {
        self.keep_silently(Failure::new(Some(spec.get_name()), Stage::Run, false, error));
    }

    /// Writes down that a service failed to reload; it keeps its old state.
    pub(crate) fn reload_failed(&mut self, failure: Failure) {
        self.reload_failure.get_or_insert_with(|| failure.clone());
        self.keep(failure, log::reload_failed);
    }

    /// Writes down a failure after the last service was gone.
    pub(crate) fn blame_at_the_end(&mut self, spec: Option<&Spec>, error: BoxError) {
        let fatal = spec.is_none_or(|spec| spec.rules.critical);
        self.keep(Failure::new(spec.map(Spec::get_name), Stage::Stop, fatal, error), log::failed);
    }

    /// Writes down a panic of code that the outbox has called, once: it may panic at each line.
    pub(super) fn listener_panicked(&mut self, error: &BoxError) {
        if self.outbox.is_first_panic() {
            let error = format!("what listens to the group {error}");
            self.keep_silently(Failure::new(None, Stage::Run, false, error.into()));
        }
    }

    /// The group's own words for a failure that comes without an error.
    fn explain(&self, problem: Problem, members: &Members) -> String {
        let entry = problem.id.map(|id| &self.services[id]);
        let since = |moment: Option<Moment>| Took(since(moment, self.now()));
        let launched = since(entry.and_then(Entry::started));
        let all_asked = self.stopping.as_ref().map(|(asked, _)| *asked);
        let asked = since(entry.and_then(|entry| entry.times.stop_asked).or(all_asked));
        match problem.kind {
            ProblemKind::Error => "it failed without an error".to_owned(),
            ProblemKind::EndedBeforeReady => "it ended before it was ready".to_owned(),
            ProblemKind::EndedUnexpectedly => "ended unexpectedly: it should run until it is stopped".to_owned(),
            ProblemKind::NeedFailed => "a service that it needs has failed".to_owned(),
            ProblemKind::StartTimeout if problem.stage == Stage::Build => {
                format!("`new` has not returned after {launched} (start_timeout)")
            }
            ProblemKind::StartTimeout => {
                let unfired = problem.id.and_then(|id| members.get(id).unfired());
                let why = unfired.map_or_else(String::new, |unfired| format!(": {unfired}"));
                format!("it is not ready after {launched} (start_timeout){why}")
            }
            ProblemKind::Aborted => format!("the program aborted what was left: {}", self.left(members).join(", ")),
            ProblemKind::StopTimeout => format!("it has not stopped after {asked} (stop_timeout), so it was aborted"),
            ProblemKind::Abandoned if problem.id.is_some_and(|id| members.spec(id).details().is_group) => {
                "a service inside of it could not be stopped".to_owned()
            }
            ProblemKind::Abandoned if problem.id.is_some_and(|id| !members.get(id).is_polled()) => {
                "it could not be stopped: something else blocks every thread of the runtime".to_owned()
            }
            ProblemKind::Abandoned => {
                format!("it blocks its thread, so it could not be aborted, {asked} after the request to stop")
            }
            ProblemKind::Deadline => format!(
                "the time to stop is almost up (stop_timeout of the group is {}): {}",
                Took(self.budget.total()),
                self.survivors(members)
            ),
        }
    }

    /// The names of the services that are left.
    fn left(&self, members: &Members) -> Vec<String> {
        let left = self.services.iter().zip(members.specs()).rev().filter(|(entry, _)| entry.is_left());
        left.map(|(_, spec)| format!("`{}`", spec.get_name())).collect()
    }

    /// The services that are left, and for how long each has been stopping.
    fn survivors(&self, members: &Members) -> String {
        let left = self.services.iter().zip(members.specs()).rev().filter(|(entry, _)| entry.is_left());
        let named: Vec<String> = left
            .map(|(entry, spec)| match entry.times.stop_asked {
                Some(asked) => format!("`{}` stopping for {}", spec.get_name(), Took(self.now().since(asked))),
                None => format!("`{}` not asked yet", spec.get_name()),
            })
            .collect();
        named.join(", ")
    }
}

/// The watchdog writes this when the driver is stuck.
impl Journal {
    /// Writes down a signal that the driver has not received, because it got no thread to run on.
    pub(crate) fn must_stop(&mut self, signal: i32, at: Moment, members: &Members) {
        if self.stopping.is_none() {
            self.at(at);
            self.stopping(Reason::Signal(signal), members);
        }
    }

    /// Returns true if a service is left.
    pub(crate) fn has_left(&self) -> bool {
        self.services.iter().any(Entry::is_left)
    }

    /// Blames every service that is left. They can neither be stopped nor aborted any more.
    pub(crate) fn blame_survivors(&mut self, members: &Members) {
        if !self.has_left() {
            let was_launched = |entry: &Entry| entry.times.launched.is_some();
            let error = if self.services.iter().any(was_launched) {
                "the values that were provided to the services are still being dropped"
            } else {
                "nothing was started yet: something else blocks every thread of the runtime"
            };
            self.blame_at_the_end(None, error.into());
        }
        for id in (0..self.services.len()).rev() {
            if self.services[id].is_left() {
                let problem = Problem { id: Some(id), stage: Stage::Stop, kind: ProblemKind::Abandoned, fatal: true };
                self.blame(problem, None, members);
                self.enter(id, members.spec(id), State::Gone);
            }
        }
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

/// The parts of a service's report that most services do not have.
fn rest(entry: &Entry, member: &Member) -> Option<Box<Rest>> {
    let (addr, messages, drain, cut) = (member.addr(), member.messages(), member.drain(), member.cut());
    let jobs = member.jobs().map(RunningJobs::counts).filter(|jobs| *jobs != Jobs::default());
    if entry.restarts.is_none() && addr.is_none() && messages.is_none() && drain.is_none() && jobs.is_none() {
        return None;
    }
    let last_restarts = entry.restarts.iter().flat_map(|restarts| &restarts.last);
    Some(Box::new(Rest {
        addr,
        restarts: entry.restart_count(),
        last_restarts: last_restarts.map(|restarted| restarted.started.into()).collect(),
        messages,
        jobs,
        drain,
        cut,
    }))
}

/// Why the group stops. `None` for the end of a delay: the request that began the delay is the reason.
fn stop_reason(reason: Reason, members: &Members) -> Option<StopReason> {
    Some(match reason {
        Reason::Signal(signal) => StopReason::Signal(signal),
        Reason::Asked => StopReason::Asked,
        Reason::Completed => StopReason::Completed,
        Reason::Failed(id) => StopReason::Failed(members.spec(id).get_name().to_owned()),
        Reason::Quiet | Reason::DelayOver => return None,
    })
}

fn log_ready(member: &Member, took: Duration) {
    let (name, details) = (title(&member.spec), member.spec.details());
    if let Some(host) = &details.http_on {
        log::ready_on_host(name, host.name().as_str(), details.prefix.as_deref().unwrap_or("/"), took);
    } else if let Some(addr) = member.addr() {
        log::ready_on_port(name, member.spec.scheme(), addr, took);
    } else if let Some(path) = details.http.as_deref().filter(|address| address.starts_with("unix:")) {
        log::ready_on_socket(name, path, took);
    } else {
        log::ready(name, took);
    }
}

fn log_still_waiting(member: &Member, step: &Step, waited: Duration) {
    let (connections, requests) = member.in_flight();
    let requests: Vec<String> = requests.into_iter().map(|request| request.name).collect();
    let requests = listed(&requests);
    let jobs = || Some(member.jobs()?.left()).filter(|&left| left > 0).map(|left| count(left, "job"));
    let what = match connections {
        0 => member.unfired().or_else(jobs).unwrap_or_default(),
        _ => in_flight(connections, &requests),
    };
    log::still_waiting(title(&member.spec), step.name, waited, step.setting, step.limit, connections, &what);
}

/// `2 connections in flight (GET /users/{id}, POST /users)`.
fn in_flight(connections: usize, requests: &str) -> String {
    let requests = if requests.is_empty() { String::new() } else { format!(" ({requests})") };
    format!("{} in flight{requests}", count(connections, "connection"))
}

fn log_gone(spec: &Spec, ending: Ending, took: Duration) {
    let log = match ending {
        Ending::NeverBuilt => return log::not_built(title(spec)),
        Ending::Aborted => log::aborted,
        Ending::Abandoned => log::abandoned,
        Ending::Stopped | Ending::Completed | Ending::Failed => log::stopped,
    };
    log(title(spec), took);
}

/// The name of a service as the log takes it.
fn title(spec: &Spec) -> &Name {
    &spec.name
}

/// No signal explains that a limit was passed: it may come because of that.
fn is_past_limit(kind: ProblemKind) -> bool {
    kind.is_limit() || kind == ProblemKind::StartTimeout
}

fn since(moment: Option<Moment>, now: Moment) -> Duration {
    moment.map_or(Duration::ZERO, |moment| now.since(moment))
}
