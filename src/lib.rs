//! Runs several services in one process: starts them in order, each ready before the next, and stops them in exactly
//! the reverse order, inside one time budget, whatever fails on the way.
//!
//! `#[service]` makes a service of a struct, and `#[group::main]` a program of all services. The package is called
//! `service-group`, and is built on tokio and axum.
//!
//! ```no_run
//! use group::service;
//!
//! #[derive(Default)]
//! struct Morning;
//!
//! #[service(http = "127.0.0.1:8080")]
//! impl Morning {
//!     #[get("/morning")]
//!     async fn morning(&self) -> &'static str {
//!         "morning!"
//!     }
//!
//!     async fn stop(&self) {
//!         tracing::info!("Stop morning service...");
//!     }
//! }
//!
//! #[derive(Default)]
//! struct Evening;
//!
//! #[service(http = "127.0.0.1:8081")]
//! impl Evening {
//!     #[get("/evening")]
//!     async fn evening(&self) -> &'static str {
//!         "evening!"
//!     }
//!
//!     async fn stop(&self) {
//!         tracing::info!("Stop evening service...");
//!     }
//! }
//!
//! #[group::main]
//! async fn main() {}
//! ```
//!
//! On Ctrl-C or SIGTERM, `Evening` answers what it has accepted and stops; only then is `Morning` asked to stop.
//!
//! # Guides
//!
//! | guide | subject |
//! |---|---|
//! | [Services](macro@service) | everything about a service: arguments, hooks, routes, tickers, consumers, gRPC |
//! | [The program](macro@main) | which services run, in which order |
//! | [Testing](macro@test) | how to test services, and what happens when one fails |
//! | [Stopping](guide::stopping) | what happens at the stop: the budget, load balancers, exit codes, default limits |
//! | [Settings](guide::settings) | `group.toml`, and all environment variables |
//! | [The command line](guide::command_line) | `--help`, `--check`, `--plan`, `--only`, `--manifest` |
//! | [Metrics](guide::metrics) | every metric that a program shows to Prometheus |
//! | [Deploying](guide::deploying) | settings for Kubernetes, Docker and systemd |
//! | [Troubleshooting](guide::troubleshooting) | a program that does not compile or does not start |
//! | [all guides](guide) | these, and its internals |
//!
//! # Where to begin
//!
//! - [`#[service]`](macro@service), [`#[group::main]`](macro@main) and [`#[group::test]`](macro@test) are the macros.
//! - [`Group`] is the builder, for use without macros and in tests.
//! - [`Service`] is the trait that `#[service]` implements, and a [`Spec`] says how the group treats a service.
//! - [`Context`] gives a service access to its group: [`Shutdown`], [`Ready`], tickers, consumers, tasks.
//! - [`Running`] and [`Handle`] stand for a group that runs; a [`Report`] says how it ended.
//!
//! # Where in its life a service or a group is
//!
//! | type | says | of | values | found in |
//! |---|---|---|---|---|
//! | [`State`] | what it does now | a service | `Waiting`, `Building`, `Starting`, `Ready`, `Restarting`, `Completed`, `Failed`, `Stopping`, `Gone` | [`ServiceStatus::state`], [`Event::Service`] |
//! | [`Phase`] | what it does now | the group | `Starting`, `Running`, `Reloading`, `LameDuck`, `Stopping`, `Stopped` | [`Status::phase`] |
//! | [`Stage`] | where it happened | a failure | `Plan`, `Build`, `Start`, `Run`, `Reload`, `Stop` | [`Failure::stage`] |
//! | [`Ending`] | how it ended | a service | `NeverBuilt`, `Stopped`, `Completed`, `Failed`, `Aborted`, `Abandoned` | [`ServiceReport::ending`] |
//! | `testing::Point` | where it is put | a fault, in a test | `New`, `Start`, `Run`, `Stop` | `testing::Injection`, with the feature `testing` |
//!
//! A [`StopReason`] says why the group stopped, and an [`Outcome`] how it ended.
//!
//! # Cargo features
//!
//! | feature | what it adds | by default |
//! |---|---|---|
//! | `http` | HTTP with axum: `#[service(http = "…")]`, routes, `group::http`, and axum itself as `group::axum` | yes |
//! | `http2` | HTTP/2 without TLS, on the same port; brings `http` | no |
//! | `grpc` | gRPC with tonic: `#[service(grpc = "…")]`, `group::grpc`, and tonic itself as `group::tonic`; brings `http2` | no |
//! | `config` | `Config<T>`: settings from `group.toml` and the environment | no |
//! | `cli` | the program reads its command line: `--help`, `--check`, `--plan`, `--only`, `--manifest`, and clap itself as `group::clap` | no |
//! | `cron` | `#[cron("…")]`, `Cron` and `Context::cron` | no |
//! | `listenfd` | sockets that systemd or `systemfd` hands over: `LISTEN_FDS`, `http = "fd:web"`; brings `http` | no |
//! | `metrics` | metrics for Prometheus: `Handle::metrics`, `group::metrics`, and `group::prometheus_client` | no |
//! | `serde` | a [`Report`], a [`Status`] and an [`Event`] can be serialized | no |
//! | `systemd` | the service manager is told how the group is: `NOTIFY_SOCKET`, `WATCHDOG_USEC` | no |
//! | `testing` | `group::testing`: runs with every fault in turn; `#[group::test(paused)]`: paused time | no |
//! | `tokio-util` | `Shutdown::token`: a `CancellationToken`, for libraries that take one | no |

