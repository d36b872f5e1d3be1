//! A pure state machine that decides what happens next in a group.
//!
//! Inputs go in, actions come out, both through [`Lifecycle::handle`]. There is no tokio here, no clock, no I/O and
//! no error text, so every order of inputs can be tried. The rules are the promises of `docs/design.md`, section 4;
//! `docs/lifecycle.md` draws the states.

pub(crate) mod budget;
mod by_hand;
pub(crate) mod interface;
pub(crate) mod plan;
pub(crate) mod restart;

// It visits very many states, so it is built apart: see `tests/model`.
#[cfg(all(test, lifecycle_model))]
mod check;

use std::sync::Arc;

use self::interface::{Action, Again, GroupEnd, Id, Input, Problem, ProblemKind, Reason, Role, Rules, Stage, Timer};
use self::plan::{Need, Plan};

/// The states of the group, in order. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum GroupState {
    /// [`Input::Begin`] has not come yet.
    Idle,
    /// Services are being built and started.
    Starting,
    /// Every service has been ready, or was given up.
    Running,
    /// A stop was asked for, but all services go on for a while, because load balancers still send clients here.
    LameDuck,
    /// Services are being stopped, each when all services that need it are gone.
    Stopping,
    /// The deadline has passed: all services that are left have been told to stop, in no order.
    LastGrace,
    /// No service is left. Nothing happens any more.
    Over,
}

/// The states of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ServiceState {
    /// A service that it comes after is not ready yet.
    Waiting,
    /// `new` runs.
    Building,
    /// `start` runs, and the service is not ready yet.
    Starting,
    /// `start` runs, and the service is ready.
    Ready,
    /// It ended or failed, and its `start` will run again.
    Backoff,
    /// `start` has returned as its role allows; the service waits for its turn to stop.
    Completed,
    /// It failed for good; it waits for its turn to stop.
    Failed,
    /// It has been told to stop.
    Stopping,
    /// It has been aborted.
    Aborting,
    /// Stopped by hand, or along with what it comes after; it may be built again.
    Down,
    /// Stopped and dropped, or never built.
    Gone,
}

/// One service, as the machine sees it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Slot {
    state: ServiceState,
    rules: Rules,
    /// The number of times that `start` was begun again so far.
    again: u32,
    /// True if no service waits for it any more: it is ready, or never will be.
    settled: bool,
    /// True if a service that it needs was given up. It is given up, too, when its turn to be built comes.
    doomed: bool,
    /// The number of services that it comes after and that are not settled yet.
    waits_for: u32,
    /// The number of services that come after it and have not released it yet: they stop first.
    held_by: u32,
    /// True if it has released the services that it comes after: it is gone, and nothing holds it.
    released: bool,
    /// True if the group does not wait for its end any more.
    decided: bool,
    /// True if it was asked by hand to stop, and is not to be built again yet.
    is_off: bool,
    /// True if it is to be built again once it is down.
    comes_back: bool,
    /// The number of services that are off among itself and all that it comes after.
    kept_down_by: u32,
    /// True if it was given up as gone while it blocks its thread, so that it cannot be built again.
    is_abandoned: bool,
}

impl ServiceState {
    /// Returns true if there is a task of the service.
    fn is_alive(self) -> bool {
        !matches!(self, Self::Waiting | Self::Down | Self::Gone)
    }
}

/// The state machine of one group.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub(crate) struct Lifecycle {
    plan: Arc<Plan>,
    group: GroupState,
    services: Vec<Slot>,
    /// The number of services that are not settled yet.
    unsettled: usize,
    /// The number of services whose `start` must still return before the group ends by itself: each `main`; if there is
    /// none, each `lead`; else every service but the sidecars.
    deciding: usize,
    /// The role of these services, if they are not all.
    decisive: Option<Role>,
    /// True once a `lead` has returned.
    has_led: bool,
    /// True if the group becomes a lame duck before it stops, provided that it serves.
    has_delay: bool,
    /// True if one of its services accepts clients from outside.
    serves: bool,
    /// The number of services that were launched and are not gone.
    alive: usize,
    /// True after the first signal: a second one forces the end.
    signalled: bool,
    /// True while something that was asked for by hand is not done yet.
    is_changing: bool,
    outcome: GroupEnd,
    actions: Vec<Action>,
    /// A work list, empty between inputs. Kept, so that an input costs no allocation.
    open: Vec<Id>,
}

