//! The order of a group: which service waits for which.

use std::time::Duration;

use super::interface::Id;

/// The way in which a group walks its order, at start and, in reverse, at stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// One service at a time: each is ready before the next is built, and gone before the next is asked to stop.
    #[default]
    Strict,
    /// All services at once that need not wait for another one. The start takes as long as the longest chain of
    /// services that come after one another, and so does the stop.
    Graph,
}

/// One service comes after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Edge {
    pub(crate) from: Id,
    pub(crate) to: Id,
    /// True if `from` cannot run without `to`.
    pub(crate) required: bool,
}

/// One end of an edge, as seen from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Need {
    pub(crate) id: Id,
    pub(crate) required: bool,
}

/// The edges of a group, as the lifecycle walks them. Services are numbered in start order, so that
/// every edge leads from a higher number to a lower one.
///
/// The strict schedule is no second algorithm: it is the graph in which every service also comes
/// after the one before it. Those edges are implied, and are not stored.
#[derive(Debug)]
pub(crate) struct Plan {
    schedule: Schedule,
    services: usize,
    /// The declared edges, by `from`, and by `to`.
    needs: Lists<Need>,
    needed_by: Lists<Need>,
    /// For each service, the length of the longest chain before it. Empty in a strict schedule: there it is every
    /// service before it.
    behind: Vec<usize>,
}

impl Plan {
    pub(crate) fn new(schedule: Schedule, services: usize, edges: &[Edge]) -> Self {
        let mut edges = edges.to_vec();
        // Two edges between the same services become one: the stricter one.
        edges.sort_unstable_by_key(|edge| (edge.from, edge.to, !edge.required));
        edges.dedup_by_key(|edge| (edge.from, edge.to));

        let need = |id, required| Need { id, required };
        let needs = Lists::new(services, edges.iter().map(|edge| (edge.from, need(edge.to, edge.required))));
        let needed_by = Lists::new(services, edges.iter().map(|edge| (edge.to, need(edge.from, edge.required))));
        let mut behind: Vec<usize> = Vec::new();
        if schedule == Schedule::Graph {
            for id in 0..services {
                let longest = needs.of(id).iter().map(|need| behind[need.id] + 1).max();
                behind.push(longest.unwrap_or(0));
            }
        }
        Self { schedule, services, needs, needed_by, behind }
    }

    pub(crate) fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// The services that this service comes after, as declared.
    pub(crate) fn declared(&self, id: Id) -> &[Need] {
        self.needs.of(id)
    }

    /// The services that this service comes after.
    pub(crate) fn needs(&self, id: Id) -> impl Iterator<Item = Need> + use<'_> {
        let declared = self.needs.of(id);
        let before = id.checked_sub(1).filter(|&before| self.follows_unsaid(before, declared.last()));
        declared.iter().copied().chain(before.map(|id| Need { id, required: false }))
    }

    /// The services that come after this service.
    pub(crate) fn needed_by(&self, id: Id) -> impl Iterator<Item = Need> + use<'_> {
        let declared = self.needed_by.of(id);
        let next = (id + 1 < self.services && self.follows_unsaid(id + 1, declared.first())).then_some(id + 1);
        next.map(|id| Need { id, required: false }).into_iter().chain(declared.iter().copied())
    }

    /// Returns true if the edge to this neighbour exists only because of the strict schedule.
    fn follows_unsaid(&self, neighbour: Id, nearest: Option<&Need>) -> bool {
        self.schedule == Schedule::Strict && nearest.is_none_or(|need| need.id != neighbour)
    }

    /// The length of the longest chain of services that stop after this one.
    pub(crate) fn behind(&self, id: Id) -> usize {
        match self.schedule {
            Schedule::Strict => id,
            Schedule::Graph => self.behind[id],
        }
    }

    /// The number of services in the longest chain.
    pub(crate) fn chain(&self) -> usize {
        match self.schedule {
            Schedule::Strict => self.services,
            Schedule::Graph => self.behind.iter().max().map_or(0, |behind| behind + 1),
        }
    }

    /// The time that the slowest chain takes, if each service takes this long.
    pub(crate) fn longest(&self, takes: impl Fn(Id) -> Duration) -> Duration {
        let mut until: Vec<Duration> = Vec::with_capacity(self.services);
        for id in 0..self.services {
            let before = self.needs(id).map(|need| until[need.id]).max();
            until.push(before.unwrap_or_default().saturating_add(takes(id)));
        }
        until.into_iter().max().unwrap_or_default()
    }
}

