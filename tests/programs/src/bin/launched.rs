//! A server that reports over the connection at `REPORT_TO` where it listens, and each request that is in flight. It
//! answers a request well after the stop, so that every copy of the signal has come by then.

use std::env;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use group::axum::http::StatusCode;
use group::{Context, Shutdown, service};

struct Server {
    report: TcpStream,
}

#[service(http = "127.0.0.1:0")]
impl Server {
    fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self { report: TcpStream::connect(env::var("REPORT_TO")?)? })
    }

    #[get("/")]
    async fn slow(&self, shutdown: Shutdown) -> Result<&'static str, StatusCode> {
        self.say("in flight").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        shutdown.requested().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok("answered")
    }

    async fn start(&self, cx: Context, shutdown: Shutdown) -> std::io::Result<()> {
        let addr = loop {
            match cx.handle().local_addr(cx.name()) {
                Some(addr) => break addr,
                None => tokio::task::yield_now().await,
            }
        };
        self.say(&addr.to_string())?;
        shutdown.requested().await;
        Ok(())
    }

    fn say(&self, text: &str) -> std::io::Result<()> {
        writeln!(&self.report, "{text}")
    }
}

#[group::main]
async fn main() {}