impl Lifecycle {
    /// A group that has not begun. `rules` has one entry per service, in start order. With `has_delay`, the group
    /// becomes a lame duck before it stops, provided that it serves.
    pub(crate) fn new(plan: Arc<Plan>, rules: &[Rules], has_delay: bool) -> Self {
        let service = |(id, &rules)| Slot {
            state: ServiceState::Waiting,
            rules,
            again: 0,
            settled: false,
            doomed: false,
            waits_for: plan.needs(id).fold(0, |all, _| all + 1),
            held_by: plan.needed_by(id).fold(0, |all, _| all + 1),
            released: false,
            decided: false,
            is_off: false,
            comes_back: false,
            kept_down_by: 0,
            is_abandoned: false,
        };
        let services: Vec<Slot> = rules.iter().enumerate().map(service).collect();
        let decisive = [Role::Main, Role::Lead].into_iter().find(|&role| rules.iter().any(|rules| rules.role == role));
        Self {
            group: GroupState::Idle,
            unsettled: services.len(),
            deciding: rules.iter().filter(|rules| rules.decides(decisive)).count(),
            decisive,
            has_led: false,
            has_delay,
            serves: false,
            alive: 0,
            signalled: false,
            is_changing: false,
            outcome: GroupEnd::Clean,
            actions: Vec::new(),
            open: Vec::new(),
            plan,
            services,
        }
    }

    /// Changes the state as this input demands, and returns what to do.
    pub(crate) fn handle(&mut self, input: Input) -> Vec<Action> {
        match input {
            _ if self.is_over() => {}
            Input::Begin => self.begin(),
            Input::Built(id) => self.built(id),
            Input::Ready(id) => self.ready(id),
            Input::Ended(id, again) => self.ended(id, again),
            Input::Failed(id, again) => self.failed(id, ProblemKind::Error, again),
            Input::Gone(id) => self.gone(id),
            Input::ByHand(what, id) => self.by_hand(what, id),
            Input::Serves => self.serves = true,
            Input::Stop => self.asked_to_stop(Reason::Asked),
            Input::Abort => self.asked_to_abort(),
            Input::Signal(signal, at_once) => self.signal(signal, at_once),
            Input::Elapsed(timer) if self.awaits(timer) => self.elapsed(timer),
            Input::Elapsed(_) => {}
        }
        if self.is_changing {
            self.go_on_by_hand();
        }
        std::mem::take(&mut self.actions)
    }

    /// Takes the list back that [`handle`](Self::handle) returned, so that the next input can use its memory.
    pub(crate) fn reuse(&mut self, mut actions: Vec<Action>) {
        actions.clear();
        self.actions = actions;
    }

    /// Returns true if a timer that was armed is still relevant.
    pub(crate) fn awaits(&self, timer: Timer) -> bool {
        match timer {
            Timer::Start(id, again) => {
                matches!(self.state(id), ServiceState::Building | ServiceState::Starting) && self.is_run(id, again)
            }
            Timer::Backoff(id, again) => self.state(id) == ServiceState::Backoff && self.is_run(id, again),
            Timer::Stop(id, again) => self.state(id) == ServiceState::Stopping && self.is_run(id, again),
            Timer::Abort(id, again) => self.state(id) == ServiceState::Aborting && self.is_run(id, again),
            Timer::LameDuck | Timer::Quiet => self.group == GroupState::LameDuck,
            Timer::Deadline => matches!(self.group, GroupState::LameDuck | GroupState::Stopping),
            Timer::LastGrace => self.group == GroupState::LastGrace,
        }
    }

