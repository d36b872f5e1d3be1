//! Reload: each service takes in new settings while it runs.

use std::error::Error;
use std::fmt;

use crate::error::Chain;
use crate::panic::caught;
use crate::shared::{Message, lock};
use crate::status::State;
use crate::words::count;
use crate::{BoxError, Handle};

/// A reload that did not succeed everywhere. A service that failed to reload keeps its old state,
/// and the group runs on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// The group stops, or has stopped.
    Stopping,
    /// No service has a `reload`.
    Nothing,
    /// These services, by name, failed to reload.
    Failed(Vec<(String, BoxError)>),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the group stops, so it cannot reload"),
            Self::Nothing => f.write_str("no service has a `reload`"),
            Self::Failed(failed) => {
                let named =
                    failed.iter().map(|(name, error)| format!("`{name}` failed to reload: {}", Chain(&**error)));
                f.write_str(&named.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

impl Error for ReloadError {}

impl Handle {
    /// Reloads every ready service that has a `reload`, in start order, one at a time. While the
    /// group starts, it waits until that is done; reloads do not overlap.
    ///
    /// A service that fails to reload keeps its old state, and stays ready; the others are reloaded
    /// all the same. Each may take as long as its `start_timeout`.
    ///
    /// # Errors
    ///
    /// When the group stops, when no service has a `reload`, and when any failed to.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        tokio::select! {
            biased;
            () = self.stopping() => Err(ReloadError::Stopping),
            result = self.reload_each() => result,
        }
    }

    async fn reload_each(&self) -> Result<(), ReloadError> {
        self.shared.ready.cancelled().await;
        let _one_at_a_time = self.shared.reloading.lock().await;
        let (mut reloaded, mut failed) = (0, Vec::new());
        for (id, member) in self.shared.members.iter().enumerate() {
            if lock(&self.shared.journal).state(id) != State::Ready {
                continue;
            }
            let Some(service) = member.instance() else { continue };
            let limit = member.spec.start_timeout;
            let result = match tokio::time::timeout(limit, caught(service.reload())).await {
                Ok(Ok(None)) => continue,
                Ok(Ok(Some(result))) => result,
                Ok(Err(panicked)) => Err(panicked),
                Err(_) => Err(format!("it has not reloaded after {limit:?} (start_timeout)").into()),
            };
            reloaded += 1;
            let name = member.spec.get_name();
            match result {
                Ok(()) => tracing::info!(target: "group", service = name, "{name} has reloaded"),
                Err(error) => {
                    tracing::error!(target: "group", service = name, "`{name}` failed to reload, and keeps its old state: {}", Chain(&*error));
                    failed.push((name.to_owned(), error));
                }
            }
        }
        match (reloaded, failed.is_empty()) {
            (0, _) => Err(ReloadError::Nothing),
            (_, true) => {
                tracing::info!(target: "group", "{} reloaded", count(reloaded, "service"));
                Ok(())
            }
            (_, false) => Err(ReloadError::Failed(failed)),
        }
    }
}

/// Reloads in the background, because of a signal. Where there is nothing to reload, the signal
/// asks for a stop.
pub(crate) fn spawn(handle: Handle, signal: i32) {
    tokio::spawn(async move {
        if let Err(ReloadError::Nothing) = handle.reload().await {
            handle.shared.tell(Message::Signal(signal));
        }
    });
}
