//! A group on a single worker thread, which a service blocks: in `new`, in `start`, while it starts again, or, with
//! `patient`, for less than it asks for.

use std::env;
use std::thread;
use std::time::Duration;

use group::{Shutdown, service};

/// The service that is not at fault.
#[derive(Default)]
struct Bystander;

#[service]
impl Bystander {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

struct Blocker {
    way: String,
}

fn blocks_here() -> ! {
    println!("blocked");
    loop {
        thread::park();
    }
}

#[service(start_timeout = "300ms", stop_timeout = "100ms", restart(on_failure, backoff = "0s..0s"))]
impl Blocker {
    fn new() -> Self {
        let way = env::args().nth(1).unwrap_or_default();
        if way == "new" {
            blocks_here();
        }
        Self { way }
    }

    async fn start(&self, shutdown: Shutdown) -> Result<(), &'static str> {
        match &*self.way {
            "start" => blocks_here(),
            "patient" => {
                for _ in 0..3 {
                    shutdown.extend(Duration::from_secs(60));
                    thread::sleep(Duration::from_millis(600));
                }
                shutdown.requested().await;
                Ok(())
            }
            _ if FAILED.swap(true, std::sync::atomic::Ordering::Relaxed) => blocks_here(),
            _ => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err("it fails once")
            }
        }
    }
}

static FAILED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

#[group::main(cli = false, worker_threads = 1)]
async fn main() {}
