//! The machine and a model of its surroundings.

use std::sync::Arc;

use super::group::Group;
use crate::lifecycle::interface::{Action, Again, ByHand, GroupEnd, Id, Input, Problem, Timer};
use crate::lifecycle::{GroupState, Lifecycle};

/// The state of one service's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    None,
    Building,
    Starting,
    Working,
    /// `start` has returned, or failed.
    Ended,
    /// It was told to stop, or `new` failed; it will be gone next.
    Ending,
    Gone,
}

/// The history of one service.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) task: Task,
    pub(super) built: bool,
    /// It is ready, or was ready when it completed.
    pub(super) ready: bool,
    /// Its `start` has returned as its role allows.
    pub(super) completed: bool,
    /// The group goes on without it.
    pub(super) lost: bool,
    pub(super) stopped: bool,
    pub(super) aborted: bool,
    pub(super) abandoned: bool,
    pub(super) restarts: u32,
    /// It has ended by itself, or was given up, and was not asked to come back.
    pub(super) has_ended: bool,
    /// It was asked for by hand to go down.
    pub(super) is_off: bool,
    /// It was asked for by hand to come back then.
    pub(super) comes_back: bool,
    /// True for each of its timers that runs: start, backoff, stop, abort.
    pub(super) armed: [bool; 4],
}

impl Seen {
    const NOTHING: Self = Self {
        task: Task::None,
        built: false,
        ready: false,
        completed: false,
        lost: false,
        stopped: false,
        aborted: false,
        abandoned: false,
        restarts: 0,
        has_ended: false,
        is_off: false,
        comes_back: false,
        armed: [false; 4],
    };

    /// The history of its next life.
    fn begin_again(&mut self) {
        let Self { restarts, is_off, comes_back, .. } = *self;
        *self = Self { restarts: restarts + 1, is_off, comes_back, ..Self::NOTHING };
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.task, Task::None | Task::Gone) || self.abandoned
    }

    pub(super) fn is_told(&self) -> bool {
        self.stopped || self.aborted
    }
}

/// A function that breaks a machine: it changes the machine or its actions after an input.
pub(super) type Breaks = fn(&mut Lifecycle, &mut Vec<Action>, &[Seen]);

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) group: Arc<Group>,
    pub(super) machine: Lifecycle,
    pub(super) breaks: Option<Breaks>,
    pub(super) services: Vec<Seen>,
    pub(super) delay_armed: bool,
    pub(super) quiet_armed: bool,
    pub(super) deadline_armed: bool,
    pub(super) grace_armed: bool,
    pub(super) group_ready: bool,
    /// One of its services accepts clients.
    pub(super) serves: bool,
    /// The group has reported that it is a lame duck.
    pub(super) lame_duck: bool,
    pub(super) stopping: bool,
    /// The time to stop has begun to run.
    pub(super) is_timed: bool,
    /// No time is left for turns, or the end was asked for at once.
    pub(super) out_of_turns: bool,
    /// A second signal has come, or the program has asked for the end at once.
    pub(super) at_once: bool,
    pub(super) over: bool,
    /// The way in which the group must end, because of the first fatal problem.
    pub(super) verdict: GroupEnd,
}

impl World {
    pub(super) fn new(group: &Arc<Group>) -> Self {
        Self {
            machine: Lifecycle::new(Arc::new(group.plan()), &group.rules, true),
            services: vec![Seen::NOTHING; group.rules.len()],
            group: Arc::clone(group),
            breaks: None,
            delay_armed: false,
            quiet_armed: false,
            deadline_armed: false,
            grace_armed: false,
            group_ready: false,
            serves: false,
            lame_duck: false,
            stopping: false,
            is_timed: false,
            out_of_turns: false,
            at_once: false,
            over: false,
            verdict: GroupEnd::Clean,
        }
    }

