//! The client's side of the broker.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet};
use tokio::time::{sleep, timeout};

/// The topic of the orders.
pub(crate) const ORDERS: &str = "orders";

/// Parses `mqtt://host:port`.
pub(crate) fn options(url: &str, name: &str) -> anyhow::Result<MqttOptions> {
    let Some(address) = url.strip_prefix("mqtt://") else {
        anyhow::bail!("`{url}` is no address of a broker: expected `mqtt://host:port`");
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "1883"));
    let mut options = MqttOptions::new(name, host, port.parse()?);
    // The broker keeps the messages for this name until they are acknowledged, also while this client is away.
    options.set_clean_session(false).set_manual_acks(true);
    Ok(options)
}

/// Returns the next event from the broker. It connects again after a lost connection.
pub(crate) async fn next(events: &mut EventLoop) -> Packet {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(packet)) => return packet,
            Ok(Event::Outgoing(_)) => {}
            Err(error) => {
                tracing::warn!("no broker: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Sends the requests that are still queued, such as acknowledgements, and disconnects.
pub(crate) async fn leave(client: AsyncClient, mut events: EventLoop) {
    let leaving = async { while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {} };
    // A broker that does not respond must not delay the stop. It delivers unacknowledged messages again.
    if client.try_disconnect().is_err() || timeout(Duration::from_secs(2), leaving).await.is_err() {
        tracing::warn!("left without a word: the broker does not listen");
    }
}
