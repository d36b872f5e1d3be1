//! A service whose settings have durations, keys with two names, and shapes that serde buffers.

#![expect(dead_code, reason = "the settings are only printed")]

use std::collections::BTreeMap;
use std::time::Duration;

use group::{Config, Shutdown, service};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    timeout: Duration,
    #[serde(default)]
    waits: Vec<Duration>,
    #[serde(alias = "passwd", alias = "secret", default)]
    password: String,
    #[serde(alias = "db", default)]
    database: Database,
    #[serde(default)]
    port: Port,
    #[serde(default)]
    buffered: Buffered,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Database {
    url: String,
    user: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Name(String),
}

impl Default for Port {
    fn default() -> Self {
        Self::Number(0)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Buffered {
    #[serde(flatten)]
    pool: Option<Pool>,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Pool {
    user: String,
    #[serde(alias = "passwd")]
    password: String,
    size: u8,
    #[serde(default)]
    idle: Duration,
}

struct Shapes;

#[service]
impl Shapes {
    fn new(Config(settings): Config<Settings>) -> Self {
        println!("{settings:?}");
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[group::main]
async fn main() {}
