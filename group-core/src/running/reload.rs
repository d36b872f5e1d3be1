//! Reload: each service takes in new settings while it runs.

use std::error::Error;
use std::fmt;
use std::pin::pin;

use tokio::time::timeout;

use crate::base::error::{BoxError, Chain, Failure};
use crate::base::lock;
use crate::base::panic::caught;
use crate::base::text::{Took, count};
use crate::lifecycle::event::Stage;
use crate::record::status::State;
use crate::running::handle::Handle;
use crate::running::journal::PATIENCE;
use crate::running::message::Message;

/// A reload that did not succeed everywhere. A service that failed to reload keeps its old state,
/// and the group runs on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// The group stops, or has stopped.
    Stopping,
    /// No service has a `reload`.
    Nothing,
    /// These services failed to reload. The group's report tells of them, too.
    Failed(Vec<Failure>),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the group stops, so it cannot reload"),
            Self::Nothing => f.write_str("no service has a `reload`"),
            Self::Failed(failed) => {
                let each = failed.iter().map(|failure| Chain(failure).to_string());
                f.write_str(&each.collect::<Vec<_>>().join("; "))
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
        self.shared.ready.wait().await;
        let _one_at_a_time = self.shared.reloading.lock().await;
        let mut reloading = Reloading::begin(self);
        let (mut reloaded, mut failed) = (0, Vec::new());
        for (id, member) in self.shared.members.iter().enumerate() {
            let name = member.spec.get_name();
            reloading.service = Some(name);
            let reloads = self.reload_one(id).await;
            reloading.service = None;
            match reloads {
                None => continue,
                Some(Ok(())) => tracing::info!(target: "group", service = name, "{name} has reloaded"),
                Some(Err(error)) => {
                    let failure = Failure::new(Some(name), Stage::Reload, false, error);
                    lock(&self.shared.journal).reload_failed(failure.clone());
                    failed.push(failure);
                }
            }
            reloaded += 1;
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

    /// `None` when there is nothing to reload.
    async fn reload_one(&self, id: usize) -> Option<Result<(), BoxError>> {
        let member = &self.shared.members[id];
        let state = lock(&self.shared.journal).state(id);
        let service = member.instance().filter(|_| state == State::Ready)?;
        let limit = member.spec.start_limit();
        let mut reloads = pin!(timeout(limit, caught(service.reload())));
        let reloaded = if let Ok(reloaded) = timeout(PATIENCE, &mut reloads).await {
            reloaded
        } else {
            let (name, waited, limit) = (member.spec.get_name(), Took(PATIENCE), Took(limit));
            tracing::info!(target: "group", service = name, "still waiting for {name} to reload ({waited}; start_timeout {limit})");
            reloads.await
        };
        match reloaded {
            Ok(Ok(result)) => result,
            Ok(Err(panicked)) => Some(Err(panicked)),
            Err(_) => Some(Err(format!("it has not reloaded after {} (start_timeout)", Took(limit)).into())),
        }
    }
}

/// The group shows that it reloads as long as this is there.
struct Reloading<'a> {
    handle: &'a Handle,
    /// Which service does.
    service: Option<&'a str>,
}

impl<'a> Reloading<'a> {
    fn begin(handle: &'a Handle) -> Self {
        lock(&handle.shared.journal).reloading();
        Self { handle, service: None }
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        lock(&self.handle.shared.journal).reloaded();
        if let Some(service) = self.service {
            let why = if self.handle.is_stopping() { "the group stops" } else { "nobody waits for it any more" };
            tracing::warn!(target: "group", service, "{service} was cut off while it reloaded: {why}");
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
