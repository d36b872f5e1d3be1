//! Two blocks for one service, and two methods of one name.

use group::service;

#[derive(Default)]
struct Morning;

#[service]
impl Morning {
    async fn start(&self) {}
}

#[service]
impl Morning {
    async fn start(&self) {}
}

#[derive(Default)]
struct Evening;

#[service]
impl Evening {
    async fn start(&self) {}
    async fn start(&self) {}
    fn new() -> Self {
        Evening
    }
    async fn new() -> Self {
        Evening
    }
    async fn stop(&self) {}
    async fn stop(&self) {}
}

fn main() {
    group::Group::new().add_type::<Morning>().add_type::<Evening>();
}
