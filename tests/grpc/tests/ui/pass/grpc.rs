//! Every form of `grpc`.

#![deny(warnings)]

use std::sync::Arc;

use group::grpc::{Channel, Routes, Serve};
use group::{Group, Shutdown, service};

#[derive(Default)]
struct Alone;

#[service(grpc = "127.0.0.1:0")]
impl Alone {
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Shared;

#[service(grpc = "unix:/run/shared.sock")]
impl Shared {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    fn grpc(&self, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Gateway;

#[service(http = "127.0.0.1:0")]
impl Gateway {}

#[derive(Default)]
struct Mounted;

#[service(http = Gateway, grpc)]
impl Mounted {
    #[get("/")]
    async fn index(&self) {}

    #[every("1h")]
    async fn tick(&self) {}

    fn grpc(self: std::sync::Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Generic<T>(T);

#[service(grpc, register = false)]
impl<T: Default + Send + Sync + 'static> Generic<T> {
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Conditional;

#[service(http = "127.0.0.1:0")]
impl Conditional {
    #[get("/")]
    async fn index(&self) {}

    #[cfg(unix)]
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }

    #[cfg(windows)]
    fn grpc(self: Arc<Self>, services: Routes) -> Routes {
        services
    }
}

#[derive(Default)]
struct Never;

#[service(http = "127.0.0.1:0")]
impl Never {
    #[get("/grpc")]
    async fn grpc(&self) {}
}

struct Calls;

#[service]
impl Calls {
    fn new(_: Channel<Alone>, _: Channel<Generic<u8>>) -> Self {
        Calls
    }

    async fn start(&self, _: Channel<Mounted>, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

fn main() {
    fn called<S: Serve>() {}
    called::<Conditional>();
    Group::new().remote::<Generic<u8>>("http://elsewhere:1");
}
