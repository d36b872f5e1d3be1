//! A crate whose services come before those of the crate that it names, because the order is by name,
//! whatever the order of linking.

use group::{Shutdown, service};

#[derive(Default)]
struct Accounts;

#[service]
impl Accounts {
    async fn start(&self, shutdown: Shutdown) {
        println!("accounts starts");
        shutdown.requested().await;
        println!("accounts stops");
    }
}

#[group::main(crates(billing))]
async fn main() {}
