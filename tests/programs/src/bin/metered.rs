//! One service of each kind that is counted. `Ops` shows the metrics, from before the others start until the others are
//! gone: `Gate`, which is stopped between them, waits for its word.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use futures_util::stream;
use group::axum::Router;
use group::axum::extract::Path;
use group::axum::http::StatusCode;
use group::metrics::Metrics;
use group::prometheus_client::metrics::counter::Counter;
use group::prometheus_client::metrics::gauge::ConstGauge;
use group::{Context, Group, Handle, Shutdown, metrics, service};
use tokio::sync::Semaphore;

struct Ops {
    group: Handle,
    gateway_may_answer: Semaphore,
    gate_may_open: Semaphore,
}

#[service(http = "127.0.0.1:0")]
impl Ops {
    fn new(group: Handle) -> Self {
        Self { group, gateway_may_answer: Semaphore::new(0), gate_may_open: Semaphore::new(0) }
    }

    fn router(&self, routes: Router) -> Router {
        routes.merge(metrics::routes(&self.group))
    }

    #[post("/let-gateway-answer")]
    async fn let_gateway_answer(&self) {
        self.gateway_may_answer.add_permits(1);
    }

    #[post("/open-gate")]
    async fn open_gate(&self) {
        self.gate_may_open.add_permits(1);
    }
}

struct Gate {
    ops: Arc<Ops>,
}

#[service]
impl Gate {
    fn new(ops: Arc<Ops>) -> Self {
        Self { ops }
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    async fn stop(&self) {
        let _permit = self.ops.gate_may_open.acquire().await;
    }
}

/// Fails once, and is started again.
#[derive(Default)]
struct Flaky {
    starts: AtomicU64,
}

#[service(restart(on_failure, backoff = "1ms..1ms"))]
impl Flaky {
    async fn start(&self, shutdown: Shutdown) -> Result<(), &'static str> {
        if self.starts.fetch_add(1, SeqCst) == 0 {
            return Err("it fails once");
        }
        shutdown.requested().await;
        Ok(())
    }
}

/// Its third tick fails, and with it the service.
#[derive(Default)]
struct Sweeper {
    ticks: AtomicU64,
}

#[service(critical = false)]
impl Sweeper {
    #[every("1ms")]
    async fn sweep(&self) -> Result<(), &'static str> {
        if self.ticks.fetch_add(1, SeqCst) == 2 { Err("nothing is left to sweep") } else { Ok(()) }
    }
}

/// Takes four messages: two are fine, one fails, and one is never done.
#[derive(Default)]
struct Orders;

#[service(stop_timeout = "100ms")]
impl Orders {
    async fn start(&self, cx: Context) -> Result<(), group::MessageFailed> {
        let orders = stream::iter(["tea", "nails", "coffee", "forever"]);
        let prepare = |order| async move {
            match order {
                "nails" => Err("there is no such dish"),
                "forever" => std::future::pending().await,
                _ => Ok(()),
            }
        };
        cx.for_each(orders, 2, prepare).await.map(drop)
    }
}

#[derive(Default)]
struct Pulse;

#[service]
impl Pulse {
    async fn start(&self, cx: Context, shutdown: Shutdown) {
        let heartbeat = cx.heartbeat(Duration::from_secs(3600));
        (0..3).for_each(|_| heartbeat.beat());
        shutdown.requested().await;
    }
}

/// Mounted on the gateway.
#[derive(Default)]
struct Billing;

#[service(http = Gateway, prefix = "/billing")]
impl Billing {
    #[get("/invoices/{id}")]
    async fn invoice(&self, Path(id): Path<u64>) -> String {
        format!("invoice {id}")
    }
}

struct Gateway {
    ops: Arc<Ops>,
    orders: Counter,
}

#[service(http = "127.0.0.1:0", stop_timeout = "1s")]
impl Gateway {
    fn new(ops: Arc<Ops>, metrics: Metrics) -> Self {
        let orders = Counter::default();
        metrics.registry().register("shop_orders", "Orders that were placed", orders.clone());
        Self { ops, orders }
    }

    #[get("/users/{id}")]
    async fn user(&self, Path(id): Path<u64>) -> Result<String, StatusCode> {
        if id == 0 { Err(StatusCode::NOT_FOUND) } else { Ok(format!("user {id}")) }
    }

    #[post("/users/{id}")]
    async fn place_order(&self, Path(_): Path<u64>) -> StatusCode {
        self.orders.inc();
        StatusCode::CREATED
    }

    #[get("/panics")]
    async fn panics(&self) {
        panic!("no such dish");
    }

    #[get("/slow")]
    async fn slow(&self) -> &'static str {
        let _permit = self.ops.gateway_may_answer.acquire().await;
        "at last"
    }

    #[get("/never")]
    async fn never(&self) -> Infallible {
        std::future::pending().await
    }
}

#[group::main]
async fn main(group: &mut Group) {
    group.metrics(|registry| registry.register("shop_tables", "Tables of the shop", ConstGauge::<i64>::new(12)));
}
