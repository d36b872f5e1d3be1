//! What the macros call. Not public: it changes without notice.

pub use core;

pub use std::clone::Clone;

pub use std::future::{Future, ready};

pub use std::marker::{Send, Sync};

pub use std::option::Option::{None, Some};

pub use std::sync::Arc;

pub use std::time::Duration;

pub use inventory;

#[cfg(feature = "cron")]
pub use crate::Cron;

pub use crate::entry::{Threads, Trial};

pub use crate::registry::Registration;

pub use crate::{Context, FromContext, Group, Made, Restart, Role, Route, Schedule, Service, ServiceResult, Spec};

use std::fmt::Debug;

use std::marker::PhantomData;

use std::pin::Pin;

use tokio::sync::oneshot;

use crate::member::Remains;

use crate::panic::caught_now;

use crate::ticker;

use crate::{BoxError, Needs, Running};

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

/// Notes what `new` takes: [`FromContext::needs`] of each parameter.
#[must_use]
pub fn builds_with(spec: Spec, needs: fn(&mut Needs)) -> Spec {
    spec.build_needs(needs)
}

/// Notes what `start` takes.
#[must_use]
pub fn starts_with(spec: Spec, needs: fn(&mut Needs)) -> Spec {
    spec.start_needs(needs)
}

/// A service that another one, or `main`, mentions in an argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not a service",
    note = "put `#[group::service]` on its `impl` block, or implement `group::Service`"
)]
pub trait Mentioned {
    /// Has a value unless `Self` starts after itself, by whichever way round.
    const AFTER: ();

    /// `after(Self)`.
    fn after(spec: Spec) -> Spec;

    /// `after(optional(Self))`.
    fn optional(spec: Spec) -> Spec;

    /// `http = Self`.
    fn http_on(spec: Spec) -> Spec;

    /// `services(Self)`.
    fn add_to(group: &mut Group);
}

#[diagnostic::do_not_recommend]
impl<S: Service> Mentioned for S {
    const AFTER: () = S::__AFTER;

    fn after(spec: Spec) -> Spec {
        spec.after::<S>()
    }

    fn optional(spec: Spec) -> Spec {
        spec.after_optional::<S>()
    }

    fn http_on(spec: Spec) -> Spec {
        spec.http_on::<S>()
    }

    #[track_caller]
    fn add_to(group: &mut Group) {
        group.add_type::<S>();
    }
}

/// Notes what routes there are.
#[must_use]
pub fn routes(mut spec: Spec, routes: &[Route]) -> Spec {
    spec.more_mut().routes.extend_from_slice(routes);
    spec
}

/// Notes that it has no routes but those that others mount on it.
#[must_use]
pub fn serves_others(mut spec: Spec) -> Spec {
    spec.more_mut().serves_others = true;
    spec
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

/// What a test can take.
#[diagnostic::on_unimplemented(
    message = "a group's test takes one parameter: `&mut Group`, or `Running` for one that is started",
    label = "neither `&mut Group` nor `Running`"
)]
pub trait TakenByTest<'a>: Sized {
    /// Takes it. Boxed, because of an opaque future rustc has a second thing to say.
    fn take(trial: &'a mut Trial) -> Pin<Box<dyn Future<Output = Result<Self>> + 'a>>;
}

impl<'a> TakenByTest<'a> for &'a mut Group {
    fn take(trial: &'a mut Trial) -> Pin<Box<dyn Future<Output = Result<Self>> + 'a>> {
        Box::pin(ready(Ok(trial.group())))
    }
}

impl<'a> TakenByTest<'a> for Running {
    fn take(trial: &'a mut Trial) -> Pin<Box<dyn Future<Output = Result<Self>> + 'a>> {
        Box::pin(trial.start())
    }
}

/// What `main` can return: every [`ServiceResult`].
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
pub trait ReturnedByMain {
    /// The same, in one form.
    ///
    /// # Errors
    ///
    /// When it was one.
    fn into_result(self) -> Result;
}

#[diagnostic::do_not_recommend]
impl<T: ServiceResult> ReturnedByMain for T {
    fn into_result(self) -> Result {
        ServiceResult::into_result(self)
    }
}

/// What a test can return, as under `#[test]`.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must implement `Debug`"
)]
pub trait ReturnedByTest {
    /// The same, in one form.
    ///
    /// # Errors
    ///
    /// When it was one.
    fn into_result(self) -> Result;
}

impl ReturnedByTest for () {
    fn into_result(self) -> Result {
        Ok(self)
    }
}

impl ReturnedByTest for Never {
    fn into_result(self) -> Result {
        self
    }
}

impl<E: Debug> ReturnedByTest for std::result::Result<(), E> {
    fn into_result(self) -> Result {
        self.map_err(|error| format!("{error:?}").into())
    }
}

/// `paused`, where it can be had.
#[diagnostic::on_unimplemented(
    message = "`paused` needs the feature `testing` of `service-group`",
    label = "the feature `testing` is not enabled",
    note = "add `features = [\"testing\"]` to `service-group`, under `[dev-dependencies]`"
)]
pub trait Paused {}

#[cfg(feature = "testing")]
impl Paused for () {}

