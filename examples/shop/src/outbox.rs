//! Sends orders to the broker, again and again until they are packed.

use std::sync::Arc;
use std::time::Duration;

use group::{Shutdown, service};
use rumqttc::{AsyncClient, QoS};
use tokio::time::timeout;

use crate::broker::Broker;
use crate::database::Database;
use crate::mqtt::{ORDERS, leave, next};
use crate::warehouse::Warehouse;

/// The most orders in flight: a broker has room for so many.
const AT_ONCE: u32 = 100;
/// The time after which an order is sent again: a broker can lose it. The one in this process does when the process
/// ends.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Outbox {
    database: Arc<Database>,
    broker: Arc<Broker>,
}

/// Sends orders to the broker, until they are packed.
///
/// It starts after the warehouse, so that it stops before it: orders that were sent can still be packed.
#[service(role = "daemon", after(Warehouse))]
impl Outbox {
    fn new(database: Arc<Database>, broker: Arc<Broker>) -> Self {
        Self { database, broker }
    }

    /// It may be cut off at any point: orders that are not packed are still in the database at the next start.
    async fn start(&self, shutdown: Shutdown) -> anyhow::Result<()> {
        let (client, mut events) = self.broker.client("outbox", AT_ONCE as usize)?;
        tokio::select! {
            sent = self.send(&client) => sent?,
            () = async { loop { next(&mut events).await; } } => {}
            () = shutdown.requested() => {}
        }
        leave(client, events).await;
        Ok(())
    }
}

impl Outbox {
    async fn send(&self, client: &AsyncClient) -> anyhow::Result<()> {
        let mut written = self.database.written();
        loop {
            let orders = self.first().await?;
            let last = orders.last().map_or(0, |(number, _)| *number);
            for (_, message) in orders {
                client.publish(ORDERS, QoS::AtLeastOnce, false, message).await?;
            }
            let packed = async {
                while written.changed().await.is_ok() && self.has_any_until(last).await? {}
                anyhow::Ok(())
            };
            if let Ok(packed) = timeout(PATIENCE, packed).await {
                packed?;
            }
        }
    }

    async fn first(&self) -> anyhow::Result<Vec<(i64, String)>> {
        let first = self.database.read(|database| {
            let mut ask = database.prepare("SELECT number, message FROM outbox ORDER BY number LIMIT ?1")?;
            ask.query_map([AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        });
        first.await
    }

    async fn has_any_until(&self, last: i64) -> anyhow::Result<bool> {
        let ask = "SELECT EXISTS (SELECT * FROM outbox WHERE number <= ?1)";
        self.database.read(move |database| database.query_row(ask, [last], |row| row.get(0))).await
    }
}
