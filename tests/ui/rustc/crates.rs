//! A crate that is not there.

use group::service;

#[derive(Default)]
struct A;

#[service]
impl A {
    async fn start(&self) {}
}

#[group::main(crates(core, biling))]
async fn main() {}
