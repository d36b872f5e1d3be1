//! An inventory over gRPC, and a gateway that calls it: in this process, or at the address in
//! `GROUP_INVENTORY__REMOTE`.

use std::sync::Arc;

use group::axum::http::StatusCode;
use group::grpc::{Channel, Routes};
use group::service;
use grpc_tests::proto::DESCRIPTORS;
use grpc_tests::proto::inventory_client::InventoryClient;
use grpc_tests::{Shop, item};

#[derive(Default)]
struct Inventory {
    shop: Shop,
}

#[service(grpc = "127.0.0.1:0")]
impl Inventory {
    /// Prints when a call of `wait` has come.
    async fn start(&self) {
        loop {
            self.shop.call_came().await;
            println!("a call waits");
        }
    }

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services.add_service(self.shop.server()).reflection(DESCRIPTORS)
    }
}

struct Gateway {
    inventory: InventoryClient<Channel<Inventory>>,
}

#[service(http = "127.0.0.1:0")]
impl Gateway {
    fn new(inventory: Channel<Inventory>) -> Self {
        Self { inventory: InventoryClient::new(inventory) }
    }

    #[get("/nuts")]
    async fn nuts(&self) -> Result<String, StatusCode> {
        let answer = self.inventory.clone().stock(item("nuts", 0)).await;
        answer.map(|nuts| nuts.into_inner().count.to_string()).map_err(|_| StatusCode::BAD_GATEWAY)
    }
}

#[group::main]
async fn main() {}
