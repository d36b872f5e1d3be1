//! A block is as public as its type.

use group::service;

#[derive(Default)]
pub struct Morning;

#[service]
pub impl Morning {
    async fn start(&self) {}
}

fn main() {
    group::Group::new().add_type::<Morning>();
}
