//! A service that starts after one of another crate.

use group::{Shutdown, service};

#[derive(Default)]
struct Across;

#[service(after(billing::Ledger))]
impl Across {
    async fn start(&self, shutdown: Shutdown) {
        println!("across starts");
        shutdown.requested().await;
        println!("across stops");
    }
}

#[group::main]
async fn main() {}