    /// The timer that this service can extend now, if any.
    pub(crate) fn timer_of(&self, id: Id) -> Option<Timer> {
        let again = self.services[id].again;
        let timers = [Timer::Start(id, again), Timer::Stop(id, again)];
        timers.into_iter().find(|&timer| self.awaits(timer))
    }

    /// Returns true if this is the number of the last run of `start`.
    fn is_run(&self, id: Id, again: u32) -> bool {
        self.services[id].again == again
    }

    /// Returns true if it is a failure when this service's `start` returns now.
    pub(crate) fn fails_by_ending(&self, id: Id) -> bool {
        match self.rules(id).role {
            Role::Once => false,
            Role::Daemon | Role::Sidecar => true,
            Role::Task | Role::Main | Role::Lead => self.state(id) == ServiceState::Starting,
        }
    }

    /// Returns true if no service is left.
    pub(crate) fn is_over(&self) -> bool {
        self.group == GroupState::Over
    }

    /// The way in which the group ended or, before its end, in which it would.
    pub(crate) fn outcome(&self) -> GroupEnd {
        self.outcome
    }

    /// The length of the longest chain of services whose turn to stop comes after this one's.
    pub(crate) fn behind(&self, id: Id) -> usize {
        self.plan.behind(id)
    }

    fn begin(&mut self) {
        if self.group != GroupState::Idle {
            return;
        }
        self.group = GroupState::Starting;
        for id in 0..self.services.len() {
            if self.services[id].waits_for == 0 {
                self.build(id);
            }
        }
        self.check_started();
    }

    /// Builds a service. All services that it comes after are settled.
    fn build(&mut self, id: Id) {
        self.set(id, ServiceState::Building);
        self.alive += 1;
        self.act(Action::Launch(id));
        self.arm(id, Timer::Start);
    }

    fn built(&mut self, id: Id) {
        if self.state(id) == ServiceState::Building {
            self.set(id, ServiceState::Starting);
        }
    }

    fn ready(&mut self, id: Id) {
        // A `once` service is ready only when its `start` has returned.
        if self.state(id) == ServiceState::Starting && self.rules(id).role != Role::Once {
            self.set(id, ServiceState::Ready);
            self.act(Action::TellReady(id));
            self.settle(id);
        }
    }

    /// `start` has returned without an error. The role decides whether that is an end or a failure.
    fn ended(&mut self, id: Id, again: Again) {
        match (self.state(id), self.rules(id).role) {
            (ServiceState::Starting, Role::Once) => {
                self.act(Action::TellReady(id));
                self.completed(id);
                self.settle(id);
            }
            (ServiceState::Starting, _) => self.failed(id, ProblemKind::EndedBeforeReady, again),
            (ServiceState::Ready, Role::Daemon | Role::Sidecar) => {
                self.failed(id, ProblemKind::EndedUnexpectedly, again);
            }
            (ServiceState::Ready, _) if again == Again::Yes => self.back_off(id),
            // Its policy is to run always, but its restarts are used up.
            (ServiceState::Ready, _) if again == Again::TooOften => {
                self.failed(id, ProblemKind::EndedUnexpectedly, again);
            }
            (ServiceState::Ready, _) => {
                self.completed(id);
                self.check_completed();
            }
            _ => {}
        }
    }

    fn completed(&mut self, id: Id) {
        self.set(id, ServiceState::Completed);
        self.act(Action::TellCompleted(id));
        self.has_led |= self.rules(id).role == Role::Lead;
        self.decided(id);
    }

