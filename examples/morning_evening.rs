//! Two HTTP services in one process, stopped in the reverse of the order in which they started.
//!
//! ```text
//! cargo run --example morning_evening
//! curl -i localhost:8080/morning
//! curl -i localhost:8081/evening
//! ```
//!
//! Then press Ctrl-C: `Evening` stops before `Morning` is asked to stop.

use group::service;

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:8080")]
impl Morning {
    #[get("/morning")]
    async fn morning(&self) -> &'static str {
        "morning!"
    }

    async fn stop(&self) {
        tracing::info!("Stop morning service...");
    }
}

#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:8081")]
impl Evening {
    #[get("/evening")]
    async fn evening(&self) -> &'static str {
        "evening!"
    }

    async fn stop(&self) {
        tracing::info!("Stop evening service...");
    }
}

#[group::main]
async fn main() {}
