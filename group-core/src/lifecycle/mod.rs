//! The pure heart: what happens next in a group, and nothing else.
//!
//! Events go in, actions come out. There is no tokio here, no clock, no I/O and no error text, so
//! that every order of events can be tried. [`Lifecycle::handle`] is the whole interface; the
//! rules it follows are the promises of `docs/design.md`, section 4.

pub(crate) mod budget;
pub(crate) mod event;
pub(crate) mod plan;
pub(crate) mod restart;

#[cfg(test)]
mod check;

use std::sync::Arc;

use self::event::{Action, Again, Event, Fault, FaultKind, GroupEnd, Id, Reason, Role, Rules, Stage, Timer};
use self::plan::{Need, Plan};

/// How far the group has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    /// `Begin` has not come yet.
    Idle,
    /// Services are being built and started.
    Starting,
    /// Every service has been ready.
    Running,
    /// A stop was asked for, and everything goes on for a while: others send clients here who do not
    /// know of it yet.
    LameDuck,
    /// Services are being stopped, each when all that need it are gone.
    Stopping,
    /// The deadline has passed: all that remain have been told, order or not.
    LastGrace,
    /// No service is left. Nothing happens any more.
    Over,
}

/// How far one service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum State {
    /// Something that it needs is not ready yet.
    Waiting,
    /// `new` runs.
    Building,
    /// `start` runs, and it is not ready yet.
    Starting,
    /// It does its work.
    Ready,
    /// It failed, and its `start` will run again.
    Backoff,
    /// `start` has returned as it should have; it still waits for its turn to stop.
    Completed,
    /// It failed; it still waits for its turn to stop.
    Failed,
    /// It has been told to stop.
    Stopping,
    /// It has been told to vanish.
    Aborting,
    /// Stopped and dropped, or never built at all.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Service {
    state: State,
    rules: Rules,
    /// How often its `start` was run again.
    restarts: u32,
    /// Whether those that come after it have stopped waiting: it was ready, or never will be.
    settled: bool,
    /// Whether something that it needs is not to be had. It is lost when its turn comes.
    doomed: bool,
    /// How many of the services that it comes after are not settled yet.
    waits_for: u32,
    /// How many of the services that come after it still hold it.
    held_by: u32,
    /// Whether it has let go of what it comes after: it is gone, and nothing holds it.
    released: bool,
}

/// The state machine of one group.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub(crate) struct Lifecycle {
    plan: Arc<Plan>,
    phase: Phase,
    services: Vec<Service>,
    /// Services that are not settled yet.
    unsettled: usize,
    /// Services whose `start` must still return for the group to end by itself: each `main`, or,
    /// where there is none, every service.
    deciding: usize,
    has_main: bool,
    /// Whether it is to be a lame duck before it stops, if it serves.
    has_delay: bool,
    /// Whether clients come to one of its services from outside.
    serves: bool,
    /// Services that were launched and are not gone.
    alive: usize,
    /// Whether a signal has come: a second one forces the end.
    signalled: bool,
    outcome: GroupEnd,
    actions: Vec<Action>,
    /// Kept, so that no event costs an allocation.
    open: Vec<Id>,
}

impl Lifecycle {
    /// A group that has not begun. There is one entry of `rules` per service, in start order.
    /// `has_delay`: whether it is to be a lame duck before it stops, if it serves.
    pub(crate) fn new(plan: Arc<Plan>, rules: &[Rules], has_delay: bool) -> Self {
        let service = |(id, &rules)| Service {
            state: State::Waiting,
            rules,
            restarts: 0,
            settled: false,
            doomed: false,
            waits_for: plan.needs(id).fold(0, |all, _| all + 1),
            held_by: plan.needed_by(id).fold(0, |all, _| all + 1),
            released: false,
        };
        let services: Vec<Service> = rules.iter().enumerate().map(service).collect();
        let mains = rules.iter().filter(|rules| rules.role == Role::Main).count();
        Self {
            phase: Phase::Idle,
            unsettled: services.len(),
            deciding: if mains == 0 { services.len() } else { mains },
            has_main: mains > 0,
            has_delay,
            serves: false,
            alive: 0,
            signalled: false,
            outcome: GroupEnd::Clean,
            actions: Vec::new(),
            open: Vec::new(),
            plan,
            services,
        }
    }

