//! A `crate` path that leads nowhere.

use group::service;

#[derive(Default)]
struct Morning;

#[service(crate = nowhere)]
impl Morning {
    async fn start(&self) {}
}

#[derive(Default)]
struct Evening;

#[service(crate = std)]
impl Evening {
    async fn start(&self) {}
}

mod app {
    #[group::main(crate = nowhere)]
    async fn main() {}
}

fn main() {}
