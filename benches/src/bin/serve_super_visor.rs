//! Two processes of `super-visor`, stopped in reverse.

use benches::servers::{addresses, serve};
use super_visor::{ProcResult, ShutdownSignal, Supervisor};

#[tokio::main]
async fn main() -> ProcResult {
    let mut supervisor = Supervisor::new();
    for address in addresses() {
        supervisor
            .add(move |shutdown: ShutdownSignal| super_visor::spawn(async move { serve(&address, shutdown).await }));
    }
    supervisor.start().await
}
