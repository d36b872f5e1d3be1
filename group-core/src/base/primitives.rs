//! The primitives on which the lock-free protocols of this crate are built: those of std and tokio.
//!
//! The files of the protocols (`base/sync.rs`, `running/stop_request.rs`, `engine/inbox.rs`) take them from here only.
//! `tests/loom.rs` includes these files, with loom's primitives in this place, and tries every interleaving.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

pub(crate) use tokio::sync::Notify;
pub(crate) use tokio::sync::futures::Notified;
