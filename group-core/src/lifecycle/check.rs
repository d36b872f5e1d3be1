//! Every reachable state of the machine, against a model of all that its surroundings may do.

use std::collections::{BTreeSet, HashSet};

use super::{Action, Event, FaultKind, Id, Lifecycle, Outcome, Plan, Reason, Role, Timer};

/// What the task of one service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Task {
    None,
    Building,
    Starting,
    Working,
    /// `start` has returned, or failed.
    Ended,
    /// It failed to stop cleanly, or to be built, and is about to be gone.
    Ending,
    Gone,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, to be checked")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    machine: Lifecycle,
    tasks: Vec<Task>,
    was_ready: Vec<bool>,
    stopped: Vec<bool>,
    aborted: Vec<bool>,
    abandoned: Vec<bool>,
    timers: BTreeSet<Timer>,
    begun: bool,
    signals: i32,
    stop_asked: bool,
    group_ready: bool,
    stopping: bool,
    out_of_turns: bool,
    over: bool,
    blamed: bool,
}

impl World {
    fn new(plan: &Plan, roles: &[Role]) -> Self {
        let n = roles.len();
        Self {
            machine: Lifecycle::new(plan.clone(), roles),
            tasks: vec![Task::None; n],
            was_ready: vec![false; n],
            stopped: vec![false; n],
            aborted: vec![false; n],
            abandoned: vec![false; n],
            timers: BTreeSet::new(),
            begun: false,
            signals: 0,
            stop_asked: false,
            group_ready: false,
            stopping: false,
            out_of_turns: false,
            over: false,
            blamed: false,
        }
    }

    /// All that could happen next. A task that was told to stop may have sent other news before it
    /// noticed.
    fn possible(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.begun {
            events.push(Event::Begin);
        }
        if !self.stop_asked {
            events.push(Event::Stop);
        }
        if self.signals < 2 {
            events.push(Event::Signal(self.signals + 1));
        }
        for (id, task) in self.tasks.iter().enumerate() {
            let told = self.stopped[id] || self.aborted[id];
            match task {
                Task::Building => events.extend([Event::Built(id), Event::Failed(id)]),
                Task::Starting => events.extend([Event::Ready(id), Event::Ended(id), Event::Failed(id)]),
                Task::Working => events.extend([Event::Ended(id), Event::Failed(id)]),
                Task::Ended if told => events.push(Event::Failed(id)),
                Task::None | Task::Ended | Task::Ending | Task::Gone => {}
            }
            if (told && *task != Task::None && *task != Task::Gone) || *task == Task::Ending {
                events.push(Event::Gone(id));
            }
        }
        events.extend(self.timers.iter().copied().map(Event::Elapsed));
        events
    }

    fn step(&self, event: Event) -> Self {
        let mut next = self.clone();
        next.happen(event);
        let before = next.machine.outcome();
        let actions = next.machine.handle(event);
        assert!(!self.over || actions.is_empty(), "nothing happens after the end");
        for action in actions {
            next.carry_out(action);
        }
        // The machine passes over a timer that means nothing any more, so it need not be tried.
        next.timers.retain(|&timer| next.machine.awaits(timer));
        next.check_outcome(before);
        next.check_bounded();
        next.check_end();
        next
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Begin => self.begun = true,
            Event::Stop => self.stop_asked = true,
            Event::Signal(_) => {
                self.signals += 1;
                self.out_of_turns |= self.signals > 1;
            }
            Event::Built(id) => self.tasks[id] = Task::Starting,
            Event::Ready(id) => self.tasks[id] = Task::Working,
            Event::Failed(id) if matches!(self.tasks[id], Task::Building | Task::Ended) => {
                self.tasks[id] = Task::Ending;
            }
            Event::Ended(id) | Event::Failed(id) => self.tasks[id] = Task::Ended,
            Event::Gone(id) => self.tasks[id] = Task::Gone,
            Event::Elapsed(timer) => {
                self.timers.remove(&timer);
                match timer {
                    Timer::Deadline => self.out_of_turns = true,
                    Timer::Abort(id) => self.abandoned[id] = true,
                    _ => {}
                }
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Launch(id) => {
                assert_eq!(self.tasks[id], Task::None, "a service is built once");
                assert!(!self.stopping, "nothing is built once the group stops");
                let needs = self.machine.plan.needs(id);
                assert!(needs.iter().all(|&need| self.was_ready[need]), "built before its needs were ready");
                self.tasks[id] = Task::Building;
            }
            Action::Stop(id) => {
                assert_ne!(self.tasks[id], Task::None, "what was never built is never stopped");
                assert!(!self.stopped[id], "a service is stopped once");
                assert!(self.stopping);
                assert!(self.out_of_turns || self.holders_are_gone(id), "stopped before those that need it");
                self.stopped[id] = true;
            }
            Action::Abort(id) => {
                assert!(!self.aborted[id], "a service is aborted once");
                self.aborted[id] = true;
            }
            Action::Arm(timer) => {
                assert!(self.timers.insert(timer), "armed twice");
            }
            Action::Blame(fault) => {
                self.blamed = true;
                assert!(
                    self.stopping || fault.kind == FaultKind::Error || self.begun,
                    "nothing goes wrong before the beginning"
                );
            }
            Action::TellReady(id) => {
                assert!(!self.was_ready[id]);
                self.was_ready[id] = true;
            }
            Action::TellGroupReady => {
                assert!(!self.group_ready && !self.stopping);
                assert!(self.was_ready.iter().all(|&ready| ready), "not all are ready");
                self.group_ready = true;
            }
            Action::TellStopping(reason) => {
                assert!(!self.stopping);
                assert!(!matches!(reason, Reason::Completed) || self.group_ready);
                self.stopping = true;
            }
            Action::TellGroupGone => {
                assert!(!self.over);
                self.over = true;
            }
            Action::TellCompleted(_) | Action::TellGone(_) => {}
        }
    }

