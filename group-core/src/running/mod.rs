//! A running group in memory: its services, what happened to them, and the handle on all of it.

pub(crate) mod children;
pub(crate) mod handle;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod instance;
pub(crate) mod journal;
pub(crate) mod lame_duck;
pub(crate) mod member;
pub(crate) mod message;
#[cfg(feature = "http")]
pub(crate) mod parts;
pub(crate) mod reload;
pub(crate) mod shared;
pub(crate) mod stop_request;
