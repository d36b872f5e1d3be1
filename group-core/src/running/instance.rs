//! A built service, as its group calls it from outside the service's task.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::error::BoxError;
use crate::running::new_settings::NewSettings;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A built service with its type erased.
pub(crate) trait Instance: Send + Sync {
    /// Returns [`Absent`](crate::Absent) if the service has no `health`.
    fn health(self: Arc<Self>) -> BoxFuture<Result<(), BoxError>>;

    /// Returns `None` if the service has no `reload`.
    fn reload(self: Arc<Self>, settings: NewSettings) -> BoxFuture<Option<Result<(), BoxError>>>;

    /// Puts the service itself into an `Option<Arc<S>>`, if `S` is its type.
    fn put_into(self: Arc<Self>, slot: &mut dyn Any);
}

impl fmt::Debug for dyn Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service")
    }
}
