//! A program with settings of its own: its body reads them, and gives them to a service. It ignores an error if it is told to.

use std::sync::Arc;
use std::time::Duration;

use group::{BoxError, Group, Shutdown, service};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Log {
    level: String,
    #[serde(default)]
    flush: Duration,
}

struct Printer;

#[service]
impl Printer {
    fn new(log: Arc<Log>) -> Self {
        println!("printer: {} {:?}", log.level, log.flush);
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[group::main(cli = false)]
async fn main(group: &mut Group) -> Result<(), BoxError> {
    let log = match group.section("log") {
        Err(_) if std::env::args().any(|arg| arg == "ignore") => Log { level: "info".into(), flush: Duration::ZERO },
        log => log?,
    };
    eprintln!("main: {} {:?}", log.level, log.flush);
    group.provide(log);
    Ok(())
}
