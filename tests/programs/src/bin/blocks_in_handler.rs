//! A server on one thread, which a request can block.

use group::service;

#[derive(Default)]
struct Web;

#[service(http = "127.0.0.1:0")]
impl Web {
    #[get("/blocks")]
    async fn blocks(&self) {
        println!("blocked");
        loop {
            std::thread::park();
        }
    }

    #[get("/held/{id}")]
    async fn held(&self) {
        println!("held");
        std::future::pending::<()>().await;
    }
}

#[group::main(flavor = "current_thread")]
async fn main() {}
