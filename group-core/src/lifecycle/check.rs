//! Every reachable state of the machine, against a model of all that its surroundings may do.
//!
//! A [`World`] is the machine and what one would see from outside: the task of each service, and
//! what has been done to it. Each [`World::possible`] event is tried in every state that is
//! reached; whatever the machine then does is held against the promises, each a method named after
//! it. Worlds that look alike are visited once.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{Action, Edge, Event, Id, Lifecycle, Outcome, Phase, Plan, Reason, Role, Rules, Schedule, Timer};

/// What the task of one service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Task {
    None,
    Building,
    Starting,
    Working,
    /// `start` has returned, or failed.
    Ended,
    /// It was told to stop, or could not be built, and is about to be gone.
    Ending,
    Gone,
}

/// What has happened to one service.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen {
    task: Task,
    built: bool,
    /// It is, or was when it completed.
    ready: bool,
    /// The group goes on without it.
    lost: bool,
    stopped: bool,
    aborted: bool,
    abandoned: bool,
    restarts: u32,
    /// The timers that were armed for it: start, backoff, stop, abort.
    armed: [bool; 4],
}

impl Seen {
    const NOTHING: Self = Self {
        task: Task::None,
        built: false,
        ready: false,
        lost: false,
        stopped: false,
        aborted: false,
        abandoned: false,
        restarts: 0,
        armed: [false; 4],
    };

    fn is_gone(&self) -> bool {
        matches!(self.task, Task::None | Task::Gone) || self.abandoned
    }

    fn is_told(&self) -> bool {
        self.stopped || self.aborted
    }
}

/// A way to get an action wrong, for machines that must be caught.
type Sabotage = fn(&mut Vec<Action>, &[Seen]);

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone)]
struct World {
    machine: Lifecycle,
    sabotage: Option<Sabotage>,
    /// How often each service may be started again.
    max_restarts: u32,
    services: Vec<Seen>,
    deadline_armed: bool,
    grace_armed: bool,
    group_ready: bool,
    stopping: bool,
    out_of_turns: bool,
    over: bool,
    /// Whether something went wrong that the group cannot do without.
    blamed: bool,
}

impl World {
    fn new(plan: Plan, rules: &[Rules], max_restarts: u32) -> Self {
        Self {
            machine: Lifecycle::new(Arc::new(plan), rules),
            sabotage: None,
            max_restarts,
            services: vec![Seen::NOTHING; rules.len()],
            deadline_armed: false,
            grace_armed: false,
            group_ready: false,
            stopping: false,
            out_of_turns: false,
            over: false,
            blamed: false,
        }
    }

    /// All that could happen next.
    fn possible(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.machine.phase == Phase::Idle {
            events.push(Event::Begin);
        }
        if !self.stopping {
            events.push(Event::Stop);
        }
        if !matches!(self.machine.outcome, Outcome::Forced(_)) {
            events.push(Event::Signal(15));
        }
        for (id, seen) in self.services.iter().enumerate() {
            let may_return = seen.restarts < self.max_restarts;
            match seen.task {
                Task::Building => events.extend([Event::Built(id), Event::Failed(id, false)]),
                Task::Starting | Task::Working => {
                    if seen.task == Task::Starting {
                        events.push(Event::Ready(id));
                    }
                    events.extend([Event::Ended(id, false), Event::Failed(id, false)]);
                    if may_return {
                        events.extend([Event::Ended(id, true), Event::Failed(id, true)]);
                    }
                }
                Task::Ending => events.extend([Event::Failed(id, false), Event::Gone(id)]),
                Task::None | Task::Ended | Task::Gone => {}
            }
            let timers = [Timer::Start(id, seen.restarts), Timer::Backoff(id), Timer::Stop(id), Timer::Abort(id)];
            // The machine passes over a timer that means nothing any more, so it need not be tried.
            let due = timers.into_iter().zip(seen.armed).filter(|&(timer, armed)| armed && self.machine.awaits(timer));
            events.extend(due.map(|(timer, _)| Event::Elapsed(timer)));
        }
        let group = [(Timer::Deadline, self.deadline_armed), (Timer::LastGrace, self.grace_armed)];
        let due = group.into_iter().filter(|&(timer, armed)| armed && self.machine.awaits(timer));
        events.extend(due.map(|(timer, _)| Event::Elapsed(timer)));
        events
    }

