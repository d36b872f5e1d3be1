//! A picture of the moment, for a person who asks with a signal why nothing moves.
//!
//! It is taken and told on a thread of its own, beside the runtime, which may be blocked; and it takes no lock under which
//! code of the user's runs. To tell it may block for ever, where nobody reads the log.

use std::time::Duration;

use crate::base::text::{Limit, Took, count};
use crate::record::console;
use crate::record::service_status::ServiceStatus;
use crate::record::state::State;
use crate::record::status::Status;
use crate::running::handle::Handle;
use crate::running::jobs::RunningJobs;
use crate::running::log;
use crate::running::log::ServicePicture;
use crate::running::member::Member;
use crate::running::one_life::OneLife;
use crate::running::server::listed_with_ages;
use crate::running::threads::{Stuck, stuck_for};

/// A poll that takes longer than this blocks its thread.
const BLOCKED: Duration = Duration::from_millis(100);

/// Tells the picture of a group, or of a process that has none yet.
pub(crate) fn tell(group: Option<&Handle>, asked_by: &str) {
    let Some(group) = group else {
        return console::say(&format!("{asked_by}: the body of `main` runs, and there is no group yet"));
    };
    let stuck = stuck_for(BLOCKED);
    let status = group.status();
    log::picture(asked_by, &headline(&status));
    if status.report().is_none() {
        for (life, service) in OneLife::all(&group.shared).iter().zip(status.services()) {
            log::service_in_picture(&picture_of(life.member(), service, &status, &stuck));
        }
    }
}

/// `running, ready, for 3m 5s`.
fn headline(status: &Status) -> String {
    if let Some(report) = status.report() {
        return format!("the group has ended: {}", report.last_words());
    }
    let stopping = status.stopped_by().map_or_else(String::new, |reason| format!(", because {reason}"));
    let left = status.time_left().map_or_else(String::new, |left| format!(", {} left", Took(left)));
    let services = count(status.services().len(), "service");
    format!("{status}{stopping}{left}; {services}, {} after the start", Took(status.uptime()))
}

fn picture_of<'a>(
    member: &'a Member,
    service: &ServiceStatus,
    status: &Status,
    stuck: &'a [Stuck],
) -> ServicePicture<'a> {
    let (_, requests) = member.in_flight();
    let (tasks, tickers) = member.children().map_or((0, 0), |children| children.left());
    let jobs = member.jobs().map_or(0, RunningJobs::left);
    let blocked = stuck.iter().filter(|stuck| stuck.member == member.address());
    ServicePicture {
        service: member.spec.get_name(),
        state: service.state(),
        lasts: status.uptime().saturating_sub(service.state_at()),
        waits_for: waits_for(member, service),
        in_flight: requests.len(),
        requests: listed_with_ages(requests),
        tasks,
        tickers,
        jobs,
        blocked: blocked.map(|stuck| &*stuck.thread).collect(),
    }
}

fn waits_for(member: &Member, service: &ServiceStatus) -> Option<String> {
    if !service.waits_for().is_empty() {
        return Some(service.waits_for().join(", "));
    }
    match service.state() {
        State::Building => Some(format!("`new` (start_timeout {})", Limit(member.spec.start_limit()))),
        State::Starting => {
            let why = member.unfired().map_or_else(|| "`start`".to_owned(), |why| format!("`start`: {why}"));
            Some(format!("{why} (start_timeout {})", Limit(member.spec.start_limit())))
        }
        State::Restarting => service.starts_again_in().map(|wait| format!("its restart, in {}", Took(wait))),
        State::Stopping => Some(format!("its end (stop_timeout {})", Limit(member.spec.stop_limit()))),
        _ => None,
    }
}
