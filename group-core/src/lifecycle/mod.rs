//! The pure heart: what happens next in a group, and nothing else.
//!
//! Events go in, actions come out. There is no tokio here, no clock, no I/O and no error text, so
//! that every order of events can be tried. [`Lifecycle::handle`] is the whole interface; the
//! rules it follows are the promises of `docs/design.md`, section 4.

mod budget;
mod event;
mod plan;

#[cfg(test)]
mod check;

pub(crate) use self::budget::Budget;
pub(crate) use self::event::{Action, Event, Fault, FaultKind, Id, Outcome, Reason, Role, Stage, Timer};
pub(crate) use self::plan::{Plan, start_order};

/// How far the group has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    /// `Begin` has not come yet.
    Idle,
    /// Services are being built and started.
    Starting,
    /// Every service has been ready.
    Running,
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
    role: Role,
    /// How many of the services that it needs are not ready yet.
    waits_for: usize,
    /// How many of the services that need it are alive.
    held_by: usize,
}

/// The state machine of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lifecycle {
    plan: Plan,
    phase: Phase,
    services: Vec<Service>,
    /// Services that have yet to become ready.
    unready: usize,
    /// Services whose `start` must still return for the group to end by itself: each `main`, or,
    /// where there is none, every service.
    deciding: usize,
    has_main: bool,
    /// Services that were launched and are not gone.
    alive: usize,
    /// Whether a signal has come: a second one forces the end.
    signalled: bool,
    outcome: Outcome,
    actions: Vec<Action>,
}

impl Lifecycle {
    /// A group that has not begun. `roles` holds one entry per service, in start order.
    pub(crate) fn new(plan: Plan, roles: &[Role]) -> Self {
        let services: Vec<Service> = roles
            .iter()
            .enumerate()
            .map(|(id, &role)| Service { state: State::Waiting, role, waits_for: plan.needs(id).len(), held_by: 0 })
            .collect();
        let mains = roles.iter().filter(|&&role| role == Role::Main).count();
        Self {
            phase: Phase::Idle,
            unready: services.len(),
            deciding: if mains == 0 { services.len() } else { mains },
            has_main: mains > 0,
            alive: 0,
            signalled: false,
            outcome: Outcome::Clean,
            actions: Vec::new(),
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
            Event::Ended(id) => self.ended(id),
            Event::Failed(id) => self.failed(id, FaultKind::Error),
            Event::Gone(id) => self.gone(id),
            Event::Stop => self.stop_all(Reason::Asked),
            Event::Signal(signal) => self.signal(signal),
            Event::Elapsed(timer) if self.awaits(timer) => self.elapsed(timer),
            Event::Elapsed(_) => {}
        }
        std::mem::take(&mut self.actions)
    }

    /// Whether a timer that was armed still means anything.
    pub(crate) fn awaits(&self, timer: Timer) -> bool {
        match timer {
            Timer::Start(id) => matches!(self.state(id), State::Building | State::Starting),
            Timer::Stop(id) => self.state(id) == State::Stopping,
            Timer::Abort(id) => self.state(id) == State::Aborting,
            Timer::Deadline => self.phase == Phase::Stopping,
            Timer::LastGrace => self.phase == Phase::LastGrace,
        }
    }

