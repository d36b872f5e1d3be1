//! What everything in one group can see.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Longer than anything takes, and still a moment that can be counted to.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// So many nanoseconds after the group began, for 584 years. Half the size of a [`Duration`], and where there is
/// none it takes no more: of each service half a dozen are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(NonZeroU64);

impl Moment {
    /// When the group began. It is not zero, which is none.
    pub(crate) const FIRST: Self = Self(NonZeroU64::MIN);

    pub(crate) fn of(at: Instant, begun: Instant) -> Self {
        Self::FIRST.after(at.saturating_duration_since(begun))
    }

    pub(crate) fn now(begun: Instant) -> Self {
        Self::of(Instant::now(), begun)
    }

    /// How long after another it was: not at all, if it was before.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// What comes so much later.
    pub(crate) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The time since the group began.
impl From<Moment> for Duration {
    fn from(moment: Moment) -> Self {
        moment.since(Moment::FIRST)
    }
}

/// A moment that comes once, for threads to share.
#[derive(Debug, Default)]
pub(crate) struct OnceMoment(AtomicU64);

impl OnceMoment {
    pub(crate) fn set(&self, moment: Moment) {
        self.0.store(moment.0.get(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Moment> {
        NonZeroU64::new(self.0.load(Ordering::Relaxed)).map(Moment)
    }
}

/// One service's times, as the journal writes them and the report tells them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) launched: Option<Moment>,
    pub(crate) built: Option<Moment>,
    pub(crate) first_ready: Option<Moment>,
    pub(crate) ready: Option<Moment>,
    pub(crate) stop_asked: Option<Moment>,
    pub(crate) gone: Option<Moment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_time_since_the_group_began() {
        let [none, some, most] =
            [Duration::ZERO, Duration::from_nanos(7), Duration::MAX].map(|time| Moment::FIRST.after(time));
        assert_eq!((Duration::from(none), Duration::from(some)), (Duration::ZERO, Duration::from_nanos(7)));
        assert_eq!((some.since(none), none.since(some)), (Duration::from_nanos(7), Duration::ZERO));
        assert!(some < most && most.after(Duration::from_secs(1)) == most, "there is a last one");
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
