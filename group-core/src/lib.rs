//! The runtime of `service-group`. Depend on `service-group`, which re-exports what is public here.
//!
//! To read it, follow the life of a group: [`Service`] and [`Spec`] say what a member is, [`Group`]
//! gathers them, `assemble` puts them in order, `lifecycle` decides what happens, `driver` carries
//! it out, `runner` is one service's task, `journal` writes down what happened, and [`Report`] is
//! what is left.

mod lifecycle;

mod alarm;
mod assemble;
mod check;
#[cfg(feature = "http")]
mod clash;
#[cfg(feature = "config")]
mod config;
mod console;
mod context;
#[cfg(feature = "cron")]
mod cron;
mod drain;
mod driver;
mod entry;
mod environment;
mod error;
mod failures;
mod function;
mod group;
#[cfg(feature = "grpc")]
pub mod grpc;
mod health;
mod heartbeat;
mod holds;
#[cfg(feature = "http")]
pub mod http;
mod inbox;
mod instance;
mod journal;
mod latch;
mod lock;
mod maps;
mod member;
mod message;
mod moment;
mod name;
mod order;
mod outcome;
mod panic;
#[cfg(feature = "http")]
mod parts;
mod ready;
mod registry;
mod reload;
mod report;
mod restart;
mod route;
mod runner;
mod running;
#[cfg(feature = "serde")]
mod serial;
mod service;
mod settings;
mod shared;
mod shutdown;
mod spec;
mod status;
mod stop_request;
mod syntax;
#[cfg(feature = "testing")]
pub mod testing;
mod ticker;
mod watch;
mod words;

#[doc(hidden)]
#[path = "macros/mod.rs"]
pub mod __private;

#[cfg(feature = "http")]
pub use axum;
#[cfg(feature = "grpc")]
pub use tonic;

#[cfg(feature = "config")]
pub use self::config::Config;
pub use self::console::{install as log_to_stderr, install_with as log_to_stderr_with};
pub use self::context::{Context, FromContext, Needs};
#[cfg(feature = "cron")]
pub use self::cron::Cron;
pub use self::drain::{ForEach, MessageFailed, Messages, OnError};
pub use self::error::{Absent, BoxError, Failure};
pub use self::function::ServiceFn;
pub use self::group::Group;
pub use self::health::{Health, ServiceHealth};
pub use self::heartbeat::Heartbeat;
pub use self::lifecycle::{Role, Schedule, Stage};
pub use self::order::Order;
pub use self::outcome::{Made, ServiceResult};
pub use self::ready::Ready;
pub use self::reload::ReloadError;
pub use self::report::{Drain, Ending, Outcome, Report, ServiceReport, StartError, StopReason};
pub use self::restart::{Permanent, Restart};
pub use self::route::Route;
pub use self::running::{Handle, Running};
pub use self::service::Service;
pub use self::shutdown::Shutdown;
pub use self::spec::Spec;
pub use self::status::{Event, Events, Phase, ServiceStatus, State, Status};
