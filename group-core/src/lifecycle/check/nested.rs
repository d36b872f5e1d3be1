//! Worlds in which a service of one machine is itself a group, with a machine of its own.
//!
//! Neither machine knows of the other. Between them stands a [`Nest`], a model of the service that `group/nest.rs` implements: it
//! makes the news of its service from what the inner group does, and passes on what the outer group asks the service to do. Each of
//! that is a step of its own, which comes at any moment after it has become possible: so everything else may come in between.
//!
//! Each machine keeps its promises as ever, and is held to them. What is checked here is what holds between the two.

use std::collections::HashSet;
use std::panic::catch_unwind;
use std::sync::Arc;

use super::essence::Essence;
use super::group::{Group, groups, rules};
use super::world::{Seen, Task, World};
use super::{every_group, search::Covered};
use crate::lifecycle::interface::{Again, GroupEnd, Id, Input, Role, Rules};
use crate::lifecycle::plan::{Edge, Schedule};

/// A way in which a nest is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    /// It begins with the outer group, and not in its turn.
    BeginsEarly,
    /// It is ready when it has begun.
    ReadyEarly,
    /// It is gone when it was asked to stop.
    GoneEarly,
    /// It does not pass on the request to stop.
    PassesNoStop,
    /// It does not pass on an abort.
    PassesNoAbort,
    /// Its failure is an end as any other.
    HidesFailures,
    /// It is said to have ended before it has.
    EndsEarly,
}

/// A step of a world.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Something happens to the outer group, and not to the nest.
    Outer(Input),
    /// Something happens to the inner group by itself.
    Inner(Input),
    /// The nest tells the outer group this.
    Tell(Input),
    /// The nest asks the inner group for this.
    Ask(Input),
}

/// Two groups: the inner one is the service `id` of the outer one.
#[derive(Clone, Debug)]
struct Nest {
    outer: World,
    id: Id,
    inner_group: Arc<Group>,
    /// The inner group in its present life, or in the last one.
    inner: Option<World>,
    /// An inner group has failed by itself, no life followed, and the outer group cannot do without it.
    has_failed: bool,
    broken: Option<Broken>,
}

type Facts = (Essence, Option<Essence>, bool);

impl Nest {
    fn new(outer: &Arc<Group>, id: Id, inner: &Arc<Group>, broken: Option<Broken>) -> Self {
        let (outer, inner_group) = (World::new(outer), Arc::clone(inner));
        Self { outer, id, inner_group, inner: None, has_failed: false, broken }
    }

    /// The outer group's view of the nest.
    fn seen(&self) -> &Seen {
        &self.outer.services[self.id]
    }

    fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    /// Returns true unless something inside is left.
    fn is_over(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.over)
    }

    fn facts(&self) -> Facts {
        (self.outer.essence(), self.inner.as_ref().map(World::essence), self.has_failed)
    }

    /// The steps that are possible next.
    fn possible(&self) -> Vec<Step> {
        let nest = self.id;
        let is_news = |input: &Input| matches!(*input, Input::Built(id) | Input::Ready(id) | Input::Ended(id, _) | Input::Failed(id, _) | Input::Gone(id) if id == nest);
        let mut steps = Vec::new();
        if !self.outer.over {
            let others = self.outer.possible().into_iter().filter(|input| !is_news(input));
            steps.extend(others.map(Step::Outer));
        }
        if let Some(inner) = self.inner.as_ref().filter(|inner| !inner.over) {
            // Its signals and its abort come from outside. Its own services may stop it.
            let own = |input: &Input| !matches!(input, Input::Begin | Input::Abort | Input::Signal(..));
            steps.extend(inner.possible().into_iter().filter(own).map(Step::Inner));
        }
        steps.extend(self.own_steps());
        steps
    }

    /// The steps of the nest itself.
    fn own_steps(&self) -> Vec<Step> {
        let (nest, seen) = (self.id, self.seen());
        let mut steps = Vec::new();
        if let Some(inner) = self.inner.as_ref().filter(|inner| !inner.over) {
            if seen.aborted && !inner.at_once && !self.is(Broken::PassesNoAbort) {
                steps.push(Step::Ask(Input::Abort));
            } else if (seen.stopped || seen.lost) && !inner.stopping && !self.is(Broken::PassesNoStop) {
                steps.push(Step::Ask(Input::Stop));
            }
        }
        if self.outer.over {
            return steps;
        }
        let has_ended = self.inner.is_some() && (self.is_over() || self.is(Broken::EndsEarly));
        match seen.task {
            Task::Building => steps.push(Step::Tell(Input::Built(nest))),
            // Its `start` was given up, so there is no more news of it.
            Task::Starting | Task::Working if seen.lost => {}
            Task::Starting | Task::Working if has_ended => {
                let again = [Again::Yes, Again::No];
                let is_clean = self.inner.as_ref().is_none_or(|inner| inner.verdict == GroupEnd::Clean);
                let is_end = is_clean || self.is(Broken::HidesFailures);
                let ends =
                    |again| Step::Tell(if is_end { Input::Ended(nest, again) } else { Input::Failed(nest, again) });
                steps.extend(again.map(ends));
            }
            Task::Starting => {
                let is_ready = self.inner.as_ref().is_some_and(|inner| inner.group_ready);
                if is_ready || self.is(Broken::ReadyEarly) {
                    steps.push(Step::Tell(Input::Ready(nest)));
                }
            }
            Task::Ending if self.is_over() || self.is(Broken::GoneEarly) => steps.push(Step::Tell(Input::Gone(nest))),
            Task::None | Task::Working | Task::Ended | Task::Ending | Task::Gone => {}
        }
        steps
    }

    /// Returns the world after this step, and checks what holds between the two groups.
    fn step(&self, step: Step) -> Self {
        let mut next = self.clone();
        match step {
            Step::Outer(input) | Step::Tell(input) => next.outer = self.outer.step(input),
            Step::Inner(input) | Step::Ask(input) => next.inner = self.inner.as_ref().map(|inner| inner.step(input)),
        }
        next.begin_life(self, step);
        if let Step::Tell(Input::Failed(_, Again::No)) = step {
            next.has_failed |= next.outer.group.rules[next.id].critical;
        }
        if let Step::Tell(Input::Ended(_, Again::No)) = step {
            let failed = self.inner.as_ref().is_some_and(|inner| inner.verdict != GroupEnd::Clean);
            next.has_failed |= failed && next.outer.group.rules[next.id].critical;
        }
        next.keeps_what_holds_between(self);
        next
    }

    /// Begins a life of the inner group when the outer one starts the service, for the first time or again.
    fn begin_life(&mut self, before: &Self, step: Step) {
        let runs_again = self.seen().restarts > before.seen().restarts && self.seen().task == Task::Starting;
        let begins = match step {
            Step::Tell(Input::Built(_)) => !self.is(Broken::BeginsEarly),
            Step::Outer(Input::Begin) => self.is(Broken::BeginsEarly),
            _ => runs_again,
        };
        if begins {
            assert!(before.is_over(), "a life begins beside another one");
            self.inner = Some(World::new(&self.inner_group).step(Input::Begin));
        }
    }

    fn keeps_what_holds_between(&self, before: &Self) {
        self.inside_is_built_only_when_its_needs_are_there(before);
        self.nothing_inside_outlives_the_service(before);
        self.the_service_is_ready_only_when_all_inside_are();
        self.what_is_asked_of_the_service_reaches_the_inside();
        self.a_failure_inside_is_that_of_the_service();
    }

    /// Promise 1, order, at the start.
    fn inside_is_built_only_when_its_needs_are_there(&self, before: &Self) {
        let builds =
            |world: &Self, id: Id| world.inner.as_ref().is_some_and(|inner| inner.services[id].task == Task::Building);
        if !(0..self.inner_group.rules.len()).any(|id| builds(self, id) && !builds(before, id)) {
            return;
        }
        assert!(!matches!(self.seen().task, Task::None | Task::Building | Task::Gone), "built before its turn");
        for need in self.outer.group.needs(self.id) {
            let seen = &self.outer.services[need.to];
            // It may be on its way back, after a restart.
            let is_there = seen.built && !seen.is_gone() && !seen.is_told() || !need.required;
            // An abandoned service blocks its thread: nothing reaches it, and nobody waits for it.
            let is_late = self.outer.out_of_turns || self.seen().abandoned;
            assert!(is_there || is_late, "built inside without what the service needs");
        }
    }

    /// Promises 1 and 2, order and exactly once, at the stop: what the service needs is asked to stop only when all inside are gone.
    fn nothing_inside_outlives_the_service(&self, before: &Self) {
        if self.is_over() || self.seen().abandoned {
            return;
        }
        assert_ne!(self.seen().task, Task::Gone, "the service is gone, and something inside is not");
        assert_ne!(self.seen().task, Task::Ended, "the service has ended, and something inside has not");
        assert!(!self.outer.over, "the outer group is over, and the inner one is not");
        for (id, seen) in self.outer.services.iter().enumerate() {
            let is_told = seen.stopped && !before.outer.services[id].stopped;
            let needed = self.outer.group.followers[id].contains(&self.id);
            assert!(!is_told || !needed || self.outer.out_of_turns, "stopped before all inside are gone");
        }
    }

    /// Promise 3, all or nothing.
    fn the_service_is_ready_only_when_all_inside_are(&self) {
        let inside = self.inner.as_ref().is_some_and(|inner| inner.group_ready);
        assert!(inside || self.seen().task != Task::Working, "the service is ready, and what is inside is not");
    }

    /// Promises 4 and 7: a stop or an abort of the service is passed on.
    fn what_is_asked_of_the_service_reaches_the_inside(&self) {
        let (Some(inner), seen) = (self.inner.as_ref().filter(|inner| !inner.over), self.seen()) else { return };
        let is_on_its_way = self.own_steps().iter().any(|step| matches!(step, Step::Ask(_)));
        assert!(!seen.aborted || inner.at_once || is_on_its_way, "the service is aborted, and what is inside goes on");
        let is_asked = seen.stopped || seen.lost;
        assert!(!is_asked || inner.stopping || is_on_its_way, "the service is to stop, and what is inside goes on");
    }

    /// Promises 3 and 6: the outer group does not go on, and does not end cleanly, after a failure inside that no restart follows.
    fn a_failure_inside_is_that_of_the_service(&self) {
        let is_known = self.outer.verdict != GroupEnd::Clean;
        assert!(!self.has_failed || is_known || self.outer.stopping, "a failure inside is lost");
        assert!(!(self.has_failed && self.outer.over) || is_known, "a failure inside is lost");
    }

    /// Visits all worlds that can be reached from this one.
    fn explore(self) -> Covered {
        let mut seen = HashSet::from([self.facts()]);
        let mut transitions = 0;
        let mut open = vec![self];
        while let Some(world) = open.pop() {
            for step in world.possible() {
                transitions += 1;
                let next = world.step(step);
                if seen.insert(next.facts()) && !(next.outer.over && next.is_over()) {
                    open.push(next);
                }
            }
        }
        Covered { groups: 1, states: seen.len(), transitions }
    }
}

