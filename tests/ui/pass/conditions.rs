//! `#[cfg]` on blocks, methods, routes and `main`.

use group::axum::Router;
use group::{Handle, Shutdown, service};

#[cfg(any())]
struct Gone;

#[service]
#[cfg(any())]
impl Gone {
    async fn start(&self) {}
}

struct Morning;

#[service(http = "127.0.0.1:0")]
#[cfg(not(any()))]
impl Morning {
    #[cfg(any())]
    fn new(_: Missing) -> Missing {}

    #[cfg(all())]
    fn new() -> Self {
        Self
    }

    #[cfg(any())]
    async fn start(&self, _: Missing) {}

    #[cfg(all())]
    async fn start(&self, _: Shutdown, handle: Handle) {
        handle.stop();
    }

    #[cfg(any())]
    #[get("/")]
    async fn index(&self, _: Missing) -> Missing {}

    #[cfg(all())]
    #[get("/")]
    async fn index(&self) {}

    #[get("/gone")]
    #[cfg(any())]
    async fn gone(&self) {}

    #[cfg(any())]
    fn router(&self, _: Missing) -> Missing {}

    #[cfg(all())]
    fn router(&self, routes: Router) -> Router {
        routes
    }

    #[cfg(any())]
    async fn stop(&self) -> Missing {}

    #[cfg(all())]
    async fn stop(&self) {}
}

/// Neither `new` nor `start` is there: `Default` makes it, and only the routes run.
#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:0")]
impl Evening {
    #[cfg(any())]
    fn new() -> Self {
        Self
    }

    #[cfg(any())]
    async fn start(&self) {}

    #[get("/")]
    async fn index(&self) {}
}

/// Only one of the tickers is there, and no `start`.
#[derive(Default)]
struct Night;

#[service]
impl Night {
    #[every("1h")]
    #[cfg(any())]
    async fn tick(&self) -> Missing {}

    #[cfg(all())]
    #[every("1h")]
    async fn tick(&self) {}

    #[cfg(any())]
    #[cron("0 3 * * *")]
    async fn gone(&self) {}

    #[cfg(any())]
    async fn start(&self, _: Missing) {}
}

#[group::main]
#[cfg(any())]
async fn main() -> Missing {}

#[cfg(all())]
#[group::main]
async fn main() {}
