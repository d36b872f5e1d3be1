//! Services that must report regularly that they work.

use std::fmt;
#[cfg(feature = "metrics")]
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::base::clock::FOREVER;
use crate::base::error::BoxError;
use crate::base::lock;
use crate::base::text::Took;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// A timer that fires later than this tells nothing about the service: the process was stopped meanwhile, or its
/// runtime was. A tenth of the interval, if that is more.
const LATE: Duration = Duration::from_millis(50);

/// A service's regular sign of life, from [`Context::heartbeat`].
///
/// If [`beat`](Self::beat) is not called within the interval, the service has failed: it is no longer
/// healthy, its `start` is dropped, and it is restarted if its [`Restart`](crate::Restart) allows that. The
/// duty ends when the `Heartbeat` is dropped, or when the service is asked to stop.
///
/// If the whole process was suspended meanwhile (SIGSTOP, a paused virtual machine), or its threads were blocked, the
/// service gets one more interval.
///
/// A heartbeat detects a service that waits for something that never comes. A service that blocks its
/// thread is detected only when the group stops, by the thread that watches the group's deadline.
///
/// ```
/// use group::{Context, Group};
/// use std::time::Duration;
///
/// async fn consume(cx: Context) {
///     let (heartbeat, shutdown) = (cx.heartbeat(Duration::from_secs(30)), cx.shutdown());
///     while !shutdown.is_requested() {
///         // … take a message, or find that there is none …
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
pub struct Heartbeat {
    beats: watch::Sender<()>,
    failure: Arc<Mutex<Option<BoxError>>>,
    #[cfg(feature = "metrics")]
    cx: Context,
}

impl Heartbeat {
    /// Reports that the service works. A beat in half of the interval leaves room for delays.
    pub fn beat(&self) {
        #[cfg(feature = "metrics")]
        self.cx.member().measures().beats.fetch_add(1, Relaxed);
        self.beats.send_replace(());
    }

    /// Fails the service at once, with this error. If it is called more than once, the first error counts.
    pub fn fail(&self, error: impl Into<BoxError>) {
        // Errors are code of the user's, and none of it runs under the lock.
        let error = error.into();
        let mut failure = lock(&self.failure);
        let late = if failure.is_some() { Some(error) } else { failure.replace(error) };
        drop(failure);
        drop(late);
        self.beats.send_replace(());
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").finish_non_exhaustive()
    }
}

impl Context {
    /// Requires a sign of life from the service, from now on and at least this often: see [`Heartbeat`].
    ///
    /// # Panics
    ///
    /// If it is called outside of a tokio runtime.
    #[must_use = "the duty ends when it is dropped"]
    pub fn heartbeat(&self, at_least_every: Duration) -> Heartbeat {
        let (beats, mut heard) = watch::channel(());
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let (shutdown, cx) = (Shutdown::beside_start(self.clone()), self.clone());
        let listen = async move {
            loop {
                let due = Instant::now() + at_least_every.min(FOREVER);
                let beat = timeout(at_least_every, heard.changed()).await;
                let failed = lock(&failed).take();
                match (failed, beat) {
                    (Some(error), _) => return Err(error),
                    (None, Ok(Ok(()))) => {}
                    (None, Ok(Err(_dropped))) => return Ok(()),
                    (None, Err(_elapsed)) if due.elapsed() > LATE.max(at_least_every / 10) => {}
                    (None, Err(_elapsed)) => {
                        cx.member().miss_heartbeat();
                        #[cfg(feature = "metrics")]
                        cx.member().measures().missed_beats.fetch_add(1, Relaxed);
                        return Err(format!("no sign of life for {} (heartbeat)", Took(at_least_every)).into());
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
        Heartbeat {
            beats,
            failure,
            #[cfg(feature = "metrics")]
            cx: self.clone(),
        }
    }
}
