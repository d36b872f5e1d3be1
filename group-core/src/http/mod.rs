//! The HTTP server: axum on hyper, with a stop that cuts nothing off.

mod accept;
mod connection;
#[cfg(feature = "listenfd")]
pub(crate) mod handed;
mod io;
mod limits;
mod listen;
mod mount;
pub(crate) mod run;
pub(crate) mod server;
mod socket;
mod traffic;

pub use self::mount::{mount, mounted};
pub use self::server::{Server, serve};
