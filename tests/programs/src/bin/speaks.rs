//! Services that log a line wherever their code may run.

use group::axum::body::Body;
use group::axum::http::StatusCode;
use group::{Context, Handle, Shutdown, service};
use tracing::{Instrument as _, info};

#[group::main]
async fn main() {
    info!("nobody hears this: the group's subscriber comes after the body of `main`");
}

struct Host {
    handle: Handle,
}

#[service(http = "127.0.0.1:0", after(OnThread))]
impl Host {
    async fn new(cx: Context) -> Self {
        info!("new");
        Self { handle: cx.handle() }
    }

    async fn start(&self, cx: Context, shutdown: Shutdown) {
        info!("start");
        cx.spawn(async {
            tokio::task::yield_now().await;
            info!("task");
        });
        tokio::spawn(async { info!("task of nobody") }.in_current_span());
        tokio::spawn(async { info!("stray task") });
        shutdown.requested().await;
    }

    async fn health(&self) {
        info!("health");
    }

    async fn reload(&self) {
        info!("reload");
        self.handle.health().await;
    }

    async fn stop(&self) {
        info!("stop");
    }

    #[every("20ms")]
    async fn tick(&self) {
        info!("tick");
    }

    #[get("/")]
    async fn answer(&self) -> Body {
        info!("handler");
        let pieces = futures_util::stream::once(async {
            info!("body");
            Ok::<_, std::io::Error>("answered")
        });
        Body::from_stream(pieces)
    }
}

#[derive(Default)]
struct Failing;

#[service(http = Host, prefix = "/failing")]
impl Failing {
    #[get("/{id}")]
    async fn fail(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    #[get("/{id}/panics")]
    async fn panic(&self) -> StatusCode {
        panic!("no such id")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        info!("drop");
    }
}

#[derive(Default)]
struct Guest;

#[service(http = Host, prefix = "/guest")]
impl Guest {
    #[get("/")]
    async fn answer(&self) -> &'static str {
        info!("handler of a guest");
        "answered"
    }
}

#[derive(Default)]
struct OnThread;

#[service]
impl OnThread {
    fn start(&self, shutdown: Shutdown) {
        info!("thread");
        shutdown.wait();
    }
}
