//! The settings that a reload gives to a service.

#[cfg(feature = "config")]
use std::cell::RefCell;
#[cfg(feature = "config")]
use std::sync::Arc;

#[cfg(feature = "config")]
use serde::de::DeserializeOwned;

#[cfg(feature = "config")]
use crate::base::error::BoxError;
#[cfg(feature = "config")]
use crate::config::settings::Settings;
#[cfg(feature = "config")]
use crate::config::settle::read;

/// The settings of a service as they are now, for its [`reload_with`](crate::Service::reload_with). In a `#[service]`
/// block, `reload` takes them as `Config<T>`.
///
/// If the service says with [`Spec::reloads_with`](crate::Spec::reloads_with) that it takes them, the file and the
/// environment are read again for each reload; else they are those of the start.
#[derive(Clone, Debug, Default)]
pub struct NewSettings {
    #[cfg(feature = "config")]
    pub(crate) settings: Arc<Settings>,
}

#[cfg(feature = "config")]
impl NewSettings {
    /// Reads them as a `T`. Needs the feature `config`.
    ///
    /// # Errors
    ///
    /// If they are none. What [`Spec::reloads_with`](crate::Spec::reloads_with) has declared was tried before.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, BoxError> {
        Ok(read(&self.settings, &RefCell::default())?)
    }
}
