//! Common code of the programs that serve HTTP. Each serves one short answer on two addresses, which are its arguments,
//! and ends on SIGTERM.

use std::io;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The answer.
pub const ANSWER: &str = "hello";

/// Returns the addresses to serve on.
///
/// # Panics
///
/// If the program was called without two arguments.
#[must_use]
pub fn addresses() -> [String; 2] {
    let args: Vec<String> = std::env::args().skip(1).collect();
    args.try_into().expect("the arguments are two addresses")
}

/// Serves with plain axum, until it is stopped and what was in flight is answered.
///
/// # Errors
///
/// If the address cannot be bound.
pub async fn serve(address: &str, stopped: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    serve_on(TcpListener::bind(address).await?, stopped).await
}

/// Serves with plain axum, until it is stopped and what was in flight is answered.
///
/// # Errors
///
/// Never, according to the documentation of axum.
pub async fn serve_on(listener: TcpListener, stopped: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let routes = Router::new().route("/", get(|| async { ANSWER }));
    axum::serve(listener, routes).with_graceful_shutdown(stopped).await
}

/// Returns when SIGTERM comes, for programs whose library does not listen for it.
///
/// # Panics
///
/// If the signal handler cannot be installed.
pub async fn terminated() {
    signal(SignalKind::terminate()).expect("one can listen for it").recv().await;
}
