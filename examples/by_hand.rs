//! The two services of `morning_evening` without macros, and a third service that is a function.
//!
//! ```text
//! cargo run --example by_hand
//! curl -i localhost:8080/morning
//! curl -i localhost:8081/evening
//! ```
//!
//! Then press Ctrl-C, and read the report.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use group::axum::{Router, routing::get};
use group::{BoxError, Context, Group, Report, Service, Shutdown, http};

/// Serves one greeting on one address.
struct Greeter {
    address: &'static str,
    greeting: &'static str,
}

impl Service for Greeter {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let greeting = self.greeting;
        let routes = Router::new().route(&format!("/{}", cx.name()), get(move || async move { greeting }));
        // The service is ready once the address is bound. `serve` returns at the stop, once every request is answered.
        http::serve(&cx, self.address, routes).await
    }

    async fn stop(&self) -> Result<(), BoxError> {
        tracing::info!("Stop the service that says {}", self.greeting);
        Ok(())
    }
}

/// A function is a service, too. The group passes its parameters: here `Shutdown`, to wait for the stop request.
async fn clock(shutdown: Shutdown) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = seconds.tick() => tracing::info!("tick"),
            () = shutdown.requested() => break,
        }
    }
}

#[tokio::main]
async fn main() -> Report {
    group::log_to_stderr();
    let report = Group::new()
        .add_as("morning", Greeter { address: "127.0.0.1:8080", greeting: "morning!" })
        .add_as("evening", Greeter { address: "127.0.0.1:8081", greeting: "evening!" })
        .add_fn("clock", clock)
        .stop_timeout(Duration::from_secs(20))
        .run()
        .await;
    // Not `println!`, which panics if the terminal is gone.
    let _ = writeln!(std::io::stdout(), "{report}");
    // `main` returns the report, which becomes the exit code.
    report
}
