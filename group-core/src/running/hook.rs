//! The methods of a service that others call while it runs: `health` and `reload`.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::base::error::BoxError;
use crate::base::panic::caught;
use crate::running::member::NotingPolls;
use crate::running::one_life::OneLife;
use crate::running::remains::Remains;

impl OneLife {
    /// Runs a future of the service, within this time: where the service has a runtime of its own, there. The service is
    /// not gone while it runs. Returns `None` when the time is over.
    ///
    /// # Errors
    ///
    /// If it panics, or if the service is gone.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Option<T>, BoxError> {
        let remains = Remains::of(self).ok_or("it is gone")?;
        let hook = NotingPolls { of: self.clone(), future: async move { timeout(limit, future).await.ok() } };
        // The future is dropped first: its destructor is code of the service, too.
        let hook = async move { (caught(hook).await, remains).0 };
        let Some(own) = self.member().runtime() else { return hook.await };
        let mut there = JoinSet::new();
        there.spawn_on(hook, &own);
        // That runtime may be blocked, and then has no time of its own.
        match timeout(limit, there.join_next()).await {
            Ok(Some(ended)) => ended?,
            Ok(None) | Err(_) => Ok(None),
        }
    }
}
