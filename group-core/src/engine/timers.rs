//! The timers of a driver.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::base::clock::Moment;
use crate::lifecycle::interface::Timer;

/// Timers that are armed. `awaits` says which of them still matter; the others are dropped when they are found.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: BinaryHeap<Reverse<(Moment, Timer)>>,
    /// Those that were postponed after they were armed.
    put_off: HashMap<Timer, Moment>,
}

impl Timers {
    pub(crate) fn arm(&mut self, at: Moment, timer: Timer, awaits: impl Fn(Timer) -> bool) {
        let next = Reverse((at, timer));
        // Hardly ever does a timer elapse: its service is faster. So the first one that is not awaited any more is
        // replaced, and the heap does not grow.
        let is_over = |&Reverse((_, first)): &_| !awaits(first);
        if self.armed.peek().is_some_and(is_over)
            && let Some(mut first) = self.armed.peek_mut()
        {
            *first = next;
        } else {
            self.armed.push(next);
        }
    }

    /// Postpones a timer that is armed. Of several times, the latest counts.
    pub(crate) fn put_off(&mut self, timer: Timer, until: Moment, awaits: impl Fn(Timer) -> bool) {
        // A service that is ready or gone before its timer elapses leaves its entry behind.
        self.put_off.retain(|&timer, _| awaits(timer));
        self.put_off.entry(timer).and_modify(|at| *at = until.max(*at)).or_insert(until);
    }

    /// The timer that elapses first, and when. `until` may postpone a timer, too.
    pub(crate) fn first(
        &mut self,
        awaits: impl Fn(Timer) -> bool,
        until: impl Fn(Timer) -> Option<Moment>,
    ) -> Option<(Moment, Timer)> {
        while let Some(&Reverse((at, timer))) = self.armed.peek() {
            if !awaits(timer) {
                self.armed.pop();
                continue;
            }
            let Some(later) = until(timer).max(self.take_put_off(timer)).filter(|&later| later > at) else {
                return Some((at, timer));
            };
            self.armed.pop();
            self.armed.push(Reverse((later, timer)));
        }
        None
    }

    /// Removes the timer that [`first`](Self::first) has returned.
    pub(crate) fn pop(&mut self) {
        self.armed.pop();
    }

    fn take_put_off(&mut self, timer: Timer) -> Option<Moment> {
        // Usual, and saves the look-up.
        if self.put_off.is_empty() { None } else { self.put_off.remove(&timer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::Cell;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::FIRST.after(Duration::from_secs(seconds))
    }

    fn never(_: Timer) -> Option<Moment> {
        None
    }

    #[test]
    fn the_first_that_is_awaited_comes_first() {
        let mut timers = Timers::default();
        for (seconds, id) in [(3, 0), (1, 1), (2, 2)] {
            timers.arm(at(seconds), Timer::Stop(id, 0), |_| true);
        }
        assert_eq!(timers.first(|timer| timer != Timer::Stop(1, 0), never), Some((at(2), Timer::Stop(2, 0))));
        timers.pop();
        assert_eq!(timers.first(|_| true, never), Some((at(3), Timer::Stop(0, 0))));
        timers.pop();
        assert_eq!(timers.first(|_| true, never), None);
    }

    #[test]
    fn a_timer_that_is_put_off_elapses_later_and_never_earlier() {
        let mut timers = Timers::default();
        timers.arm(at(5), Timer::Stop(0, 0), |_| true);
        for until in [9, 7] {
            timers.put_off(Timer::Stop(0, 0), at(until), |_| true);
        }
        assert_eq!(timers.first(|_| true, never), Some((at(9), Timer::Stop(0, 0))));
        timers.put_off(Timer::Stop(0, 0), at(8), |_| true);
        assert_eq!(timers.first(|_| true, never), Some((at(9), Timer::Stop(0, 0))));
        assert_eq!(timers.first(|_| true, |_| Some(at(12))), Some((at(12), Timer::Stop(0, 0))));
    }

    #[test]
    fn timers_that_are_over_leave_nothing_behind() {
        let mut timers = Timers::default();
        let restarts = Cell::new(0);
        for restart in 0..1000 {
            restarts.set(restart);
            let awaits = |timer| timer == Timer::Start(0, restarts.get());
            timers.arm(at(u64::from(restart)), Timer::Start(0, restart), awaits);
            timers.put_off(Timer::Start(0, restart), at(5000), awaits);
        }
        assert_eq!((timers.armed.len(), timers.put_off.len()), (1, 1));
    }
}
