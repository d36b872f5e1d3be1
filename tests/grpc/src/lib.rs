//! A shop's inventory over gRPC, as a service of a group.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use group::grpc::RequestExt as _;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

use crate::proto::Item;
use crate::proto::inventory_server::{self, InventoryServer};

/// What tonic makes of `proto/shop.proto`.
#[allow(missing_docs, clippy::pedantic)]
pub mod proto {
    tonic::include_proto!("shop");

    /// For reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shop.bin"));
}

/// Answers in ways that a test wants, and lets it look.
#[derive(Clone, Debug)]
pub struct Shop {
    /// A call of `wait` has come.
    pub came: Arc<Semaphore>,
    /// Lets a call of `wait` go on.
    pub gate: Arc<Semaphore>,
    /// Calls that were dropped before they were answered.
    pub dropped: Arc<AtomicUsize>,
    /// Notified by each of them.
    pub drops: Arc<Semaphore>,
}

impl Default for Shop {
    fn default() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { came: none(), gate: none(), dropped: Arc::default(), drops: none() }
    }
}

impl Shop {
    /// tonic's server of it.
    #[must_use]
    pub fn server(&self) -> InventoryServer<Self> {
        InventoryServer::new(self.clone())
    }

    /// Waits until a call of `wait`, or one that never ends, has come.
    pub async fn call_came(&self) {
        take(&self.came).await;
    }

    /// Waits until a call was dropped before it was answered.
    pub async fn call_dropped(&self) {
        take(&self.drops).await;
    }

    fn noting_drop(&self) -> NotesDrop {
        NotesDrop(self.clone())
    }
}

async fn take(semaphore: &Semaphore) {
    if let Ok(permit) = semaphore.acquire().await {
        permit.forget();
    }
}

struct NotesDrop(Shop);

impl NotesDrop {
    fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for NotesDrop {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
        self.0.drops.add_permits(1);
    }
}

/// An item.
#[must_use]
pub fn item(name: impl fmt::Display, count: u64) -> Item {
    Item { name: name.to_string(), count }
}

type Items = Pin<Box<dyn Stream<Item = Result<Item, Status>> + Send>>;

#[tonic::async_trait]
impl inventory_server::Inventory for Shop {
    async fn stock(&self, request: Request<Item>) -> Result<Response<Item>, Status> {
        let metadata = request.metadata().get("shop").cloned();
        let name = request.into_inner().name;
        match &*name {
            "wait" => {
                let drop = self.noting_drop();
                self.came.add_permits(1);
                take(&self.gate).await;
                drop.forget();
            }
            "never" => {
                let _drop = self.noting_drop();
                self.came.add_permits(1);
                std::future::pending::<()>().await;
            }
            "panic" => panic!("no such shelf"),
            "none" => return Err(Status::not_found("no such item")),
            _ => {}
        }
        let mut response = Response::new(item(name, 3));
        if let Some(value) = metadata {
            response.metadata_mut().insert("shop", value);
        }
        Ok(response)
    }

    type WatchStream = Items;

    async fn watch(&self, request: Request<Item>) -> Result<Response<Items>, Status> {
        let shutdown = request.shutdown()?;
        let asked = request.into_inner();
        let drop = self.noting_drop();
        let counts = stream::iter(1..).then(move |count| {
            let _in_hand = &drop;
            let name = asked.name.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert!(name != "panic" || count < 3, "the shelf has fallen");
                Ok(item(name, count))
            }
        });
        let end = async move {
            shutdown.requested().await;
        };
        Ok(Response::new(Box::pin(counts.take_until(end))))
    }

    async fn add(&self, request: Request<Streaming<Item>>) -> Result<Response<Item>, Status> {
        let mut items = request.into_inner();
        let mut count = 0;
        while let Some(item) = items.message().await? {
            count += item.count;
        }
        Ok(Response::new(item("all", count)))
    }

    type EchoStream = Items;

    async fn echo(&self, request: Request<Streaming<Item>>) -> Result<Response<Items>, Status> {
        Ok(Response::new(Box::pin(request.into_inner())))
    }
}
