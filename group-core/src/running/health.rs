//! The health of services, as each reports it.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::base::error::{Absent, BoxError, Chain};
use crate::base::lock;
use crate::record::state::State;
use crate::running::handle::Handle;
use crate::running::one_life::OneLife;

/// A `health` that takes longer than this is answered with [`Health::Unknown`]. It is also the default timeout of
/// Kubernetes' probes.
const LIMIT: Duration = Duration::from_secs(1);

/// The health of a service. The variants are ordered: the worst is the greatest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Health {
    /// It is ready, and its `health`, if it has one, found nothing wrong.
    Healthy,
    /// Its `health` took longer than a second.
    Unknown,
    /// It is not ready, or its `health` failed. Contains the reason.
    Unhealthy(String),
}

/// The health of one service, with its name.
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

    /// Its health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}

impl Handle {
    /// Calls the `health` of every service, all at the same time, and waits one second at most. The answers are
    /// in start order.
    ///
    /// A service reports here on itself and on what it depends on. The answers change neither the group's
    /// liveness nor its readiness: a database that is away for a minute is no reason to kill the process.
    pub async fn health(&self) -> Vec<ServiceHealth> {
        let mut asked = JoinSet::new();
        for id in 0..self.shared.members.len() {
            let handle = self.clone();
            asked.spawn(async move { (id, handle.health_of(id).await) });
        }
        let mut answers: Vec<_> = asked.join_all().await;
        answers.sort_unstable_by_key(|(id, _)| *id);
        let named = |(id, health): (usize, Health)| ServiceHealth {
            name: self.shared.members.spec(id).get_name().to_owned(),
            health,
        };
        answers.into_iter().map(named).collect()
    }

    async fn health_of(&self, id: usize) -> Health {
        let state = lock(&self.shared.journal).state(id);
        let life = OneLife::present(&self.shared, id);
        let service = match (state, life.member().instance()) {
            (State::Ready | State::Stopping, Some(service)) => service,
            (State::Completed, _) => return Health::Healthy,
            (state, _) => return Health::Unhealthy(state.to_string()),
        };
        // Its error is the service's code, too.
        let health = life.run(LIMIT, async { told(service.health().await) });
        health.await.map_or_else(|panicked| told(Err(panicked)), |told| told.unwrap_or(Health::Unknown))
    }
}

/// Turns the answer of a service into its health.
fn told(result: Result<(), BoxError>) -> Health {
    match result {
        Ok(()) => Health::Healthy,
        Err(error) if error.is::<Absent>() => Health::Healthy,
        Err(error) => Health::Unhealthy(Chain(&*error).to_string()),
    }
}