    /// A service failed. It is restarted if its policy allows that. Otherwise it is given up.
    fn failed(&mut self, id: Id, kind: ProblemKind, again: Again) {
        let stage = match self.state(id) {
            ServiceState::Waiting | ServiceState::Building => Stage::Build,
            ServiceState::Starting | ServiceState::Backoff => Stage::Start,
            ServiceState::Ready | ServiceState::Completed | ServiceState::Failed => Stage::Run,
            ServiceState::Stopping | ServiceState::Aborting | ServiceState::Down | ServiceState::Gone => Stage::Stop,
        };
        let critical = self.rules(id).critical;
        match (stage, self.state(id)) {
            // The group runs on after what was stopped by hand.
            (Stage::Stop, _) | (_, ServiceState::Failed) => {
                self.blame(Some(id), stage, kind, critical && self.group >= GroupState::Stopping);
            }
            // Also while the group stops: until the service's own turn comes, others still need it.
            (_, ServiceState::Starting | ServiceState::Ready)
                if again == Again::Yes && self.group <= GroupState::Stopping =>
            {
                self.blame(Some(id), stage, kind, false);
                self.back_off(id);
            }
            (_, ServiceState::Backoff) => self.blame(Some(id), stage, kind, false),
            _ => {
                self.blame(Some(id), stage, kind, critical);
                if again == Again::TooOften {
                    self.act(Action::TellTooOften(id));
                }
                self.give_up(id);
            }
        }
    }

    fn back_off(&mut self, id: Id) {
        self.set(id, ServiceState::Backoff);
        self.unsettle(id);
        self.act(Action::TellBackoff(id));
        self.arm(id, Timer::Backoff);
    }

    fn restart(&mut self, id: Id) {
        self.set(id, ServiceState::Starting);
        self.services[id].again += 1;
        self.act(Action::Restart(id));
        self.arm(id, Timer::Start);
    }

    /// A service will not run again: the group stops, unless the service is not critical.
    fn give_up(&mut self, id: Id) {
        self.set(id, ServiceState::Failed);
        if self.rules(id).critical {
            self.stop_all(Reason::Failed(id));
        } else if self.group < GroupState::Stopping {
            self.act(Action::Lose(id));
            self.unsettle(id);
            self.decided(id);
            self.settle(id);
            self.check_completed();
        }
    }

