//! Values that the servers of a group share.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex};

use crate::base::hash::TypeMap;
use crate::base::lock;

/// One value of each type, made at its first use. The group stores the values without knowing their types.
#[derive(Debug, Default)]
pub(crate) struct Parts(Mutex<TypeMap<Arc<dyn Any + Send + Sync>>>);

impl Parts {
    pub(crate) fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut parts = lock(&self.0);
        let found = parts.get(&TypeId::of::<T>()).and_then(|part| Arc::clone(part).downcast().ok());
        found.unwrap_or_else(|| {
            let part = Arc::new(make());
            parts.insert(TypeId::of::<T>(), Arc::clone(&part) as _);
            part
        })
    }
}
