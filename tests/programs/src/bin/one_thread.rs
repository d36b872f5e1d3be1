//! A group on one thread, which a service blocks for ever.

use group::{Shutdown, service};

#[derive(Default)]
struct Blocker;

#[service]
impl Blocker {
    async fn start(&self, shutdown: Shutdown) {
        println!("blocked");
        while !shutdown.is_requested() {
            std::hint::spin_loop();
        }
    }
}

#[group::main(flavor = "current_thread")]
async fn main() {}
