//! The needs of the parameters of `new` and `start`.

use std::any::{TypeId, type_name};
use std::sync::Arc;

#[cfg(feature = "config")]
use crate::config::read::Check;
#[cfg(feature = "grpc")]
use crate::spec::name::Name;

/// The values, settings and called services that parameters need, collected by [`FromContext::needs`](crate::FromContext::needs).
#[derive(Clone, Debug, Default)]
pub struct Needs {
    values: Vec<Needed>,
    #[cfg(feature = "config")]
    configs: Vec<Check>,
    #[cfg(feature = "grpc")]
    called: Vec<Called>,
}

impl Needs {
    /// Adds the need for a `T`: a service, which then starts first, or a value that was provided, as a `T` or in an
    /// `Arc<T>`.
    pub fn value<T: ?Sized + 'static>(&mut self) {
        self.values.push(Needed::of::<T>());
    }

    #[cfg(feature = "grpc")]
    pub(crate) fn called(&mut self, service: Called) {
        self.called.push(service);
    }

    /// The services that are called, in this process or elsewhere.
    #[cfg(feature = "grpc")]
    pub(crate) fn all_called(&self) -> &[Called] {
        &self.called
    }

    #[cfg(feature = "config")]
    pub(crate) fn config(&mut self, check: Check) {
        self.configs.push(check);
    }

    #[cfg(feature = "config")]
    pub(crate) fn configs(&self) -> &[Check] {
        &self.configs
    }

    pub(crate) fn is_empty(&self) -> bool {
        #[cfg(feature = "config")]
        if !self.configs.is_empty() {
            return false;
        }
        #[cfg(feature = "grpc")]
        if !self.called.is_empty() {
            return false;
        }
        self.values.is_empty()
    }

    pub(crate) fn append(&mut self, mut more: Self) {
        self.values.append(&mut more.values);
        #[cfg(feature = "config")]
        self.configs.append(&mut more.configs);
        #[cfg(feature = "grpc")]
        self.called.append(&mut more.called);
    }

    pub(crate) fn values(&self) -> &[Needed] {
        &self.values
    }
}

/// A type of which a service needs a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    pub(crate) type_id: TypeId,
    /// The id of an `Arc` of the type, in which a value may be provided.
    in_arc: TypeId,
    pub(crate) type_name: &'static str,
}

impl Needed {
    pub(crate) fn of<T: ?Sized + 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), in_arc: TypeId::of::<Arc<T>>(), type_name: type_name::<T>() }
    }

    /// Returns true if a value of this type is what is needed.
    pub(crate) fn is_met_by(&self, type_id: TypeId) -> bool {
        [self.type_id, self.in_arc].contains(&type_id)
    }
}

#[cfg(feature = "grpc")]
/// A service that another one calls, in this process or elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    /// Returns its name, for a service that is not in the group.
    pub(crate) name: fn() -> Name,
}
