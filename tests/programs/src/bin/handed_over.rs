//! Listens on a listener that is handed over: the one called `web`, unless `GROUP_WEB__HTTP` is set.

use group::{Shutdown, service};
use tokio::sync::Notify;

#[derive(Default)]
struct Web;

#[service(http = "fd:web")]
impl Web {
    /// Which process answers.
    #[get("/process")]
    async fn process(&self) -> String {
        std::process::id().to_string()
    }

    /// Answers once the whole request has arrived.
    #[post("/echo")]
    async fn echo(&self, said: String) -> String {
        said
    }
}

#[derive(Default)]
struct Other {
    fails: Notify,
}

#[service(http = "127.0.0.1:0", after(Web))]
impl Other {
    /// Runs beside the server, and fails on request.
    async fn start(&self, shutdown: Shutdown) -> Result<(), &'static str> {
        tokio::select! {
            () = shutdown.requested() => Ok(()),
            () = self.fails.notified() => Err("somebody asked for it"),
        }
    }

    #[post("/fail")]
    async fn fail(&self) {
        self.fails.notify_one();
    }

    #[get("/process")]
    async fn process(&self) -> String {
        std::process::id().to_string()
    }
}

#[group::main]
async fn main() {}
