//! An HTTP service on the address that the first argument names, after one on a free port.

use group::{Group, service};

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:0")]
impl Morning {
    #[get("/")]
    async fn morning(&self) -> &'static str {
        "morning!"
    }

    async fn stop(&self) {
        println!("morning stopped");
    }
}

#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:0")]
impl Evening {
    #[get("/")]
    async fn evening(&self) -> &'static str {
        "evening!"
    }
}

#[group::main(cli = false)]
async fn main(group: &mut Group) {
    let address = std::env::args().nth(1).unwrap_or_default();
    group.configure("evening", |spec| spec.http(address));
}
