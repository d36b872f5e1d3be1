//! Sets its own log filter, unless `RUST_LOG` is set.

use group::service;

#[derive(Default)]
struct Job;

#[service]
impl Job {
    async fn start(&self) {}
}

#[group::main]
async fn main() {
    group::log_to_stderr_with("warn,job=loud");
}
