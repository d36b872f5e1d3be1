//! The types as which a service can be taken beside its own: trait objects.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::spec::needs::Needed;

/// A type as which a service can be taken.
#[derive(Clone)]
pub(crate) struct View {
    /// The type.
    pub(crate) of: Needed,
    put: Arc<Put>,
}

/// Takes the service out with the first function, and puts it into the slot as another type.
type Put = dyn Fn(&mut dyn FnMut(&mut dyn Any), &mut dyn Any) + Send + Sync;

impl View {
    pub(crate) fn new<S, T>(cast: fn(Arc<S>) -> Arc<T>) -> Self
    where
        S: Send + Sync + 'static,
        T: ?Sized + Send + Sync + 'static,
    {
        let put = move |take: &mut dyn FnMut(&mut dyn Any), slot: &mut dyn Any| {
            let mut service = None::<Arc<S>>;
            take(&mut service);
            if let (Some(service), Some(slot)) = (service, slot.downcast_mut::<Option<Arc<T>>>()) {
                *slot = Some(cast(service));
            }
        };
        Self { of: Needed::of::<T>(), put: Arc::new(put) }
    }

    /// Puts the service into an `Option<Arc<T>>`, if `T` is the type of this view. `take` puts the service itself into an
    /// `Option<Arc<S>>`.
    pub(crate) fn put_into(&self, mut take: impl FnMut(&mut dyn Any), slot: &mut dyn Any) {
        (self.put)(&mut take, slot);
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.of.type_name)
    }
}
