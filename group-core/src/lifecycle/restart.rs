//! Decides whether and when a service is restarted. Plain arithmetic: time goes in as a number.

use std::time::Duration;

use super::interface::Again;

/// The ends after which a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum When {
    Never,
    OnFailure,
    Always,
}

/// When, how often and after which wait a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    pub(crate) when: When,
    /// At most this many restarts in a row. Restarts are in a row if the service was not ready for `within` between
    /// them.
    pub(crate) max: usize,
    pub(crate) within: Duration,
    pub(crate) backoff: Backoff,
}

/// The wait before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Backoff {
    /// The wait before the first restart; it doubles with each one that follows.
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    pub(crate) const DEFAULT: Self = Self { shortest: Duration::from_millis(100), longest: Duration::from_secs(30) };

    /// The wait after so many restarts in a row. `chance`, from 0 to 1, spreads the waits of services that failed
    /// together over the upper half, as AWS's "equal jitter" does.
    pub(crate) fn wait(self, in_a_row: u32, chance: f64) -> Duration {
        let doubled = self.shortest.saturating_mul(2_u32.saturating_pow(in_a_row));
        doubled.min(self.longest).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

/// The restarts of one service so far.
#[derive(Clone, Debug)]
pub(crate) struct Restarts {
    policy: Policy,
    /// The number of restarts in a row, without a stable period between them.
    in_a_row: u32,
}

impl Restarts {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, in_a_row: 0 }
    }

    /// Decides about a restart, and returns the wait before it.
    ///
    /// `stable` is the time for which the service was ready. If that is at least as long as the window, earlier restarts
    /// are forgotten. Nothing else forgets them: waits before restarts, starts and drains take time, too, and with a
    /// window that slides over them a service could fail for ever.
    pub(crate) fn next(&mut self, failed: bool, stable: Duration, chance: f64) -> (Again, Duration) {
        match self.policy.when {
            When::Never => return (Again::No, Duration::ZERO),
            When::OnFailure if !failed => return (Again::No, Duration::ZERO),
            When::OnFailure | When::Always => {}
        }
        if stable >= self.policy.within {
            self.in_a_row = 0;
        }
        if usize::try_from(self.in_a_row).is_ok_and(|in_a_row| in_a_row >= self.policy.max) {
            return (Again::TooOften, Duration::ZERO);
        }
        let wait = self.policy.backoff.wait(self.in_a_row, chance);
        self.in_a_row = self.in_a_row.saturating_add(1);
        (Again::Yes, wait)
    }

    /// The number of restarts in a row, without a stable period between them.
    pub(crate) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::{Again, Backoff, Policy, Restarts, When};
    use std::time::Duration;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn policy(max: usize) -> Policy {
        Policy {
            when: When::OnFailure,
            max,
            within: ms(1000),
            backoff: Backoff { shortest: ms(100), longest: ms(1000) },
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_short_again_after_a_stable_period() {
        let mut restarts = Restarts::new(policy(100));
        let mut next = |stable| restarts.next(true, ms(stable), 1.0);
        let waits: Vec<_> = (0..6).map(|_| next(0)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000].map(|wait| (Again::Yes, ms(wait))));
        assert_eq!(next(999), (Again::Yes, ms(1000)));
        assert_eq!(next(1000), (Again::Yes, ms(100)));
    }

    #[test]
    fn chance_spreads_the_waits_over_the_upper_half() {
        let wait = |chance| Restarts::new(policy(1)).next(true, ms(0), chance).1;
        assert_eq!((wait(0.0), wait(0.5), wait(1.0)), (ms(50), ms(75), ms(100)));
    }

    #[test]
    fn only_a_stable_period_forgets() {
        let mut restarts = Restarts::new(policy(2));
        for stable in [0, 999, 1000, 999, 5000, 0] {
            assert_eq!(restarts.next(true, ms(stable), 0.0).0, Again::Yes, "{stable}");
        }
        assert_eq!(restarts.next(true, ms(999), 0.0).0, Again::TooOften);
        assert_eq!(restarts.next(true, ms(0), 0.0).0, Again::TooOften);
    }

    #[test]
    fn what_did_not_fail_is_started_again_only_always() {
        let next = |when, failed| Restarts::new(Policy { when, ..policy(1) }).next(failed, ms(0), 0.0).0;
        assert_eq!((next(When::Never, true), next(When::Never, false)), (Again::No, Again::No));
        assert_eq!((next(When::OnFailure, true), next(When::OnFailure, false)), (Again::Yes, Again::No));
        assert_eq!((next(When::Always, true), next(When::Always, false)), (Again::Yes, Again::Yes));
    }
}
