//! The signal with which a service reports that it is ready.

use std::sync::Mutex;

use tokio::sync::oneshot;

use crate::base::lock;

/// Reports that a service is ready, so that the services that come after it may start.
///
/// A service that takes it, in `new` or `start`, is ready once [`fire`](Self::fire) is called. If it is dropped
/// before, the service fails to start. A service without it is ready as soon as its `start` first waits for something.
///
/// ```
/// use group::{Group, Ready, Shutdown};
///
/// async fn serve(ready: Ready, shutdown: Shutdown) -> std::io::Result<()> {
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
///     ready.fire();
///     shutdown.requested().await;
///     drop(listener);
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new().add_fn("server", serve).start().await.unwrap();
/// # running.stop().await;
/// # }
/// ```
#[derive(Debug)]
pub struct Ready {
    sender: Mutex<Option<oneshot::Sender<()>>>,
}

impl Ready {
    pub(crate) fn new(hold: oneshot::Sender<()>) -> Self {
        Self { sender: Mutex::new(Some(hold)) }
    }

    /// Reports that the service is ready. A second call does nothing.
    pub fn fire(&self) {
        let sender = lock(&self.sender).take();
        if let Some(sender) = sender {
            // Fails when the service is already being stopped.
            let _ = sender.send(());
        }
    }
}
