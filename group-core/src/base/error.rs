//! Errors and failures, as values.

use std::error::Error;
use std::fmt;
use std::fmt::Write as _;
use std::iter;
use std::sync::Arc;

use crate::base::panic::caught_now;
use crate::lifecycle::interface::Stage;

/// Any error. Every method of a service may return one. `anyhow::Error`, a `String` and every type that implements
/// [`Error`] convert into it with `?` or `.into()`.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// One failure: its service, its stage and its error.
///
/// Its `Display` is one line, without the causes; [`Error::source`] leads to those.
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
#[derive(Clone)]
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

    /// The same failure, as one that the group survived.
    pub(crate) fn survived(&self) -> Self {
        Self { fatal: false, ..self.clone() }
    }

    /// Returns true if this is a failure of a group for this failure of a service inside of it.
    pub(crate) fn tells(&self, inside: &Self) -> bool {
        self.error.downcast_ref::<Self>().is_some_and(|told| Arc::ptr_eq(&told.error, &inside.error))
    }

    /// The name of the service, or `None` if the group itself failed.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The part of its life in which the service failed.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns true if the group stopped because of this failure, or did not end cleanly because of it. It is false
    /// for a failure after which the service was restarted, and for one of a service that is not critical.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// The error itself: the service's own, or one that the group made of a panic or a missed limit.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, stage, fatal, error } = self;
        let error = Text(&**error);
        let mut failure = f.debug_struct("Failure");
        failure.field("service", service).field("stage", stage).field("fatal", fatal).field("error", &error).finish()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = Text(&*self.error);
        let Some(service) = &self.service else {
            return error.fmt(f);
        };
        let did = match self.stage {
            Stage::Plan => "has an invalid setup",
            Stage::Build => "could not be built",
            Stage::Start => "failed to start",
            Stage::Run => "failed",
            Stage::Reload => "failed to reload",
            Stage::Stop => "failed to stop",
        };
        write!(f, "`{service}` {did}: {error}")
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// An error as text. If the error's own code panics or fails, the text says so, after what was written so far.
struct Text<'a>(&'a dyn Error);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_caught(f, |text| write!(text, "{}", self.0))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_caught(f, |text| write!(text, "{:?}", self.0))
    }
}

fn write_caught(f: &mut fmt::Formatter<'_>, write: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    let mut text = String::new();
    let written = caught_now(|| write(&mut text));
    f.write_str(&text)?;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fmt::Error)) => f.write_str("(the text of this error cannot be written)"),
        Err(panicked) => write!(f, "(the text of this error {panicked})"),
    }
}

/// The longest chain of causes that is followed: an error may be its own cause.
pub(crate) const CAUSES: usize = 32;

/// The causes of an error, the nearest first. The last one is the panic, if a `source` panicked.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = Result<&'a (dyn Error + 'static), BoxError>> {
    let mut last = Some(error);
    let next = move || {
        let error = last.take()?;
        let cause = caught_now(|| error.source());
        last = cause.as_ref().ok().copied().flatten();
        cause.transpose()
    };
    iter::from_fn(next).take(CAUSES)
}

/// An error with all its causes, in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Text(self.0))?;
        for cause in causes(self.0) {
            match cause {
                Ok(error) => write!(f, ": {}", Text(error))?,
                Err(panicked) => write!(f, ": (the source of this error {panicked})")?,
            }
        }
        Ok(())
    }
}

/// The error that a hook of a [`Service`](crate::Service) returns if the service does not have that hook: the
/// defaults of `stop`, `health` and `reload` return it. It is not a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this service has no such hook")
    }
}

impl Error for Absent {}

/// The number of survived failures that are kept. There must be a limit, because a service may be restarted for ever.
const SURVIVED: usize = 1000;

/// All fatal failures, and the last [`SURVIVED`] others, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    kept: Vec<Failure>,
    survived: usize,
    forgotten: u64,
}

impl Failures {
    /// Keeps a failure. Returns the one that is forgotten for it, if there is one.
    #[must_use = "to drop it is to run code of the user's"]
    pub(crate) fn push(&mut self, failure: Failure) -> Option<Failure> {
        self.survived += usize::from(!failure.is_fatal());
        self.kept.push(failure);
        if self.survived <= SURVIVED {
            return None;
        }
        let oldest = self.kept.iter().position(|failure| !failure.is_fatal())?;
        self.survived -= 1;
        self.forgotten += 1;
        Some(self.kept.remove(oldest))
    }

    /// Makes every failure of a service that was not asked to stop one that the group survived.
    pub(crate) fn excuse(&mut self) {
        for failure in self.kept.iter_mut().filter(|failure| failure.fatal && failure.stage != Stage::Stop) {
            failure.fatal = false;
            self.survived += 1;
        }
    }

    /// Makes every failure one that the group survived.
    pub(crate) fn survive(&mut self) {
        for failure in self.kept.iter_mut().filter(|failure| failure.fatal) {
            failure.fatal = false;
            self.survived += 1;
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
