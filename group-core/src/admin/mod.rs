//! The admin service: what operators look at, and steer with. Needs the feature `admin`.
//!
//! [`Group::admin`](crate::Group::admin) adds it to a group. [`router`](fn@router) makes the pages of a group for a server
//! of your own.

pub(crate) mod access;
mod control;
mod events;
mod page;
mod probes;
mod pulse;
mod router;
pub(crate) mod service;
mod show;

pub use self::router::router;
