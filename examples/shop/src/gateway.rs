//! The front door, over HTTP.

use std::sync::Arc;

use group::axum::Json;
use group::axum::extract::Path;
use group::axum::http::StatusCode;
use group::grpc::Channel;
use group::service;
use group::tonic::{Code, Status};
use rusqlite::OptionalExtension as _;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::inventory::Inventory;
use crate::outbox::Outbox;
use crate::proto::QuoteRequest;
use crate::proto::inventory_client::InventoryClient;

/// The body of a request.
#[derive(Deserialize)]
struct Wanted {
    item: String,
    pieces: u32,
}

/// An order, as it goes through the broker.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) item: String,
    pub(crate) pieces: u32,
    pub(crate) price: i64,
}

type Refused = (StatusCode, String);

pub(crate) struct Gateway {
    database: Arc<Database>,
    inventory: InventoryClient<Channel<Inventory>>,
}

/// Takes orders over HTTP.
///
/// It starts after the outbox, so that it stops before it: orders that were accepted here can still be sent.
#[service(http = "127.0.0.1:8080", after(Outbox))]
impl Gateway {
    fn new(database: Arc<Database>, inventory: Channel<Inventory>) -> Self {
        Self { database, inventory: InventoryClient::new(inventory) }
    }

    /// The client chooses the id, so that it can repeat a request without an answer and still orders only once.
    #[put("/orders/{id}")]
    async fn order(&self, Path(id): Path<String>, Json(wanted): Json<Wanted>) -> Result<(StatusCode, String), Refused> {
        let Wanted { item, pieces } = wanted;
        let mut inventory = self.inventory.clone();
        let quote = inventory.quote(QuoteRequest { item: item.clone(), pieces }).await.map_err(refused)?;
        let price = quote.into_inner().price;
        let order = Order { id, item, pieces, price };
        let message = serde_json::to_string(&order).map_err(|error| internal(error.into()))?;
        // The order is on the disk before it is confirmed.
        let accepted = self.database.write(move |database| {
            let accept = "INSERT INTO outbox (id, message) SELECT ?1, ?2
                WHERE NOT EXISTS (SELECT * FROM orders WHERE id = ?1) ON CONFLICT DO NOTHING";
            database.execute(accept, params![order.id, message])
        });
        accepted.await.map_err(internal)?;
        Ok((StatusCode::ACCEPTED, format!("that will be {price} cents\n")))
    }

    #[get("/orders/{id}")]
    async fn state(&self, Path(id): Path<String>) -> Result<&'static str, Refused> {
        let found = self.database.read(move |database| {
            let ask = "SELECT 'packed\n' FROM orders WHERE id = ?1
                UNION SELECT 'accepted\n' FROM outbox WHERE id = ?1";
            database.query_row(ask, [id], |row| row.get::<_, String>(0)).optional()
        });
        match found.await.map_err(internal)?.as_deref() {
            Some("packed\n") => Ok("packed\n"),
            Some(_) => Ok("accepted\n"),
            None => Err((StatusCode::NOT_FOUND, "there is no such order\n".to_owned())),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn refused(status: Status) -> Refused {
    let code = match status.code() {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::FailedPrecondition => StatusCode::CONFLICT,
        _ => StatusCode::BAD_GATEWAY,
    };
    (code, format!("{}\n", status.message()))
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn internal(error: anyhow::Error) -> Refused {
    tracing::error!("{error:#}");
    (StatusCode::INTERNAL_SERVER_ERROR, "this went wrong, and is in the log\n".to_owned())
}
