//! A body that does not parse is rustc's one error.

use group::service;

#[derive(Default)]
struct Morning;

#[service]
impl Morning {
    async fn start(&self) {
        let x = ;
    }
}

fn main() {
    group::Group::new().add_type::<Morning>();
}
