//! How the services say they are.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::base::error::{Absent, Chain};
use crate::base::lock;
use crate::base::panic::caught;
use crate::record::status::State;
use crate::running::handle::Handle;

/// How long a service may take to say how it is, before the answer is "unknown". Kubernetes gives
/// a probe as long by default.
const LIMIT: Duration = Duration::from_secs(1);

/// How a service is. They are ordered: the worst is the greatest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Health {
    /// It is ready, and its `health`, if it has one, found nothing wrong.
    Healthy,
    /// It took longer than a second to answer.
    Unknown,
    /// It is not ready, or its `health` failed, and why.
    Unhealthy(String),
}

/// How one service is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceHealth {
    name: String,
    health: Health,
}

impl ServiceHealth {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}

impl Handle {
    /// Asks every service how it is, all at once, each for a second at most; in start order.
    ///
    /// This is what a service says of itself and of what it depends on. It changes neither the
    /// group's liveness nor its readiness: a database that is away for a minute is no reason to be
    /// killed.
    pub async fn health(&self) -> Vec<ServiceHealth> {
        let mut asked = JoinSet::new();
        for id in 0..self.shared.members.len() {
            let handle = self.clone();
            asked.spawn(async move { (id, handle.health_of(id).await) });
        }
        let mut answers: Vec<_> = asked.join_all().await;
        answers.sort_unstable_by_key(|(id, _)| *id);
        let named = |(id, health): (usize, Health)| ServiceHealth {
            name: self.shared.members[id].spec.get_name().to_owned(),
            health,
        };
        answers.into_iter().map(named).collect()
    }

    async fn health_of(&self, id: usize) -> Health {
        let state = lock(&self.shared.journal).state(id);
        let service = match (state, self.shared.members[id].instance()) {
            (State::Ready | State::Stopping, Some(service)) => service,
            (State::Completed, _) => return Health::Healthy,
            (state, _) => return Health::Unhealthy(state.to_string()),
        };
        match tokio::time::timeout(LIMIT, caught(service.health())).await {
            Err(_) => Health::Unknown,
            Ok(Ok(Ok(()))) => Health::Healthy,
            Ok(Ok(Err(error))) if error.is::<Absent>() => Health::Healthy,
            Ok(Ok(Err(error)) | Err(error)) => Health::Unhealthy(Chain(&*error).to_string()),
        }
    }
}
