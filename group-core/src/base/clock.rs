//! The group's clock: moments since the group began.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A hundred years: longer than any wait, but short enough to be added to an `Instant`.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A moment: the nanoseconds since the group began, for up to 584 years. It has half the size of a [`Duration`], and so
/// has an `Option` of it, because six of them are kept for each service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(NonZeroU64);

impl Moment {
    /// The moment when the group began. It is one, because zero stands for `None`.
    pub(crate) const FIRST: Self = Self(NonZeroU64::MIN);

    pub(crate) fn of(at: Instant, begun: Instant) -> Self {
        Self::FIRST.after(at.saturating_duration_since(begun))
    }

    pub(crate) fn now(begun: Instant) -> Self {
        Self::of(Instant::now(), begun)
    }

    /// The time since an earlier moment; zero, if that one is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// The moment that is this much later.
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

/// A moment that threads share. There is none until it is set.
#[derive(Debug, Default)]
pub(crate) struct SharedMoment(AtomicU64);

impl SharedMoment {
    pub(crate) fn set(&self, moment: Moment) {
        self.0.store(moment.0.get(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Moment> {
        NonZeroU64::new(self.0.load(Ordering::Relaxed)).map(Moment)
    }
}

/// The times of one service: the journal sets them, the report shows them.
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
