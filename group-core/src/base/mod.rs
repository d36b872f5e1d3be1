//! Tools that know no service: errors, panics, clocks, locks, text.

pub(crate) mod affinity;
pub(crate) mod background;
pub(crate) mod clock;
#[cfg(feature = "http")]
pub(crate) mod cores;
#[cfg(feature = "config")]
pub(crate) mod cpus;
pub(crate) mod error;
pub(crate) mod hash;
pub(crate) mod panic;
pub(crate) mod primitives;
#[cfg(feature = "serde")]
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod sync;
#[cfg(test)]
mod sync_test;
pub(crate) mod syntax;
pub(crate) mod text;
pub(crate) mod time_of_day;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, also after a panic of another holder: the values in these mutexes are valid at any moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number that the system has given to this thread, on Linux: the last part of `4710/task/4711`.
pub(crate) fn number_of_thread() -> Option<u32> {
    std::fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

/// A random number from 0 to 1.
pub(crate) fn chance() -> f64 {
    // Each `RandomState` has other keys.
    let random = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default();
    f64::from(random) / f64::from(u32::MAX)
}
