//! Two services of `supervised`, told at once. A third one listens for SIGTERM.

use benches::servers::{addresses, serve, terminated};
use supervised::{Context, Error, ServiceOutcome, SupervisorBuilder, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut supervisor = SupervisorBuilder::new(());
    for address in addresses() {
        supervisor = supervisor.add(service_fn("server", move |cx: Context<()>| {
            let address = address.clone();
            async move { serve(&address, cx.token().clone().cancelled_owned()).await }
        }));
    }
    let signal = service_fn("signal", |_: Context<()>| async {
        terminated().await;
        ServiceOutcome::requested_shutdown()
    });
    supervisor.add(signal).build().run().await.map(drop)
}
