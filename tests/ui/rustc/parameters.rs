//! Parameters that the group does not have.

use group::{Shutdown, service};
use std::sync::Arc;

#[derive(Default)]
struct Morning;

#[service]
impl Morning {
    async fn start(&self, port: u16, shutdown: Shutdown) {
        let _ = (port, shutdown);
    }
}

struct Evening(Vec<String>);

#[service]
impl Evening {
    fn new(names: Vec<String>, morning: Arc<Morning>) -> Self {
        drop(morning);
        Self(names)
    }

    fn start(&self, name: &str) {
        println!("{name} of {:?}", self.0);
    }
}

struct Plain;

struct Pool;

#[derive(Default)]
struct Night;

#[service(after(Plain, optional(Pool)))]
impl Night {
    async fn start(&self, _plain: Arc<Plain>) {}
}

fn uses() {
    group::Group::new().add_type::<Morning>().add_type::<Evening>().add_type::<Night>();
}

fn main() {}
