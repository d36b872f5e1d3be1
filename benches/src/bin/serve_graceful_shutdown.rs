//! Two subsystems of `tokio-graceful-shutdown`, told at once.

use std::io;
use std::time::Duration;

use benches::servers::{addresses, serve};
use tokio_graceful_shutdown::errors::GracefulShutdownError;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

#[tokio::main]
async fn main() -> Result<(), GracefulShutdownError<io::Error>> {
    Toplevel::new(async |top: &mut SubsystemHandle<io::Error>| {
        for address in addresses() {
            top.start(SubsystemBuilder::new(
                address.clone(),
                async move |subsystem: &mut SubsystemHandle<io::Error>| {
                    serve(&address, subsystem.create_cancellation_token().cancelled_owned()).await
                },
            ));
        }
    })
    .catch_signals()
    .handle_shutdown_requests(Duration::from_secs(25))
    .await
}
