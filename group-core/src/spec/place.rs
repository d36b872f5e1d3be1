//! Places in the program's source.

use std::fmt;
use std::panic::Location;

/// The place in the program's source where something was declared: a service, a cron expression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(&'static Location<'static>);

impl Place {
    /// The place of the call of this function.
    #[track_caller]
    pub(crate) const fn here() -> Self {
        Self(Location::caller())
    }

    /// The key by which places are sorted: file, line and column.
    pub(crate) const fn order(self) -> (&'static str, u32, u32) {
        (self.0.file(), self.0.line(), self.0.column())
    }

    pub(crate) fn is_on_the_line_of(self, other: Self) -> bool {
        self.0.file() == other.0.file() && self.0.line() == other.0.line()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}