    /// Takes in what has happened, and says what to do about it.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Action> {
        match event {
            _ if self.is_over() => {}
            Event::Begin => self.begin(),
            Event::Built(id) => self.built(id),
            Event::Ready(id) => self.ready(id),
            Event::Ended(id, again) => self.ended(id, again),
            Event::Failed(id, again) => self.failed(id, FaultKind::Error, again),
            Event::Gone(id) => self.gone(id),
            Event::Serves => self.serves = true,
            Event::Stop => self.asked_to_stop(Reason::Asked),
            Event::Signal(signal, at_once) => self.signal(signal, at_once),
            Event::Elapsed(timer) if self.awaits(timer) => self.elapsed(timer),
            Event::Elapsed(_) => {}
        }
        std::mem::take(&mut self.actions)
    }

    /// Takes back what [`handle`](Self::handle) has returned, for the next event.
    pub(crate) fn reuse(&mut self, mut actions: Vec<Action>) {
        actions.clear();
        self.actions = actions;
    }

    /// Whether a timer that was armed still means anything.
    pub(crate) fn awaits(&self, timer: Timer) -> bool {
        match timer {
            Timer::Start(id, restarts) => {
                matches!(self.state(id), State::Building | State::Starting) && self.services[id].restarts == restarts
            }
            Timer::Backoff(id) => self.state(id) == State::Backoff,
            Timer::Stop(id) => self.state(id) == State::Stopping,
            Timer::Abort(id) => self.state(id) == State::Aborting,
            Timer::LameDuck | Timer::Quiet => self.phase == Phase::LameDuck,
            Timer::Deadline => matches!(self.phase, Phase::LameDuck | Phase::Stopping),
            Timer::LastGrace => self.phase == Phase::LastGrace,
        }
    }

    /// The timer that a service can put off, if one runs.
    pub(crate) fn timer_of(&self, id: Id) -> Option<Timer> {
        let timers = [Timer::Start(id, self.services[id].restarts), Timer::Stop(id)];
        timers.into_iter().find(|&timer| self.awaits(timer))
    }

    /// Whether it is a failure if this service's `start` returns now.
    pub(crate) fn fails_by_ending(&self, id: Id) -> bool {
        match self.rules(id).role {
            Role::Once => false,
            Role::Daemon => true,
            Role::Task | Role::Main => self.state(id) == State::Starting,
        }
    }

    /// Whether the last service is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// How it ended; before the end, how it would.
    pub(crate) fn outcome(&self) -> GroupEnd {
        self.outcome
    }

    /// How many services stand in the longest line behind this one for their turn to stop.
    pub(crate) fn behind(&self, id: Id) -> usize {
        self.plan.behind(id)
    }

    fn begin(&mut self) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Starting;
        for id in 0..self.services.len() {
            if self.services[id].waits_for == 0 {
                self.build(id);
            }
        }
        self.check_started();
    }

    /// A service is built only when all that it comes after is settled.
    fn build(&mut self, id: Id) {
        self.set(id, State::Building);
        self.alive += 1;
        self.act(Action::Launch(id));
        self.act(Action::Arm(Timer::Start(id, 0)));
    }

    fn built(&mut self, id: Id) {
        if self.state(id) == State::Building {
            self.set(id, State::Starting);
        }
    }

    fn ready(&mut self, id: Id) {
        // What comes after a `once` service waits until it is done.
        if self.state(id) == State::Starting && self.rules(id).role != Role::Once {
            self.set(id, State::Ready);
            self.act(Action::TellReady(id));
            self.settle(id);
        }
    }

    /// `start` has returned and did not fail; what that means is the role's to say.
    fn ended(&mut self, id: Id, again: Again) {
        match (self.state(id), self.rules(id).role) {
            (State::Starting, Role::Once) => {
                self.act(Action::TellReady(id));
                self.completed(id);
                self.settle(id);
            }
            (State::Starting, _) => self.failed(id, FaultKind::EndedBeforeReady, again),
            (State::Ready, Role::Daemon) => self.failed(id, FaultKind::EndedUnexpectedly, again),
            (State::Ready, _) if again == Again::Yes => self.back_off(id),
            // It is to run always, and cannot.
            (State::Ready, _) if again == Again::TooOften => self.failed(id, FaultKind::EndedUnexpectedly, again),
            (State::Ready, _) => {
                self.completed(id);
                self.check_completed();
            }
            _ => {}
        }
    }

    fn completed(&mut self, id: Id) {
        self.set(id, State::Completed);
        self.act(Action::TellCompleted(id));
        self.decided(id);
    }

    /// It failed. It is started again if it may be; else the group stops, unless it can do without.
    fn failed(&mut self, id: Id, kind: FaultKind, again: Again) {
        let stage = match self.state(id) {
            State::Waiting | State::Building => Stage::Build,
            State::Starting | State::Backoff => Stage::Start,
            State::Ready | State::Completed | State::Failed => Stage::Run,
            State::Stopping | State::Aborting | State::Gone => Stage::Stop,
        };
        let critical = self.rules(id).critical;
        match (stage, self.state(id)) {
            (Stage::Stop, _) | (_, State::Failed) => self.blame(Some(id), stage, kind, critical),
            // While the group stops, too, as long as its own turn has not come: it is still needed.
            (_, State::Starting | State::Ready) if again == Again::Yes && self.phase <= Phase::Stopping => {
                self.blame(Some(id), stage, kind, false);
                self.back_off(id);
            }
            (_, State::Backoff) => self.blame(Some(id), stage, kind, false),
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
        self.set(id, State::Backoff);
        self.unsettle(id);
        self.act(Action::TellBackoff(id));
        self.act(Action::Arm(Timer::Backoff(id)));
    }

    fn restart(&mut self, id: Id) {
        let service = &mut self.services[id];
        service.state = State::Starting;
        service.restarts += 1;
        let restarts = service.restarts;
        self.act(Action::Restart(id));
        self.act(Action::Arm(Timer::Start(id, restarts)));
    }

    /// It will not run again: the group stops, unless it can do without.
    fn give_up(&mut self, id: Id) {
        let decided = self.state(id) != State::Completed;
        self.set(id, State::Failed);
        if self.rules(id).critical {
            self.stop_all(Reason::Failed(id));
        } else if self.phase < Phase::Stopping {
            self.act(Action::Lose(id));
            self.unsettle(id);
            if decided {
                self.decided(id);
            }
            self.settle(id);
            self.check_completed();
        }
    }

    /// Nobody need wait for it any longer: it is ready, or never will be. In that case, what needs
    /// it never will be either.
    fn settle(&mut self, id: Id) {
        let plan = Arc::clone(&self.plan);
        let mut open = std::mem::take(&mut self.open);
        open.push(id);
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut self.services[id].settled, true) {
                continue;
            }
            self.unsettled -= 1;
            let lost = matches!(self.state(id), State::Failed | State::Gone);
            for Need { id: next, required } in plan.needed_by(id) {
                self.services[next].waits_for -= 1;
                if self.phase != Phase::Starting || self.state(next) != State::Waiting {
                    continue;
                }
                self.services[next].doomed |= lost && required;
                let Service { doomed, rules, waits_for, .. } = self.services[next];
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

    /// It was ready and is not any more: what is not built yet waits for it again.
    fn unsettle(&mut self, id: Id) {
        if self.phase != Phase::Starting || !std::mem::replace(&mut self.services[id].settled, false) {
            return;
        }
        self.unsettled += 1;
        for next in self.plan.needed_by(id) {
            self.services[next.id].waits_for += 1;
        }
    }

    /// What it needs is not to be had, so it is never built.
    fn lose(&mut self, id: Id) {
        let critical = self.rules(id).critical;
        self.blame(Some(id), Stage::Build, FaultKind::NeedFailed, critical);
        self.set(id, State::Gone);
        if critical {
            self.stop_all(Reason::Failed(id));
        } else {
            self.act(Action::Lose(id));
            self.decided(id);
        }
    }

    fn check_started(&mut self) {
        if self.phase == Phase::Starting && self.unsettled == 0 {
            self.phase = Phase::Running;
            self.act(Action::TellGroupReady);
            self.check_completed();
        }
    }

    /// One less decides how long the group runs.
    fn decided(&mut self, id: Id) {
        if self.rules(id).role == Role::Main || !self.has_main {
            self.deciding -= 1;
        }
    }

    fn check_completed(&mut self) {
        if self.phase == Phase::Running && self.deciding == 0 {
            self.asked_to_stop(Reason::Completed);
        }
    }

    /// Records what went wrong. What the group cannot do without decides how it ends; the first
    /// such cause is never replaced.
    fn blame(&mut self, id: Option<Id>, stage: Stage, kind: FaultKind, fatal: bool) {
        if fatal && self.outcome == GroupEnd::Clean {
            self.outcome = match self.phase {
                Phase::Idle | Phase::Starting => GroupEnd::StartFailed,
                Phase::Stopping | Phase::LastGrace if kind.is_limit() => GroupEnd::UncleanStop,
                _ => GroupEnd::RunFailed,
            };
        }
        self.act(Action::Blame(Fault { id, stage, kind, fatal }));
    }

    /// The first signal asks for a stop, any second one forces the end.
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

    /// Whoever asks for a stop has the time to wait for those who still come: only a group that was
    /// never ready, so that nobody was sent to it, or that serves nobody, stops at once.
    fn asked_to_stop(&mut self, reason: Reason) {
        if self.phase == Phase::Running && self.has_delay && self.serves {
            self.phase = Phase::LameDuck;
            self.act(Action::TellLameDuck(reason));
            for timer in [Timer::Deadline, Timer::LameDuck, Timer::Quiet] {
                self.act(Action::Arm(timer));
            }
        } else if self.phase != Phase::LameDuck {
            self.stop_all(reason);
        }
    }

    /// Turns the group round: nothing is built any more, and what was is stopped in reverse.
    fn stop_all(&mut self, reason: Reason) {
        if self.phase >= Phase::Stopping {
            return;
        }
        // A lame duck's time has been running since the request.
        let is_asked = self.phase == Phase::LameDuck;
        self.phase = Phase::Stopping;
        self.act(Action::TellStopping(reason));
        if !is_asked {
            self.act(Action::Arm(Timer::Deadline));
        }
        for service in self.services.iter_mut().filter(|service| service.state == State::Waiting) {
            service.state = State::Gone;
        }
        for id in (0..self.services.len()).rev() {
            self.release(id);
            self.stop_if_free(id);
        }
        self.check_over();
    }

    /// A service that is gone lets go of what it comes after, once nothing holds it either: so what
    /// it came after is still stopped after all that came after it, whenever and however it went.
    fn release(&mut self, id: Id) {
        let plan = Arc::clone(&self.plan);
        let mut open = std::mem::take(&mut self.open);
        open.push(id);
        while let Some(id) = open.pop() {
            let service = &mut self.services[id];
            if service.released || service.state != State::Gone || service.held_by > 0 {
                continue;
            }
            service.released = true;
            for Need { id: need, .. } in plan.needs(id) {
                self.services[need].held_by -= 1;
                if self.phase >= Phase::Stopping {
                    self.stop_if_free(need);
                }
                open.push(need);
            }
        }
        self.open = open;
    }

    /// A service is stopped only when all that need it have finished stopping.
    fn stop_if_free(&mut self, id: Id) {
        if self.services[id].held_by == 0 && self.state(id) < State::Stopping {
            self.stop(id);
        }
    }

    fn stop(&mut self, id: Id) {
        self.set(id, State::Stopping);
        self.act(Action::Stop(id));
        // In the last grace there is one limit for all.
        if self.phase == Phase::Stopping {
            self.act(Action::Arm(Timer::Stop(id)));
        }
    }

    fn abort(&mut self, id: Id) {
        self.set(id, State::Aborting);
        self.act(Action::Abort(id));
        self.act(Action::Arm(Timer::Abort(id)));
    }

    fn abort_all(&mut self) {
        for id in (0..self.services.len()).rev() {
            if self.state(id) < State::Aborting {
                self.abort(id);
            }
        }
    }

    /// A service is over: its turn passes on to those that it held.
    fn gone(&mut self, id: Id) {
        if self.state(id) == State::Gone {
            return;
        }
        if self.state(id) < State::Failed {
            self.failed(id, FaultKind::EndedUnexpectedly, Again::No);
        }
        self.set(id, State::Gone);
        self.act(Action::TellGone(id));
        self.alive -= 1;
        self.release(id);
        self.check_over();
    }

    fn check_over(&mut self) {
        if self.phase >= Phase::Stopping && self.alive == 0 {
            self.phase = Phase::Over;
            self.act(Action::TellGroupGone);
        }
    }

    fn elapsed(&mut self, timer: Timer) {
        match timer {
            Timer::Start(id, _) => self.failed(id, FaultKind::StartTimeout, Again::No),
            Timer::Backoff(id) => self.restart(id),
            Timer::Stop(id) => {
                self.blame(Some(id), Stage::Stop, FaultKind::StopTimeout, true);
                self.abort(id);
            }
            Timer::Abort(id) => {
                self.blame(Some(id), Stage::Stop, FaultKind::Abandoned, true);
                self.gone(id);
            }
            Timer::LameDuck => self.stop_all(Reason::DelayOver),
            Timer::Quiet => self.stop_all(Reason::Quiet),
            Timer::Deadline => self.last_grace(),
            Timer::LastGrace => self.abort_all(),
        }
    }

    /// No time is left to take turns: all that remain are told at once.
    fn last_grace(&mut self) {
        self.stop_all(Reason::DelayOver);
        if self.is_over() {
            return;
        }
        self.phase = Phase::LastGrace;
        self.blame(None, Stage::Stop, FaultKind::Deadline, true);
        self.act(Action::Arm(Timer::LastGrace));
        for id in (0..self.services.len()).rev() {
            if self.state(id) < State::Stopping {
                self.stop(id);
            }
        }
    }

    fn state(&self, id: Id) -> State {
        self.services[id].state
    }

    fn rules(&self, id: Id) -> Rules {
        self.services[id].rules
    }

    fn set(&mut self, id: Id, state: State) {
        self.services[id].state = state;
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}
