//! The runtime of `service-group`. Depend on `service-group`, which re-exports everything that is public here.
//!
//! The modules are rooms, listed here from the ground up. A room uses only itself and the rooms above it in this list;
//! the test `tests/rooms.rs` checks that. `docs/architecture.md` follows a service, a connection and a signal through
//! the rooms.
//!
//! - `lifecycle` decides what happens next: a state machine without tasks, clocks or services.
//! - `base` has tools that know no service: errors, panics, latches, clocks, syntax and text.
//! - `config` reads settings as a tree that knows the place of each value.
//! - `spec` holds the properties of one service: its name, dependencies, limits, routes.
//! - `record` is the public view of a group: status, events, reports.
//! - `draw` makes pictures of a group: its order as a graph, its start and stop as bars.
//! - `running` is the state of a running group in memory, and its journal.
//! - `service` defines a service, and what it is given: `Context`, `Shutdown`, `Ready`.
//! - `systemd` tells the service manager that has started the process how the group is.
//! - `engine` runs the services: it carries out the decisions of the lifecycle, and listens for signals.
//! - `http` serves HTTP, and drains connections at the stop.
//! - `work` has building blocks of a `start`: tickers, consumers, heartbeats.
//! - `grpc` serves gRPC, and calls services here and elsewhere.
//! - `metrics` shows what was counted of a group and its services, in the formats of Prometheus.
//! - `admin` serves what operators look at, and steer with.
//! - `group` has the builder: it checks the declarations, and turns them into a running group.
//! - `cli` reads the command line, and answers its questions.
//! - `macros`, as `__private`, is the code that the macros call.
//! - `testing` runs a group with every fault in turn.

mod lifecycle;

mod base;

#[cfg(feature = "config")]
mod config;

mod spec;

mod record;

#[cfg(any(feature = "admin", feature = "cli"))]
#[cfg_attr(not(feature = "admin"), expect(dead_code, reason = "the command line shows only the plan"))]
mod draw;

mod running;

mod service;

mod systemd;

mod engine;

#[cfg(feature = "http")]
pub mod http;

#[cfg(feature = "grpc")]
pub mod grpc;

mod work;

#[cfg(feature = "metrics")]
pub mod metrics;

#[cfg(feature = "admin")]
pub mod admin;

mod group;

#[cfg(feature = "cli")]
pub mod cli;

#[doc(hidden)]
#[path = "macros/mod.rs"]
pub mod __private;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "http")]
pub use axum;
#[cfg(feature = "cli")]
pub use clap;
#[cfg(feature = "metrics")]
pub use prometheus_client;
#[cfg(feature = "grpc")]
pub use tonic;

pub use self::base::error::{Absent, BoxError, Failure};
#[cfg(feature = "config")]
pub use self::config::wrong::SettingsError;
pub use self::group::Group;
pub use self::group::order::Order;
pub use self::lifecycle::interface::{Role, Stage};
pub use self::lifecycle::plan::Schedule;
pub use self::record::console::{install as log_to_stderr, install_with as log_to_stderr_with};
pub use self::record::counts::{Drain, Jobs, Messages};
pub use self::record::event::{Event, Events, StopReason};
pub use self::record::report::{Outcome, Report, StartError};
pub use self::record::service_report::{Ending, ServiceReport};
pub use self::record::service_status::{Restarted, ServiceStatus};
pub use self::record::state::{Phase, State};
pub use self::record::status::Status;
pub use self::running::control_error::ControlError;
pub use self::running::handle::{Handle, Running};
pub use self::running::health::{Health, ServiceHealth};
pub use self::running::new_settings::NewSettings;
pub use self::running::reloads::ReloadError;
#[cfg(feature = "config")]
pub use self::service::config::Config;
pub use self::service::context::Context;
pub use self::service::from_context::FromContext;
pub use self::service::function::ServiceFn;
pub use self::service::ready::Ready;
pub use self::service::result::ServiceResult;
pub use self::service::shutdown::{Shutdown, ShutdownTrigger};
pub use self::service::{Made, Service};
pub use self::spec::Spec;
#[cfg(feature = "cron")]
pub use self::spec::cron::Cron;
pub use self::spec::needs::Needs;
pub use self::spec::own_runtime::OwnRuntime;
pub use self::spec::restart::{Permanent, Restart};
pub use self::spec::route::Route;
pub use self::spec::serve::Serving;
pub use self::work::heartbeat::Heartbeat;
pub use self::work::messages::{ForEach, HandlerResult, MessageFailed, MessageStream, OnError};
pub use self::work::ticker::{FailedRun, Ticks};
