//! Two services of `rs-zero`, told at once.

use benches::servers::{addresses, serve};
use rs_zero::core::{CoreError, CoreResult, ServiceGroup, ShutdownToken};

#[tokio::main]
async fn main() -> CoreResult<()> {
    let mut services = ServiceGroup::new();
    for address in addresses() {
        services.add_fn(address.clone(), move |shutdown: ShutdownToken| {
            let address = address.clone();
            async move {
                let stopped = async move { shutdown.cancelled().await };
                serve(&address, stopped).await.map_err(|error| CoreError::Service(error.to_string()))
            }
        });
    }
    services.start().await
}
