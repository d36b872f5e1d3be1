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
        let services = OneLife::all(&self.shared);
        for (place, life) in services.iter().cloned().enumerate() {
            asked.spawn(async move { (place, health_of(&life).await) });
        }
        let mut answers: Vec<_> = asked.join_all().await;
        answers.sort_unstable_by_key(|(place, _)| *place);
        let named = |(life, (_, health)): (&OneLife, (usize, Health))| ServiceHealth {
            name: life.member().spec.get_name().to_owned(),
            health,
        };
        let mut answers: Vec<_> = services.iter().zip(answers).map(named).collect();
        weigh_groups(&services, &mut answers);
        answers
    }
}

/// A service that is a group is as healthy as those inside of it.
fn weigh_groups(services: &[OneLife], answers: &mut [ServiceHealth]) {
    // From the end, as the innermost ones come last.
    for place in
        (0..services.len()).rev().filter(|&place| services[place].shared().inner_of(services[place].id()).is_some())
    {
        let (before, inside) = answers.split_at_mut(place + 1);
        let group = &mut before[place];
        let prefix = format!("{}/", group.name);
        let worst = inside.iter().take_while(|inside| inside.name.starts_with(&prefix)).max_by_key(|one| &one.health);
        if let (Health::Healthy, Some(worst)) = (&group.health, worst) {
            group.health = match &worst.health {
                Health::Unhealthy(why) => Health::Unhealthy(format!("{}: {why}", worst.name)),
                other => other.clone(),
            };
        }
    }
}

async fn health_of(life: &OneLife) -> Health {
    let state = lock(&life.shared().journal).state(life.id());
    let service = match (state, life.member().instance()) {
        (State::Ready | State::Stopping, Some(service)) => service,
        (State::Completed, _) => return Health::Healthy,
        (state, _) => return Health::Unhealthy(state.to_string()),
    };
    // Its error is the service's code, too.
    let health = life.run(LIMIT, async { told(service.health().await) });
    health.await.map_or_else(|panicked| told(Err(panicked)), |told| told.unwrap_or(Health::Unknown))
}

/// Turns the answer of a service into its health.
fn told(result: Result<(), BoxError>) -> Health {
    match result {
        Ok(()) => Health::Healthy,
        Err(error) if error.is::<Absent>() => Health::Healthy,
        Err(error) => Health::Unhealthy(Chain(&*error).to_string()),
    }
}
