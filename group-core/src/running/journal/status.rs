//! The status of a group, from its journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::error::Failure;
use crate::lifecycle::interface::{Id, Role};
use crate::lifecycle::plan::{Need, Plan};
use crate::record::service_status::{Known, ServiceStatus};
use crate::record::state::{Phase, State};
use crate::record::status::Status;
use crate::running::journal::Journal;
use crate::running::members::Members;

impl Journal {
    /// The state of the group and of every service, at this moment.
    pub(crate) fn status(&self, members: &Members, plan: &Arc<Plan>) -> Status {
        let now = self.now();
        // The last failure of each service.
        let failures = self.failures.kept().iter();
        let failed: HashMap<&str, &Failure> =
            failures.filter_map(|failure| Some((failure.service()?, failure))).collect();
        let name = |id: Id| members.spec(id).get_name().to_owned();
        let service = |id| self.service_status(id, now, members, plan, &failed);
        Status {
            phase: self.phase,
            plan: Arc::clone(plan),
            now,
            ready: self.all_ready,
            stopping: self.stopping.clone(),
            time_left: self.time_left(now),
            cause: self.failures.kept().iter().find(|failure| failure.is_fatal()).cloned(),
            so_far: self.so_far.into(),
            exit_code: self.exit_code,
            report: self.report.clone(),
            recent: self.recent.events(name, self.stopping.as_ref().map(|(_, reason)| reason)),
            forgotten: self.recent.forgotten,
            services: (0..members.len()).map(service).collect(),
            places: (0..members.len()).collect(),
        }
    }

    fn service_status(
        &self,
        id: Id,
        now: Moment,
        members: &Members,
        plan: &Plan,
        failed: &HashMap<&str, &Failure>,
    ) -> ServiceStatus {
        let (entry, spec) = (&self.services[id], members.spec(id));
        let name = spec.get_name();
        let named = |id: Id| members.spec(id).get_name().to_owned();
        let is_sidecar = |id: Id| members.spec(id).rules.role == Role::Sidecar;
        // Every other service comes after a sidecar.
        let is_said = |need: &&Need| is_sidecar(id) || !is_sidecar(need.id);
        let restarts = entry.restarts.as_ref();
        ServiceStatus {
            name: name.to_owned(),
            role: spec.rules.role,
            critical: spec.rules.critical,
            after: plan.declared(id).iter().filter(is_said).map(|need| named(need.id)).collect(),
            state: entry.state,
            since: entry.since.unwrap_or(Moment::FIRST),
            waits_for: self.waits_for(id, plan).into_iter().map(named).collect(),
            times: entry.times,
            ending: entry.ending,
            restarts: entry.restart_count(),
            last_restarts: restarts.iter().flat_map(|restarts| &restarts.last).copied().collect(),
            starts_again_in: restarts.and_then(|restarts| Some(restarts.next?.since(now))),
            last_failure: failed.get(name).copied().cloned(),
            known: Known::default(),
        }
    }

    /// The services that hold this one back: from being built, or from being asked to stop.
    fn waits_for(&self, id: Id, plan: &Plan) -> Vec<Id> {
        let state = |id: Id| self.services[id].state;
        let is_settled = |id: Id| {
            matches!(state(id), State::Ready | State::Completed | State::Failed | State::Stopped | State::Gone)
        };
        match (self.phase, state(id)) {
            (Phase::Stopping, State::Stopping | State::Gone) => Vec::new(),
            (Phase::Stopping, _) => {
                plan.needed_by(id).map(|need| need.id).filter(|&later| state(later) != State::Gone).collect()
            }
            (_, State::Waiting) => plan.needs(id).map(|need| need.id).filter(|&first| !is_settled(first)).collect(),
            _ => Vec::new(),
        }
    }

    /// The time that is left of the budget, while the group stops.
    fn time_left(&self, now: Moment) -> Option<Duration> {
        let (asked, _) = self.stopping.as_ref().filter(|_| self.phase != Phase::Stopped)?;
        Some(self.budget.total().saturating_sub(now.since(*asked)))
    }
}
