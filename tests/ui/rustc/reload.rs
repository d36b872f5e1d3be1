//! A `reload` that takes something else than the new settings.

use std::sync::Arc;

use group::{Config, Context, service};

struct Database;

struct Settings;

struct TakesAnother;

#[service(register = false)]
impl TakesAnother {
    async fn start(&self) {}

    async fn reload(&self, _database: Arc<Database>) {}
}

struct TakesContext;

#[service(register = false)]
impl TakesContext {
    async fn start(&self) {}

    fn reload(&self, _cx: Context) {}
}

struct TakesWhatCannotBeRead;

#[service(register = false)]
impl TakesWhatCannotBeRead {
    async fn start(&self) {}

    async fn reload(&self, _settings: Config<Settings>) {}
}

struct ReturnsSomething;

#[derive(serde::Deserialize)]
struct Good;

#[service(register = false)]
impl ReturnsSomething {
    async fn start(&self) {}

    async fn reload(&self, _settings: Config<Good>) -> u8 {
        0
    }
}

fn main() {}
