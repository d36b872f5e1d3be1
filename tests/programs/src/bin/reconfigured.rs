//! A service that takes new settings when it reloads.

#![expect(dead_code, reason = "the settings are only printed")]

use std::sync::Mutex;

use group::{Config, Shutdown, service};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Settings {
    rate: u32,
    burst: u32,
}

struct Mailer(Mutex<Settings>);

#[service]
impl Mailer {
    fn new(Config(settings): Config<Settings>) -> Self {
        println!("{settings:?}");
        Self(Mutex::new(settings))
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    async fn reload(&self, Config(settings): Config<Settings>) {
        println!("{settings:?}");
        if let Ok(mut old) = self.0.lock() {
            *old = settings;
        }
    }
}

#[group::main]
async fn main() {}
