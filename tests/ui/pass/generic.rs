//! A generic service needs no bounds: who names the type has them.

use group::axum::extract::Path;
use group::service;

struct Cache<T>(T);

#[service(register = false, http = "127.0.0.1:0")]
impl<T> Cache<T> {
    #[get("/{id}")]
    async fn get(&self, Path(_): Path<u8>) -> &'static str {
        std::future::ready(()).await;
        let _ = &self.0;
        "got"
    }

    #[every("1s")]
    async fn tick(&self) {
        std::future::ready(()).await;
    }

    async fn stop(&self) {}
}

fn main() {
    group::Group::new().add(Cache(3)).add(Cache("three"));
}
