//! A single service whose `start` blocks its thread, as a beginner may write it.

use std::thread;

use group::service;

#[derive(Default)]
struct Blocker;

#[service(start_timeout = "300ms", stop_timeout = "100ms")]
impl Blocker {
    async fn start(&self) {
        println!("blocked");
        loop {
            thread::park();
        }
    }
}

#[group::main(worker_threads = 2)]
async fn main() {}
