//! The restart policy of a service, and the errors that no restart follows.

use std::error::Error;
use std::time::Duration;
use std::{fmt, io, iter};

use crate::base::error::{BoxError, CAUSES};
use crate::base::panic::caught_now;
use crate::base::text::Took;
use crate::lifecycle::restart::{Backoff, Policy, When};

/// The restart policy of a service: after which ends its `start` runs again, how often, and after which wait.
///
/// `start` runs again on the same instance: `new` does not, so other services can keep their `Arc` of this one. Each
/// service counts its own restarts. When they are used up, the next failure counts as one without a restart policy; a
/// service that should run [`always`](Self::always) then fails if its `start` returns. A failed `new` is final, and
/// so is a `start` that is not ready in time.
///
/// Each method takes it by value, because it is built in a single expression, which can be a constant.
///
/// ```
/// use group::{Restart, Spec};
/// use std::time::Duration;
///
/// let spec = Spec::new("consumer")
///     .restart(Restart::on_failure().max(3).within(Duration::from_secs(30)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Restart {
    pub(crate) policy: Policy,
}

impl Default for Restart {
    fn default() -> Self {
        Self::never()
    }
}

impl Restart {
    /// Never restarts. The default.
    #[must_use]
    pub const fn never() -> Self {
        Self::when(When::Never)
    }

    /// Restarts after an error, a panic, or an end that the service's role does not allow.
    #[must_use]
    pub const fn on_failure() -> Self {
        Self::when(When::OnFailure)
    }

    /// Restarts after every end, except when the service was asked to stop.
    #[must_use]
    pub const fn always() -> Self {
        Self::when(When::Always)
    }

    const fn when(when: When) -> Self {
        Self { policy: Policy { when, max: 5, within: Duration::from_secs(60), backoff: Backoff::DEFAULT } }
    }

    /// Allows at most this many restarts in a row: without a stable period, as [`within`](Self::within) sets it, between
    /// them. 5 by default; `usize::MAX` for no limit.
    #[must_use]
    pub const fn max(mut self, max: usize) -> Self {
        self.policy.max = max;
        self
    }

    /// Sets the stable period. 60 s by default. Once a service was ready for this long without an end, its earlier
    /// restarts are forgotten, and its next wait is short again. Nothing else forgets them: a service that never is
    /// ready for this long is restarted at most [`max`](Self::max) times, however long its waits are.
    ///
    /// Zero would forget every restart, so it is refused when the group starts.
    #[must_use]
    pub const fn within(mut self, window: Duration) -> Self {
        self.policy.within = window;
        self
    }

    /// Sets the wait before the first restart, which doubles with each one that follows, and the longest wait. Each
    /// wait is shortened at random by up to a half. 100 ms and 30 s by default.
    #[must_use]
    pub const fn backoff(mut self, shortest: Duration, longest: Duration) -> Self {
        self.policy.backoff = Backoff { shortest, longest };
        self
    }
}

/// `never`, or `on-failure (at most 5 in 1m, after 100 ms to 30 s)`.
impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Policy { when, max, within, backoff: Backoff { shortest, longest } } = self.policy;
        let when = match when {
            When::Never => return f.write_str("never"),
            When::OnFailure => "on-failure",
            When::Always => "always",
        };
        let (within, shortest, longest) = (Took(within), Took(shortest), Took(longest));
        write!(f, "{when} (at most {max} in {within}, after {shortest} to {longest})")
    }
}

/// An error after which a service is not restarted, whatever its [`Restart`] policy: for example, wrong
/// credentials, which no retry can correct.
///
/// ```
/// use group::{BoxError, Permanent};
///
/// fn log_in(password: &str) -> Result<(), BoxError> {
///     if password.is_empty() {
///         return Err(Permanent::new("there is no password").into());
///     }
///     Ok(())
/// }
/// # assert_eq!(log_in("").unwrap_err().to_string(), "there is no password");
/// ```
#[derive(Debug)]
pub struct Permanent(BoxError);

impl Permanent {
    /// Makes an error permanent.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// Returns true if an error, or one of its causes, is permanent.
    pub(crate) fn is_in(error: &BoxError) -> bool {
        // `io::Error::source` skips the error that it wraps, and returns the source of that.
        fn cause<'a>(&error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
            let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            inside.map_or_else(|| error.source(), |inside| Some(inside))
        }
        let found = || iter::successors(Some(&**error as _), cause).take(CAUSES).any(<dyn Error>::is::<Self>);
        // An error whose `source` panics is none that is permanent.
        caught_now(found).unwrap_or(false)
    }
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Permanent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