const SCHEDULES: [(Schedule, &str); 2] = [(Schedule::Strict, "strict"), (Schedule::Graph, "graph")];

/// Every group of `n` tasks, without clients: a lame duck stops nothing, inside or outside.
fn every_group_of_tasks(schedule: Schedule, n: usize) -> Vec<Group> {
    every_group(schedule, n, &[Role::Task]).into_iter().map(Group::without_clients).collect()
}

/// Tries every group of `inner` services as each service of every group of `outer` ones.
fn try_all(outer: usize, inner: usize) {
    for (schedule, name) in SCHEDULES {
        let inners: Vec<Arc<Group>> = every_group_of_tasks(schedule, inner).into_iter().map(Arc::new).collect();
        let mut covered = Covered::default();
        for group in every_group_of_tasks(schedule, outer).into_iter().map(Arc::new) {
            for (inner, nest) in inners.iter().flat_map(|inner| (0..outer).map(move |nest| (inner, nest))) {
                covered = [covered, Nest::new(&group, nest, inner, None).explore()].into_iter().sum();
            }
        }
        covered.say(&format!("{inner} services inside of one of {outer}, {name}"));
    }
}

#[test]
fn every_state_of_a_group_inside_of_a_group() {
    try_all(1, 1);
    try_all(1, 2);
    try_all(2, 1);
}

#[test]
fn every_state_of_a_group_of_two_inside_of_one_of_two() {
    let critical = rules(2, &[Role::Task]).remove(0);
    let inner = groups(Schedule::Graph, &critical).into_iter().map(Group::without_clients).map(Arc::new);
    let mut covered = Covered::default();
    for inner in inner {
        for nest in 0..2 {
            let outer = Arc::new(two_in_a_row());
            covered = [covered, Nest::new(&outer, nest, &inner, None).explore()].into_iter().sum();
        }
    }
    covered.say("2 services inside of one of 2 in a row");
}

/// Two services, of which the second needs the first.
fn two_in_a_row() -> Group {
    let rules = [Rules { role: Role::Task, critical: true }; 2];
    Group::new(Schedule::Graph, &rules, vec![Edge { from: 1, to: 0, required: true }]).without_clients()
}

/// Asserts that the search finds a broken nest, which is the second service of two.
fn catches(broken: Broken, promise: &str) {
    let inner = Arc::new(two_in_a_row());
    let nest = Nest::new(&Arc::new(two_in_a_row()), 1, &inner, Some(broken));
    let caught = catch_unwind(|| nest.explore());
    let message = super::message(&*caught.expect_err("it went unnoticed"));
    assert!(message.contains(promise), "{message}");
}

#[test]
fn a_nest_that_begins_before_its_turn_is_caught() {
    catches(Broken::BeginsEarly, "built before its turn");
}

#[test]
fn a_nest_that_is_ready_before_what_is_inside_is_caught() {
    catches(Broken::ReadyEarly, "the service is ready, and what is inside is not");
}

#[test]
fn a_nest_that_is_gone_before_what_is_inside_is_caught() {
    catches(Broken::GoneEarly, "the service is gone, and something inside is not");
}

#[test]
fn a_nest_that_does_not_pass_on_a_stop_or_an_abort_is_caught() {
    catches(Broken::PassesNoStop, "the service is to stop, and what is inside goes on");
    catches(Broken::PassesNoAbort, "the service is aborted, and what is inside goes on");
}

#[test]
fn a_nest_that_hides_a_failure_is_caught() {
    catches(Broken::HidesFailures, "a failure inside is lost");
}

#[test]
fn a_nest_that_ends_before_what_is_inside_is_caught() {
    catches(Broken::EndsEarly, "the service has ended, and something inside has not");
}
