//! The HTTP server: axum on hyper, with a stop that cuts no request off. Needs the feature `http`.

// A connection passes through listen.rs, accept.rs, connection.rs and io.rs. The centre is traffic.rs: it counts the
// connections and their requests, and decides when a connection may be closed.

mod accept;
mod connection;
#[cfg(feature = "metrics")]
pub(crate) mod counting;
mod extract;
#[cfg(feature = "listenfd")]
pub(crate) mod handed;
mod handshakes;
mod io;
mod limits;
mod listen;
mod mount;
pub(crate) mod panicked;
mod room;
pub(crate) mod run;
pub(crate) mod server;
mod socket;
mod spread;
pub(crate) mod told;
mod traffic;

pub use self::mount::{mount, mounted};
pub use self::server::{Server, serve};
