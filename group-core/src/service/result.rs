//! What the methods of a service may return.

use crate::base::error::BoxError;

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

/// What an endless loop returns. Edition 2024 infers it, but only a function type can name it.
pub type Never = <fn() -> ! as Returns>::Type;

/// Names what a function type returns.
pub trait Returns {
    /// What it returns.
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}
