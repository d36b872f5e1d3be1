//! Mistakes in what a test takes, returns and needs. `tests/ui.rs` checks that it does not compile: a
//! test is compiled by `cargo test` only.

use group::{Group, Running};

struct Plain;

#[group::test]
async fn parameter(pool: Vec<String>) {
    drop(pool);
}

#[group::test]
async fn owned(group: Group) {
    drop(group);
}

#[group::test]
async fn borrowed(running: &Running) {
    let _ = running;
}

#[group::test]
async fn result(_: Running) -> u8 {
    3
}

#[group::test]
async fn no_debug(_: Running) -> Result<(), Plain> {
    Err(Plain)
}

#[group::test(services(Plain))]
async fn no_service(_: Running) {}

#[group::test(paused)]
async fn no_feature(_: Running) {}

#[derive(Default)]
struct NoCron;

#[group::service]
impl NoCron {
    #[cron("0 3 * * *", tz = "UTC")]
    async fn tick(&self) {}
}
