//! The state of a running group: its services, the journal of what happened to them, and the handle on all of it.

pub(crate) mod abort;
pub(crate) mod children;
mod control;
pub(crate) mod control_error;
pub(crate) mod guards;
pub(crate) mod handle;
pub(crate) mod health;
pub(crate) mod holds;
mod hook;
pub(crate) mod instance;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod lame_duck;
pub(crate) mod log;
pub(crate) mod member;
pub(crate) mod members;
pub(crate) mod message;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
pub(crate) mod new_settings;
pub(crate) mod one_life;
mod outbox;
#[cfg(feature = "http")]
pub(crate) mod parts;
pub(crate) mod picture;
#[cfg(feature = "http")]
pub(crate) mod processors;
pub(crate) mod reload;
pub(crate) mod reloads;
pub(crate) mod remains;
pub(crate) mod server;
pub(crate) mod shared;
pub(crate) mod stop_request;
pub(crate) mod stop_time;
pub(crate) mod threads;
