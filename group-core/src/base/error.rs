//! What can go wrong, as values.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::lifecycle::interface::Stage;

/// Any error, as every method of a service may return it. `anyhow::Error`, a `String` and every
/// type that implements [`Error`] convert into it with `?` or `.into()`.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// One thing that went wrong: in which service, at which stage, and why.
///
/// Displayed, it is one line without its causes; those follow through [`Error::source`].
///
/// ```
/// use group::{Group, Shutdown, Stage};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let report = Group::new()
///     .add_fn("mailer", |_: Shutdown| async { Err::<(), _>("no such host") })
///     .run()
///     .await;
/// let cause = report.cause().unwrap();
/// assert_eq!(cause.service(), Some("mailer"));
/// assert_eq!(cause.stage(), Stage::Start);
/// assert_eq!(cause.to_string(), "`mailer` failed to start: no such host");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Failure {
    service: Option<String>,
    stage: Stage,
    fatal: bool,
    error: Arc<dyn Error + Send + Sync + 'static>,
}

impl Failure {
    pub(crate) fn new(service: Option<&str>, stage: Stage, fatal: bool, error: BoxError) -> Self {
        Self { service: service.map(str::to_owned), stage, fatal, error: error.into() }
    }

    /// The name of the service, or `None` when it is the group itself that is wrong.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// What the service was doing.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the group stopped for it, or ended otherwise than cleanly. Not so for a failure after
    /// which the service was started again, nor for one of a service that is not critical.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// The error itself: the service's own, or the group's word for a panic or a passed limit.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(service) = &self.service else {
            return self.error.fmt(f);
        };
        let did = match self.stage {
            Stage::Plan => "has an invalid setup",
            Stage::Build => "could not be built",
            Stage::Start => "failed to start",
            Stage::Run => "failed",
            Stage::Reload => "failed to reload",
            Stage::Stop => "failed to stop",
        };
        write!(f, "`{service}` {did}: {}", self.error)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// An error with all its causes, in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What a hook of a [`Service`](crate::Service) returns when the service does not have it. It is
/// what the trait's own `stop` returns, and no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this service has no such hook")
    }
}

impl Error for Absent {}

/// How many failures that the group survived are remembered: a service may be started again for ever.
const SURVIVED: usize = 1000;

/// Every failure that counts, and the last of those that were survived, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    kept: Vec<Failure>,
    survived: usize,
    forgotten: u64,
}

impl Failures {
    pub(crate) fn push(&mut self, failure: Failure) {
        self.survived += usize::from(!failure.is_fatal());
        self.kept.push(failure);
        if self.survived > SURVIVED
            && let Some(oldest) = self.kept.iter().position(|failure| !failure.is_fatal())
        {
            self.kept.remove(oldest);
            self.survived -= 1;
            self.forgotten += 1;
        }
    }

    pub(crate) fn kept(&self) -> &[Failure] {
        &self.kept
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl From<Vec<Failure>> for Failures {
    fn from(kept: Vec<Failure>) -> Self {
        let survived = kept.iter().filter(|failure| !failure.is_fatal()).count();
        Self { kept, survived, forgotten: 0 }
    }
}
