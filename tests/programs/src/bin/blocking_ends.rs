//! A program whose end blocks for ever: in a plain `stop`, in a drop, or, on a runtime of its own, in `start`.

use std::env;
use std::thread;

use group::{Shutdown, service};

fn blocks(way: &str) {
    if env::args().nth(1).as_deref() == Some(way) {
        println!("blocked");
        loop {
            thread::park();
        }
    }
}

#[derive(Default)]
struct Pool;

#[service(blocking_drop = true, stop_timeout = "100ms")]
impl Pool {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    fn stop(&self) {
        blocks("stop");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        blocks("drop");
    }
}

#[derive(Default)]
struct Resizer;

#[service(runtime = "own", worker_threads = 1, stop_timeout = "100ms")]
impl Resizer {
    async fn start(&self, shutdown: Shutdown) {
        tokio::task::yield_now().await;
        blocks("start");
        shutdown.requested().await;
    }
}

#[group::main(cli = false, flavor = "current_thread")]
async fn main() {}
