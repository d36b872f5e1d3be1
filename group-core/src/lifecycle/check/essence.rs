//! Which worlds are alike.

use super::world::{Seen, Task, World};
use crate::lifecycle::interface::GroupEnd;
use crate::lifecycle::{GroupState, Slot};

/// As many services as a world can have.
pub(super) const MOST: usize = 5;

/// All of a world that can make a difference from here on: a word for each service, and one for the
/// group.
///
/// What is left out is what neither the machine nor a promise looks at any more; `mod.rs` tries, on
/// every world of small groups, that it makes no difference.
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
        // Whoever is not there any more has no past, but that it was neglected.
        bits.flag(seen.built && !seen.is_told());
        if self.stopping && matches!(seen.task, Task::None | Task::Gone) {
            return bits.0;
        }
        bits.number(seen.task as usize + 1, 3);
        bits.flag(seen.stopped && !seen.aborted);
        bits.flag(seen.aborted);
        bits.flag(seen.abandoned);
        bits.flags(seen.armed);
        // Once the group stops, nothing is built any more, whatever is ready or lost.
        if !self.stopping {
            bits.flag(seen.ready);
            bits.flag(seen.lost);
        }
        // Nothing waits for another to be settled, once all have been.
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
        // Which first cause it was is looked at only when there was none.
        bits.flag(self.verdict == GroupEnd::Clean);
        bits.flag(self.is_forced());
        if !self.stopping {
            bits.flags([self.serves, self.lame_duck, self.delay_armed, self.quiet_armed]);
            bits.flag(self.group_ready);
            bits.number(self.machine.deciding, 3);
            bits.number(self.machine.unsettled, 3);
        }
        bits.0
    }
}

/// Facts and small numbers in one word.
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
