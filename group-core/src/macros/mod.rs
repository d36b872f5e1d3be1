//! The code that `#[service]`, `#[group::main]` and `#[group::test]` call.
//!
//! It is public only so that emitted code can reach it, and changes without notice: do not use it. Much of it exists for
//! error messages: a trait per argument, parameter or result, whose `on_unimplemented` text is in words about services,
//! and future types with names, so that rustc points at the code that does not fit. `docs/macros.md` shows what the
//! macros emit.

pub use core;
pub use std::clone::Clone;
pub use std::future::{Future, ready};
pub use std::marker::{Send, Sync};
pub use std::option::Option::{None, Some};
pub use std::sync::Arc;
pub use std::time::Duration;

pub use inventory;

mod default;
mod entry;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
mod missing;
mod result;
mod tickers;

pub use self::default::{ByDefault, ByDefaultIfCan, Maker, OrElseNot};
pub use self::entry::{Threads, Trial};
#[cfg(not(feature = "grpc"))]
pub use self::missing::grpc;
pub use self::result::Result;
#[cfg(not(feature = "cron"))]
pub use self::tickers::Cron;
pub use self::tickers::{FailedRun, Ticking, cron, every, only_ticks};
pub use crate::base::program::Program;
pub use crate::group::Group;
pub use crate::group::registry::Registration;
pub use crate::lifecycle::interface::Role;
pub use crate::lifecycle::plan::Schedule;
pub use crate::running::new_settings::NewSettings;
pub use crate::service::context::Context;
pub use crate::service::from_context::FromContext;
pub use crate::service::result::{Never, Returns, ServiceResult};
pub use crate::service::{Made, Service};
pub use crate::spec::Spec;
#[cfg(feature = "cron")]
pub use crate::spec::cron::Cron;
pub use crate::spec::own_runtime::OwnRuntime;
pub use crate::spec::restart::Restart;
pub use crate::spec::route::Route;
pub use crate::spec::serve::Serving;
pub use crate::{__cron, __grpc, __http};

use std::fmt::Debug;
use std::pin::Pin;

#[cfg(feature = "config")]
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::base::panic::caught_now;
use crate::running::handle::Running;
#[cfg(feature = "config")]
use crate::service::config::Config;
use crate::spec::needs::Needs;

/// Notes the needs of `new`: [`FromContext::needs`] of each parameter.
#[must_use]
pub fn builds_with(spec: Spec, needs: fn(&mut Needs)) -> Spec {
    spec.build_needs(needs)
}

/// Notes the needs of `start`.
#[must_use]
pub fn starts_with(spec: Spec, needs: fn(&mut Needs)) -> Spec {
    spec.start_needs(needs)
}

/// A parameter of `reload`: the new settings.
#[diagnostic::on_unimplemented(
    message = "`reload` can take only the new settings of the service, as `Config<T>`",
    label = "not `Config<T>`",
    note = "settings need the feature `config`; let `new` take everything else"
)]
pub trait TakenByReload: Sized {
    /// Notes in the spec that it is taken.
    fn declare(spec: Spec) -> Spec;

    /// Makes the parameter.
    ///
    /// # Errors
    ///
    /// If the settings are none.
    fn take(settings: &NewSettings) -> Result<Self>;
}

#[cfg(feature = "config")]
impl<T: DeserializeOwned> TakenByReload for Config<T> {
    fn declare(spec: Spec) -> Spec {
        spec.reloads_with::<T>()
    }

    fn take(settings: &NewSettings) -> Result<Self> {
        settings.read().map(Config)
    }
}

/// A service that an argument of a macro names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not a service",
    note = "put `#[group::service]` on its `impl` block, or implement `group::Service`"
)]
pub trait Mentioned {
    /// A constant whose evaluation fails if `Self` starts after itself, directly or through other services.
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

// Without `do_not_recommend`, so that rustc explains why a generic type is not a service.
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

/// Notes the routes of a service.
#[must_use]
pub fn routes(mut spec: Spec, routes: &[Route]) -> Spec {
    spec.details_mut().routes.extend_from_slice(routes);
    spec
}

/// Notes that a service has no routes of its own, only those of services that are mounted on it.
#[must_use]
pub fn serves_others(mut spec: Spec) -> Spec {
    spec.details_mut().serves_others = true;
    spec
}

/// The parameter of `main`.
#[diagnostic::on_unimplemented(message = "`main` can take one parameter, `&mut Group`", label = "not `&mut Group`")]
pub trait TakenByMain<'a> {
    /// Makes the parameter.
    fn take(group: &'a mut Group) -> Self;
}

impl<'a> TakenByMain<'a> for &'a mut Group {
    fn take(group: &'a mut Group) -> Self {
        group
    }
}

