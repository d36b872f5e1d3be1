//! A small shop in one process: HTTP, gRPC, a queue, a ticker and a database. Its README.md describes how to try it,
//! how to look at it while it runs, and the way of an order.

mod broker;
mod database;
mod gateway;
mod inventory;
mod mqtt;
mod outbox;
mod report;
mod warehouse;

/// The code that is generated from `proto/shop.proto`.
mod proto {
    #![allow(clippy::pedantic, missing_docs, unreachable_pub)]
    tonic::include_proto!("shop");
    pub(crate) const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("shop");
}

#[group::main(admin = "127.0.0.1:9900")]
async fn main() {}
