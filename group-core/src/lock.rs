//! Locking.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a panic elsewhere may have left behind is still good here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
