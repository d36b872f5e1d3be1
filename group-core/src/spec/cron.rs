//! A cron expression in a time zone, as text.

use std::borrow::Cow;
use std::fmt;

/// When to tick: a cron expression, in a time zone.
///
/// The expression is `minute hour day month weekday`, as in `0 3 * * *`, with an optional field for
/// the second before them, or a nickname, as in `@hourly`. It is in UTC unless it says otherwise.
///
/// It is built by value, because it is said in one expression.
///
/// ```
/// use group::Cron;
///
/// let every_night = Cron::new("0 3 * * *").tz("Europe/Berlin");
/// assert_eq!(every_night.to_string(), "0 3 * * * in Europe/Berlin");
/// ```
///
/// Where the clocks change, a time of the day that is skipped ticks when the gap is over, and one that
/// comes twice ticks once; `*/30` and the like tick on as time passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cron {
    pub(crate) expression: Cow<'static, str>,
    pub(crate) tz: Cow<'static, str>,
}

impl Cron {
    /// This expression. A mistake in it is found by whoever takes it.
    #[must_use]
    pub fn new(expression: impl Into<Cow<'static, str>>) -> Self {
        Self { expression: expression.into(), tz: "UTC".into() }
    }

    /// In this time zone, by its name in the IANA database. The machine must have that database, as
    /// Linux has in `/usr/share/zoneinfo`.
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
