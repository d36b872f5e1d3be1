//! Turns the plan of a group into a running group.

#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

#[cfg(feature = "grpc")]
use crate::base::hash::TypeMap;
use crate::base::panic::aborts;
use crate::base::sync::Latch;
use crate::base::text::Took;
use crate::engine::driver::{Driver, Mailbox};
use crate::group::Group;
use crate::group::assemble::{Assembly, Nested, assembled};
use crate::group::declaration::Declaration;
#[cfg(feature = "grpc")]
use crate::group::declaration::Declared;
use crate::group::environment::Environment;
use crate::group::nest::Nest;
use crate::lifecycle::budget::Budget;
use crate::lifecycle::interface::Id;
use crate::lifecycle::plan::Plan;
use crate::record::report::Report;
use crate::record::report_file::ReportFile;
use crate::running::abort;
use crate::running::guards::Guards;
use crate::running::handle::{Handle, Running, Unseen};
use crate::running::journal::Journal;
use crate::running::lame_duck::LameDuck;
use crate::running::member::Member;
use crate::running::members::Members;
#[cfg(feature = "metrics")]
use crate::running::metrics::Metrics;
#[cfg(feature = "http")]
use crate::running::parts::Parts;
#[cfg(feature = "http")]
use crate::running::processors::Processors;
use crate::running::reloads::Reloads;
use crate::running::shared::{Outer, Provided, Shared};
use crate::service::{Factory, made};
use crate::spec::GROUP_STOP_TIMEOUT;
use crate::spec::serve::Serving;

/// A running group, and the channel that fires when all of its services are ready.
type Launched = (Running, oneshot::Receiver<()>);

impl Group {
    /// Starts the group, and returns at once.
    ///
    /// # Errors
    ///
    /// With the report, if the setup of the group is invalid.
    pub(super) fn launch(self, inbox: Arc<Mailbox>) -> Result<Launched, Report> {
        self.declared.launch(self.environment.as_ref(), inbox, self.unseen)
    }

    /// As [`launch`](Self::launch). If the setup is invalid, the guards are dropped by the time that this returns.
    pub(super) async fn launch_or_release(self, inbox: Arc<Mailbox>) -> Result<Launched, Report> {
        let guards = self.declared.guards.clone();
        let limit = self.declared.stop_timeout.unwrap_or(GROUP_STOP_TIMEOUT);
        match self.launch(inbox) {
            Ok(launched) => Ok(launched),
            // The file has the mistakes in the setup already.
            Err(report) => Err(guards.release(report, || (), limit, None).await),
        }
    }

    /// Starts the group for a test that observes it, and returns at once.
    #[cfg(feature = "testing")]
    pub(crate) fn start_observed(&mut self) -> Result<Running, Report> {
        self.take()?.launch(Arc::default()).map(|(running, _started)| running)
    }
}

impl Declaration {
    fn launch(
        mut self,
        environment: Option<&Environment>,
        inbox: Arc<Mailbox>,
        unseen: Option<Unseen>,
    ) -> Result<Launched, Report> {
        #[cfg(feature = "config")]
        let reloads = Reloads::that_read(self.reread(environment.is_some()));
        #[cfg(not(feature = "config"))]
        let reloads = Reloads::default();
        self.settle(environment);
        self.take_free_ports();
        let Self {
            services,
            provided,
            guards,
            schedule,
            stop_timeout,
            drain_delay,
            drain_quiet,
            report_file,
            mistakes,
            serve,
            ..
        } = self;
        let assembly =
            assembled(services, &provided, schedule, mistakes).inspect_err(|report| report_file.write(report))?;
        let total = stop_timeout.unwrap_or(GROUP_STOP_TIMEOUT);
        let budget = Budget::new(total, drain_delay, assembly.plan.chain()).with_quiet(drain_quiet);
        warn_of_limits(&assembly.plan, &assembly.members, &budget);
        let (shared, factories) = share(
            assembly,
            HandedOn {
                outer: None,
                provided,
                guards,
                serve,
                #[cfg(feature = "metrics")]
                metrics: self.metrics,
                report_file,
                reloads,
            },
            budget,
            Arc::clone(&inbox),
        );
        if aborts() {
            abort::expect(&shared);
        }
        let (driver, started) = Driver::new(Arc::clone(&shared), inbox, budget, factories, !drain_delay.is_zero());
        // Spawned, never run inside `block_on`: there, every wake would cross threads.
        let driver = tokio::spawn(driver.run());
        Ok((Running::new(Handle::new(shared), driver, unseen), started))
    }

    /// Gives every HTTP service a free port, if the group is to have them.
    fn take_free_ports(&mut self) {
        let everywhere = self.on_free_ports;
        if everywhere {
            for service in &mut self.services {
                service.spec.take_free_port();
            }
        }
        for inner in self.inner_groups() {
            inner.on_free_ports |= everywhere;
            inner.take_free_ports();
        }
    }
}

