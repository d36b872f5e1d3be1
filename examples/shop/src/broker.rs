//! The broker: the one at `BROKER_URL`, or else one in this process.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;
use group::{Context, Ready, Shutdown, service};
use rumqttc::{AsyncClient, EventLoop};
use rumqttd::protocol::v4::V4;
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};

use crate::mqtt::options;

pub(crate) struct Broker {
    url: String,
    /// The address of the broker in this process, if there is one.
    own: Option<SocketAddr>,
}

/// A message broker in this process, or the address of another.
///
/// A service that takes an `Arc<Broker>` starts after it, and stops before it.
#[service(role = "daemon")]
impl Broker {
    fn new() -> anyhow::Result<Self> {
        if let Ok(url) = std::env::var("BROKER_URL") {
            options(&url, "shop").context("BROKER_URL")?;
            return Ok(Self { url, own: None });
        }
        // `rumqttd` binds its port itself and does not report it, so it gets a port that was found to be free.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Self { url: format!("mqtt://{address}"), own: Some(address) })
    }

    async fn start(&self, cx: Context, shutdown: Shutdown, ready: Ready) -> anyhow::Result<()> {
        let Some(address) = self.own else {
            ready.fire();
            shutdown.requested().await;
            return Ok(());
        };
        // A `rumqttd::Broker` cannot be stopped, but its server can, by dropping its future. The router only waits, on a
        // thread of its own, and ends with the process.
        let router = Router::new(0, router_config()).spawn();
        let mut server = Server::new(server_settings(address), router, V4);
        tokio::select! {
            // The server first: it has bound its port once it was polled.
            biased;
            ended = server.start(LinkType::Remote) => ended.context("the broker ended"),
            () = async {
                cx.publish_addr(address);
                ready.fire();
                shutdown.requested().await;
            } => Ok(()),
        }
    }
}

impl Broker {
    /// Makes a client. It connects when its event loop is polled, and queues up to this many requests until the loop
    /// sends them.
    pub(crate) fn client(&self, name: &str, holds: usize) -> anyhow::Result<(AsyncClient, EventLoop)> {
        Ok(AsyncClient::new(options(&self.url, name)?, holds))
    }
}

fn router_config() -> RouterConfig {
    RouterConfig {
        max_connections: 10,
        max_outgoing_packet_count: 200,
        max_segment_size: 1024 * 1024,
        max_segment_count: 10,
        ..RouterConfig::default()
    }
}

fn server_settings(listen: SocketAddr) -> ServerSettings {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: 16 * 1024,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    ServerSettings { name: "broker".to_owned(), listen, tls: None, next_connection_delay_ms: 1, connections }
}
