//! The trait of a service, and the context that its methods get.

pub(crate) mod belongings;
#[cfg(feature = "config")]
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod from_context;
pub(crate) mod function;
pub(crate) mod ready;
pub(crate) mod result;
pub(crate) mod shutdown;

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::Poll;

use crate::base::error::{Absent, BoxError};
use crate::running::instance::{BoxFuture, Instance};
use crate::running::new_settings::NewSettings;
use crate::service::context::Context;
use crate::spec::Spec;
use crate::spec::edge::Target;

/// A service: a part of a program that a group starts and stops.
///
/// `#[service]` implements it. An implementation by hand can do the same; only `start` is required.
///
/// ```
/// use group::{BoxError, Context, Group, Service};
/// use std::sync::Arc;
///
/// struct Consumer { queue: String }
///
/// impl Service for Consumer {
///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
///         let shutdown = cx.shutdown();
///         // … take messages from self.queue until …
///         shutdown.requested().await;
///         Ok(())
///     }
///
///     async fn stop(&self) -> Result<(), BoxError> {
///         println!("{} is closed", self.queue);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new().add(Consumer { queue: "orders".into() }).start().await.unwrap();
/// assert!(running.stop().await.is_clean());
/// # }
/// ```
///
/// # How it is stopped
///
/// | `start` took [`Shutdown`](crate::Shutdown) | has `stop` | what happens |
/// |---|---|---|
/// | yes | no  | `Shutdown` fires; `start` is awaited |
/// | yes | yes | `Shutdown` fires; `start` is awaited; then `stop` runs, to release |
/// | no  | yes | `stop` runs, to make `start` return; `start` is awaited |
/// | no  | no  | `start` cannot learn of the stop, so it is dropped at its next await |
///
/// All of this happens within the service's [`stop_timeout`](Spec::stop_timeout); past that, it is aborted.
/// `stop` may close something that tickers (`#[every]`, `#[cron]`) use, so they finish their last run before it runs.
/// A run that itself waits for `stop` therefore lasts until the limit.
/// `stop` runs once for every service that was built, also if its `start` failed or panicked.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not a service",
    note = "put `#[group::service]` on its `impl` block, or implement `group::Service`"
)]
pub trait Service: Sized + Send + Sync + 'static {
    // The methods repeat `Send` and `Sync`, so that the code of `#[service]` can take them for granted: rustc then reports
    // a type that lacks them once, and not at each method.

    /// Refers to the same constant of each service in `after(…)`. If services come after one another in a circle,
    /// none of these constants has a value, so the compiler rejects them.
    #[doc(hidden)]
    const __AFTER: () = ();

    /// Returns how the group treats the service. By default it is named like its type, comes after nothing, and
    /// has the default limits.
    #[must_use]
    fn spec() -> Spec {
        Spec::of::<Self>()
    }

    /// Makes the service, if the group was given its type and not a value.
    ///
    /// # Errors
    ///
    /// If it cannot acquire a resource that it needs; then the group's start fails. The default always returns an
    /// error: a service without `build` must be added as a value.
    #[must_use]
    fn build(cx: Context) -> impl Future<Output = Result<Self, BoxError>> + Send
    where
        Self: Send + Sync,
    {
        drop(cx);
        async { Err("the group cannot make it: implement `Service::build`, or add a value".into()) }
    }

    /// The service's whole life: it returns when the service has ended.
    ///
    /// # Errors
    ///
    /// If the service fails. The group stops, unless the service is restarted or is not critical, and the error is
    /// in its report.
    fn start(self: Arc<Self>, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send
    where
        Self: Send + Sync;

    /// Ends the service, or releases resources that `start` does not. The table above says when it runs.
    ///
    /// # Errors
    ///
    /// If something could not be released. The rest of the group is stopped all the same, and the error is
    /// in its report. The default returns [`Absent`], which means that there is no such hook.
    fn stop(&self) -> impl Future<Output = Result<(), BoxError>> + Send
    where
        Self: Send + Sync,
    {
        NoHook::<Stop>(PhantomData)
    }

    /// Checks the health of the service, for [`Handle::health`](crate::Handle::health). The result changes neither
    /// liveness nor readiness.
    ///
    /// # Errors
    ///
    /// If the service is unhealthy. The default returns [`Absent`], which means that there is no such hook.
    fn health(&self) -> impl Future<Output = Result<(), BoxError>> + Send
    where
        Self: Send + Sync,
    {
        async { Err(Absent.into()) }
    }

    /// Applies new settings while the service runs: on SIGHUP, and on
    /// [`Handle::reload`](crate::Handle::reload).
    ///
    /// # Errors
    ///
    /// If the new settings cannot be used; then the service keeps the old ones and stays ready.
    /// The default returns [`Absent`], which means that there is no such hook.
    fn reload(&self) -> impl Future<Output = Result<(), BoxError>> + Send
    where
        Self: Send + Sync,
    {
        NoHook::<Reload>(PhantomData)
    }

    /// As [`reload`](Self::reload), with the settings of the service as they are now. The default calls `reload`.
    ///
    /// Before any service reloads, the file and the environment are read again, if a service says with
    /// [`Spec::reloads_with`] that it takes them. If there is a mistake in them, no service reloads, and everything stays
    /// as it was.
    ///
    /// ```
    /// use group::{BoxError, Context, NewSettings, Service, Spec};
    /// use serde::Deserialize;
    /// use std::sync::{Arc, Mutex};
    ///
    /// #[derive(Deserialize)]
    /// struct Limits {
    ///     per_minute: u32,
    /// }
    ///
    /// struct Mailer {
    ///     limits: Mutex<Limits>,
    /// }
    ///
    /// impl Service for Mailer {
    ///     fn spec() -> Spec {
    ///         Spec::of::<Self>().reloads_with::<Limits>()
    ///     }
    ///
    ///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
    ///         cx.shutdown().requested().await;
    ///         Ok(())
    ///     }
    ///
    ///     async fn reload_with(&self, settings: NewSettings) -> Result<(), BoxError> {
    ///         *self.limits.lock().unwrap() = settings.read()?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`reload`](Self::reload).
    fn reload_with(&self, settings: NewSettings) -> impl Future<Output = Result<(), BoxError>> + Send
    where
        Self: Send + Sync,
    {
        let _ = settings;
        self.reload()
    }
}

