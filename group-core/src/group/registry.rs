//! The services that `#[service]` registered.

use std::any::TypeId;

use crate::group::declaration::Declared;
use crate::service::{Service, built};
use crate::spec::place::Place;

/// The registration of one `#[service]` block; the linker gathers them.
#[derive(Debug)]
pub struct Registration {
    declare: fn(Place) -> Declared,
    module: &'static str,
    place: Place,
}

inventory::collect!(Registration);

impl Registration {
    /// Registers the service `S`, at the caller's place.
    #[must_use]
    #[track_caller]
    pub const fn of<S: Service>(module: &'static str) -> Self {
        Self { declare: declare::<S>, module, place: Place::here() }
    }

    /// Returns the sort key: crates by name, then files by path and blocks by line, because the order of the linker
    /// means nothing.
    fn order(&self) -> (&'static str, (&'static str, u32, u32)) {
        let package = self.module.split("::").next().unwrap_or_default();
        (package, self.place.order())
    }
}

fn declare<S: Service>(place: Place) -> Declared {
    Declared {
        spec: S::spec(),
        type_id: TypeId::of::<S>(),
        place,
        factory: Some(built::<S>()),
        only_called: false,
        runs_once: false,
        inner: None,
    }
}

/// Returns all registered services, in order.
pub(crate) fn all() -> Vec<Declared> {
    let mut found: Vec<&Registration> = inventory::iter::<Registration>.into_iter().collect();
    found.sort_by_key(|registration| registration.order());
    found.into_iter().map(|registration| (registration.declare)(registration.place)).collect()
}
