//! A program with a command line. Each service prints when it is built.

use std::sync::Arc;

use group::grpc::{Channel, Routes};
use group::{Config, Shutdown, service};
use serde::Deserialize;

struct Database;

/// Keeps the orders.
///
/// Everything else needs it.
#[service]
impl Database {
    fn new() -> Self {
        println!("database is built");
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

struct Inventory;

/// Knows what is in stock.
#[service(grpc = "127.0.0.1:50051")]
impl Inventory {
    fn new(_: Arc<Database>) -> Self {
        println!("inventory is built");
        Self
    }

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

struct Gateway;

/// Answers the clients of the shop,
/// and asks what is in stock.
#[service(http = "127.0.0.1:8080", after(optional(Worker)))]
impl Gateway {
    fn new(_: Channel<Inventory>) -> Self {
        println!("gateway is built");
        Self
    }

    #[get("/")]
    async fn hello(&self) -> &'static str {
        "hello"
    }
}

#[derive(Deserialize)]
struct WorkerSettings {
    secret: String,
}

struct Worker;

#[service(after(Database))]
impl Worker {
    fn new(Config(settings): Config<WorkerSettings>) -> Self {
        println!("worker is built with {} letters", settings.secret.len());
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        tracing::debug!("the worker works");
        shutdown.requested().await;
    }

    async fn reload(&self) {}
}

#[group::main]
async fn main() {}
