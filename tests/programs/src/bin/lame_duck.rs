//! A server that is a lame duck for a while before it stops, and one that blocks its only thread.

use group::{Handle, service};

struct Web {
    group: Handle,
}

#[service(http = "127.0.0.1:0")]
impl Web {
    fn new(group: Handle) -> Self {
        Self { group }
    }

    #[get("/ready")]
    async fn ready(&self) -> &'static str {
        if self.group.status().is_ready() { "ready" } else { "not ready" }
    }

    #[get("/blocks")]
    async fn blocks(&self) {
        println!("blocked");
        loop {
            std::thread::park();
        }
    }
}

#[group::main(drain_delay = "3s", flavor = "current_thread")]
async fn main() {}