    /// The inputs that are possible next.
    pub(super) fn possible(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.machine.group == GroupState::Idle {
            inputs.push(Input::Begin);
        }
        if !self.stopping {
            inputs.push(Input::Stop);
        }
        if !self.at_once {
            inputs.push(Input::Abort);
        }
        if self.group.is_controlled && self.is_running() {
            let ids = 0..self.services.len();
            let each = |what| ids.clone().map(move |id| Input::ByHand(what, id));
            inputs.extend([ByHand::Stop, ByHand::Start, ByHand::Restart].into_iter().flat_map(each));
        }
        if self.group.may_serve && !self.serves && !self.lame_duck && !self.stopping {
            inputs.push(Input::Serves);
        }
        if !self.is_forced() {
            inputs.push(Input::Signal(15, false));
        }
        // Otherwise the machine ignores the flag.
        if self.may_wait() && !self.machine.signalled {
            inputs.push(Input::Signal(15, true));
        }
        for (id, seen) in self.services.iter().enumerate() {
            match seen.task {
                Task::Building => inputs.extend([Input::Built(id), Input::Failed(id, Again::No)]),
                Task::Starting | Task::Working => {
                    if seen.task == Task::Starting {
                        inputs.push(Input::Ready(id));
                    }
                    for again in [Again::Yes, Again::No] {
                        inputs.extend([Input::Ended(id, again), Input::Failed(id, again)]);
                    }
                    // Not tried for a failure, where it differs from `No` only in one report.
                    inputs.push(Input::Ended(id, Again::TooOften));
                }
                Task::Ending => inputs.extend([Input::Failed(id, Again::No), Input::Gone(id)]),
                Task::None | Task::Ended | Task::Gone => {}
            }
            let timers = Self::timers_of(id, seen).into_iter().zip(seen.armed);
            inputs.extend(timers.filter(|&(_, armed)| armed).map(|(timer, _)| Input::Elapsed(timer)));
        }
        let group = Self::TIMERS.into_iter().zip(self.timers());
        inputs.extend(group.filter(|&(_, armed)| armed).map(|(timer, _)| Input::Elapsed(timer)));
        inputs
    }

    /// The timers of the group itself.
    const TIMERS: [Timer; 4] = [Timer::LameDuck, Timer::Quiet, Timer::Deadline, Timer::LastGrace];

    /// True for each of them that runs.
    pub(super) fn timers(&self) -> [bool; 4] {
        [self.delay_armed, self.quiet_armed, self.deadline_armed, self.grace_armed]
    }

    /// Returns true if the group is ready, and no stop was asked for.
    pub(super) fn is_running(&self) -> bool {
        self.group_ready && !self.lame_duck && !self.stopping
    }

    /// Returns true if the service, or one that it goes along with, was asked for by hand to go down.
    pub(super) fn is_kept_down(&self, id: Id) -> bool {
        let mut services = self.services.iter().enumerate();
        services.any(|(other, seen)| seen.is_off && (other == id || self.group.along[other].contains(&id)))
    }

    /// Notes a request that is made by hand, unless there is a reason to refuse it.
    fn note_request(&mut self, what: ByHand, id: Id) {
        let is_as_wanted = what == ByHand::Start && !self.services[id].is_off && !self.services[id].lost;
        if !is_as_wanted && !self.is_refused(what, id) {
            self.services[id].is_off = true;
            self.services[id].comes_back = what != ByHand::Stop;
            self.let_come_back();
        }
    }

    /// A service that was asked to come back is not off any more, once it is gone with all that go along with it.
    fn let_come_back(&mut self) {
        for id in 0..self.services.len() {
            let mut along = self.group.along[id].iter().chain([&id]);
            if self.services[id].comes_back && along.all(|&next| self.services[next].is_gone()) {
                self.services[id].is_off = false;
                self.services[id].comes_back = false;
            }
        }
    }

    /// Returns true if the group is a lame duck, or would become one if a stop were asked for now.
    pub(super) fn may_wait(&self) -> bool {
        !self.stopping && (self.lame_duck || self.group_ready && self.serves)
    }

    /// Returns the world after this input, and checks every promise on it.
    pub(super) fn step(&self, input: Input) -> Self {
        let mut next = self.clone();
        if let Input::ByHand(what, id) = input {
            self.refused_only_for_a_reason(what, id);
        }
        next.happen(input);
        let mut actions = next.machine.handle(input);
        if let Some(breaks) = self.breaks {
            breaks(&mut next.machine, &mut actions, &self.services);
        }
        for &action in &actions {
            next.carry_out(action);
        }
        next.disarm();
        next.keeps_every_promise(self, input, &actions);
        next
    }

