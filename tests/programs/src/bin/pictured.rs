//! Services that a picture of the moment shows: one with a task and a ticker, one that holds requests and can block its
//! thread, one that is never ready, and one that waits for that.

use group::{Context, Ready, Shutdown, service};

#[derive(Default)]
struct Store;

#[service]
impl Store {
    async fn start(&self, cx: Context, shutdown: Shutdown) {
        let stops = shutdown.clone();
        cx.spawn(async move { stops.requested().await });
        shutdown.requested().await;
    }

    #[every("1h")]
    async fn sweep(&self) {}
}

#[derive(Default)]
struct Web;

#[service(http = "127.0.0.1:0", after(Store))]
impl Web {
    #[get("/held/{id}")]
    async fn held(&self) {
        println!("a request is held");
        std::future::pending::<()>().await;
    }

    #[get("/blocks")]
    async fn block(&self) {
        println!("a thread is blocked");
        loop {
            std::thread::park();
        }
    }
}

#[derive(Default)]
struct Late;

#[service(after(Web))]
impl Late {
    async fn start(&self, ready: Ready, shutdown: Shutdown) {
        println!("late starts");
        shutdown.requested().await;
        drop(ready);
    }
}

#[derive(Default)]
struct Last;

#[service(after(Late))]
impl Last {
    fn start(&self, shutdown: Shutdown) {
        shutdown.wait();
    }
}

#[group::main]
async fn main() {}
