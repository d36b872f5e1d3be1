//! A group on one thread, which a service blocks: at once, or, with an argument, once it is asked to
//! stop.

use group::{Shutdown, service};

/// The service that is not at fault.
#[derive(Default)]
struct Bystander;

#[service]
impl Bystander {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[derive(Default)]
struct Blocker;

#[service]
impl Blocker {
    async fn start(&self, shutdown: Shutdown) {
        if std::env::args().nth(1).is_some() {
            println!("ready");
            shutdown.requested().await;
        }
        println!("blocked");
        loop {
            std::thread::park();
        }
    }
}

#[group::main(cli = false, flavor = "current_thread")]
async fn main() {}
