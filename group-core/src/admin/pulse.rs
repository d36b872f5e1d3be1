//! Tells whether a runtime still runs tasks, from outside of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::base::lock;

/// A runtime that has run no task for this long is stuck. Ten times the longest pause that is usual for a busy one, and a
/// fraction of the time after which Kubernetes gives up by default (three probes, 10 s apart).
const STUCK: Duration = Duration::from_secs(5);

/// The time between two beats.
const INTERVAL: Duration = Duration::from_millis(500);

/// The beats of a runtime: a task that it is asked to run, again and again. The clock is not tokio's, which stands still in
/// some tests.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Option<Arc<Mutex<Instant>>>);

impl Pulse {
    /// The pulse of the runtime that answers: if it is stuck, nobody is answered.
    pub(super) fn of_this_runtime() -> Self {
        Self(None)
    }

    /// The pulse of another runtime, which must be [taken](Self::take).
    pub(super) fn of_another() -> Self {
        Self(Some(Arc::new(Mutex::new(Instant::now()))))
    }

    /// Asks the other runtime for its beats, for ever.
    pub(super) async fn take(&self, runtime: &Handle) {
        let Some(last) = &self.0 else { return std::future::pending().await };
        loop {
            let beat = Arc::clone(last);
            // Fails when the runtime shuts down; then there are no beats any more.
            let _ = runtime.spawn(async move { *lock(&beat) = Instant::now() }).await;
            sleep(INTERVAL).await;
        }
    }

    /// For how long the runtime has run nothing, if it is stuck.
    pub(super) fn is_missed_for(&self) -> Option<Duration> {
        let last = *lock(self.0.as_ref()?);
        Some(last.elapsed()).filter(|&silent| silent > STUCK)
    }
}
