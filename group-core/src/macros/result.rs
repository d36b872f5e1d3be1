//! The result of the emitted methods.

use crate::base::error::BoxError;

/// The form that the result of every method of a service is converted to.
pub type Result<T = ()> = std::result::Result<T, BoxError>;
