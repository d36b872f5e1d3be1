//! How a service says that it does its work.

use std::sync::Mutex;

use tokio::sync::oneshot;

use crate::base::lock;

/// Says that a service does its work, so that what comes after it may start.
///
/// A service whose `start` takes it is ready when it is fired; to drop it unfired is to fail to
/// start. Without it, a service is ready as soon as its `start` first waits for something.
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

    /// The service is ready. A second call does nothing.
    pub fn fire(&self) {
        if let Some(sender) = lock(&self.sender).take() {
            // Nobody listens any more when the service is already being stopped.
            let _ = sender.send(());
        }
    }
}
