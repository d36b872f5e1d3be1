//! A program with an admin service. Its services wait for the test where `GATE_START` and `GATE_STOP` give the address of
//! a gate: a listener on which the test sends a byte.

use std::env;

use group::{Context, Shutdown, service};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Waits until the test opens the gate.
async fn pass(gate: &str) -> std::io::Result<()> {
    if let Ok(address) = env::var(gate) {
        TcpStream::connect(address).await?.read_u8().await?;
    }
    Ok(())
}

struct Store;

#[service]
impl Store {
    async fn new() -> std::io::Result<Self> {
        pass("GATE_START").await?;
        Ok(Self)
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    async fn stop(&self) -> std::io::Result<()> {
        pass("GATE_STOP").await
    }

    fn reload(&self) {
        println!("reloaded");
    }
}

#[derive(Default)]
struct Web;

#[service(http = "127.0.0.1:0", after(Store))]
impl Web {
    #[get("/")]
    async fn index(&self) -> &'static str {
        "hello"
    }

    #[get("/block")]
    async fn block(&self) {
        loop {
            std::thread::park();
        }
    }
}

/// It misses its heartbeat, and cannot be ended, if `HANG` is set.
#[derive(Default)]
struct Beats;

#[service]
impl Beats {
    async fn start(&self, cx: Context, shutdown: Shutdown) {
        let heartbeat = cx.heartbeat(std::time::Duration::from_secs(1));
        if env::var_os("HANG").is_some() {
            tokio::task::yield_now().await;
            loop {
                std::thread::park();
            }
        }
        drop(heartbeat);
        shutdown.requested().await;
    }
}

#[group::main(admin = "127.0.0.1:0", worker_threads = 2)]
async fn main() {}
