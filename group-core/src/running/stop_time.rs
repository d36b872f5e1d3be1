//! How long a service that was asked to stop still has.

use crate::base::clock::{Moment, SharedMoment};

/// The time of one service to stop. There is none until it is asked to.
#[derive(Debug, Default)]
pub(crate) struct StopTime {
    asked: SharedMoment,
    until: SharedMoment,
}

impl StopTime {
    /// The service is asked to stop, and has until then. Call it before the service can see the request.
    pub(crate) fn begin(&self, asked: Moment, until: Moment) {
        self.asked.set(asked);
        self.until.set(until);
    }

    /// Gives it more time. Of two moments, the later one counts.
    pub(crate) fn put_off(&self, until: Moment) {
        self.until.set(self.until().map_or(until, |before| before.max(until)));
    }

    /// The moment at which it is aborted.
    pub(crate) fn until(&self) -> Option<Moment> {
        self.until.get()
    }

    /// The moment at which a quarter of the time is left.
    pub(crate) fn urgent(&self) -> Option<Moment> {
        let asked = self.asked.get()?;
        Some(asked.after(self.until()?.since(asked) / 4 * 3))
    }
}
