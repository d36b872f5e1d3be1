#![doc = include_str!("../README.md")]
//!
//! ## Where in its life a service or a group is
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

pub use group_core::*;
// What a feature gates is named, so that rustc can say which one.
#[cfg(feature = "config")]
pub use group_core::Config;
#[cfg(feature = "cron")]
pub use group_core::Cron;
#[cfg(feature = "testing")]
pub use group_core::testing;
#[cfg(feature = "http")]
pub use group_core::{axum, http};
#[cfg(feature = "grpc")]
pub use group_core::{grpc, tonic};

/// Turns an `impl` block into a service, and registers it.
///
/// Its methods `new`, `start`, `stop`, `health`, `reload`, `router` and `grpc`, and its routes, are what the
/// service does; the arguments are the methods of [`Spec`] and do the same.
///
/// ```
/// use group::{Shutdown, service};
///
/// #[derive(Default)]
/// struct Mailer;
///
/// #[service(name = "mail", stop_timeout = "5s")]
/// impl Mailer {
///     async fn start(&self, shutdown: Shutdown) {
///         shutdown.requested().await;
///     }
/// }
/// ```
pub use group_macros::service;

/// Makes the program's entry point: it starts the group of all registered services, or of those that
/// are listed, and stops them in reverse. The body runs first.
///
/// It takes nothing, or the [`Group`]; it returns nothing, or a `Result`.
///
/// ```no_run
/// use group::Group;
///
/// #[group::main(stop_timeout = "20s")]
/// async fn main(group: &mut Group) -> std::io::Result<()> {
///     group.provide(std::fs::read_to_string("greeting.txt")?);
///     Ok(())
/// }
/// ```
pub use group_macros::main;

/// Makes a test with a group: of all registered services, or of those that are listed.
///
/// The test takes `&mut Group`, not yet started, or [`Running`]: then the group is started before
/// the test, and stopped after it, and the test fails if the group does not end cleanly. Either way
/// it is [on free ports](Group::on_free_ports), and listens for no signal.
///
/// It takes `services(A, B)`, `flavor`, `worker_threads` and `crate` as [`main`](macro@main) does; one
/// thread is the default. `paused` needs the feature `testing`: time stands still, and leaps when
/// nothing else is to be done. A socket is not seen as something to be done.
///
/// ```
/// use group::{Running, service};
///
/// #[derive(Default)]
/// struct Morning;
///
/// #[service(http = "0.0.0.0:80")]
/// impl Morning {
///     #[get("/")]
///     async fn index(&self) {}
/// }
///
/// #[group::test(services(Morning))]
/// async fn morning_answers(running: Running) -> std::io::Result<()> {
///     let address = running.local_addr("morning").expect("it listens");
///     tokio::net::TcpStream::connect(address).await?;
///     Ok(())
/// }
/// ```
pub use group_macros::test;

#[doc(hidden)]
pub use group_core::__private;