/// The future of a hook's default. Its type tells, without a call, that the service has no such hook.
struct NoHook<Hook>(PhantomData<Hook>);

type NoStop = NoHook<Stop>;

type NoReload = NoHook<Reload>;

struct Stop;

struct Reload;

impl<Hook> Future for NoHook<Hook> {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(Absent.into()))
    }
}

/// Returns true if the function returns an `R`, as [`returns`] does.
fn returns_with<R: 'static, S: 'static, T: 'static>(_: impl Fn(&'static S, NewSettings) -> T) -> bool {
    TypeId::of::<T>() == TypeId::of::<R>()
}

/// Returns true if the function returns an `R`.
fn returns<R: 'static, S: 'static, T: 'static>(_: impl Fn(&'static S) -> T) -> bool {
    TypeId::of::<T>() == TypeId::of::<R>()
}

fn has_reload<S: Service>() -> bool {
    !returns_with::<NoReload, _, _>(<S as Service>::reload_with)
}

/// A service with its type erased, as its task runs it.
pub(crate) trait DynService: Instance {
    fn start(self: Arc<Self>, cx: Context) -> BoxFuture<Result<(), BoxError>>;

    /// Returns true unless the service is known to have no `stop`; then no future is made for it.
    fn has_stop(&self) -> bool;

    /// Returns true unless the service is known to have no `reload`.
    fn has_reload(&self) -> bool;

    /// The future returns `None` if the service has no `stop`.
    fn stop(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>>;
}

impl<S: Service> DynService for S {
    fn start(self: Arc<Self>, cx: Context) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(<S as Service>::start(self, cx))
    }

    fn has_stop(&self) -> bool {
        !returns::<NoStop, _, _>(<S as Service>::stop)
    }

    fn has_reload(&self) -> bool {
        has_reload::<S>()
    }

    fn stop(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>> {
        Box::pin(async move { unless_absent(<S as Service>::stop(&self).await) })
    }
}

impl<S: Service> Instance for S {
    fn health(self: Arc<Self>) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(async move { <S as Service>::health(&self).await })
    }

    fn reload(self: Arc<Self>, settings: NewSettings) -> BoxFuture<Option<Result<(), BoxError>>> {
        Box::pin(async move { unless_absent(<S as Service>::reload_with(&self, settings).await) })
    }

    fn put_into(self: Arc<Self>, slot: &mut dyn Any) {
        if let Some(slot) = slot.downcast_mut() {
            *slot = Some(self);
        }
    }
}

fn unless_absent(result: Result<(), BoxError>) -> Option<Result<(), BoxError>> {
    match result {
        Err(error) if error.is::<Absent>() => None,
        result => Some(result),
    }
}

/// The way to get a service when its turn to start comes.
pub(crate) enum Factory {
    /// It was added as a value.
    Made(Arc<dyn DynService>),
    /// Its own `build` makes it, for each of its lives.
    Make { make: Make, has_reload: bool },
}

/// A service whose turn to start has come.
pub(crate) enum Beginning {
    Made(Arc<dyn DynService>),
    /// It is being built, once this is polled.
    Build(Building),
}

pub(crate) type Building = BoxFuture<Result<Arc<dyn DynService>, BoxError>>;

impl Factory {
    /// The service that was added as a value.
    pub(crate) fn into_made(self) -> Option<Arc<dyn DynService>> {
        match self {
            Self::Made(service) => Some(service),
            Self::Make { .. } => None,
        }
    }

