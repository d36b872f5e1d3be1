//! Where in the program something was said.

use std::fmt;
use std::panic::Location;

/// Where in the program a service was added or annotated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(&'static Location<'static>);

impl Place {
    /// Where this is called.
    #[track_caller]
    pub(crate) const fn here() -> Self {
        Self(Location::caller())
    }

    /// By file, line and column.
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
