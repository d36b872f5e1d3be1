//! The parameters of `new` and `start`, taken by their types.

use std::any::type_name;
use std::sync::Arc;

use crate::base::error::BoxError;
use crate::running::handle::Handle;
use crate::running::holds::Held;
#[cfg(feature = "metrics")]
use crate::running::metrics::Metrics;
use crate::service::context::Context;
use crate::service::ready::Ready;
use crate::service::shutdown::Shutdown;
use crate::spec::Spec;
use crate::spec::needs::Needs;

/// A type that can be a parameter of `new` and `start`, and of a function that is a service.
///
/// It is implemented for [`Shutdown`], [`Ready`], [`Context`], [`Handle`], for `Arc<T>` of another service or of a
/// value that was provided; with the feature `config` for `Config<T>`, the settings; with the feature `metrics` for
/// `metrics::Metrics`. Implement it for a type of your own:
///
/// ```
/// use group::{BoxError, Context, FromContext, Group, Shutdown};
/// use std::sync::Arc;
///
/// struct Pool;
/// struct Users(Arc<Pool>);
///
/// impl FromContext for Users {
///     fn from_context(cx: &Context) -> Result<Self, BoxError> {
///         Ok(Users(Arc::from_context(cx)?))
///     }
///
///     fn needs(needs: &mut group::Needs) {
///         Arc::<Pool>::needs(needs);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new()
///     .provide(Pool)
///     .add_fn("reaper", |users: Users, shutdown: Shutdown| async move {
///         shutdown.requested().await;
///         drop(users);
///     })
///     .start()
///     .await
///     .unwrap();
/// # running.stop().await;
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a service cannot take `{Self}`",
    label = "cannot be taken from the group",
    note = "another service, or a value that was provided, is taken as `Arc<T>`; for one that may be missing, use `Context::get`",
    note = "settings are taken as `Config<T>`, with the feature `config`",
    note = "implement `group::FromContext` for a type of your own",
    note = "a constructor that only your code calls needs another name than `new`, such as `with_port`"
)]
pub trait FromContext: Sized {
    /// Takes the value from the context.
    ///
    /// # Errors
    ///
    /// If the value is missing; then the service fails.
    fn from_context(cx: &Context) -> Result<Self, BoxError>;

    /// Declares the services and values that [`from_context`](Self::from_context) takes. The group orders the
    /// services by this, and reports what is missing before it builds anything. By default nothing is needed.
    fn needs(needs: &mut Needs) {
        let _ = needs;
    }
}

impl FromContext for Context {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        Ok(cx.clone())
    }
}

impl FromContext for Shutdown {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        Ok(cx.shutdown())
    }
}

impl FromContext for Ready {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        Ok(cx.held_by(Held::Parameter))
    }
}

impl FromContext for Handle {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        Ok(cx.handle())
    }
}

#[cfg(feature = "metrics")]
impl FromContext for Metrics {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        Ok(cx.metrics())
    }
}

impl<T: ?Sized + Send + Sync + 'static> FromContext for Arc<T> {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        cx.get().ok_or_else(|| format!("there is no `{}` in the group", type_name::<T>()).into())
    }

    fn needs(needs: &mut Needs) {
        needs.value::<T>();
    }
}

impl Spec {
    /// Declares that the service's `new` takes a `P`: the services and values behind it must exist, and be ready
    /// first.
    #[must_use]
    pub fn builds_with<P: FromContext>(self) -> Self {
        self.build_needs(P::needs)
    }

    /// Declares that the service's `start` takes a `P`: the services and values behind it must exist, and be ready
    /// first.
    #[must_use]
    pub fn starts_with<P: FromContext>(self) -> Self {
        self.start_needs(P::needs)
    }
}
