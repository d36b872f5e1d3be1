//! Why a service cannot be controlled by hand.

use std::error::Error;
use std::fmt;

use crate::base::error::{Chain, Failure};

/// The answer to a request about one service.
pub(crate) type Answer = Result<(), ControlError>;

/// Why a service could not be stopped, started or restarted by hand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ControlError {
    /// The group is stopping, or has stopped. What was built is stopped with it.
    Stopping,
    /// The group has no service of this name.
    #[non_exhaustive]
    Unknown {
        /// The name.
        name: String,
        /// A name that was probably meant, if there is a similar one.
        nearest: Option<String>,
    },
    /// This service was added with [`add_fn`](crate::Group::add_fn), and so can be started only once. It was to be started
    /// again, or would be stopped along with another one, and could not come back. Nothing was stopped.
    RunsOnce(String),
    /// This service blocks its thread, so that it could not be stopped, and cannot be started again while it does.
    Blocked(String),
    /// The service comes after this one, which was stopped by hand: start that one.
    KeptDownBy(String),
    /// This service would come back, and needs another one that has failed: restart that one. Nothing was stopped.
    #[non_exhaustive]
    Lacks {
        /// The service that would come back.
        service: String,
        /// The service that it needs.
        need: String,
    },
    /// The service, or one that was stopped along with it, is not ready, because this failed.
    Failed(Failure),
    /// Another request came meanwhile, and the service is not ready, because it was stopped again.
    Overruled,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the group is stopping"),
            Self::Unknown { name, nearest } => {
                write!(f, "there is no service `{name}` in this group")?;
                nearest.iter().try_for_each(|near| write!(f, "; did you mean `{near}`?"))
            }
            Self::RunsOnce(service) => {
                write!(f, "`{service}` can be started only once: add it with `add_restartable_fn`")
            }
            Self::Blocked(service) => write!(f, "`{service}` could not be stopped, and still blocks its thread"),
            Self::KeptDownBy(other) => write!(f, "it comes after `{other}`, which is stopped: start `{other}`"),
            Self::Lacks { service, need } => {
                write!(f, "`{service}` needs `{need}`, which has failed: restart `{need}`")
            }
            Self::Failed(failure) => Chain(failure).fmt(f),
            Self::Overruled => f.write_str("it was stopped again meanwhile"),
        }
    }
}

impl Error for ControlError {}
