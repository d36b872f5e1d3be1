//! Who waits for whom.

use super::Id;

/// The edges of a group, as the lifecycle walks them. Services are numbered in start order.
///
/// The strict schedule is not a second algorithm: it is the graph in which every service needs the
/// one before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    needs: Lists,
    needed_by: Lists,
    behind: Vec<usize>,
}

impl Plan {
    /// One at a time: each service needs the one before it.
    pub(crate) fn strict(services: usize) -> Self {
        let chain: Vec<(Id, Id)> = (1..services).map(|id| (id, id - 1)).collect();
        Self::graph(services, &chain)
    }

    /// All at once that no edge holds back. An edge `(a, b)` says that `a` needs `b`, and `b < a`.
    pub(crate) fn graph(services: usize, edges: &[(Id, Id)]) -> Self {
        let needs = Lists::new(services, edges.iter().copied());
        let needed_by = Lists::new(services, edges.iter().map(|&(a, b)| (b, a)));
        let mut behind: Vec<usize> = Vec::with_capacity(services);
        for id in 0..services {
            let longest = needs.of(id).iter().map(|&need| behind[need] + 1).max();
            behind.push(longest.unwrap_or(0));
        }
        Self { needs, needed_by, behind }
    }

    /// What this service needs.
    pub(crate) fn needs(&self, id: Id) -> &[Id] {
        self.needs.of(id)
    }

    /// What needs this service.
    pub(crate) fn needed_by(&self, id: Id) -> &[Id] {
        self.needed_by.of(id)
    }

    /// How many services stand in the longest line of those that this one holds at stop.
    pub(crate) fn behind(&self, id: Id) -> usize {
        self.behind[id]
    }

    /// The number of services in the longest chain.
    pub(crate) fn chain(&self) -> usize {
        self.behind.iter().max().map_or(0, |behind| behind + 1)
    }
}

/// A list of services for each service, in two allocations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lists {
    starts: Vec<usize>,
    items: Vec<Id>,
}

impl Lists {
    fn new(services: usize, pairs: impl Iterator<Item = (Id, Id)> + Clone) -> Self {
        let mut starts = vec![0; services + 1];
        for (from, _) in pairs.clone() {
            starts[from + 1] += 1;
        }
        for id in 0..services {
            starts[id + 1] += starts[id];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts[services]];
        for (from, to) in pairs {
            items[next[from]] = to;
            next[from] += 1;
        }
        Self { starts, items }
    }

    fn of(&self, id: Id) -> &[Id] {
        &self.items[self.starts[id]..self.starts[id + 1]]
    }
}

/// Puts services in start order: what a service needs comes before it, and what no edge orders
/// stays as declared. An edge `(a, b)` says that `a` needs `b`.
///
/// # Errors
///
/// Every cycle that stands in the way, each as the path from one of its services back to itself.
pub(crate) fn start_order(services: usize, edges: &[(usize, usize)]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        Open,
        Done,
    }

    let needs = Lists::new(services, edges.iter().copied());
    let mut marks = vec![Mark::Unseen; services];
    let mut order = Vec::with_capacity(services);
    let mut cycles = Vec::new();
    // The path from a root to where we are, each with the number of its needs already walked. Kept
    // by hand, because a chain of a hundred thousand services would overflow the stack.
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
    use super::{Plan, start_order};

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
        let plan = Plan::strict(3);
        assert_eq!((plan.needs(0), plan.needs(1), plan.needs(2)), (&[][..], &[0][..], &[1][..]));
        assert_eq!((plan.needed_by(0), plan.needed_by(2)), (&[1][..], &[][..]));
        assert_eq!((plan.behind(0), plan.behind(2), plan.chain()), (0, 2, 3));
    }
}
