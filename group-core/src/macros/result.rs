//! What every method of a service comes down to.

use crate::base::error::BoxError;

/// What every method comes down to.
pub type Result<T = ()> = std::result::Result<T, BoxError>;
