//! A server whose answers take a while after the request to stop.

use std::time::Duration;

use group::{Shutdown, service};

#[derive(Default)]
struct Web;

#[service(http = "127.0.0.1:0")]
impl Web {
    #[get("/slow")]
    async fn slow(&self, shutdown: Shutdown) -> &'static str {
        println!("asked");
        shutdown.requested().await;
        println!("told");
        tokio::time::sleep(Duration::from_millis(800)).await;
        "answered"
    }
}

#[group::main]
async fn main() {}
