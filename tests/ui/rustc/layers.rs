//! What is no layer, in words of ours and of rustc.

use group::axum::extract::Request;
use group::axum::middleware::{Next, from_fn};
use group::axum::response::Response;
use group::service;

#[derive(Clone)]
struct NotALayer;

async fn log(request: Request, next: Next) -> Response {
    next.run(request).await
}

async fn takes_no_next(_request: Request) {}

#[derive(Default)]
struct OfRoutes;

#[service(http = "127.0.0.1:0")]
impl OfRoutes {
    #[get("/a")]
    #[layer(NotALayer)]
    async fn a(&self) {}

    #[any("/b")]
    #[layer(log)]
    async fn b(&self) {}

    #[get("/c")]
    #[layer(from_fn(takes_no_next))]
    async fn c(&self) {}

    #[get("/d")]
    #[layer(from_fn(missing))]
    async fn d(&self) {}
}

#[derive(Default)]
struct OfAll;

#[service(http = "127.0.0.1:0")]
#[layer(3)]
impl OfAll {
    #[get("/")]
    async fn index(&self) {}
}

fn main() {
    group::Group::new().add_type::<OfRoutes>().add_type::<OfAll>();
}
