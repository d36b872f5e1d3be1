//! Services of this crate and of another, which is only named.

use billing as _;
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

#[derive(Default)]
struct Aardvark;

#[service]
impl Aardvark {
    async fn start(&self, shutdown: Shutdown) {
        println!("aardvark starts");
        shutdown.requested().await;
        println!("aardvark stops");
    }
}

#[group::main]
async fn main() {}