/// The parameter of a test.
#[diagnostic::on_unimplemented(
    message = "a group's test takes one parameter: `&mut Group`, or `Running` for one that is started",
    label = "neither `&mut Group` nor `Running`"
)]
pub trait TakenByTest<'a>: Sized {
    /// Makes the parameter. Boxed: rustc would report an opaque future as a second error.
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

/// The result of `main`: every [`ServiceResult`].
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
pub trait ReturnedByMain {
    /// Converts it to [`Result`].
    ///
    /// # Errors
    ///
    /// If it is one.
    fn into_result(self) -> Result;
}

#[diagnostic::do_not_recommend]
impl<T: ServiceResult> ReturnedByMain for T {
    fn into_result(self) -> Result {
        ServiceResult::into_result(self)
    }
}

/// The result of a test, as under `#[test]`.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must implement `Debug`"
)]
pub trait ReturnedByTest {
    /// Converts it to [`Result`].
    ///
    /// # Errors
    ///
    /// If it is one.
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

/// The argument `paused`; `()` implements it with the feature `testing`.
#[diagnostic::on_unimplemented(
    message = "`paused` needs the feature `testing` of `service-group`",
    label = "the feature `testing` is not enabled",
    note = "add `features = [\"testing\"]` to `service-group`, under `[dev-dependencies]`"
)]
pub trait Paused {}

#[cfg(feature = "testing")]
impl Paused for () {}

/// Returns true: the time of the test is paused.
#[must_use]
pub fn paused(_: impl Paused) -> bool {
    true
}

/// The argument `admin`; `()` implements it with the feature `admin`.
#[diagnostic::on_unimplemented(
    message = "`admin` needs the feature `admin` of `service-group`: add `features = [\"admin\"]` to it",
    label = "the feature `admin` is not enabled"
)]
pub trait HasAdmin {}

#[cfg(feature = "admin")]
impl HasAdmin for () {}

/// Adds the admin service.
#[cfg_attr(not(feature = "admin"), expect(unused_variables, reason = "rustc has reported that the feature is off"))]
pub fn admin(group: &mut Group, address: &str, _: impl HasAdmin) {
    #[cfg(feature = "admin")]
    group.admin(address);
}

/// The argument `report_to`; `()` implements it with the feature `serde`.
#[diagnostic::on_unimplemented(
    message = "`report_to` needs the feature `serde` of `service-group`: add `features = [\"serde\"]` to it",
    label = "the feature `serde` is not enabled"
)]
pub trait WritesReports {}

#[cfg(feature = "serde")]
impl WritesReports for () {}

/// Sets the file that the last report goes to.
#[cfg_attr(not(feature = "serde"), expect(unused_variables, reason = "rustc has reported that the feature is off"))]
pub fn report_to(group: &mut Group, file: &str, _: impl WritesReports) {
    #[cfg(feature = "serde")]
    group.report_to(file);
}

/// The argument `config` of a test; `()` implements it with the feature `config`.
#[diagnostic::on_unimplemented(
    message = "`config` needs the feature `config` of `service-group`: add `features = [\"config\"]` to it",
    label = "the feature `config` is not enabled"
)]
pub trait ReadsSettings {}

#[cfg(feature = "config")]
impl ReadsSettings for () {}

/// Sets the settings of a test.
#[cfg_attr(not(feature = "config"), expect(unused_variables, reason = "rustc has reported that the feature is off"))]
pub fn config(group: &mut Group, toml: &str, _: impl ReadsSettings) {
    #[cfg(feature = "config")]
    group.config_str(toml);
}

/// Waits for the result of an async method, and converts it to [`Result`].
///
/// # Errors
///
/// If the method returned one.
pub async fn awaited<T>(returning: impl Future<Output = T>, into_result: fn(T) -> Result) -> Result {
    into_result(returning.await)
}

/// Runs a blocking `start` on a thread of its own.
///
/// # Errors
///
/// If `start` fails or panics, or if the thread cannot be spawned.
pub async fn on_thread(cx: &Context, start: impl FnOnce() -> Result + Send + 'static) -> Result {
    let alone = cx.member().own_thread().await;
    let (sender, ended) = oneshot::channel();
    // A thread cannot be aborted: the service is gone only once the thread has ended.
    let remains = cx.remains();
    let (holder, runtime) = (cx.clone(), tokio::runtime::Handle::current());
    std::thread::Builder::new().name(cx.name().to_owned()).spawn(move || {
        let (_remains, _alone) = (remains, alone);
        let _holds_a_thread = holder.member().has_this_thread();
        let _entered = runtime.enter();
        let result = caught_now(start).and_then(|result| result);
        // If the service was aborted, the receiver is gone.
        let _ = sender.send(result);
    })?;
    ended.await?
}

/// Boxes and pins a future. It is implemented for every type, so that rustc reports a wrong one only where it is used.
pub trait Pinned: Sized {
    /// Boxes and pins it.
    fn pinned(self) -> Pin<Box<Self>> {
        Box::pin(self)
    }
}

impl<F> Pinned for F {}