/// A list for each service, in two allocations; in none, if all lists are empty.
#[derive(Debug)]
struct Lists<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy> Lists<T> {
    fn new(services: usize, pairs: impl Iterator<Item = (Id, T)> + Clone) -> Self {
        if pairs.clone().next().is_none() {
            return Self { starts: Vec::new(), items: Vec::new() };
        }
        let mut starts = vec![0; services + 1];
        for (from, _) in pairs.clone() {
            starts[from + 1] += 1;
        }
        for id in 0..services {
            starts[id + 1] += starts[id];
        }
        let mut next = starts.clone();
        let mut items: Vec<T> = pairs.clone().map(|(_, item)| item).collect();
        for (from, item) in pairs {
            items[next[from]] = item;
            next[from] += 1;
        }
        Self { starts, items }
    }

    fn of(&self, id: Id) -> &[T] {
        if self.starts.is_empty() { &[] } else { &self.items[self.starts[id]..self.starts[id + 1]] }
    }
}

/// Puts services in start order: a service stands after all that it needs, and services that no edge orders stay as
/// declared. An edge `(a, b)` says that `a` needs `b`.
///
/// # Errors
///
/// Returns every cycle that it meets, each as the path from one of its services back to itself.
pub(crate) fn start_order(services: usize, edges: &[(usize, usize)]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        Open,
        Done,
    }

    if edges.is_empty() {
        return Ok((0..services).collect());
    }
    let mut edges = edges.to_vec();
    edges.sort_unstable();
    let needs = Lists::new(services, edges.iter().copied());
    let mut marks = vec![Mark::Unseen; services];
    let mut order = Vec::with_capacity(services);
    let mut cycles = Vec::new();
    // The path from a root to this service; each with the number of its needs that were walked. A `Vec` in place of
    // recursion, because a chain of a hundred thousand services would overflow the stack.
    let mut path: Vec<(usize, usize)> = Vec::new();

    for root in 0..services {
        if marks[root] != Mark::Unseen {
            continue;
        }
        marks[root] = Mark::Open;
        path.push((root, 0));
        while let Some((service, walked)) = path.last_mut() {
            let Some(&need) = needs.of(*service).get(*walked) else {
                marks[*service] = Mark::Done;
                order.push(*service);
                path.pop();
                continue;
            };
            *walked += 1;
            match marks[need] {
                Mark::Done => {}
                Mark::Unseen => {
                    marks[need] = Mark::Open;
                    path.push((need, 0));
                }
                Mark::Open => {
                    let from = path.iter().position(|&(open, _)| open == need).unwrap_or(0);
                    let cycle = path[from..].iter().map(|&(open, _)| open).chain([need]);
                    cycles.push(cycle.collect());
                }
            }
        }
    }
    if cycles.is_empty() { Ok(order) } else { Err(cycles) }
}

#[cfg(test)]
mod tests {
    use super::{Edge, Need, Plan, Schedule, start_order};

    #[test]
    fn what_is_needed_comes_first_and_ties_stay_as_declared() {
        assert_eq!(start_order(4, &[]), Ok(vec![0, 1, 2, 3]));
        assert_eq!(start_order(4, &[(0, 2)]), Ok(vec![2, 0, 1, 3]));
        assert_eq!(start_order(4, &[(1, 3), (3, 2), (0, 2)]), Ok(vec![2, 0, 3, 1]));
    }

    #[test]
    fn every_cycle_is_named_with_its_whole_path() {
        assert_eq!(start_order(1, &[(0, 0)]), Err(vec![vec![0, 0]]));
        assert_eq!(start_order(3, &[(0, 1), (1, 2), (2, 0)]), Err(vec![vec![0, 1, 2, 0]]));
        assert_eq!(start_order(5, &[(0, 1), (1, 0), (3, 4), (4, 3)]), Err(vec![vec![0, 1, 0], vec![3, 4, 3]]));
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let edges: Vec<_> = (0..100_000).map(|id| (id, id + 1)).collect();
        let order = start_order(100_001, &edges).unwrap();
        assert_eq!((order[0], order[100_000]), (100_000, 0));
    }

    #[test]
    fn the_strict_plan_is_a_chain() {
        let plan = Plan::new(Schedule::Strict, 3, &[Edge { from: 2, to: 0, required: true }]);
        let need = |id, required| Need { id, required };
        let needs = |id| plan.needs(id).collect::<Vec<_>>();
        assert_eq!(needs(0), []);
        assert_eq!(needs(1), [need(0, false)]);
        assert_eq!(needs(2), [need(0, true), need(1, false)]);
        assert_eq!(plan.needed_by(0).collect::<Vec<_>>(), [need(1, false), need(2, true)]);
        assert_eq!((plan.behind(0), plan.behind(2), plan.chain()), (0, 2, 3));
    }

    #[test]
    fn of_two_edges_the_stricter_one_stays() {
        let edge = |required| Edge { from: 1, to: 0, required };
        let plan = Plan::new(Schedule::Strict, 2, &[edge(false), edge(true)]);
        assert!(
            plan.needs(1).eq([Need { id: 0, required: true }])
                && plan.needed_by(0).eq([Need { id: 1, required: true }])
        );
    }
}
