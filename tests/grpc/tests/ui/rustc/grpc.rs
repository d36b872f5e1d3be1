//! What rustc finds, in our words.

use std::sync::Arc;

use group::grpc::{Channel, Routes};
use group::{Group, service};

#[derive(Default)]
struct Tonic;

#[service(grpc)]
impl Tonic {
    fn grpc(self: Arc<Self>, services: group::tonic::service::Routes) -> group::tonic::service::Routes {
        services
    }
}

#[derive(Default)]
struct Result;

#[service(grpc)]
impl Result {
    fn grpc(self: Arc<Self>, services: Routes) -> Option<Routes> {
        Some(services)
    }
}

#[derive(Default)]
struct Database;

#[service]
impl Database {
    async fn start(&self) {}
}

struct Reader;

#[service]
impl Reader {
    fn new(_: Channel<Database>) -> Self {
        Reader
    }

    async fn start(&self) {}
}

fn main() {
    Group::new().remote::<Database>("http://database:1");
}