    fn step(&self, event: Event) -> Self {
        let mut next = self.clone();
        next.happen(event);
        let before = next.machine.outcome();
        let mut actions = next.machine.handle(event);
        if let Some(sabotage) = self.sabotage {
            sabotage(&mut actions, &self.services);
        }
        assert!(!self.over || actions.is_empty(), "nothing happens after the end");
        for action in actions {
            next.carry_out(action);
        }
        next.the_first_cause_is_kept(before);
        next.every_wait_has_a_limit();
        next.over_exactly_when_nothing_is_left();
        next.what_was_built_was_stopped();
        next.forget();
        next
    }

    /// Drops what can make no difference any more, so that worlds which only differ in it are one.
    fn forget(&mut self) {
        let machine = &self.machine;
        for (id, seen) in self.services.iter_mut().enumerate() {
            let timers = [Timer::Start(id, seen.restarts), Timer::Backoff(id), Timer::Stop(id), Timer::Abort(id)];
            for (armed, timer) in seen.armed.iter_mut().zip(timers) {
                *armed &= machine.awaits(timer);
            }
            if self.stopping {
                (seen.ready, seen.lost) = (false, false);
            }
            if seen.task == Task::Gone {
                seen.abandoned = false;
            }
        }
        self.deadline_armed &= machine.awaits(Timer::Deadline);
        self.grace_armed &= machine.awaits(Timer::LastGrace);
    }

    fn happen(&mut self, event: Event) {
        let forced = self.machine.signalled && matches!(event, Event::Signal(_));
        self.out_of_turns |= forced || event == Event::Elapsed(Timer::Deadline);
        match event {
            Event::Built(id) => {
                self.services[id].built = true;
                self.services[id].task = Task::Starting;
            }
            Event::Ready(id) => self.services[id].task = Task::Working,
            Event::Failed(id, _) if matches!(self.services[id].task, Task::Building | Task::Ending) => {
                self.services[id].task = Task::Ending;
            }
            Event::Ended(id, _) | Event::Failed(id, _) => self.services[id].task = Task::Ended,
            Event::Gone(id) => self.services[id].task = Task::Gone,
            Event::Elapsed(Timer::Abort(id)) => self.services[id].abandoned = true,
            Event::Begin | Event::Stop | Event::Signal(_) | Event::Elapsed(_) => {}
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Launch(id) => {
                self.built_once_and_only_when_its_needs_are_settled(id);
                self.services[id].task = Task::Building;
            }
            Action::Restart(id) => {
                let seen = &mut self.services[id];
                assert_eq!(seen.task, Task::Ended, "started again while it runs");
                assert!(!seen.is_told(), "started again after it was told to stop");
                seen.task = Task::Starting;
                seen.restarts += 1;
            }
            Action::Stop(id) => {
                self.stopped_once_and_only_when_its_holders_are_gone(id);
                self.services[id].stopped = true;
                self.end(id);
            }
            Action::Abort(id) => {
                assert!(!self.services[id].aborted, "aborted twice");
                self.services[id].aborted = true;
                self.end(id);
            }
            Action::Arm(timer) => self.arm(timer),
            Action::Blame(fault) => self.blamed |= fault.fatal,
            Action::TellLost(id) => {
                assert!(!self.machine.rules(id).critical, "the group goes on without what it cannot do without");
                self.services[id].ready = false;
                self.services[id].lost = true;
            }
            Action::TellReady(id) => self.services[id].ready = true,
            Action::TellGroupReady => {
                self.the_group_is_ready_once_and_only_when_all_are();
                self.group_ready = true;
            }
            Action::TellStopping(reason) => {
                assert!(!self.stopping, "stopped twice");
                assert!(!matches!(reason, Reason::Completed) || self.group_ready, "completed before it was ready");
                self.stopping = true;
            }
            Action::TellGroupGone => {
                assert!(!self.over, "over twice");
                self.over = true;
            }
            Action::TellBackoff(id) => self.services[id].ready = false,
            Action::TellCompleted(_) | Action::TellGone(_) => {}
        }
    }

