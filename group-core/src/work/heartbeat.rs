//! A service that must say again and again that it works.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::base::error::BoxError;
use crate::base::lock;
use crate::base::text::Took;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// A sign of life that a service owes its group: taken from [`Context::heartbeat`].
///
/// When it has not [beaten](Self::beat) for as long as it should at most, the service has failed: it
/// is no longer healthy, its `start` is dropped, and it is started again if its
/// [`Restart`](crate::Restart) says so. To drop it, or to be asked to stop, ends the duty.
///
/// It finds what waits for something that never comes. What blocks its thread is found when the group
/// stops, by the thread that holds its deadline.
///
/// ```
/// use group::{Context, Group};
/// use std::time::Duration;
///
/// async fn consume(cx: Context) {
///     let (heartbeat, shutdown) = (cx.heartbeat(Duration::from_secs(30)), cx.shutdown());
///     while !shutdown.is_requested() {
///         // … take a message, or learn that there is none …
///         heartbeat.beat();
/// #       shutdown.requested().await;
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new().add_fn("consumer", consume).start().await.unwrap();
/// assert!(running.stop().await.is_clean());
/// # }
/// ```
#[derive(Debug)]
pub struct Heartbeat {
    beats: watch::Sender<()>,
    failure: Arc<Mutex<Option<BoxError>>>,
}

impl Heartbeat {
    /// The service works. To say so twice as often as needed leaves room for delays.
    pub fn beat(&self) {
        self.beats.send_replace(());
    }

    /// The service does not work any more, and has failed at once. The first error counts.
    pub fn fail(&self, error: impl Into<BoxError>) {
        lock(&self.failure).get_or_insert_with(|| error.into());
        self.beats.send_replace(());
    }
}

impl Context {
    /// From now on, the service must say at least this often that it works: see [`Heartbeat`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use = "dropping it ends the duty"]
    pub fn heartbeat(&self, at_least_every: Duration) -> Heartbeat {
        let (beats, mut heard) = watch::channel(());
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let shutdown = Shutdown::new(self.clone());
        let listen = async move {
            loop {
                let beat = timeout(at_least_every, heard.changed()).await;
                match (lock(&failed).take(), beat) {
                    (Some(error), _) => return Err(error),
                    (None, Ok(Ok(()))) => {}
                    (None, Ok(Err(_dropped))) => return Ok(()),
                    (None, Err(_elapsed)) => {
                        return Err(
                            format!("it has given no sign of life for {} (heartbeat)", Took(at_least_every)).into()
                        );
                    }
                }
            }
        };
        self.spawn(async move {
            tokio::select! {
                biased;
                () = shutdown.requested() => Ok(()),
                result = listen => result,
            }
        });
        Heartbeat { beats, failure }
    }
}
