//! Two HTTP services. `Evening` answers only when `Morning`, which is stopped after it, says so.

use std::sync::Arc;

use group::axum::extract::Path;
use group::service;
use tokio::sync::Semaphore;

struct Morning {
    evening_may_answer: Semaphore,
}

#[service(http = "127.0.0.1:0")]
impl Morning {
    fn new() -> Self {
        Self { evening_may_answer: Semaphore::new(0) }
    }

    #[get("/morning")]
    async fn morning(&self) -> &'static str {
        "morning!"
    }

    #[post("/let-evening-answer")]
    async fn let_evening_answer(&self) {
        self.evening_may_answer.add_permits(1);
    }

    async fn stop(&self) {
        println!("morning stopped");
    }
}

struct Evening {
    morning: Arc<Morning>,
}

#[service(http = "127.0.0.1:0")]
impl Evening {
    fn new(morning: Arc<Morning>) -> Self {
        Self { morning }
    }

    #[get("/evening")]
    async fn evening(&self) -> &'static str {
        "evening!"
    }

    #[get("/slow/{name}")]
    async fn slow(&self, Path(name): Path<String>) -> String {
        println!("evening was asked");
        let permit = self.morning.evening_may_answer.acquire().await;
        permit.expect("is never closed").forget();
        format!("good evening, {name}!")
    }

    async fn stop(&self) {
        println!("evening stopped");
    }
}

#[group::main]
async fn main() {}