    /// Whether the last service is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// How it ended; before the end, how it would.
    pub(crate) fn outcome(&self) -> Outcome {
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

    /// A service is built only when all that it needs is ready.
    fn build(&mut self, id: Id) {
        self.set(id, State::Building);
        self.alive += 1;
        for &need in self.plan.needs(id) {
            self.services[need].held_by += 1;
        }
        self.act(Action::Launch(id));
        self.act(Action::Arm(Timer::Start(id)));
    }

    fn built(&mut self, id: Id) {
        if self.state(id) == State::Building {
            self.set(id, State::Starting);
        }
    }

    fn ready(&mut self, id: Id) {
        // What comes after a `once` service waits until it is done.
        if self.state(id) == State::Starting && self.role(id) != Role::Once {
            self.set(id, State::Ready);
            self.now_ready(id);
        }
    }

    fn now_ready(&mut self, id: Id) {
        self.act(Action::TellReady(id));
        self.unready -= 1;
        for at in 0..self.plan.needed_by(id).len() {
            let next = self.plan.needed_by(id)[at];
            self.services[next].waits_for -= 1;
            if self.services[next].waits_for == 0 {
                self.build(next);
            }
        }
        self.check_started();
    }

    fn check_started(&mut self) {
        if self.phase == Phase::Starting && self.unready == 0 {
            self.phase = Phase::Running;
            self.act(Action::TellGroupReady);
            self.check_completed();
        }
    }

    /// `start` has returned and did not fail; what that means is the role's to say.
    fn ended(&mut self, id: Id) {
        match (self.state(id), self.role(id)) {
            (State::Starting, Role::Once) => {
                self.completed(id);
                self.now_ready(id);
            }
            (State::Starting, _) => self.failed(id, FaultKind::EndedBeforeReady),
            (State::Ready, Role::Daemon) => self.failed(id, FaultKind::EndedUnexpectedly),
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
        if self.role(id) == Role::Main || !self.has_main {
            self.deciding -= 1;
        }
    }

    fn check_completed(&mut self) {
        if self.phase == Phase::Running && self.deciding == 0 {
            self.stop_all(Reason::Completed);
        }
    }

    fn failed(&mut self, id: Id, kind: FaultKind) {
        let stage = match self.state(id) {
            State::Waiting | State::Building => Stage::Build,
            State::Starting => Stage::Start,
            State::Ready | State::Completed | State::Failed => Stage::Run,
            State::Stopping | State::Aborting | State::Gone => Stage::Stop,
        };
        self.blame(Some(id), stage, kind);
        if stage != Stage::Stop {
            self.set(id, State::Failed);
            self.stop_all(Reason::Failed(id));
        }
    }

    /// Records what went wrong. The first cause decides how the group ends, and is never replaced.
    fn blame(&mut self, id: Option<Id>, stage: Stage, kind: FaultKind) {
        if self.outcome == Outcome::Clean {
            self.outcome = match self.phase {
                Phase::Idle | Phase::Starting => Outcome::StartFailed,
                Phase::Stopping | Phase::LastGrace | Phase::Over if kind.is_limit() => Outcome::UncleanStop,
                _ => Outcome::RunFailed,
            };
        }
        self.act(Action::Blame(Fault { id, stage, kind }));
    }

    /// The first signal asks for a stop, any second one forces the end.
    fn signal(&mut self, signal: i32) {
        if self.signalled {
            self.outcome = Outcome::Forced(signal);
            self.abort_all();
        } else {
            self.signalled = true;
            self.stop_all(Reason::Signal(signal));
        }
    }

    /// Turns the group round: nothing is built any more, and what was is stopped in reverse.
    fn stop_all(&mut self, reason: Reason) {
        if self.phase >= Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.act(Action::TellStopping(reason));
        self.act(Action::Arm(Timer::Deadline));
        for id in (0..self.services.len()).rev() {
            if self.state(id) == State::Waiting {
                self.set(id, State::Gone);
            }
            self.stop_if_free(id);
        }
        self.check_over();
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
        self.act(Action::Arm(Timer::Stop(id)));
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
            self.failed(id, FaultKind::EndedUnexpectedly);
        }
        self.set(id, State::Gone);
        self.act(Action::TellGone(id));
        self.alive -= 1;
        for at in 0..self.plan.needs(id).len() {
            let need = self.plan.needs(id)[at];
            self.services[need].held_by -= 1;
            if self.phase >= Phase::Stopping {
                self.stop_if_free(need);
            }
        }
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
            Timer::Start(id) => self.failed(id, FaultKind::StartTimeout),
            Timer::Stop(id) => {
                self.blame(Some(id), Stage::Stop, FaultKind::StopTimeout);
                self.abort(id);
            }
            Timer::Abort(id) => {
                self.blame(Some(id), Stage::Stop, FaultKind::Abandoned);
                self.gone(id);
            }
            Timer::Deadline => self.last_grace(),
            Timer::LastGrace => self.abort_all(),
        }
    }

    /// No time is left to take turns: all that remain are told at once.
    fn last_grace(&mut self) {
        self.phase = Phase::LastGrace;
        self.blame(None, Stage::Stop, FaultKind::Deadline);
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

    fn role(&self, id: Id) -> Role {
        self.services[id].role
    }

    fn set(&mut self, id: Id, state: State) {
        self.services[id].state = state;
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}
