//! The ABI of another language, which no panic may pass.

use group::service;

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:0")]
impl Morning {
    extern "C" fn start(&self) {}

    async extern "C-unwind" fn stop(&self) {}

    extern fn health(&self) {}

    unsafe extern "C" fn reload(&self) {}

    extern "system" fn router(&self, routes: group::axum::Router) -> group::axum::Router {
        routes
    }

    #[get("/")]
    extern "C" fn index(&self) {}

    #[every("1s")]
    extern "C" fn tick(&self) {}

    extern "C" fn helper(&self) {}
}

struct Evening;

#[service(grpc = "127.0.0.1:0")]
impl Evening {
    extern "C" fn new() -> Self {
        Evening
    }

    extern "C" fn grpc(self: std::sync::Arc<Self>, services: group::grpc::Routes) -> group::grpc::Routes {
        services
    }
}

fn main() {
    group::Group::new().add_type::<Morning>().add_type::<Evening>();
}
