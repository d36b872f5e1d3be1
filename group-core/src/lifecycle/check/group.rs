//! The groups that are tried.

use crate::lifecycle::interface::{Id, Role, Rules};
use crate::lifecycle::plan::{Edge, Plan, Schedule};

/// The declaration of a group. It is independent of the [`Plan`] that the machine follows.
#[derive(Debug)]
pub(super) struct Group {
    schedule: Schedule,
    edges: Vec<Edge>,
    pub(super) rules: Vec<Rules>,
    /// True if it may serve: only then it can be a lame duck.
    pub(super) may_serve: bool,
    /// True if its services are stopped, started and restarted by hand.
    pub(super) is_controlled: bool,
    /// For each service, all services that come after it, directly or not.
    pub(super) followers: Vec<Vec<Id>>,
    /// For each service, those of them that go down before it, and come back after it, if that is asked for by hand.
    pub(super) along: Vec<Vec<Id>>,
}

/// The facts that distinguish two groups with the same numbering.
type Shape = (Vec<Edge>, Vec<(Role, bool)>);

impl Group {
    pub(super) fn new(schedule: Schedule, rules: &[Rules], edges: Vec<Edge>) -> Self {
        let mut group = Self {
            schedule,
            edges,
            rules: rules.to_vec(),
            may_serve: true,
            is_controlled: false,
            followers: Vec::new(),
            along: Vec::new(),
        };
        let ids = || 0..rules.len();
        group.followers = ids().map(|id| ids().filter(|&other| group.comes_after(other, id)).collect()).collect();
        group.along = ids().map(|id| ids().filter(|&other| group.goes_along(other, id)).collect()).collect();
        group
    }

    /// The same group, and it is controlled by hand.
    pub(super) fn controlled(self) -> Self {
        Self { is_controlled: true, ..self }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.schedule == Schedule::Strict
    }

    /// The same group, but it does not serve.
    pub(super) fn without_clients(self) -> Self {
        Self { may_serve: false, ..self }
    }

    pub(super) fn plan(&self) -> Plan {
        Plan::new(self.schedule, self.rules.len(), &self.edges)
    }

    /// The edges to the services that this one comes after. In the strict schedule, one of them is the service before.
    pub(super) fn needs(&self, id: Id) -> impl Iterator<Item = Edge> {
        let strict = self.is_strict() && id > 0;
        let before = strict.then(|| Edge { from: id, to: id - 1, required: false });
        self.edges.iter().copied().filter(move |edge| edge.from == id).chain(before)
    }

    fn comes_after(&self, id: Id, other: Id) -> bool {
        self.needs(id).any(|edge| edge.to == other || self.comes_after(edge.to, other))
    }

    /// Returns true if a service goes down before another one: it was declared to come after it, directly or not, and not
    /// only because that is a sidecar.
    fn goes_along(&self, id: Id, other: Id) -> bool {
        let is_sidecar = |id: Id| self.rules[id].role == Role::Sidecar;
        let counts = |edge: &Edge| edge.required || is_sidecar(edge.from) || !is_sidecar(edge.to);
        let mut needs = self.edges.iter().filter(|edge| edge.from == id && counts(edge));
        needs.any(|edge| edge.to == other || self.goes_along(edge.to, other))
    }

    /// Returns true if this is the first of all groups that differ from it only in their numbers.
    ///
    /// In the graph schedule, a service's number decides only the sequence of actions that are returned together, so
    /// one of these groups stands for all. In the strict schedule, the numbers are the order.
    pub(super) fn stands_for_its_like(&self) -> bool {
        let all = numberings(self.rules.len());
        let others = all.iter().filter_map(|numbers| self.renumbered(numbers));
        self.schedule == Schedule::Strict || others.min() == self.renumbered(&all[0])
    }

    /// The edges and rules of the group with these numbers instead; `None` if they are not a start order.
    fn renumbered(&self, numbers: &[Id]) -> Option<Shape> {
        let renumber = |edge: &Edge| Edge { from: numbers[edge.from], to: numbers[edge.to], ..*edge };
        let mut edges: Vec<Edge> = self.edges.iter().map(renumber).collect();
        edges.sort_unstable();
        let mut rules: Vec<_> =
            numbers.iter().zip(&self.rules).map(|(number, rules)| (number, rules.role, rules.critical)).collect();
        rules.sort_unstable();
        let rules = rules.into_iter().map(|(_, role, critical)| (role, critical)).collect();
        edges.iter().all(|edge| edge.from > edge.to).then_some((edges, rules))
    }
}

/// Returns every way to number `n` services; the first is 0, 1, 2 and so on.
fn numberings(n: usize) -> Vec<Vec<Id>> {
    (0..n).fold(vec![Vec::new()], |shorter, last| {
        let with = |numbers: &Vec<Id>, at| [&numbers[..at], &[last], &numbers[at..]].concat();
        shorter.iter().flat_map(|numbers| (0..=last).rev().map(move |at| with(numbers, at))).collect()
    })
}

pub(super) const ROLES: [Role; 4] = [Role::Task, Role::Daemon, Role::Once, Role::Main];

/// Returns every combination of rules for `n` services in these roles, each critical or not.
pub(super) fn rules(n: usize, roles: &[Role]) -> Vec<Vec<Rules>> {
    let one = || roles.iter().flat_map(|&role| [true, false].map(|critical| Rules { role, critical }));
    (0..n).fold(vec![Vec::new()], |shorter, _| {
        shorter.iter().flat_map(|rules| one().map(|next| [&rules[..], &[next]].concat())).collect()
    })
}

/// Returns every group with these rules: between any two services there is one edge or none.
///
/// An optional edge differs from a required one only if the group can go on without the service that the edge leads
/// to; the other edges are all required. The strict schedule has an edge to the service before anyway.
pub(super) fn groups(schedule: Schedule, rules: &[Rules]) -> Vec<Group> {
    let pairs = (0..rules.len()).flat_map(|from| (0..from).map(move |to| (from, to)));
    let graphs = pairs.fold(vec![Vec::new()], |smaller: Vec<Vec<Edge>>, (from, to)| {
        let edge = |required| Some(Edge { from, to, required });
        let mut choices = vec![None, edge(true), edge(false)];
        if rules[to].critical {
            choices.retain(|choice| choice.is_none_or(|edge| edge.required));
        }
        if schedule == Schedule::Strict && from == to + 1 {
            choices.retain(|choice| choice.is_none_or(|edge| edge.required && !rules[to].critical));
        }
        let with = |edges: &Vec<Edge>, choice: &Option<Edge>| edges.iter().chain(choice).copied().collect();
        smaller.iter().flat_map(|edges| choices.iter().map(move |choice| with(edges, choice))).collect()
    });
    graphs.into_iter().map(|edges| Group::new(schedule, rules, edges)).collect()
}