/// Says that time stands still.
#[must_use]
pub fn paused(_: impl Paused) -> bool {
    true
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
        Err("the group cannot make it: it has neither `new` nor `Default`, so add a value; if it is generic, its block must say `T: Default`".into())
    }
}

/// Waits for what an async method returns, and puts it in one form.
///
/// # Errors
///
/// When it was one.
pub async fn awaited<T>(returning: impl Future<Output = T>, into_result: fn(T) -> Result) -> Result {
    into_result(returning.await)
}

/// Runs a blocking `start` on a thread of its own.
///
/// # Errors
///
/// When it fails, panics, or the thread cannot be had.
pub async fn on_thread(cx: &Context, start: impl FnOnce() -> Result + Send + 'static) -> Result {
    let alone = cx.member().own_thread().await;
    let (sender, ended) = oneshot::channel();
    // Abort does not reach a thread: the service is gone only when it is.
    let remains = Remains::of(cx);
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name(cx.name().to_owned()).spawn(move || {
        let (_remains, _alone) = (remains, alone);
        let _entered = runtime.enter();
        let result = caught_now(start).and_then(|result| result);
        // Nobody waits any more when the service was aborted.
        let _ = sender.send(result);
    })?;
    ended.await?
}

/// Puts a future in its place. What is none is not yet a mistake.
pub trait Pinned: Sized {
    /// Puts it there.
    fn pinned(self) -> Pin<Box<Self>> {
        Box::pin(self)
    }
}

impl<F> Pinned for F {}

/// A tick on its way. A type, so that rustc points at what cannot be one.
pub type Ticking = Pin<Box<dyn Future<Output = Result> + Send>>;

/// What a method does again and again, while the service runs.
pub fn every(cx: &Context, method: &'static str, period: Duration, tick: impl FnMut() -> Ticking + Send + 'static) {
    ticker::spawn(cx, method, |shutdown| async move { ticker::every(&shutdown, period, tick).await });
}

/// The same, when an expression says so.
#[cfg(feature = "cron")]
pub fn cron(cx: &Context, method: &'static str, cron: crate::Cron, tick: impl FnMut() -> Ticking + Send + 'static) {
    ticker::spawn(cx, method, |shutdown| async move { crate::cron::run(&shutdown, &cron, tick).await });
}

#[cfg(not(feature = "cron"))]
pub use self::no_cron::{Cron, cron};

#[cfg(not(feature = "cron"))]
mod no_cron {
    //! What is left of it, so that [`__cron`](crate::__cron) alone says that there is none.

    use crate::Context;

    #[derive(Clone, Copy, Debug)]
    pub struct Cron;

    impl Cron {
        #[must_use]
        pub fn new(_: &str) -> Self {
            Self
        }

        #[must_use]
        pub fn tz(self, _: &str) -> Self {
            self
        }
    }

    pub fn cron(_: &Context, _: &'static str, _: Cron, _: impl FnMut() -> super::Ticking + Send + 'static) {}
}

/// The `start` of a service that only ticks.
///
/// # Errors
///
/// Never.
pub fn only_ticks(cx: &Context) -> std::future::Ready<Result> {
    cx.member().will_hear();
    ready(Ok(()))
}

#[cfg(feature = "http")]
pub mod http;

#[cfg(feature = "grpc")]
pub mod grpc;

#[cfg(not(feature = "grpc"))]
pub mod grpc {
    //! What is left of it, so that [`__grpc`](crate::__grpc) alone says that there is none.

    use std::sync::Arc;

    use crate::Context;

    /// Returns the routes.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn beside<S, R>(_: &Context, _: &Arc<S>, routes: R) -> super::Result<R> {
        Ok(routes)
    }
}

/// Code for HTTP, where it can be had.
#[cfg(feature = "http")]
#[doc(hidden)]
#[macro_export]
macro_rules! __http {
    ($($code:tt)*) => { $($code)* };
}

/// Says that it cannot be had.
#[cfg(not(feature = "http"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __http {
    ($($code:tt)*) => {{
        ::core::compile_error! {
            "`http` needs the feature `http` of `service-group`: add `features = [\"http\"]` to it"
        }
        $crate::__private::ready($crate::__private::Result::Ok(()))
    }};
}

/// Code for gRPC, where it can be had.
#[cfg(feature = "grpc")]
#[doc(hidden)]
#[macro_export]
macro_rules! __grpc {
    ($($code:tt)*) => { $($code)* };
}

/// Says that it cannot be had.
#[cfg(not(feature = "grpc"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __grpc {
    ($($code:tt)*) => {
        ::core::compile_error! {
            "`grpc` needs the feature `grpc` of `service-group`: add `features = [\"grpc\"]` to it"
        }
    };
}

/// Adds a time to what a service says of itself.
#[cfg(feature = "cron")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cron {
    ($spec:expr) => {
        $spec
    };
}

/// Says that it cannot be had.
#[cfg(not(feature = "cron"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __cron {
    ($spec:expr) => {
        ::core::compile_error! {
            "`#[cron]` needs the feature `cron` of `service-group`: add `features = [\"cron\"]` to it"
        }
    };
}

pub use crate::{__cron, __grpc, __http};
