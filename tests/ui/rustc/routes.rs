//! Parameters and results that axum does not know.

use group::axum::Json;
use group::axum::extract::{Path, Query};
use group::service;

struct NoResponse;

#[derive(Default)]
struct Parameters;

#[service(http = "127.0.0.1:0")]
impl Parameters {
    #[get("/a")]
    async fn number(&self, id: u64) {
        let _ = id;
    }

    #[get("/b/{id}")]
    async fn number_first(&self, id: u64, Path(_): Path<u64>) {
        let _ = id;
    }

    #[post("/c")]
    async fn body_first(&self, _body: Json<u8>, Path(_): Path<u64>) {}

    #[get("/e")]
    async fn no_derive(&self, Query(_): Query<NoResponse>, _body: Json<NoResponse>) {}

    #[post("/d")]
    async fn two_bodies(_body: String, _json: Json<u8>) {}
}

#[derive(Default)]
struct Results;

#[service(http = "127.0.0.1:0")]
impl Results {
    #[get("/a")]
    async fn number(&self) -> u64 {
        3
    }

    #[get("/b")]
    fn nothing(&self) -> Result<NoResponse, u8> {
        Ok(NoResponse)
    }

    #[get("/c")]
    async fn hidden(&self) -> impl Sized {
        NoResponse
    }
}

fn uses() {
    group::Group::new().add_type::<Parameters>().add_type::<Results>();
}

fn main() {}
