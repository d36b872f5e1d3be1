//! A built service, as its group calls it from outside the service's task.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::error::BoxError;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A built service with its type erased.
pub(crate) trait Instance: Send + Sync {
    /// Returns [`Absent`](crate::Absent) if the service has no `health`.
    fn health(self: Arc<Self>) -> BoxFuture<Result<(), BoxError>>;

    /// Returns `None` if the service has no `reload`.
    fn reload(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>>;

    /// The service itself. Other services get it as an `Arc` of its type.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl fmt::Debug for dyn Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service")
    }
}
