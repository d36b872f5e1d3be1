//! The runtime of `service-group`. Depend on `service-group`, which re-exports what is public here.
//!
//! The modules are rooms on floors, from the ground up: a room names only itself and those below it. What each is for,
//! and how a service, a connection and a signal go through them, is in `docs/architecture.md`.

mod lifecycle;

mod base;

#[cfg(feature = "config")]
mod config;

mod spec;

mod record;

mod running;

mod service;

mod engine;

#[cfg(feature = "http")]
pub mod http;

#[cfg(feature = "grpc")]
pub mod grpc;

mod work;

mod group;

#[doc(hidden)]
#[path = "macros/mod.rs"]
pub mod __private;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "http")]
pub use axum;
#[cfg(feature = "grpc")]
pub use tonic;

pub use self::base::error::{Absent, BoxError, Failure};
pub use self::group::Group;
pub use self::group::order::Order;
pub use self::lifecycle::interface::{Role, Stage};
pub use self::lifecycle::plan::Schedule;
pub use self::record::console::{install as log_to_stderr, install_with as log_to_stderr_with};
pub use self::record::counts::{Drain, Messages};
pub use self::record::report::{Outcome, Report, StartError};
pub use self::record::service_report::{Ending, ServiceReport};
pub use self::record::status::{Event, Events, Phase, ServiceStatus, State, Status, StopReason};
pub use self::running::handle::{Handle, Running};
pub use self::running::health::{Health, ServiceHealth};
pub use self::running::reload::ReloadError;
#[cfg(feature = "config")]
pub use self::service::config::Config;
pub use self::service::context::Context;
pub use self::service::from_context::FromContext;
pub use self::service::function::ServiceFn;
pub use self::service::ready::Ready;
pub use self::service::result::ServiceResult;
pub use self::service::shutdown::Shutdown;
pub use self::service::{Made, Service};
pub use self::spec::Spec;
#[cfg(feature = "cron")]
pub use self::spec::cron::Cron;
pub use self::spec::needs::Needs;
pub use self::spec::restart::{Permanent, Restart};
pub use self::spec::route::Route;
pub use self::work::heartbeat::Heartbeat;
pub use self::work::messages::{ForEach, MessageFailed, OnError};
