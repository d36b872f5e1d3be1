//! A built service, as its group asks it from outside.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::error::BoxError;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A built service whose type the group has forgotten.
pub(crate) trait Instance: Send + Sync {
    /// [`Absent`](crate::Absent) when there is no such hook.
    fn health(self: Arc<Self>) -> BoxFuture<Result<(), BoxError>>;

    /// `None` when there is no such hook.
    fn reload(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>>;

    /// The service itself, which others take as an `Arc` of its type.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl fmt::Debug for dyn Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service")
    }
}