    fn end(&mut self, id: Id) {
        let task = &mut self.services[id].task;
        if *task != Task::Gone {
            *task = Task::Ending;
        }
    }

    fn arm(&mut self, timer: Timer) {
        match timer {
            Timer::Start(id, _) => self.services[id].armed[0] = true,
            Timer::Backoff(id) => self.services[id].armed[1] = true,
            Timer::Stop(id) => self.services[id].armed[2] = true,
            Timer::Abort(id) => self.services[id].armed[3] = true,
            Timer::Deadline => self.deadline_armed = true,
            Timer::LastGrace => self.grace_armed = true,
        }
    }

    /// Promise 1, order, at start.
    fn built_once_and_only_when_its_needs_are_settled(&self, id: Id) {
        assert_eq!(self.services[id].task, Task::None, "built twice");
        assert!(!self.services[id].lost, "built without what it needs");
        assert!(!self.stopping, "built although the group stops");
        for need in self.machine.plan.needs(id) {
            let seen = &self.services[need.id];
            assert!(seen.ready || (!need.required && seen.lost), "built before its needs were ready");
        }
    }

    /// Promises 1 and 2, order and exactly once, at stop.
    fn stopped_once_and_only_when_its_holders_are_gone(&self, id: Id) {
        let seen = &self.services[id];
        assert_ne!(seen.task, Task::None, "stopped although it was never built");
        assert!(!seen.stopped, "stopped twice");
        assert!(self.stopping, "stopped although the group runs");
        assert!(self.holders_are_gone(id) || self.out_of_turns, "stopped before those that need it");
    }

    /// All that come after it, and all that come after those.
    fn holders_are_gone(&self, id: Id) -> bool {
        let mut holders = self.machine.plan.needed_by(id).iter();
        holders.all(|holder| self.services[holder.id].is_gone() && self.holders_are_gone(holder.id))
    }

    fn the_group_is_ready_once_and_only_when_all_are(&self) {
        assert!(!self.group_ready && !self.stopping, "ready twice, or too late");
        let all = self.services.iter().all(|seen| seen.ready || seen.lost);
        assert!(all, "the group is ready, and a service is not");
    }

    /// Promise 3: only a forced end speaks louder than the first cause.
    fn the_first_cause_is_kept(&self, before: Outcome) {
        let now = self.machine.outcome();
        assert!(before == now || before == Outcome::Clean || matches!(now, Outcome::Forced(_)), "another cause");
        assert!(self.blamed || matches!(now, Outcome::Clean | Outcome::Forced(_)), "unclean without a cause");
        assert!(now != Outcome::Clean || !self.blamed, "something went wrong, yet it looks clean");
    }

    /// Promise 4: a timer stands behind every service that somebody waits for.
    fn every_wait_has_a_limit(&self) {
        let machine = &self.machine;
        for (id, seen) in self.services.iter().enumerate() {
            let [start, backoff, _, abort] = seen.armed;
            if matches!(machine.state(id), super::State::Building | super::State::Starting) {
                assert!(start && machine.awaits(Timer::Start(id, seen.restarts)), "a start without a limit");
            }
            if machine.state(id) == super::State::Backoff {
                assert!(backoff && machine.awaits(Timer::Backoff(id)), "a backoff without an end");
            }
            if self.stopping && !seen.is_gone() {
                let deadline = self.deadline_armed && machine.awaits(Timer::Deadline);
                let grace = self.grace_armed && machine.awaits(Timer::LastGrace);
                assert!(deadline || grace || (abort && machine.awaits(Timer::Abort(id))), "a stop without a limit");
            }
        }
    }

