//! `detached <tasks>`: leaves so many tasks that no service owns, and one that ends when its service is dropped.

use std::time::Duration;

use group::{Handle, Shutdown, service};
use tokio::sync::watch;

struct Worker {
    _alive: watch::Sender<()>,
}

#[service]
impl Worker {
    fn new() -> Self {
        let (alive, mut dropped) = watch::channel(());
        tokio::spawn(async move { while dropped.changed().await.is_ok() {} });
        Self { _alive: alive }
    }

    async fn start(&self, handle: Handle, shutdown: Shutdown) {
        let tasks = std::env::args().nth(1).and_then(|tasks| tasks.parse().ok()).unwrap_or(0);
        for _ in 0..tasks {
            tokio::spawn(tokio::time::sleep(Duration::from_secs(60)));
        }
        handle.stop();
        shutdown.requested().await;
    }
}

#[group::main(cli = false)]
async fn main() {}
