//! A cron expression with its time zone, as text.

use std::borrow::Cow;
use std::fmt;

/// The times of a ticker: a cron expression in a time zone.
///
/// The expression is `minute hour day month weekday`, as in `0 3 * * *`, with an optional field for
/// the second before them, or a nickname, as in `@hourly`. The time zone is UTC by default.
///
/// Each method takes it by value, because it is built in a single expression.
///
/// ```
/// use group::Cron;
///
/// let every_night = Cron::new("0 3 * * *").tz("Europe/Berlin");
/// assert_eq!(every_night.to_string(), "0 3 * * * in Europe/Berlin");
/// ```
///
/// When the clocks change, a time of the day that is skipped ticks at the end of the gap, and one that comes twice
/// ticks the first time only. That holds for values, lists and ranges: `30 2,14 * * *` ticks twice on every day. An
/// expression with a `*` in the second, the minute or the hour is an interval, such as `*/30 * * * *`: it continues as time
/// passes, so it ticks whenever the clock shows a time that matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cron {
    pub(crate) expression: Cow<'static, str>,
    pub(crate) tz: Cow<'static, str>,
}

impl Cron {
    /// The times of this expression, in UTC. It is not checked here: a mistake in it is an error of the group, or of
    /// [`Context::cron`](crate::Context::cron).
    #[must_use]
    pub fn new(expression: impl Into<Cow<'static, str>>) -> Self {
        Self { expression: expression.into(), tz: "UTC".into() }
    }

    /// Sets the time zone, by its name in the IANA database. The machine must have that database; on Linux, it is in
    /// `/usr/share/zoneinfo`.
    #[must_use]
    pub fn tz(mut self, tz: impl Into<Cow<'static, str>>) -> Self {
        self.tz = tz.into();
        self
    }
}

impl From<&'static str> for Cron {
    fn from(expression: &'static str) -> Self {
        Self::new(expression)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.expression, self.tz)
    }
}
