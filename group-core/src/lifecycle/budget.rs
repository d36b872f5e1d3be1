//! Divides the time to stop into shares. Plain arithmetic.

use std::time::Duration;

/// The last grace, for a budget that is at least ten times as long: Kubernetes gives its sidecars the
/// same two seconds when a pod's own time is up.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// The time for an aborted service to be gone. It has to run only destructors; it takes longer only if it blocks
/// its thread.
const ABORT: Duration = Duration::from_millis(50);

/// The time that is left for the process to exit after the group has ended, before the watchdog ends it.
const EXIT: Duration = Duration::from_millis(50);

/// The time from the request to stop until everything must be over, cut into shares.
///
/// ```text
/// |-- delay --|------------- turns -----------|-- last grace --|- abort -|- exit -|
/// stop asked                               deadline                              total
/// ```
///
/// Only a lame duck has a delay, and the part of it that is not used is time for turns. Half of the turns' time is
/// kept back, in equal shares, for the services whose turn has not come, so that a service that uses up its own
/// limit cannot use up theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    total: Duration,
    delay: Duration,
    /// The time without requests after which the delay ends early, if it may.
    quiet: Option<Duration>,
    deadline: Duration,
    share: Duration,
}

impl Budget {
    /// `chain` is the number of services in the longest chain: so many turns follow one another.
    pub(crate) fn new(total: Duration, delay: Duration, chain: usize) -> Self {
        let mut budget = Self { total, delay, quiet: None, deadline: Duration::ZERO, share: Duration::ZERO };
        budget.deadline =
            [budget.last_grace(), budget.abort(), budget.exit()].into_iter().fold(total, Duration::saturating_sub);
        let turns = u32::try_from(chain.max(1)).unwrap_or(u32::MAX);
        budget.share = budget.turns() / 2 / turns;
        budget
    }

    /// Lets a lame duck stop early, after this time without requests.
    pub(crate) fn with_quiet(self, quiet: Option<Duration>) -> Self {
        Self { quiet, ..self }
    }

    pub(crate) fn total(&self) -> Duration {
        self.total
    }

    /// The longest time that the group is a lame duck.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    /// The time without requests after which a lame duck stops early, if it may.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        self.quiet
    }

    /// The time for turns that is left after the longest delay.
    pub(crate) fn turns(&self) -> Duration {
        self.deadline().saturating_sub(self.delay)
    }

    /// The time from the request to stop until no time is left for turns.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    fn exit(&self) -> Duration {
        EXIT.min(self.total / 20)
    }

    /// The time after the deadline for the services that are left.
    pub(crate) fn last_grace(&self) -> Duration {
        LAST_GRACE.min(self.total / 10)
    }

    /// The time for an aborted service to be gone.
    pub(crate) fn abort(&self) -> Duration {
        ABORT.min(self.total / 20)
    }

    /// The time that is left for the guards of the program, once every service is gone. `spent` is the time since the
    /// request.
    pub(crate) fn guards(&self, spent: Duration) -> Duration {
        self.total.saturating_sub(self.exit() / 2).saturating_sub(spent)
    }

    /// The time for a service to stop: its own limit, or less if that would use up the shares of the `behind`
    /// services after it. `spent` is the time since the request.
    ///
    /// The last service needs no other limit than its own: the deadline ends its turn, and the last grace follows.
    pub(crate) fn turn(&self, limit: Duration, spent: Duration, behind: usize) -> Duration {
        if behind == 0 {
            return limit;
        }
        let behind = u32::try_from(behind).unwrap_or(u32::MAX);
        let kept_back = self.share.saturating_mul(behind);
        let left = self.deadline().saturating_sub(spent).saturating_sub(kept_back);
        limit.min(left)
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use std::time::Duration;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_shares_add_up_to_the_whole() {
        for total in [Duration::ZERO, Duration::from_millis(7), s(1), s(25), s(86_400)] {
            let budget = Budget::new(total, Duration::ZERO, 3);
            let whole = budget.deadline() + budget.last_grace() + budget.abort() + budget.exit();
            assert_eq!(whole, total);
        }
    }

    #[test]
    fn a_service_gets_its_own_limit_while_there_is_time() {
        let budget = Budget::new(s(25), s(0), 2);
        assert_eq!(budget.turn(s(10), s(0), 1), s(10));
        assert_eq!(budget.turn(s(10), s(10), 0), s(10));
    }

    #[test]
    fn however_many_are_stuck_each_turn_keeps_its_share() {
        for (services, delay) in
            [1_usize, 2, 5, 50].into_iter().flat_map(|services| [(services, s(0)), (services, s(15))])
        {
            let budget = Budget::new(s(25), delay, services);
            let share = budget.deadline().saturating_sub(delay) / 2 / u32::try_from(services).unwrap();
            let mut spent = delay;
            for behind in (1..services).rev() {
                let turn = budget.turn(Duration::MAX, spent, behind);
                assert!(turn + Duration::from_nanos(100) >= share, "{turn:?} < {share:?}");
                spent += turn;
            }
            assert!(spent + share <= budget.deadline() + Duration::from_nanos(100));
        }
    }
}
