//! The return types of a service's methods.

use crate::base::error::BoxError;

/// The return types of `start`, `stop` and the body of `main`: `()`, or `Result<(), E>` with any `E`
/// that converts into [`BoxError`].
#[diagnostic::on_unimplemented(
    message = "a service cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
pub trait ServiceResult {
    /// Converts it into a `Result` with a [`BoxError`].
    ///
    /// # Errors
    ///
    /// If it was an error.
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

/// The type `!` of an endless loop. Edition 2024 infers it, but stable Rust can name it only through a function type.
pub type Never = <fn() -> ! as Returns>::Type;

/// Names the return type of a function type.
pub trait Returns {
    /// The return type.
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}