pub mod guide;

pub use group_core::*;
// Each feature-gated item is re-exported by its name, so that rustc can name the missing feature.
#[cfg(feature = "config")]
pub use group_core::Config;
#[cfg(feature = "cron")]
pub use group_core::Cron;
#[cfg(all(feature = "http", not(doc)))]
pub use group_core::axum;
#[cfg(all(feature = "cli", not(doc)))]
pub use group_core::clap;
#[cfg(feature = "cli")]
pub use group_core::cli;
#[cfg(feature = "grpc")]
pub use group_core::grpc;
#[cfg(feature = "http")]
pub use group_core::http;
#[cfg(feature = "metrics")]
pub use group_core::metrics;
#[cfg(all(feature = "metrics", not(doc)))]
pub use group_core::prometheus_client;
#[cfg(feature = "testing")]
pub use group_core::testing;
#[cfg(all(feature = "grpc", not(doc)))]
pub use group_core::tonic;

// For the documentation, the re-exported crates are modules with a link, in place of hundreds of inlined pages.
/// axum itself, in the version that `group` serves with: see [its documentation](https://docs.rs/axum/0.8/axum/). With the
/// feature `http`.
#[cfg(all(feature = "http", doc))]
pub mod axum {
    #[doc(no_inline)]
    pub use group_core::axum::*;
}
/// clap itself, in the version that `group` reads the command line with: see
/// [its documentation](https://docs.rs/clap/4/clap/). With the feature `cli`.
#[cfg(all(feature = "cli", doc))]
pub mod clap {
    #[doc(no_inline)]
    pub use group_core::clap::*;
}
/// `prometheus-client` itself, in the version that `group` registers metrics with: see
/// [its documentation](https://docs.rs/prometheus-client/0.26/prometheus_client/). With the feature `metrics`.
#[cfg(all(feature = "metrics", doc))]
pub mod prometheus_client {
    #[doc(no_inline)]
    pub use group_core::prometheus_client::*;
}
/// tonic itself, in the version that `group` serves with: see [its documentation](https://docs.rs/tonic/0.14/tonic/). With
/// the feature `grpc`.
#[cfg(all(feature = "grpc", doc))]
pub mod tonic {
    #[doc(no_inline)]
    pub use group_core::tonic::*;
}

// On GitHub, the links of the pages in `docs/` lead to files. Here `links.md` stands before a page: of two definitions of
// a link, the first counts.
/// Turns an `impl` block into a service, and registers it.
#[doc = include_str!("links.md")]
#[doc = include_str!("../docs/services.md")]
pub use group_macros::service;

/// Makes the program's entry point: it starts all services, and stops them in reverse.
#[doc = include_str!("links.md")]
#[doc = include_str!("../docs/program.md")]
pub use group_macros::main;

/// Makes a test with a group: one that is started before the test and stopped after it, or one that the test starts.
#[doc = include_str!("links.md")]
#[doc = include_str!("../docs/testing.md")]
pub use group_macros::test;

#[doc(hidden)]
pub use group_core::__private;

// Compiles the examples of the README as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