/// The parts of a declaration that a running group takes as they are.
struct HandedOn {
    /// The group around it, and the service of that which it is.
    outer: Option<(Arc<Shared>, Id)>,
    provided: Vec<Provided>,
    guards: Guards,
    /// Where servers serve that do not say it themselves.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "nothing serves"))]
    serve: Serving,
    #[cfg(feature = "metrics")]
    metrics: Metrics,
    report_file: ReportFile,
    reloads: Reloads,
}

/// Makes the state that the whole group shares. Returns it with the factories of the services.
fn share(
    assembly: Assembly,
    handed_on: HandedOn,
    budget: Budget,
    inbox: Arc<Mailbox>,
) -> (Arc<Shared>, Vec<Option<Factory>>) {
    #[cfg(feature = "http")]
    let mounts = assembly.mounts.into();
    #[cfg(feature = "grpc")]
    let elsewhere = elsewhere(&assembly.elsewhere);
    let Assembly { plan, members, mut factories, by_type, nests, .. } = assembly;
    let outer = handed_on.outer.as_ref().map(|(group, _)| group);
    let begun = outer.map_or_else(Instant::now, |group| group.begun);
    let lame_duck = outer.map_or_else(|| Arc::new(LameDuck::new()), |group| Arc::clone(&group.lame_duck));
    let outer = handed_on.outer.as_ref().map(|(group, id)| Outer::new(group, *id));
    let journal = Journal::new(members.len(), begun, budget, handed_on.report_file);
    let journal = match &outer {
        Some(outer) => journal.inside(outer.for_journal()),
        None => journal,
    };
    let shared = Arc::new(Shared {
        outer,
        inner: Mutex::default(),
        members: Members::new(members),
        by_type,
        #[cfg(feature = "http")]
        mounts,
        #[cfg(feature = "grpc")]
        elsewhere,
        #[cfg(feature = "http")]
        parts: Parts::default(),
        provided: Mutex::new(handed_on.provided),
        guards: handed_on.guards,
        #[cfg(feature = "http")]
        processors: Processors::new(handed_on.serve),
        begun,
        inbox,
        aimed: Notify::new(),
        ready: Latch::default(),
        reloads: handed_on.reloads,
        plan: Arc::new(plan),
        stop_timeout: budget.total(),
        stopping: Latch::default(),
        last_grace: Latch::default(),
        hears_signals: AtomicBool::new(false),
        ends_runtime: AtomicBool::new(false),
        lame_duck,
        #[cfg(feature = "metrics")]
        metrics: handed_on.metrics,
        runtime: tokio::runtime::Handle::current(),
        journal: Mutex::new(journal),
        report: watch::Sender::new(None),
    });
    for (id, nested) in nests {
        factories[id] = Some(share_inside(&shared, id, nested));
    }
    (shared, factories)
}

/// Makes the state of a group that is a service of this one. Returns the factory of that service.
fn share_inside(outer: &Arc<Shared>, id: Id, nested: Nested) -> Factory {
    let Nested { assembly, provided, serve, .. } = nested;
    let limit = outer.members.spec(id).stop_limit().min(outer.stop_timeout);
    let budget = Budget::new(limit, Duration::ZERO, assembly.plan.chain());
    warn_of_limits(&assembly.plan, &assembly.members, &budget);
    let handed_on = HandedOn {
        outer: Some((Arc::clone(outer), id)),
        provided,
        guards: Guards::default(),
        serve,
        #[cfg(feature = "metrics")]
        metrics: outer.metrics.clone(),
        report_file: <_>::default(),
        reloads: Reloads::default(),
    };
    let (inner, factories) = share(assembly, handed_on, budget, Arc::default());
    outer.set_inner(id, Arc::clone(&inner));
    made(Nest::new(inner, factories))
}

/// Returns the URLs of the services that run elsewhere, and logs them.
#[cfg(feature = "grpc")]
fn elsewhere(elsewhere: &[Declared]) -> TypeMap<Cow<'static, str>> {
    let place = |Declared { spec, type_id, .. }: &Declared| {
        let (name, url) = (spec.get_name(), spec.details().remote.clone()?);
        tracing::info!(target: "group", service = name, remote = &*url, "{name} runs elsewhere: {url}");
        Some((*type_id, url))
    };
    elsewhere.iter().filter_map(place).collect()
}

/// Warns if the limits of the services together exceed the limit of the group, so that not all can be kept. Only
/// limits that were set count: a default is only an upper bound.
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
             but the group leaves them {turns}: the last ones may be cut short"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::service::shutdown::Shutdown;

    #[tokio::test]
    async fn messages_after_the_end_are_not_kept() {
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
