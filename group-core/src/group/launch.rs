//! A plan becomes a running group.

#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

#[cfg(feature = "grpc")]
use crate::base::hash::TypeMap;
use crate::base::sync::Latch;
use crate::base::text::Took;
use crate::engine::driver::{Driver, Mailbox};
use crate::group::assemble::{Assembly, assembled};
use crate::group::declaration::Declaration;
#[cfg(feature = "grpc")]
use crate::group::declaration::Declared;
use crate::group::environment::Environment;
use crate::group::options::STOP_TIMEOUT;
use crate::lifecycle::Lifecycle;
use crate::lifecycle::budget::Budget;
use crate::lifecycle::interface::Rules;
use crate::lifecycle::plan::Plan;
use crate::record::report::Report;
use crate::running::handle::{Handle, Running};
use crate::running::journal::Journal;
use crate::running::lame_duck::LameDuck;
use crate::running::member::Member;
#[cfg(feature = "http")]
use crate::running::parts::Parts;
use crate::running::shared::Shared;

impl Declaration {
    /// Starts the group, and returns at once, with what fires when all services are ready.
    pub(super) fn launch(
        mut self,
        environment: Option<&Environment>,
        inbox: Arc<Mailbox>,
    ) -> Result<(Running, oneshot::Receiver<()>), Report> {
        self.apply_settings(environment);
        let Self { mut services, provided, schedule, stop_timeout, drain_delay, on_free_ports, mistakes, .. } = self;
        if on_free_ports {
            for service in &mut services {
                service.spec.take_free_port();
            }
        }
        let assembly = assembled(services, &provided, schedule, mistakes)?;
        #[cfg(feature = "http")]
        let mounts = assembly.mounts.into();
        #[cfg(feature = "grpc")]
        let elsewhere = elsewhere(&assembly.elsewhere);
        let Assembly { plan, members, factories, by_type, .. } = assembly;
        let stop_timeout = stop_timeout.unwrap_or(STOP_TIMEOUT);
        let budget = Budget::new(stop_timeout, drain_delay, plan.chain());
        warn_of_limits(&plan, &members, &budget);
        let plan = Arc::new(plan);
        let rules: Vec<Rules> = members.iter().map(|member| member.spec.rules).collect();
        let begun = Instant::now();
        let shared = Arc::new(Shared {
            members,
            by_type,
            #[cfg(feature = "http")]
            mounts,
            #[cfg(feature = "grpc")]
            elsewhere,
            #[cfg(feature = "http")]
            parts: Parts::default(),
            provided: Mutex::new(provided),
            begun,
            inbox: Arc::clone(&inbox) as _,
            ready: Latch::default(),
            reloading: tokio::sync::Mutex::new(()),
            plan: Arc::clone(&plan),
            stop_timeout,
            stopping: Latch::default(),
            lame_duck: Arc::new(LameDuck::new()),
            journal: Mutex::new(Journal::new(rules.len(), begun, budget)),
            report: watch::Sender::new(None),
        });
        let (started_sender, started) = oneshot::channel();
        let lifecycle = Lifecycle::new(plan, &rules, !drain_delay.is_zero());
        let driver = Box::new(Driver::new(Arc::clone(&shared), inbox, lifecycle, budget, factories, started_sender));
        // Spawned, never run inside `block_on`: there, every wake would cross threads.
        let driver = tokio::spawn(driver.run());
        Ok((Running::new(Handle::new(shared), driver), started))
    }
}

/// The URLs of the services that run elsewhere.
#[cfg(feature = "grpc")]
fn elsewhere(elsewhere: &[Declared]) -> TypeMap<Cow<'static, str>> {
    let place = |Declared { spec, type_id, .. }: &Declared| {
        let (name, url) = (spec.get_name(), spec.details().remote.clone()?);
        tracing::info!(target: "group", service = name, remote = &*url, "{name} runs elsewhere: {url}");
        Some((*type_id, url))
    };
    elsewhere.iter().filter_map(place).collect()
}

/// Limits that were set and together exceed the group's cannot all be kept. Those that nobody set
/// are only upper bounds.
fn warn_of_limits(plan: &Plan, members: &[Member], budget: &Budget) {
    let limit = |member: &Member| member.spec.details().stop_timeout;
    if members.iter().all(|member| limit(member).is_none()) {
        return;
    }
    let set = |id: usize| limit(&members[id]).filter(|&limit| limit != Duration::MAX);
    let longest = plan.longest(|id| set(id).unwrap_or_default());
    if longest > budget.turns() {
        let (longest, turns) = (Took(longest), Took(budget.turns()));
        tracing::warn!(
            target: "group",
            "services that stop one after the other may take {longest} (stop_timeout), \
             but the group leaves them {turns}: who comes last may be cut short"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::group::Group;
    use crate::service::shutdown::Shutdown;

    #[tokio::test]
    async fn what_comes_after_the_end_is_not_kept() {
        let mut group = Group::new();
        group.add_fn("service", |shutdown: Shutdown| async move { shutdown.requested().await });
        let inbox = Arc::<Mailbox>::default();
        let (running, started) = group.launch(Arc::clone(&inbox)).expect("it can be launched");
        started.await.expect("it starts");
        let handle = running.handle();
        assert!(running.stop().await.is_clean());
        handle.stop();
        assert!(!inbox.holds(|_| true));
    }
}
