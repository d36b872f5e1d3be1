//! `#[layer(…)]` where nothing can be put around anything, or without what is put around.

use group::axum::middleware::from_fn;
use group::service;

#[derive(Default)]
struct Bare;

#[service(http = "127.0.0.1:0")]
impl Bare {
    #[get("/a")]
    #[layer]
    async fn nothing(&self) {}

    #[get("/b")]
    #[layer()]
    async fn empty(&self) {}

    #[get("/c")]
    #[layer = "log"]
    async fn assigned(&self) {}

    #[get("/d")]
    #[layer(from_fn(log), from_fn(log))]
    async fn two(&self) {}

    #[layer(from_fn(log))]
    async fn helper(&self) {}

    #[layer(from_fn(log))]
    async fn stop(&self) {}
}

#[derive(Default)]
struct NoRoutes;

#[service]
#[layer(from_fn(log))]
impl NoRoutes {
    async fn start(&self) {}
}

fn main() {
    group::Group::new().add_type::<Bare>().add_type::<NoRoutes>();
}
