//! The needs of the parameters of `new` and `start`.

use std::any::{TypeId, type_name};

#[cfg(feature = "config")]
use crate::config::read::Check;
#[cfg(feature = "grpc")]
use crate::spec::name::Name;

/// The values, settings and called services that parameters need, collected by [`FromContext::needs`](crate::FromContext::needs).
#[derive(Clone, Debug, Default)]
pub struct Needs {
    values: Vec<(TypeId, &'static str)>,
    #[cfg(feature = "config")]
    configs: Vec<Check>,
    #[cfg(feature = "grpc")]
    called: Vec<Called>,
}

impl Needs {
    /// Adds the need for a `T`: a service, which then starts first, or a value that was provided.
    pub fn value<T: 'static>(&mut self) {
        self.values.push((TypeId::of::<T>(), type_name::<T>()));
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

    pub(crate) fn values(&self) -> &[(TypeId, &'static str)] {
        &self.values
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
