//! A body that does not type-check is one mistake.

use group::service;

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:0")]
impl Morning {
    async fn new() -> Self {
        let number: u8 = "three";
        Morning
    }

    async fn start(&self) {
        self.missing();
    }

    #[get("/")]
    async fn index(&self) -> &'static str {
        3
    }

    async fn stop(&self) {
        undefined();
    }
}

fn main() {
    group::Group::new().add_type::<Morning>();
}