    /// Returns true unless the service is known to have no `reload`.
    pub(crate) fn has_reload(&self) -> bool {
        match self {
            Self::Made(service) => service.has_reload(),
            Self::Make { has_reload, .. } => *has_reload,
        }
    }
}

/// It runs no code of the service's: the future does.
pub(crate) type Make = Box<dyn Fn(Context) -> Building + Send>;

/// The factory of a service that was added as a value.
pub(crate) fn made<S: Service>(service: S) -> Factory {
    Factory::Made(Arc::new(service))
}

/// The factory of a service that its own `build` makes.
pub(crate) fn built<S: Service>() -> Factory {
    let make: Make = Box::new(|cx| Box::pin(async move { Ok(Arc::new(S::build(cx).await?) as Arc<dyn DynService>) }));
    Factory::Make { make, has_reload: has_reload::<S>() }
}

/// The return types of `new`: the service, or a `Result` of it with any `E` that converts into
/// [`BoxError`].
#[diagnostic::on_unimplemented(
    message = "`new` must return `Self` or `Result<Self, E>`",
    label = "this is `{Self}`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
#[doc(hidden)]
pub trait Made<S> {
    /// Converts it into a `Result` with a [`BoxError`].
    ///
    /// # Errors
    ///
    /// If it was an error.
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

impl Spec {
    /// Starts the service after `S` is ready, and stops it before `S`. The group must have an `S`.
    #[must_use]
    pub fn after<S: Service>(self) -> Self {
        self.edge(Target::Type(TypeId::of::<S>(), std::any::type_name::<S>()), false)
    }

    /// As [`after`](Self::after), if the group has an `S`.
    #[must_use]
    pub fn after_optional<S: Service>(self) -> Self {
        self.edge(Target::Type(TypeId::of::<S>(), std::any::type_name::<S>()), true)
    }

    /// Serves HTTP on the address of `S`: the service is mounted there, under its [`prefix`](Self::prefix) if it
    /// has one. The group must have an `S`, and `S` an address of its own. The mounted service passes its routes
    /// on with `http::mount`, and `S` serves them with `http::mounted`.
    ///
    /// `S` starts after every service that is mounted on it, and stops before them. So it listens only when all
    /// of them are ready, and has answered every request before any of them is stopped.
    ///
    /// ```
    /// use group::{BoxError, Context, Group, Service, Spec, http};
    /// use group::axum::{Router, routing::get};
    /// use std::sync::Arc;
    ///
    /// struct Users;
    ///
    /// impl Service for Users {
    ///     fn spec() -> Spec {
    ///         Spec::of::<Self>().http_on::<Gateway>().prefix("/api")
    ///     }
    ///
    ///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
    ///         http::mount(&cx, Router::new().route("/users", get(|| async { "all" }))).await
    ///     }
    /// }
    ///
    /// struct Gateway;
    ///
    /// impl Service for Gateway {
    ///     fn spec() -> Spec {
    ///         Spec::of::<Self>().http("127.0.0.1:0")
    ///     }
    ///
    ///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
    ///         let routes = http::mounted(&cx, Router::new())?; // layers go around all of it
    ///         http::serve(&cx, cx.http_address().unwrap(), routes).await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let running = Group::new().add(Gateway).add(Users).start().await.unwrap();
    /// println!("curl http://{}/api/users", running.local_addr("users").unwrap());
    /// assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    #[must_use]
    pub fn http_on<S: Service>(self) -> Self {
        self.mounted_on(Target::Type(TypeId::of::<S>(), std::any::type_name::<S>()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Pending, pending};

    use super::*;

    struct Without;

    impl Service for Without {
        async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
            Ok(())
        }
    }

    struct With;

    impl Service for With {
        async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
            Ok(())
        }

        async fn stop(&self) -> Result<(), BoxError> {
            Ok(())
        }

        async fn reload(&self) -> Result<(), BoxError> {
            Ok(())
        }
    }

    struct WithOneOfNoSize;

    impl Service for WithOneOfNoSize {
        async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
            Ok(())
        }

        #[expect(refining_impl_trait, reason = "it has no size, as `NoStop` has none")]
        fn stop(&self) -> Pending<Result<(), BoxError>> {
            pending()
        }
    }

    #[test]
    fn a_service_without_stop_is_known_by_that() {
        assert!(!Without.has_stop() && With.has_stop() && WithOneOfNoSize.has_stop());
    }

    struct WithSettings;

    impl Service for WithSettings {
        async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
            Ok(())
        }

        async fn reload_with(&self, _: NewSettings) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[test]
    fn a_service_without_reload_is_known_by_that_before_it_is_built() {
        assert!(!made(Without).has_reload() && made(With).has_reload() && made(WithSettings).has_reload());
        assert!(!built::<Without>().has_reload() && built::<With>().has_reload());
    }
}