    fn over_exactly_when_nothing_is_left(&self) {
        let all_gone = self.services.iter().all(Seen::is_gone);
        assert_eq!(self.over, self.stopping && all_gone, "over exactly when nothing is left");
        assert_eq!(self.over, self.machine.is_over(), "over, and not");
    }

    /// Promise 2, exactly once, at the end.
    fn what_was_built_was_stopped(&self) {
        for seen in self.services.iter().filter(|seen| self.over && seen.built) {
            assert!(seen.is_told(), "built, and never stopped");
        }
    }

    /// What a task sent before it noticed that it was told to stop comes too late.
    fn late_news_changes_nothing(&self) {
        for (id, _) in self.services.iter().enumerate().filter(|(_, seen)| seen.is_told()) {
            for event in [Event::Built(id), Event::Ready(id), Event::Ended(id, false), Event::Ended(id, true)] {
                let mut late = self.machine.clone();
                assert_eq!(late.handle(event), [], "late news");
                assert_eq!(late.services, self.machine.services, "late news");
            }
        }
    }

    fn fingerprint(&self) -> u64 {
        let Lifecycle { phase, services, unsettled, deciding, alive, signalled, outcome, .. } = &self.machine;
        let mut hasher = DefaultHasher::new();
        (phase, services, unsettled, deciding, alive, signalled, outcome).hash(&mut hasher);
        (&self.services, self.deadline_armed, self.grace_armed, self.group_ready, self.stopping).hash(&mut hasher);
        (self.out_of_turns, self.over, self.blamed).hash(&mut hasher);
        hasher.finish()
    }
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only numbers are hashed")
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How much was tried.
#[derive(Default)]
struct Covered {
    groups: usize,
    states: usize,
    transitions: usize,
}

impl Covered {
    /// Walks every state that can be reached from here.
    fn explore(&mut self, first: World) {
        let mut seen: HashSet<u64, BuildHasherDefault<AsItIs>> = HashSet::default();
        seen.insert(first.fingerprint());
        let mut open = vec![first];
        while let Some(world) = open.pop() {
            for event in world.possible() {
                self.transitions += 1;
                let next = world.step(event);
                // After the end, the machine looks at nothing.
                if seen.insert(next.fingerprint()) && !next.over {
                    next.late_news_changes_nothing();
                    open.push(next);
                }
            }
        }
        self.groups += 1;
        self.states += seen.len();
    }

