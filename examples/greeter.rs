//! The example of the README: a small service with settings, a ticker, a dependency and a test.
//!
//! ```text
//! GROUP_GREETER__GREETING=hello cargo run --example greeter --features config
//! curl localhost:8080/hello/ann
//! cargo test --example greeter --features config
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use group::axum::extract::Path;
use group::{Config, service};
use serde::Deserialize;

#[derive(Default)]
struct Visits(AtomicU64);

#[service]
impl Visits {
    #[every("10s")]
    async fn report(&self) {
        tracing::info!("{} visits so far", self.0.load(Relaxed));
    }

    async fn stop(&self) {
        tracing::info!("{} visits in all", self.0.load(Relaxed));
    }
}

#[derive(Deserialize)]
struct Settings {
    greeting: String,
    #[serde(default)]
    loud: bool,
}

struct Greeter {
    settings: Settings,
    visits: Arc<Visits>,
}

#[service(http = "127.0.0.1:8080", stop_timeout = "20s")]
impl Greeter {
    /// `Visits` starts first and is stopped last, because `new` takes an `Arc` of it.
    async fn new(Config(settings): Config<Settings>, visits: Arc<Visits>) -> std::io::Result<Self> {
        Ok(Self { settings, visits })
    }

    /// A route takes any extractors of axum and returns any response of axum; `&self` is the state.
    #[get("/hello/{name}")]
    async fn hello(&self, Path(name): Path<String>) -> String {
        self.visits.0.fetch_add(1, Relaxed);
        let end = if self.settings.loud { "!" } else { "." };
        format!("{} {name}{end}\n", self.settings.greeting)
    }
}

#[group::main]
async fn main() {}

#[cfg(test)]
mod tests {
    use group::Group;

    #[group::test]
    async fn visitors_are_greeted(group: &mut Group) -> Result<(), Box<dyn std::error::Error>> {
        let running = group.config_str("[services.greeter]\ngreeting = 'hello'").start().await?;
        let address = running.local_addr("greeter").ok_or("it does not listen")?;
        let answer = reqwest::get(format!("http://{address}/hello/ann")).await?.text().await?;
        assert_eq!(answer, "hello ann.\n");
        assert!(running.stop().await.is_clean());
        Ok(())
    }
}