    /// Ends the waiting for a service, which is ready or never will be. Builds the services that waited for nothing
    /// else. If it never will be ready, the services that need it are lost, too.
    fn settle(&mut self, id: Id) {
        let plan = Arc::clone(&self.plan);
        let mut open = std::mem::take(&mut self.open);
        open.push(id);
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut self.services[id].settled, true) {
                continue;
            }
            self.unsettled -= 1;
            let lost = matches!(self.state(id), ServiceState::Failed | ServiceState::Gone);
            for Need { id: next, required } in plan.needed_by(id) {
                self.services[next].waits_for -= 1;
                if self.group != GroupState::Starting || self.state(next) != ServiceState::Waiting {
                    continue;
                }
                self.services[next].doomed |= lost && required;
                let Slot { doomed, rules, waits_for, .. } = self.services[next];
                if doomed && (rules.critical || waits_for == 0) {
                    self.lose(next);
                    open.push(next);
                } else if waits_for == 0 {
                    self.build(next);
                }
            }
        }
        self.open = open;
        self.check_started();
    }

    /// A service is no longer ready: services that are not built yet wait for it again.
    fn unsettle(&mut self, id: Id) {
        if self.group != GroupState::Starting || !std::mem::replace(&mut self.services[id].settled, false) {
            return;
        }
        self.unsettled += 1;
        for next in self.plan.needed_by(id) {
            self.services[next.id].waits_for += 1;
        }
    }

    /// A service that this one needs is lost, so this one is never built.
    fn lose(&mut self, id: Id) {
        let critical = self.rules(id).critical;
        self.blame(Some(id), Stage::Build, ProblemKind::NeedFailed, critical);
        self.set(id, ServiceState::Gone);
        if critical {
            self.stop_all(Reason::Failed(id));
        } else {
            self.act(Action::Lose(id));
            self.decided(id);
        }
    }

    fn check_started(&mut self) {
        if self.group == GroupState::Starting && self.unsettled == 0 {
            self.group = GroupState::Running;
            self.act(Action::TellGroupReady);
            self.check_completed();
        }
    }

    /// One service less for whose end the group waits.
    fn decided(&mut self, id: Id) {
        if self.rules(id).decides(self.decisive) && !std::mem::replace(&mut self.services[id].decided, true) {
            self.deciding -= 1;
        }
    }

    fn check_completed(&mut self) {
        if self.group == GroupState::Running && (self.deciding == 0 || self.has_led) {
            self.asked_to_stop(Reason::Completed);
        }
    }

    /// Reports a problem. The first fatal one decides how the group ends; no later one replaces it.
    fn blame(&mut self, id: Option<Id>, stage: Stage, kind: ProblemKind, fatal: bool) {
        if fatal && self.outcome == GroupEnd::Clean {
            self.outcome = match self.group {
                GroupState::Idle | GroupState::Starting => GroupEnd::StartFailed,
                GroupState::Stopping | GroupState::LastGrace if kind.is_limit() => GroupEnd::UncleanStop,
                _ => GroupEnd::RunFailed,
            };
        }
        self.act(Action::Blame(Problem { id, stage, kind, fatal }));
    }

    /// The first signal asks for a stop; any later one forces the end.
    fn signal(&mut self, signal: i32, at_once: bool) {
        if self.signalled {
            self.outcome = GroupEnd::Forced(signal);
            self.stop_all(Reason::Signal(signal));
            self.abort_all();
        } else {
            self.signalled = true;
            if at_once {
                self.stop_all(Reason::Signal(signal));
            } else {
                self.asked_to_stop(Reason::Signal(signal));
            }
        }
    }

    /// The program wants no service to have its turn: all that are left are aborted.
    fn asked_to_abort(&mut self) {
        self.stop_all(Reason::Asked);
        if self.services.iter().any(|service| service.state < ServiceState::Aborting) {
            self.blame(None, Stage::Stop, ProblemKind::Aborted, true);
            self.abort_all();
        }
    }

    /// Begins the stop. With a delay, a running group that serves becomes a lame duck first. A group that was never
    /// ready stops at once, because no client was sent to it, and so does one that serves nothing.
    fn asked_to_stop(&mut self, reason: Reason) {
        if self.group == GroupState::Running && self.has_delay && self.serves {
            self.group = GroupState::LameDuck;
            self.act(Action::TellLameDuck(reason));
            for timer in [Timer::Deadline, Timer::LameDuck, Timer::Quiet] {
                self.act(Action::Arm(timer));
            }
        } else if self.group != GroupState::LameDuck {
            self.stop_all(reason);
        }
    }

    /// Begins to stop the services: nothing is built any more, and what was built is stopped in reverse order.
    fn stop_all(&mut self, reason: Reason) {
        if self.group >= GroupState::Stopping {
            return;
        }
        // A lame duck's deadline has been running since the request.
        let is_asked = self.group == GroupState::LameDuck;
        self.group = GroupState::Stopping;
        self.act(Action::TellStopping(reason));
        if !is_asked {
            self.act(Action::Arm(Timer::Deadline));
        }
        for service in self.services.iter_mut().filter(|service| !service.state.is_alive()) {
            service.state = ServiceState::Gone;
        }
        for id in (0..self.services.len()).rev() {
            self.release(id);
            self.stop_if_free(id);
        }
        self.check_over();
    }

    /// A service that is gone releases the services that it comes after, but only when nothing holds it any more.
    /// So these still stop after everything that comes after it, no matter when it went.
    fn release(&mut self, id: Id) {
        let plan = Arc::clone(&self.plan);
        let mut open = std::mem::take(&mut self.open);
        open.push(id);
        while let Some(id) = open.pop() {
            let service = &mut self.services[id];
            if service.released || service.state != ServiceState::Gone || service.held_by > 0 {
                continue;
            }
            service.released = true;
            for Need { id: need, .. } in plan.needs(id) {
                self.services[need].held_by -= 1;
                if self.group >= GroupState::Stopping {
                    self.stop_if_free(need);
                }
                open.push(need);
            }
        }
        self.open = open;
    }

    /// Stops a service if all services that come after it are gone.
    fn stop_if_free(&mut self, id: Id) {
        if self.services[id].held_by == 0 && self.state(id) < ServiceState::Stopping {
            self.stop(id);
        }
    }

    fn stop(&mut self, id: Id) {
        self.set(id, ServiceState::Stopping);
        self.act(Action::Stop(id));
        // In the last grace, one limit holds for all.
        if self.group <= GroupState::Stopping {
            self.arm(id, Timer::Stop);
        }
    }

    fn abort(&mut self, id: Id) {
        self.set(id, ServiceState::Aborting);
        self.act(Action::Abort(id));
        self.arm(id, Timer::Abort);
    }

    fn abort_all(&mut self) {
        for id in (0..self.services.len()).rev() {
            if self.state(id) < ServiceState::Aborting {
                self.abort(id);
            }
        }
    }

    /// A service is gone: the turn passes on to the services that it held.
    fn gone(&mut self, id: Id) {
        self.services[id].is_abandoned = false;
        if self.state(id) == ServiceState::Gone {
            return;
        }
        if self.state(id) < ServiceState::Failed {
            self.failed(id, ProblemKind::EndedUnexpectedly, Again::No);
        }
        self.leave(id);
    }

    /// A service has no task any more, or is given up as if it had none.
    fn leave(&mut self, id: Id) {
        self.alive -= 1;
        if self.group >= GroupState::Stopping {
            self.set(id, ServiceState::Gone);
            self.act(Action::TellGone(id));
            self.release(id);
            self.check_over();
        } else if self.services[id].kept_down_by > 0 && !self.services[id].is_abandoned {
            self.set(id, ServiceState::Down);
            self.act(Action::TellDown(id));
        } else {
            self.set(id, ServiceState::Gone);
            self.act(Action::TellGone(id));
        }
    }

    /// A service blocks its thread, so that it cannot even be aborted. It is given up; if it was stopped by hand, it has
    /// failed.
    fn abandon(&mut self, id: Id) {
        let (critical, is_by_hand) = (self.rules(id).critical, self.group < GroupState::Stopping);
        self.blame(Some(id), Stage::Stop, ProblemKind::Abandoned, critical || !is_by_hand);
        self.services[id].is_abandoned = true;
        if is_by_hand && critical {
            self.stop_all(Reason::Failed(id));
        } else if is_by_hand {
            self.act(Action::Lose(id));
            self.decided(id);
        }
        self.leave(id);
        self.check_completed();
    }

    fn check_over(&mut self) {
        if self.group >= GroupState::Stopping && self.alive == 0 {
            self.group = GroupState::Over;
            self.act(Action::TellGroupGone);
        }
    }

    fn elapsed(&mut self, timer: Timer) {
        match timer {
            Timer::Start(id, _) => self.failed(id, ProblemKind::StartTimeout, Again::No),
            Timer::Backoff(id, _) => self.restart(id),
            Timer::Stop(id, _) => {
                self.blame(Some(id), Stage::Stop, ProblemKind::StopTimeout, self.group >= GroupState::Stopping);
                self.abort(id);
            }
            Timer::Abort(id, _) => self.abandon(id),
            Timer::LameDuck => self.stop_all(Reason::DelayOver),
            Timer::Quiet => self.stop_all(Reason::Quiet),
            Timer::Deadline => self.last_grace(),
            Timer::LastGrace => self.abort_all(),
        }
    }

    /// No time is left for turns: all services that are left are told to stop at once.
    fn last_grace(&mut self) {
        self.stop_all(Reason::DelayOver);
        if self.is_over() {
            return;
        }
        self.group = GroupState::LastGrace;
        self.blame(None, Stage::Stop, ProblemKind::Deadline, true);
        self.act(Action::Arm(Timer::LastGrace));
        for id in (0..self.services.len()).rev() {
            if self.state(id) < ServiceState::Stopping {
                self.stop(id);
            }
        }
    }

    fn state(&self, id: Id) -> ServiceState {
        self.services[id].state
    }

    fn rules(&self, id: Id) -> Rules {
        self.services[id].rules
    }

    fn set(&mut self, id: Id, state: ServiceState) {
        self.services[id].state = state;
    }

    /// Arms a timer of the service, for its last run.
    fn arm(&mut self, id: Id, timer: impl FnOnce(Id, u32) -> Timer) {
        self.act(Action::Arm(timer(id, self.services[id].again)));
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}
