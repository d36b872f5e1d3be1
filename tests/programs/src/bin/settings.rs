//! A service that prints its settings, and one that takes none.

use group::{Config, Shutdown, service};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Settings {
    port: u16,
    user: String,
    #[serde(rename = "max-size", default)]
    max_size: f64,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Limits {
    slow: bool,
    many: Option<u8>,
}

struct MailQueue;

#[service]
impl MailQueue {
    fn new(settings: Config<Settings>) -> Self {
        let Settings { port, user, max_size, hosts, limits: Limits { slow, many } } = settings.0;
        println!("{port} {user} {max_size} {hosts:?} {slow} {many:?}");
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[derive(Default)]
struct Ticker;

#[service]
impl Ticker {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[group::main(stop_timeout = "7s")]
async fn main() {}