    fn happen(&mut self, input: Input) {
        let forced = self.machine.signalled && matches!(input, Input::Signal(..));
        self.at_once |= forced || input == Input::Abort;
        self.out_of_turns |= self.at_once || input == Input::Elapsed(Timer::Deadline);
        if forced {
            self.verdict = GroupEnd::Forced(15);
        }
        match input {
            Input::Built(id) => {
                self.services[id].built = true;
                self.services[id].task = Task::Starting;
            }
            Input::Ready(id) => self.services[id].task = Task::Working,
            Input::Failed(id, _) if matches!(self.services[id].task, Task::Building | Task::Ending) => {
                self.services[id].task = Task::Ending;
            }
            Input::Ended(id, _) | Input::Failed(id, _) => self.services[id].task = Task::Ended,
            Input::Gone(id) => {
                self.services[id].task = Task::Gone;
                self.services[id].abandoned = false;
            }
            Input::Elapsed(timer) => {
                *self.armed(timer) = false;
                if let Timer::Abort(id, _) = timer {
                    self.services[id].abandoned = true;
                }
            }
            Input::Serves => self.serves = true,
            Input::ByHand(what, id) => self.note_request(what, id),
            Input::Begin | Input::Stop | Input::Abort | Input::Signal(..) => {}
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Launch(id) => {
                self.built_once_and_only_when_its_needs_are_settled(id);
                if self.group_ready {
                    self.services[id].begin_again();
                }
                self.services[id].task = Task::Building;
            }
            Action::Restart(id) => {
                self.started_again_only_when_it_has_ended_and_may_go_on(id);
                self.services[id].task = Task::Starting;
                self.services[id].restarts += 1;
            }
            Action::Stop(id) => {
                self.stopped_once_and_only_when_its_holders_are_gone(id);
                self.services[id].stopped = true;
                // It is not given up any more, but to come back.
                self.services[id].lost &= self.stopping;
                self.end(id);
            }
            Action::Abort(id) => {
                self.aborted_once_and_only_while_the_group_stops(id);
                self.services[id].aborted = true;
                self.end(id);
            }
            Action::Arm(timer) => {
                if timer == Timer::Deadline {
                    self.timed_once();
                    self.is_timed = true;
                }
                *self.armed(timer) = true;
            }
            Action::Blame(problem) => self.judge(problem),
            Action::Lose(id) => {
                self.only_what_it_can_do_without_is_lost(id);
                self.services[id].ready = false;
                self.services[id].lost = true;
                self.services[id].has_ended = true;
            }
            Action::TellDown(id) | Action::TellWaiting(id) => {
                self.let_come_back();
                let seen = &mut self.services[id];
                (seen.ready, seen.lost) = (false, false);
                seen.has_ended &= action == Action::TellDown(id);
            }
            Action::TellCompleted(id) => {
                self.services[id].completed = true;
                self.services[id].has_ended = true;
            }
            Action::TellReady(id) => self.services[id].ready = true,
            Action::TellBackoff(id) => self.services[id].ready = false,
            Action::TellGroupReady => {
                self.the_group_is_ready_once_and_only_when_all_are();
                self.group_ready = true;
            }
            Action::TellLameDuck(reason) => {
                self.a_lame_duck_once_and_only_when_it_is_ready_and_serves(reason);
                self.lame_duck = true;
            }
            Action::TellStopping(reason) => {
                self.turned_once_and_for_a_reason(reason);
                self.stopping = true;
            }
            Action::TellGroupGone => {
                assert!(!self.over, "over twice");
                self.over = true;
            }
            Action::TellGone(_) => self.let_come_back(),
            Action::TellTooOften(_) => {}
        }
    }

    fn end(&mut self, id: Id) {
        let task = &mut self.services[id].task;
        if *task != Task::Gone {
            *task = Task::Ending;
        }
    }

    fn armed(&mut self, timer: Timer) -> &mut bool {
        match timer {
            Timer::Start(id, _) => &mut self.services[id].armed[0],
            Timer::Backoff(id, _) => &mut self.services[id].armed[1],
            Timer::Stop(id, _) => &mut self.services[id].armed[2],
            Timer::Abort(id, _) => &mut self.services[id].armed[3],
            Timer::LameDuck => &mut self.delay_armed,
            Timer::Quiet => &mut self.quiet_armed,
            Timer::Deadline => &mut self.deadline_armed,
            Timer::LastGrace => &mut self.grace_armed,
        }
    }

    /// Stops the timers that are no longer relevant: the machine ignores them, so they need not elapse.
    fn disarm(&mut self) {
        let machine = &self.machine;
        for (id, seen) in self.services.iter_mut().enumerate() {
            let timers = Self::timers_of(id, seen);
            for (armed, timer) in seen.armed.iter_mut().zip(timers) {
                *armed = *armed && machine.awaits(timer);
            }
        }
        let awaited = Self::TIMERS.map(|timer| machine.awaits(timer));
        for (timer, awaited) in Self::TIMERS.into_iter().zip(awaited) {
            *self.armed(timer) &= awaited;
        }
    }

    pub(super) fn timers_of(id: Id, seen: &Seen) -> [Timer; 4] {
        let run = seen.restarts;
        [Timer::Start(id, run), Timer::Backoff(id, run), Timer::Stop(id, run), Timer::Abort(id, run)]
    }

    /// The first fatal problem decides how the group must end, also by its time: before the group was ready, later, or
    /// during the stop.
    fn judge(&mut self, problem: Problem) {
        if problem.fatal && self.verdict == GroupEnd::Clean {
            self.verdict = match (self.stopping, self.group_ready) {
                (false, false) => GroupEnd::StartFailed,
                (true, _) if problem.kind.is_limit() => GroupEnd::UncleanStop,
                _ => GroupEnd::RunFailed,
            };
        }
    }

    pub(super) fn is_forced(&self) -> bool {
        matches!(self.verdict, GroupEnd::Forced(_))
    }
}
