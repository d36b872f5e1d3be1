//! Takes orders from the broker, and packs them.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::stream;
use group::{Context, Ready, service};
use rumqttc::{AsyncClient, Packet, Publish, QoS};
use rusqlite::params;

use crate::broker::Broker;
use crate::database::Database;
use crate::gateway::Order;
use crate::mqtt::{ORDERS, leave, next};

/// The room for acknowledgements that wait to be sent: one for every message that can be in flight, as MQTT numbers them
/// with 16 bits. With less room, a backlog could fill it. Then the order in flight would wait for room, which only the
/// event loop makes, and the event loop for the order in flight.
const ACKNOWLEDGEMENTS: usize = 1 << 16;

pub(crate) struct Warehouse {
    database: Arc<Database>,
    broker: Arc<Broker>,
}

/// Takes orders from the broker, and packs them.
#[service(role = "daemon")]
impl Warehouse {
    fn new(database: Arc<Database>, broker: Arc<Broker>) -> Self {
        Self { database, broker }
    }

    /// At the stop it takes no more orders, and finishes the one in flight.
    async fn start(&self, cx: Context, ready: Ready) -> anyhow::Result<()> {
        let (client, mut events) = self.broker.client("warehouse", ACKNOWLEDGEMENTS)?;
        let messages = stream::unfold(&mut events, |events| async {
            loop {
                match next(events).await {
                    Packet::Publish(message) => return Some((message, events)),
                    Packet::SubAck(_) => ready.fire(),
                    // Subscribes at each connection, as the broker may have lost the subscription.
                    Packet::ConnAck(_) => client.try_subscribe(ORDERS, QoS::AtLeastOnce).ok()?,
                    _ => {}
                }
            }
        });
        let packed = cx.for_each(messages, 1, |message| self.take(&client, message)).retry(3).await;
        leave(client, events).await;
        packed?;
        Ok(())
    }
}

impl Warehouse {
    /// Acknowledges a message once its order is packed: if the process ends before that, the broker delivers it again.
    async fn take(&self, client: &AsyncClient, message: Publish) -> anyhow::Result<()> {
        match serde_json::from_slice(&message.payload) {
            Ok(order) => self.pack(order).await?,
            // Without the acknowledgement, the broker would deliver the invalid order again and again.
            Err(error) => tracing::error!("what came from the broker is no order: {error}"),
        }
        client.ack(&message).await.context("cannot acknowledge an order")
    }

    /// Packs an order. An order that is packed already changes nothing.
    async fn pack(&self, Order { id, item, pieces, price }: Order) -> anyhow::Result<()> {
        let packed = self.database.write(move |database| {
            let pack = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            if database.execute(pack, params![id, item, pieces, price])? == 1 {
                database.execute("UPDATE stock SET pieces = pieces - ?1 WHERE item = ?2", params![pieces, item])?;
            }
            database.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
            Ok(())
        });
        packed.await
    }
}
