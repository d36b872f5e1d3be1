//! gRPC services that say too little, or too much.

use std::sync::Arc;

use group::grpc::Routes;
use group::service;

#[derive(Default)]
struct NoAddress;

#[service]
impl NoAddress {
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct NoMethod;

#[service(grpc = "127.0.0.1:50051")]
impl NoMethod {
    async fn start(&self) {}
}

#[derive(Default)]
struct NoMethodNoAddress;

#[service(grpc)]
impl NoMethodNoAddress {}

#[derive(Default)]
struct TwoAddresses;

#[service(http = "127.0.0.1:8080", grpc = "127.0.0.1:50051")]
impl TwoAddresses {
    #[get("/")]
    async fn index(&self) {}

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct RoutesToo;

#[service(grpc = "127.0.0.1:50051")]
impl RoutesToo {
    #[get("/")]
    async fn index(&self) {}

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Gateway;

#[service(http = "127.0.0.1:8080")]
impl Gateway {}

#[derive(Default)]
struct Mounted;

#[service(http = Gateway)]
impl Mounted {
    #[get("/")]
    async fn index(&self) {}

    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Addresses;

#[service(grpc = "50051")]
impl Addresses {
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Port;

#[service(grpc = 50051)]
impl Port {
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct ByValue;

#[service(grpc)]
impl ByValue {
    fn grpc(self, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Boxed;

#[service(grpc)]
impl Boxed {
    fn grpc(self: Box<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct NoReceiver;

#[service(grpc)]
impl NoReceiver {
    fn grpc(services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct NoServices;

#[service(grpc)]
impl NoServices {
    fn grpc(self: Arc<Self>) -> Routes {
        Routes::new()
    }
}

#[derive(Default)]
struct NoResult;

#[service(grpc)]
impl NoResult {
    fn grpc(self: Arc<Self>, _services: Routes) {}
}

#[derive(Default)]
struct Waits;

#[service(grpc)]
impl Waits {
    async fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Ticks;

#[service(grpc)]
impl Ticks {
    #[every("1s")]
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

/// Each can be called all the same, so that nothing is said of those who call it.
fn uses() {
    fn called<S: group::grpc::Serve>() {}
    called::<NoAddress>();
    called::<TwoAddresses>();
    called::<RoutesToo>();
    called::<Mounted>();
    called::<Addresses>();
    called::<Port>();
    called::<ByValue>();
    called::<NoServices>();
    called::<Ticks>();
}

fn main() {}
