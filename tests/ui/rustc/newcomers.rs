//! What compiles elsewhere, and not here.

use group::axum::Json;
use group::axum::extract::{Path, State};
use group::{Config, Shutdown, service};
use std::sync::{Arc, Mutex};

struct Pool;

#[derive(Default)]
struct Parameters;

#[service]
impl Parameters {
    async fn start(&self, _pool: Option<Arc<Pool>>, _owned: Pool, _lent: &Shutdown, _nothing: ()) {}
}

struct Settings;

impl Settings {
    const NAME: &str = "settings";
}

#[service]
impl Settings {
    fn new(_config: Config<Pool>) -> Self {
        Settings
    }

    async fn start(&self, _config: Config<Pool>) {
        let _ = Self::NAME;
    }
}

trait Repository: Send + Sync {}

#[derive(Default)]
struct Leaves;

#[service]
impl Leaves {
    async fn start(
        &self,
        _not_shared: Arc<std::cell::Cell<u8>>,
        _unsized: Arc<dyn Repository>,
        _no_grpc: group::grpc::Channel<Parameters>,
    ) {
    }
}

struct WithPort;

#[service(register = false)]
impl WithPort {
    fn new(_port: u16) -> Self {
        WithPort
    }

    async fn start(&self) {}
}

enum NoDefault {
    A,
}

#[service]
impl NoDefault {
    fn create() -> Self {
        NoDefault::A
    }

    async fn start(&self) {}
}

#[derive(Default)]
struct Locks(Mutex<Vec<u8>>);

#[service(http = "127.0.0.1:0")]
impl Locks {
    #[get("/")]
    async fn index(&self) {
        let mut guard = self.0.lock().unwrap();
        std::future::ready(()).await;
        guard.push(3);
    }
}

#[derive(Default)]
struct Routes;

#[service(http = "127.0.0.1:0")]
impl Routes {
    #[get("/a")]
    async fn state(State(_): State<Arc<Pool>>) {}

    #[post("/b/{id}")]
    async fn bodies(&self, _id: Path<u64>, _one: Json<u8>, _two: Json<u8>) {}

    #[get("/c")]
    async fn fails(&self) -> Result<String, std::io::Error> {
        Ok(String::new())
    }

    #[get("/d")]
    async fn maybe(&self) -> Option<u8> {
        None
    }
}

#[derive(Default)]
struct Hooks;

#[service]
impl Hooks {
    async fn start(&self) {}

    async fn health(&self) -> bool {
        true
    }

    async fn reload(&self) -> String {
        String::new()
    }

    #[every("1s")]
    async fn tick(&self) -> u8 {
        3
    }
}

fn uses() {
    group::Group::new().add(Pool).add_type::<Routes>().add_fn("function", async |_: u8| {});
    let _ = NoDefault::create();
}

fn main() {}
