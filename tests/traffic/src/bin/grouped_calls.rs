//! Answers the calls in a group.

use std::sync::Arc;

use group::grpc::Routes;
use group::service;
use traffic::calls::Calls;

#[derive(Default)]
struct Web;

#[service(grpc = "127.0.0.1:0")]
impl Web {
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services.add_service(Calls::in_group())
    }

    async fn stop(&self) {
        println!("taken {}", traffic::taken());
    }
}

#[group::main]
async fn main() {}