    fn is_gone(&self, id: Id) -> bool {
        matches!(self.tasks[id], Task::None | Task::Gone) || self.abandoned[id]
    }

    fn holders_are_gone(&self, id: Id) -> bool {
        self.machine.plan.needed_by(id).iter().all(|&holder| self.is_gone(holder))
    }

    /// The first cause is kept, and only a forced end speaks louder.
    fn check_outcome(&self, before: Outcome) {
        let now = self.machine.outcome();
        assert!(before == now || before == Outcome::Clean || matches!(now, Outcome::Forced(_)));
        assert!(self.blamed || matches!(now, Outcome::Clean | Outcome::Forced(_)));
        assert!(now != Outcome::Clean || !self.blamed, "something went wrong, yet it looks clean");
    }

    /// A timer stands behind every service that somebody waits for.
    fn check_bounded(&self) {
        let armed = |timer| self.timers.contains(&timer) && self.machine.awaits(timer);
        for (id, task) in self.tasks.iter().enumerate() {
            if matches!(task, Task::Building | Task::Starting) && !self.stopping {
                assert!(armed(Timer::Start(id)), "a start without a limit");
            }
            if self.stopping && !self.is_gone(id) {
                let bounded = armed(Timer::Deadline) || armed(Timer::LastGrace) || armed(Timer::Abort(id));
                assert!(bounded, "a stop without a limit");
            }
        }
    }

    fn check_end(&self) {
        let all_gone = (0..self.tasks.len()).all(|id| self.is_gone(id));
        assert_eq!(self.over, self.stopping && all_gone, "over exactly when nothing is left");
        assert_eq!(self.over, self.machine.is_over());
        for (id, task) in self.tasks.iter().enumerate() {
            if self.over && *task != Task::None {
                assert!(self.stopped[id] || self.aborted[id], "built, and never stopped");
            }
        }
    }
}

/// Walks every state that can be reached, and returns how many there are.
fn explore(plan: &Plan, roles: &[Role]) -> usize {
    let first = World::new(plan, roles);
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        for event in world.possible() {
            let next = world.step(event);
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen.len()
}

/// All graphs of `n` services.
fn graphs(n: usize) -> impl Iterator<Item = Plan> {
    let pairs: Vec<(Id, Id)> = (0..n).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    (0_u32..1 << pairs.len()).map(move |chosen| {
        let edges: Vec<_> = (0..pairs.len()).filter(|bit| chosen >> bit & 1 == 1).map(|bit| pairs[bit]).collect();
        Plan::graph(n, &edges)
    })
}

#[test]
fn every_state_of_a_single_service_in_every_role() {
    for role in [Role::Task, Role::Daemon, Role::Once, Role::Main] {
        println!("{}", explore(&Plan::strict(1), &[role]));
    }
}

#[test]
fn every_state_of_every_graph_of_two_services_in_every_role() {
    let roles = [Role::Task, Role::Daemon, Role::Once, Role::Main];
    for plan in graphs(2) {
        for first in roles {
            for second in roles {
                explore(&plan, &[first, second]);
            }
        }
    }
}

#[test]
fn every_state_of_three_services_one_after_the_other() {
    let states = explore(&Plan::strict(3), &[Role::Task; 3]);
    println!("{states} states");
}

#[test]
fn a_group_of_none_ends_at_once() {
    explore(&Plan::strict(0), &[]);
}
