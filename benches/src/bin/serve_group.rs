//! Two services of `group`.

use benches::servers::{ANSWER, addresses};
use group::{Group, service};

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:8080")]
impl Morning {
    #[get("/")]
    async fn answer(&self) -> &'static str {
        ANSWER
    }
}

#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:8081")]
impl Evening {
    #[get("/")]
    async fn answer(&self) -> &'static str {
        ANSWER
    }
}

#[group::main]
async fn main(group: &mut Group) {
    let [morning, evening] = addresses();
    group.configure("morning", |spec| spec.http(morning)).configure("evening", |spec| spec.http(evening));
}
