//! Two services of one generic type.

use group::{Shutdown, service};

#[derive(Default)]
struct Cache<T> {
    kept: T,
}

#[service(register = false)]
impl<T: Default + std::fmt::Debug + Send + Sync + 'static> Cache<T> {
    async fn start(&self, shutdown: Shutdown) {
        println!("a cache keeps {:?}", self.kept);
        shutdown.requested().await;
    }
}

#[group::main(services(Cache<Vec<u8>>, Cache<u8>))]
async fn main() {}
