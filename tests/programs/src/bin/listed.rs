//! Services that are listed: exactly these, in this order.

use billing::Ledger;
use group::{Shutdown, service};

#[derive(Default)]
struct Zebra;

#[service]
impl Zebra {
    async fn start(&self, shutdown: Shutdown) {
        println!("zebra starts");
        shutdown.requested().await;
        println!("zebra stops");
    }
}

#[group::main(services(Zebra, Ledger), stop_timeout = "7s", worker_threads = 1)]
async fn main() {}
