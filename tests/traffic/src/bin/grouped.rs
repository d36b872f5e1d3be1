//! Serves the routes in a group.

use axum::Router;
use group::service;

#[derive(Default)]
struct Web;

#[service(http = "127.0.0.1:0")]
impl Web {
    fn router(&self, routes: Router) -> Router {
        routes.merge(traffic::routes())
    }

    async fn stop(&self) {
        println!("taken {}", traffic::taken());
    }
}

#[group::main]
async fn main() {}
