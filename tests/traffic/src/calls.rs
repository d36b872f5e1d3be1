//! The same over gRPC: calls of one answer, and of streams.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, stream};
use group::grpc::RequestExt as _;
use grpc_tests::item;
use grpc_tests::proto::Item;
use grpc_tests::proto::inventory_server::{Inventory, InventoryServer};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::{A_WHILE, LONG, take};

/// The items of a stream that ends by itself.
pub const FEW: u64 = 5;

/// The name of a stream's last item.
pub const LAST: &str = "last";

/// Answers calls.
#[derive(Debug)]
pub struct Calls {
    /// Fires when the server is asked to stop, if the server does not pass that on itself.
    stop: Option<CancellationToken>,
}

impl Calls {
    /// For the server of a group.
    #[must_use]
    pub fn in_group() -> InventoryServer<Self> {
        InventoryServer::new(Self { stop: None })
    }

    /// For a server that stops with this token.
    #[must_use]
    pub fn until(stop: CancellationToken) -> InventoryServer<Self> {
        InventoryServer::new(Self { stop: Some(stop) })
    }
}

type Items = Pin<Box<dyn Stream<Item = Result<Item, Status>> + Send>>;

#[tonic::async_trait]
impl Inventory for Calls {
    /// A short answer at once, or a long one after a while.
    async fn stock(&self, request: Request<Item>) -> Result<Response<Item>, Status> {
        take();
        let count = request.into_inner().count;
        if count == 0 {
            return Ok(Response::new(item("short", 0)));
        }
        sleep(A_WHILE).await;
        Ok(Response::new(item("x".repeat(LONG), count)))
    }

    type WatchStream = Items;

    /// This many items, or fewer if the server stops. The last one says how many there were.
    async fn watch(&self, request: Request<Item>) -> Result<Response<Items>, Status> {
        take();
        let stop = match &self.stop {
            Some(stop) => stop.clone(),
            None => request.shutdown()?.token(),
        };
        let wanted = request.into_inner().count;
        let items = stream::unfold(Some(0), move |sent| {
            let stop = stop.clone();
            async move {
                let sent = sent?;
                let goes_on = sent < wanted
                    && tokio::select! {
                        biased;
                        () = stop.cancelled() => false,
                        () = sleep(Duration::from_millis(1)) => true,
                    };
                let next = sent + 1;
                Some(if goes_on { (Ok(item("one", next)), Some(next)) } else { (Ok(item(LAST, sent)), None) })
            }
        });
        Ok(Response::new(Box::pin(items)))
    }

    /// How many came.
    async fn add(&self, request: Request<Streaming<Item>>) -> Result<Response<Item>, Status> {
        take();
        let mut items = request.into_inner();
        let mut count = 0;
        while items.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(item("all", count)))
    }

    type EchoStream = Items;

    /// Each item, as it comes.
    async fn echo(&self, request: Request<Streaming<Item>>) -> Result<Response<Items>, Status> {
        take();
        Ok(Response::new(Box::pin(request.into_inner())))
    }
}
