//! The construction of a service that has no `new`.

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::__private::result::Result;

/// A service that is made without `new`: from its `Default`.
#[diagnostic::on_unimplemented(
    message = "the group cannot make a `{Self}`",
    label = "has neither `new` nor `Default`",
    note = "derive or implement `Default`, or write `fn new() -> Self` in the `#[service]` block"
)]
pub trait ByDefault: Sized {
    /// Makes the service.
    ///
    /// # Errors
    ///
    /// Never.
    fn by_default() -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Default> ByDefault for T {
    fn by_default() -> Result<Self> {
        Ok(T::default())
    }
}

/// Makes a `T` from its `Default`, or returns an error at run time if it has none. Method lookup decides: it prefers
/// [`ByDefaultIfCan`], which takes one reference less than [`OrElseNot`].
#[derive(Debug)]
pub struct Maker<T>(PhantomData<T>);

impl<T> Maker<T> {
    #[expect(clippy::new_without_default, reason = "only ever called by the macro")]
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

pub trait ByDefaultIfCan<T> {
    /// Makes the service.
    ///
    /// # Errors
    ///
    /// Never.
    fn make(&self) -> Result<T>;
}

impl<T: Default> ByDefaultIfCan<T> for Maker<T> {
    fn make(&self) -> Result<T> {
        Ok(T::default())
    }
}

pub trait OrElseNot<T> {
    /// Returns the error that there is no `Default`.
    ///
    /// # Errors
    ///
    /// Always.
    fn make(&self) -> Result<T>;
}

impl<T> OrElseNot<T> for &Maker<T> {
    fn make(&self) -> Result<T> {
        Err("the group cannot make it: it has neither `new` nor `Default`, so add a value; if it is generic, its block must say `T: Default`".into())
    }
}
