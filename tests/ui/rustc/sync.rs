//! A service that threads cannot share.

use group::service;
use std::cell::Cell;

#[derive(Default)]
struct Morning(Cell<u8>);

#[service]
impl Morning {
    async fn start(&self) {
        self.0.set(3);
    }
}

fn main() {
    group::Group::new().add_type::<Morning>();
}
