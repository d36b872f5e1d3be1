//! The reloads of a group, one after the other.
//!
//! # Protocol
//!
//! Reloads are numbered as they begin, one at a time, under the lock `turn`. A call remembers the last number before it.
//! When its turn comes, and a reload with a higher number is over, that one began after the call and saw all that the
//! caller has changed: its result is the caller's, too. So any number of calls that wait lead to one more reload.

#[cfg(feature = "config")]
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Mutex;

use crate::base::error::{Chain, Failure};
use crate::base::lock;
#[cfg(feature = "config")]
use crate::config::wrong::SettingsError;
#[cfg(feature = "config")]
use crate::running::new_settings::NewSettings;

/// Why a reload failed, as a whole or in some services. A service that failed to reload keeps its old
/// state, and the group runs on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// The group is stopping, or has stopped.
    Stopping,
    /// No service has a `reload`.
    Nothing,
    /// There are mistakes in the new settings. No service was reloaded, and everything is as it was. The group's report has
    /// them, too.
    #[cfg(feature = "config")]
    Settings(SettingsError),
    /// These services failed to reload. The group's report lists them, too.
    Failed(Vec<Failure>),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the group is stopping, so it cannot reload"),
            Self::Nothing => f.write_str("no service has a `reload`"),
            #[cfg(feature = "config")]
            Self::Settings(error) => write!(f, "nothing was reloaded: {error}"),
            Self::Failed(failed) => {
                let each = failed.iter().map(|failure| Chain(failure).to_string());
                f.write_str(&each.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

impl Error for ReloadError {}

/// Reads the file and the environment again, and returns the settings of each service.
#[cfg(feature = "config")]
pub(crate) type Reread = Box<dyn Fn() -> Result<BTreeMap<String, NewSettings>, SettingsError> + Send + Sync>;

/// The reloads of one group.
#[derive(Default)]
pub(crate) struct Reloads {
    /// Set if a service takes its new settings.
    #[cfg(feature = "config")]
    pub(super) reread: Option<Reread>,
    /// Locked while services reload. The last reload that was not cut off.
    pub(super) turn: tokio::sync::Mutex<Option<Reloaded>>,
    numbers: Mutex<Numbers>,
}

impl fmt::Debug for Reloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloads").field("turn", &self.turn).field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Numbers {
    /// The number of the last reload that has begun.
    begun: u64,
    /// That number at the time of the last signal.
    at_signal: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Reloaded {
    pub(super) number: u64,
    pub(super) result: Result<(), ReloadError>,
}

impl Reloads {
    /// Reloads before which this is called.
    #[cfg(feature = "config")]
    pub(crate) fn that_read(reread: Option<Reread>) -> Self {
        Self { reread, ..Self::default() }
    }

    pub(super) fn begun(&self) -> u64 {
        lock(&self.numbers).begun
    }

    pub(super) fn begin(&self) -> u64 {
        let mut numbers = lock(&self.numbers);
        numbers.begun += 1;
        numbers.begun
    }

    /// Notes a signal. Returns false if no reload has begun since the last one: that still waits, for both.
    pub(super) fn note_signal(&self) -> bool {
        let mut numbers = lock(&self.numbers);
        let begun = Some(numbers.begun);
        std::mem::replace(&mut numbers.at_signal, begun) != begun
    }
}
