//! `.await` where `async` was forgotten.

use group::{Shutdown, service};

#[derive(Default)]
struct Morning;

#[service]
impl Morning {
    fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:0")]
impl Evening {
    #[get("/")]
    fn index(&self) -> String {
        load().await
    }
}

async fn load() -> String {
    String::new()
}

fn main() {
    group::Group::new().add_type::<Morning>().add_type::<Evening>();
}
