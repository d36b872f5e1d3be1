//! A type that is not there.

use group::service;

#[service(http = "127.0.0.1:0")]
impl Missing {
    #[get("/")]
    async fn index(&self) {}

    async fn start(&self) {}

    async fn stop(&self) {}
}

fn main() {}
