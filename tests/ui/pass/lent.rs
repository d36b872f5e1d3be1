//! Routes that borrow for as long as they may, and attributes that are not those of `#[service]`.

use group::axum::{Extension, Json};
use group::{Handle, service};
use std::sync::Arc;

type Says = dyn Fn(&str) -> bool + Send + Sync;

#[derive(Default)]
struct Morning(Vec<String>);

#[service(http = "127.0.0.1:0")]
impl Morning {
    #[get("/a")]
    async fn json(&self) -> Json<&[String]> {
        Json(&self.0)
    }

    #[get("/b")]
    async fn text(&self) -> Result<&'static str, &'static [u8]> {
        Ok("morning")
    }

    #[get("/c")]
    async fn calls(_says: Extension<Arc<dyn Fn(&str) -> bool + Send + Sync>>, _same: Extension<Arc<Says>>) {}

    #[get("/d")]
    async fn binds(_says: Extension<Arc<dyn for<'a> Fn(&'a str) -> &'a str + Send + Sync>>) {}

    #[cfg_attr(all(), must_use)]
    fn helper(&self) -> usize {
        self.0.len()
    }

    async fn start(&self, handle: Handle) {
        let _ = self.helper();
        handle.stop();
    }
}

#[group::main]
async fn main() {}
