//! What the methods of a service may return.

use crate::__private::Never;
use crate::{BoxError, Service};

/// What `start`, `stop` and the body of `main` may return: `()`, or `Result<(), E>` with any `E`
/// that converts into [`BoxError`].
#[diagnostic::on_unimplemented(
    message = "a service cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
pub trait ServiceResult {
    /// The same, in one form.
    ///
    /// # Errors
    ///
    /// When it was one.
    fn into_result(self) -> Result<(), BoxError>;
}

#[diagnostic::do_not_recommend]
impl ServiceResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl ServiceResult for Never {
    fn into_result(self) -> Result<(), BoxError> {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> ServiceResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// What `new` may return: the service, or a `Result` of it with any `E` that converts into
/// [`BoxError`].
#[diagnostic::on_unimplemented(
    message = "`new` must return `Self` or `Result<Self, E>`",
    label = "this is `{Self}`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
#[doc(hidden)]
pub trait Made<S> {
    /// The same, in one form.
    ///
    /// # Errors
    ///
    /// When it was one.
    fn into_result(self) -> Result<S, BoxError>;
}

impl<S: Service> Made<S> for S {
    fn into_result(self) -> Result<S, BoxError> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<S, E: Into<BoxError>> Made<S> for Result<S, E> {
    fn into_result(self) -> Result<S, BoxError> {
        self.map_err(Into::into)
    }
}
