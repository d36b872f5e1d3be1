//! A verb that is none.

use group::service;

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:0")]
impl Morning {
    #[get("/")]
    async fn index(&self) {}

    #[gte("/x")]
    async fn morning(&self) {}
}

fn main() {
    group::Group::new().add_type::<Morning>();
}