    fn say(&self, what: &str) {
        let Self { groups, states, transitions } = self;
        println!("{what}: {groups} groups, {states} states, {transitions} transitions");
    }
}

const ROLES: [Role; 4] = [Role::Task, Role::Daemon, Role::Once, Role::Main];
const TASK: Rules = Rules { role: Role::Task, critical: true };
const OPTIONAL: Rules = Rules { role: Role::Task, critical: false };

/// All graphs of `n` services, their edges all required or all optional.
fn graphs(n: usize, required: bool) -> impl Iterator<Item = Vec<Edge>> {
    let pairs: Vec<(Id, Id)> = (0..n).flat_map(|from| (0..from).map(move |to| (from, to))).collect();
    (0_u32..1 << pairs.len()).map(move |chosen| {
        let chosen = pairs.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
        chosen.map(|(_, &(from, to))| Edge { from, to, required }).collect()
    })
}

#[test]
fn a_group_of_none_ends_at_once() {
    Covered::default().explore(World::new(Plan::new(Schedule::Strict, 0, &[]), &[], 0));
}

#[test]
fn every_state_of_a_service_in_every_role_with_restarts() {
    let mut covered = Covered::default();
    for role in ROLES {
        for critical in [true, false] {
            covered.explore(World::new(Plan::new(Schedule::Strict, 1, &[]), &[Rules { role, critical }], 3));
        }
    }
    covered.say("one service");
}

#[test]
fn every_state_of_every_pair_in_every_role_with_restarts() {
    let mut covered = Covered::default();
    let rules = || ROLES.into_iter().flat_map(|role| [true, false].map(|critical| Rules { role, critical }));
    for edges in graphs(2, true).chain(graphs(2, false)) {
        for first in rules() {
            for second in rules() {
                covered.explore(World::new(Plan::new(Schedule::Graph, 2, &edges), &[first, second], 1));
            }
        }
    }
    covered.say("two services");
}

#[test]
fn every_state_of_every_graph_of_three() {
    let mut covered = Covered::default();
    for edges in graphs(3, true).chain(graphs(3, false)) {
        for schedule in [Schedule::Strict, Schedule::Graph] {
            for first in [TASK, OPTIONAL] {
                covered.explore(World::new(Plan::new(schedule, 3, &edges), &[first, TASK, OPTIONAL], 0));
            }
        }
    }
    covered.say("three services");
}

#[test]
fn every_state_of_every_graph_of_four() {
    let mut covered = Covered::default();
    for edges in graphs(4, true) {
        covered.explore(World::new(Plan::new(Schedule::Graph, 4, &edges), &[TASK; 4], 0));
    }
    covered.explore(World::new(Plan::new(Schedule::Strict, 4, &[]), &[TASK; 4], 0));
    covered.say("four services");
}

/// A machine that breaks a promise must be caught, or this proves nothing.
fn catches(sabotage: Sabotage, promise: &str) {
    let chain = Plan::new(Schedule::Strict, 3, &[]);
    let mut world = World::new(chain, &[TASK; 3], 0);
    world.sabotage = Some(sabotage);
    let caught = std::panic::catch_unwind(|| Covered::default().explore(world));
    let said = crate::panic::message(&*caught.expect_err("it went unnoticed"));
    assert!(said.contains(promise), "{said}");
}

#[test]
fn a_machine_that_stops_in_start_order_is_caught() {
    let sabotage: Sabotage = |actions, services| {
        let all_run = services.iter().all(|seen| seen.task == Task::Working);
        for action in actions.iter_mut().filter(|_| all_run) {
            if let Action::Stop(id) = action {
                *id = services.len() - 1 - *id;
            }
        }
    };
    catches(sabotage, "stopped before those that need it");
}

#[test]
fn a_machine_that_forgets_a_built_service_is_caught() {
    let sabotage: Sabotage =
        |actions, _| actions.retain(|action| !matches!(action, Action::Stop(0) | Action::Abort(0)));
    catches(sabotage, "built, and never stopped");
}

#[test]
fn a_machine_that_stops_a_dependency_early_is_caught() {
    let sabotage: Sabotage = |actions, services| {
        if actions.contains(&Action::Stop(2)) && services[1].task != Task::None {
            actions.push(Action::Stop(1));
        }
    };
    catches(sabotage, "stopped before those that need it");
}

#[test]
fn a_machine_that_builds_too_early_is_caught() {
    let sabotage: Sabotage = |actions, _| {
        if actions.contains(&Action::Launch(0)) {
            actions.push(Action::Launch(1));
        }
    };
    catches(sabotage, "built before its needs were ready");
}

#[test]
fn a_machine_that_waits_without_a_limit_is_caught() {
    catches(|actions, _| actions.retain(|action| *action != Action::Arm(Timer::Deadline)), "a stop without a limit");
    catches(
        |actions, _| actions.retain(|action| *action != Action::Arm(Timer::Start(1, 0))),
        "a start without a limit",
    );
}

#[test]
fn a_machine_that_swallows_a_failure_is_caught() {
    let sabotage: Sabotage = |actions, _| actions.retain(|action| !matches!(action, Action::Blame(_)));
    catches(sabotage, "unclean without a cause");
}
