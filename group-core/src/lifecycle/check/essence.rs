//! The facts that distinguish worlds.

use super::world::{Seen, Task, World};
use crate::lifecycle::interface::GroupEnd;
use crate::lifecycle::{GroupState, Slot};

/// The largest number of services in a world.
pub(super) const MOST: usize = 5;

/// The facts of a world that can make a difference later: a word for each service, and one for the group.
///
/// It leaves out the facts that neither the machine nor a promise looks at any more. A test in `mod.rs` tries, on
/// every world of small groups, that they make no difference.
pub(super) type Essence = [u32; MOST + 1];

impl World {
    pub(super) fn essence(&self) -> Essence {
        let mut essence = [0; MOST + 1];
        for (word, (service, seen)) in essence.iter_mut().zip(self.machine.services.iter().zip(&self.services)) {
            *word = self.essence_of(service, seen);
        }
        essence[MOST] = self.essence_of_the_group();
        essence
    }

    fn essence_of(&self, service: &Slot, seen: &Seen) -> u32 {
        let mut bits = Bits::default();
        bits.number(service.state as usize, 4);
        bits.number(service.held_by as usize, 3);
        bits.flag(service.released);
        // Of a service that is gone, one fact counts: that it was built and never told to stop.
        bits.flag(seen.built && !seen.is_told());
        if self.stopping && matches!(seen.task, Task::None | Task::Gone) {
            return bits.0;
        }
        bits.number(seen.task as usize + 1, 3);
        bits.flag(seen.stopped && !seen.aborted);
        bits.flag(seen.aborted);
        bits.flag(seen.abandoned);
        bits.flags(seen.armed);
        // While the group stops, nothing is built, so it does not matter which services are ready or lost.
        if !self.stopping {
            bits.flag(seen.ready);
            bits.flag(seen.lost);
            bits.flags([seen.has_ended, seen.is_off, seen.comes_back]);
        }
        // Once all services have been settled, no service waits for another one.
        if self.machine.group <= GroupState::Starting {
            bits.flag(service.settled);
            bits.flag(service.doomed);
            bits.number(service.waits_for as usize, 3);
        }
        bits.0
    }

    fn essence_of_the_group(&self) -> u32 {
        let mut bits = Bits::default();
        bits.number(self.machine.group as usize, 3);
        bits.number(self.machine.alive, 3);
        bits.flag(self.machine.signalled);
        bits.flags([self.deadline_armed, self.grace_armed, self.stopping, self.out_of_turns, self.over]);
        // Only the existence of a first cause matters.
        bits.flag(self.verdict == GroupEnd::Clean);
        bits.flag(self.is_forced());
        bits.flag(self.at_once);
        if !self.stopping {
            bits.flags([self.serves, self.lame_duck, self.delay_armed, self.quiet_armed]);
            bits.flag(self.group_ready);
            bits.flag(self.machine.has_led);
            bits.number(self.machine.deciding, 3);
            bits.number(self.machine.unsettled, 3);
        }
        bits.0
    }
}

/// Packs facts and small numbers into one word.
#[derive(Default)]
struct Bits(u32, u32);

impl Bits {
    fn flag(&mut self, flag: bool) {
        self.number(usize::from(flag), 1);
    }

    fn flags<const N: usize>(&mut self, flags: [bool; N]) {
        for flag in flags {
            self.flag(flag);
        }
    }

    fn number(&mut self, number: usize, bits: u32) {
        assert!(number < 1 << bits && self.1 + bits <= u32::BITS, "it does not fit");
        self.0 |= u32::try_from(number).expect("it is small") << self.1;
        self.1 += bits;
    }
}
