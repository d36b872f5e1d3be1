//! Two components of `notmad`, each a stage: stopped one after the other.

use benches::servers::{addresses, serve};
use notmad::{Component, Mad, MadError};
use tokio_util::sync::CancellationToken;

struct Server(String);

impl Component for Server {
    async fn run(&self, shutdown: CancellationToken) -> Result<(), MadError> {
        serve(&self.0, shutdown.cancelled_owned()).await.map_err(|error| MadError::Inner(error.into()))
    }
}

#[tokio::main]
async fn main() -> Result<(), MadError> {
    let [first, second] = addresses();
    Mad::builder().add(Server(second)).add(Server(first)).run().await
}
