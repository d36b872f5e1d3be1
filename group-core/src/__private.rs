//! What the macros call. Not public: it changes without notice.

pub use core;
pub use std::future::{Future, ready};
pub use std::marker::Send;
pub use std::option::Option::{None, Some};
pub use std::process::ExitCode;
pub use std::sync::Arc;
pub use std::time::Duration;

pub use inventory;

pub use crate::entry::Main;
pub use crate::registry::Registration;
pub use crate::{Context, Group, Made, Role, Service, ServiceResult, Spec};

use std::marker::PhantomData;

use tokio::sync::oneshot;

use crate::panic::caught_now;
use crate::{BoxError, FromContext};

/// What an endless loop returns. Edition 2024 infers it, but only a function type can name it.
pub type Never = <fn() -> ! as Returns>::Type;

pub trait Returns {
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// What every method comes down to.
pub type Result<T = ()> = std::result::Result<T, BoxError>;

/// What `start` can take: every [`FromContext`].
#[diagnostic::on_unimplemented(
    message = "`start` cannot take `{Self}`",
    label = "cannot be taken from the group",
    note = "a service can take `Shutdown`, `Ready`, `Context`, `Handle`, and `Arc<T>` of another service or of a value that was provided",
    note = "implement `group::FromContext` for a type of your own"
)]
pub trait TakenByStart: Sized {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// When it is not to be had.
    fn take(cx: &Context) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: FromContext> TakenByStart for T {
    fn take(cx: &Context) -> Result<Self> {
        T::from_context(cx)
    }
}

/// What `new` can take: every [`FromContext`].
#[diagnostic::on_unimplemented(
    message = "`new` cannot take `{Self}`",
    label = "cannot be taken from the group",
    note = "a service can take `Shutdown`, `Ready`, `Context`, `Handle`, and `Arc<T>` of another service or of a value that was provided",
    note = "implement `group::FromContext` for a type of your own"
)]
pub trait TakenByNew: Sized {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// When it is not to be had.
    fn take(cx: &Context) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: FromContext> TakenByNew for T {
    fn take(cx: &Context) -> Result<Self> {
        T::from_context(cx)
    }
}

/// What `main` can take.
#[diagnostic::on_unimplemented(message = "`main` can take one parameter, `&mut Group`", label = "not `&mut Group`")]
pub trait TakenByMain<'a> {
    /// Takes it.
    fn take(group: &'a mut Group) -> Self;
}

impl<'a> TakenByMain<'a> for &'a mut Group {
    fn take(group: &'a mut Group) -> Self {
        group
    }
}

/// A service that needs no `new`.
#[diagnostic::on_unimplemented(
    message = "the group cannot make a `{Self}`",
    label = "has neither `new` nor `Default`",
    note = "derive or implement `Default`, or write `fn new() -> Self` in the `#[service]` block"
)]
pub trait ByDefault: Sized {
    /// Makes it.
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

/// Makes a `T` if it has a `Default`, and else says that it has none: method lookup prefers
/// [`ByDefaultIfCan`], which takes one reference less.
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
    /// Makes it.
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
    /// Says that it cannot.
    ///
    /// # Errors
    ///
    /// Always.
    fn make(&self) -> Result<T>;
}

impl<T> OrElseNot<T> for &Maker<T> {
    fn make(&self) -> Result<T> {
        Err("the group cannot make it: it has neither `new` nor `Default`, so add a value".into())
    }
}

/// Runs a blocking `start` on a thread of its own.
///
/// # Errors
///
/// When it fails, panics, or the thread cannot be had.
pub async fn on_thread(cx: &Context, start: impl FnOnce() -> Result + Send + 'static) -> Result {
    let (sender, ended) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name(cx.name().to_owned()).spawn(move || {
        let _entered = runtime.enter();
        let result = caught_now(start).and_then(|result| result);
        // Nobody waits any more when the service was aborted.
        let _ = sender.send(result);
    })?;
    ended.await?
}

#[cfg(feature = "http")]
pub mod http {
    //! HTTP, as the macros use it.

    pub use axum::Router;
    pub use axum::routing::{any, delete, get, head, options, patch, post, put};

    use crate::Context;

    /// The type of a `start` that is not there.
    pub type Nothing = std::future::Pending<super::Result>;

    /// Serves the routes on the service's address, with its `start` beside the server.
    ///
    /// # Errors
    ///
    /// When either fails.
    pub async fn run(
        cx: &Context,
        routes: Router,
        beside: Option<impl Future<Output = super::Result>>,
    ) -> super::Result {
        let address = cx.http().unwrap_or_default();
        match beside {
            Some(start) => crate::http::serve_beside(cx, address, routes, start).await,
            None => crate::http::serve(cx, address, routes).await,
        }
    }
}
