//! Shared by the servers.

pub mod calls;
pub mod far;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;

/// Enough bytes for several TCP segments.
pub const LONG: usize = 64 * 1024;

/// How long the long answer takes.
const A_WHILE: Duration = Duration::from_millis(5);

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// How many requests have reached a handler.
pub fn taken() -> usize {
    TAKEN.load(Ordering::Relaxed)
}

/// The address on which a plain server listens: `LISTEN`, or any free port.
#[must_use]
pub fn address() -> String {
    std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned())
}

/// Counts a request, and prints when it is the first.
fn take() {
    if TAKEN.fetch_add(1, Ordering::Relaxed) == 0 {
        println!("asked");
    }
}

/// A short answer at once, and a long one after a while.
pub fn routes() -> Router {
    let later = get(|| async {
        tokio::time::sleep(A_WHILE).await;
        "x".repeat(LONG)
    });
    let count = from_fn(|request: Request, next: Next| {
        take();
        next.run(request)
    });
    Router::new().route("/short", get(|| async { "short" })).route("/long", later).layer(count)
}
