//! What a service is, and what it is given.

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
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::Poll;

use crate::base::error::{Absent, BoxError};
use crate::running::instance::{BoxFuture, Instance};
use crate::service::context::Context;
use crate::spec::Spec;
use crate::spec::edge::Target;

/// A member of a group.
///
/// `#[service]` implements it; to implement it by hand is just as good, and only `start` is
/// required.
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
/// # How it is told to stop
///
/// | `start` took [`Shutdown`](crate::Shutdown) | has `stop` | what happens |
/// |---|---|---|
/// | yes | no  | `Shutdown` fires; `start` is awaited |
/// | yes | yes | `Shutdown` fires; `start` is awaited; then `stop` runs, to release |
/// | no  | yes | `stop` runs, to make `start` return; `start` is awaited |
/// | no  | no  | nothing can tell it, so `start` is dropped at its next await |
///
/// All of it inside the service's [`stop_timeout`](Spec::stop_timeout), past which it is aborted.
/// Tickers (`#[every]`, `#[cron]`) finish their last run before `stop` runs, which may close what they use: a
/// run that waits for `stop` lasts until that limit.
/// `stop` runs once for every service that was built, also when its `start` failed or panicked.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    note = "put `#[group::service]` on its `impl` block, or implement `group::Service`"
)]
pub trait Service: Sized + Send + Sync + 'static {
    /// Names the same constant of each service in `after(…)`: the compiler refuses those that start
    /// after one another, because none of these constants would have a value.
    #[doc(hidden)]
    const __AFTER: () = ();

    /// How the group treats it. By default: named like its type, after nothing, the usual limits.
    #[must_use]
    fn spec() -> Spec {
        Spec::of::<Self>()
    }

    /// Makes the service, when the group was given its type and not a value.
    ///
    /// # Errors
    ///
    /// When it cannot acquire what it needs; the group's start fails. By default, always: a service
    /// without `build` must be added as a value.
    #[must_use]
    fn build(cx: Context) -> impl Future<Output = Result<Self, BoxError>> + Send {
        drop(cx);
        async { Err("the group cannot make it: implement `Service::build`, or add a value".into()) }
    }

    /// The service's whole life: it returns when the service has ended.
    ///
    /// # Errors
    ///
    /// When the service fails. The group stops, and the error is in its report.
    fn start(self: Arc<Self>, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Ends or releases what `start` does not. See the table above for when it runs.
    ///
    /// # Errors
    ///
    /// What it could not release. The rest of the group is stopped all the same, and the error is
    /// in its report. [`Absent`], which it returns by default, says that there is no such hook.
    fn stop(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        NoStop
    }

    /// Says how the service is: [`Handle::health`](crate::Handle::health) asks. It changes neither
    /// liveness nor readiness.
    ///
    /// # Errors
    ///
    /// When something is wrong. [`Absent`], the default, says that there is no such hook.
    fn health(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        async { Err(Absent.into()) }
    }

    /// Takes in new settings while the service runs: on SIGHUP, and when
    /// [`Handle::reload`](crate::Handle::reload) asks.
    ///
    /// # Errors
    ///
    /// When the new settings are no good; the service keeps the old ones and stays ready.
    /// [`Absent`], the default, says that there is no such hook.
    fn reload(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        async { Err(Absent.into()) }
    }
}

/// What the `stop` of a service returns that has none: by its type, that is known without a call.
struct NoStop;

impl Future for NoStop {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(Absent.into()))
    }
}

/// Whether a function returns an `R`.
fn returns<R: 'static, S: 'static, T: 'static>(_: impl Fn(&'static S) -> T) -> bool {
    TypeId::of::<T>() == TypeId::of::<R>()
}

/// A service whose type the group has forgotten, as its task runs it.
pub(crate) trait DynService: Instance {
    fn start(self: Arc<Self>, cx: Context) -> BoxFuture<Result<(), BoxError>>;

    /// Whether there may be a `stop`: if not, none is made.
    fn has_stop(&self) -> bool;

    /// `None` comes of it when there is no such hook.
    fn stop(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>>;
}

impl<S: Service> DynService for S {
    fn start(self: Arc<Self>, cx: Context) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(<S as Service>::start(self, cx))
    }

    fn has_stop(&self) -> bool {
        !returns::<NoStop, _, _>(<S as Service>::stop)
    }

    fn stop(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>> {
        Box::pin(async move { unless_absent(<S as Service>::stop(&self).await) })
    }
}

impl<S: Service> Instance for S {
    fn health(self: Arc<Self>) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(async move { <S as Service>::health(&self).await })
    }

    fn reload(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>> {
        Box::pin(async move { unless_absent(<S as Service>::reload(&self).await) })
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

fn unless_absent(result: Result<(), BoxError>) -> Option<Result<(), BoxError>> {
    match result {
        Err(error) if error.is::<Absent>() => None,
        result => Some(result),
    }
}

/// How a service comes to be once it is its turn.
pub(crate) enum Factory {
    /// It is there already.
    Made(Arc<dyn DynService>),
    Make(Make),
}

pub(crate) type Make = Box<dyn FnOnce(Context) -> BoxFuture<Result<Arc<dyn DynService>, BoxError>> + Send>;

/// For a service that is there already.
pub(crate) fn made<S: Service>(service: S) -> Factory {
    Factory::Made(Arc::new(service))
}

/// For a service that its own `build` makes.
pub(crate) fn built<S: Service>() -> Factory {
    Factory::Make(Box::new(|cx| Box::pin(async move { Ok(Arc::new(S::build(cx).await?) as Arc<dyn DynService>) })))
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

impl Spec {
    /// Starts after `S` is ready, and stops before it. The group must have an `S`.
    #[must_use]
    pub fn after<S: Service>(self) -> Self {
        self.edge(Target::Type(TypeId::of::<S>(), std::any::type_name::<S>()), false)
    }

    /// Starts after `S` if the group has one.
    #[must_use]
    pub fn after_optional<S: Service>(self) -> Self {
        self.edge(Target::Type(TypeId::of::<S>(), std::any::type_name::<S>()), true)
    }

    /// Serves HTTP on the address of `S`: it is mounted there, under its [`prefix`](Self::prefix) if it
    /// has one. The group must have an `S`, and that an address of its own. To hand its routes over is
    /// up to `http::mount`, and to serve them to `http::mounted`.
    ///
    /// `S` starts after everything that is mounted on it, and stops before: so it listens only when all
    /// that it serves is ready, and has answered everything before any of that is stopped.
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
    }

    struct WithOneOfNoSize;

    impl Service for WithOneOfNoSize {
        async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
            Ok(())
        }

        #[expect(refining_impl_trait, reason = "it is of no size, as what stands for none")]
        fn stop(&self) -> Pending<Result<(), BoxError>> {
            pending()
        }
    }

    #[test]
    fn a_service_without_stop_is_known_by_that() {
        assert!(!Without.has_stop() && With.has_stop() && WithOneOfNoSize.has_stop());
    }
}
