//! gRPC: tonic's services on the HTTP server, and calls to them without a network. Needs the feature `grpc`.

mod answer;
pub(crate) mod channel;
mod health;
mod local;
pub(crate) mod remote;
pub(crate) mod routes;
pub(crate) mod serve;

pub use self::channel::Channel;
pub use self::routes::Routes;
pub use self::serve::{RequestExt, Serve, serve, serve_in_process};
