//! Routes that would have to borrow.

use group::axum::extract::{Path, Query};
use group::axum::http::StatusCode;
use group::axum::response::Html;
use group::service;

#[derive(serde::Deserialize)]
struct Search<'a> {
    words: &'a str,
}

#[derive(Default)]
struct Parameters;

#[service(http = "127.0.0.1:0")]
impl Parameters {
    #[get("/a/{name}")]
    async fn path(&self, Path(_name): Path<&str>) {}

    #[get("/b/{one}/{two}")]
    async fn tuple(&self, _names: Path<(u8, &str)>) {}

    #[get("/c")]
    async fn query(&self, Query(search): Query<Search<'_>>) -> usize {
        search.words.len()
    }

    #[get("/d/{name}")]
    async fn named<'a>(&self, _name: Path<&'a str>) {}

    #[post("/e")]
    async fn body(&self, _body: &str) {}
}

#[derive(Default)]
struct Answers(String);

#[service(http = "127.0.0.1:0")]
impl Answers {
    #[get("/a")]
    async fn text(&self) -> &str {
        &self.0
    }

    #[get("/b")]
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    #[get("/c")]
    async fn fails(&self) -> Result<(StatusCode, &'static str), (StatusCode, &str)> {
        Err((StatusCode::OK, &self.0))
    }

    #[get("/d")]
    async fn named<'a>(&'a self) -> Html<&'a str> {
        Html(&self.0)
    }
}

fn uses() {
    group::Group::new().add_type::<Parameters>().add_type::<Answers>();
}

fn main() {}
