//! The search through all reachable worlds.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::iter::Sum;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::essence::Essence;
use super::group::Group;
use super::world::World;
use crate::lifecycle::Lifecycle;

/// The extent of a search.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Covered {
    pub(super) groups: usize,
    pub(super) states: usize,
    pub(super) transitions: usize,
}

impl Covered {
    /// Visits all worlds that can be reached from this one; of worlds with the same essence, only one.
    pub(super) fn explore(first: World) -> Self {
        let mut seen: HashSet<Essence, BuildHasherDefault<Mixed>> = HashSet::default();
        seen.insert(first.essence());
        let mut transitions = 0;
        let mut open = vec![first];
        while let Some(world) = open.pop() {
            for input in world.possible() {
                transitions += 1;
                let next = world.step(input);
                if seen.insert(next.essence()) {
                    next.late_news_changes_nothing();
                    // A group that is over has no future.
                    if !next.over {
                        open.push(next);
                    }
                }
            }
        }
        Self { groups: 1, states: seen.len(), transitions }
    }

    /// Visits all worlds of each of these groups, on all processors.
    pub(super) fn explore_all(groups: Vec<Group>) -> Self {
        let groups: Vec<Arc<Group>> = groups.into_iter().map(Arc::new).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mine = std::iter::from_fn(|| groups.get(next.fetch_add(1, Ordering::Relaxed)));
            mine.map(|group| Self::explore(World::new(group))).sum()
        };
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().expect("every promise is kept")).sum()
        })
    }

    /// Prints it.
    pub(super) fn say(self, what: &str) {
        println!("{what}: {self}");
    }
}

impl Sum for Covered {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            groups: sum.groups + part.groups,
            states: sum.states + part.states,
            transitions: sum.transitions + part.transitions,
        })
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { groups, states, transitions } = self;
        write!(f, "{groups} groups, {states} states, {transitions} transitions")
    }
}

/// Visits all reachable worlds, also those with the same essence, and asserts that each input leads worlds with the
/// same essence to worlds with the same essence. Returns the number of worlds and of essences.
pub(super) fn worlds_of_one_essence_have_one_future(first: World) -> (usize, usize) {
    let mut seen = HashSet::from([first.whole()]);
    let mut futures: HashMap<Essence, Vec<Essence>> = HashMap::new();
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        let nexts: Vec<World> = world.possible().into_iter().map(|input| world.step(input)).collect();
        let future: Vec<Essence> = nexts.iter().map(World::essence).collect();
        let known = futures.entry(world.essence()).or_insert_with(|| future.clone());
        assert_eq!(*known, future, "another world of this essence had another future: {world:#?}");
        open.extend(nexts.into_iter().filter(|next| !next.over && seen.insert(next.whole())));
    }
    (seen.len(), futures.len())
}

impl World {
    /// A hash of all facts except the numbers of restarts: these have no limit, and only distinguish the timer of one
    /// start from that of the next.
    fn whole(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Lifecycle { group, services, unsettled, deciding, serves, alive, signalled, outcome, .. } = &self.machine;
        (group, unsettled, deciding, serves, alive, signalled, outcome).hash(&mut hasher);
        for service in services {
            super::super::Slot { again: 0, ..service.clone() }.hash(&mut hasher);
        }
        for seen in &self.services {
            (seen.task, seen.built, seen.ready, seen.lost, seen.stopped, seen.aborted, seen.abandoned)
                .hash(&mut hasher);
            (seen.armed, seen.has_ended, seen.is_off, seen.comes_back).hash(&mut hasher);
        }
        (self.timers(), self.group_ready, self.serves, self.lame_duck, self.stopping).hash(&mut hasher);
        (self.is_timed, self.out_of_turns, self.over, self.verdict).hash(&mut hasher);
        hasher.finish()
    }
}

/// A fast hasher that is good enough for these words: the multiplication of rustc's `FxHasher`.
#[derive(Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let word = word.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            self.write_u64(word);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}
