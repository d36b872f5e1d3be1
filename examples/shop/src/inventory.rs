//! The inventory, over gRPC: the items and their prices.

use std::sync::Arc;

use group::grpc::Routes;
use group::service;
use group::tonic::{Request, Response, Status, async_trait};
use rusqlite::OptionalExtension as _;

use crate::database::Database;
use crate::proto::inventory_server::{self, InventoryServer};
use crate::proto::{DESCRIPTORS, QuoteReply, QuoteRequest};

pub(crate) struct Inventory {
    database: Arc<Database>,
}

/// Says over gRPC what there is, and what it costs.
///
/// The calls of the gateway go through memory. The address is for other programs, and for an inventory that runs
/// elsewhere.
#[service(grpc = "127.0.0.1:50051")]
impl Inventory {
    fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services.add_service(InventoryServer::from_arc(self)).reflection(DESCRIPTORS)
    }
}

#[async_trait]
impl inventory_server::Inventory for Inventory {
    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteReply>, Status> {
        let QuoteRequest { item, pieces } = request.into_inner();
        let name = item.clone();
        let found = self.database.read(move |database| {
            let ask = "SELECT price, pieces FROM stock WHERE item = ?1";
            database.query_row(ask, [name], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()
        });
        let found = found.await.map_err(|error| Status::internal(format!("{error:#}")))?;
        match found {
            None => Err(Status::not_found(format!("there is no {item}"))),
            Some((_, left)) if left < i64::from(pieces) => {
                Err(Status::failed_precondition(format!("there are only {left} pieces of {item}")))
            }
            Some((price, _)) => Ok(Response::new(QuoteReply { price: price * i64::from(pieces) })),
        }
    }
}
