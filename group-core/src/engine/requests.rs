//! The requests about single services that are under way, and what came of each.

use tokio::sync::oneshot;

use crate::base::error::Failure;
use crate::lifecycle::Lifecycle;
use crate::lifecycle::interface::{Action, ByHand, Id, Reason, Refusal};
use crate::running::control_error::{Answer, ControlError};
use crate::running::shared::Shared;

/// The requests that wait for an answer.
#[derive(Default)]
pub(crate) struct Requests(Vec<Request>);

struct Request {
    what: ByHand,
    id: Id,
    /// The service, and all that go along with it.
    along: Vec<Id>,
    answer: oneshot::Sender<Answer>,
}

/// The reason why a request is refused, if it is.
pub(crate) fn refusal(lifecycle: &Lifecycle, shared: &Shared, what: ByHand, id: Id) -> Option<ControlError> {
    let name = |id: Id| shared.members.spec(id).get_name().to_owned();
    let refused = lifecycle.refusal(what, id).map(|refusal| match refusal {
        Refusal::NotRunning => ControlError::Stopping,
        Refusal::KeptDownBy(other) => ControlError::KeptDownBy(name(other)),
        Refusal::Lacks(service, need) => ControlError::Lacks { service: name(service), need: name(need) },
        Refusal::Abandoned(service) => ControlError::Blocked(name(service)),
    });
    let runs_once = || {
        let mut to_return = lifecycle.to_return(what, id).into_iter();
        to_return.find_map(|id| shared.starts_once(id)).map(ControlError::RunsOnce)
    };
    refused.or_else(runs_once)
}

impl Requests {
    /// Keeps a request that is not refused.
    pub(crate) fn add(&mut self, what: ByHand, id: Id, along: Vec<Id>, answer: oneshot::Sender<Answer>) {
        self.0.push(Request { what, id, along, answer });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers those of which it is known, after these actions, what came of them. `failure` finds the last failure of a
    /// service.
    pub(crate) fn answer(&mut self, lifecycle: &Lifecycle, actions: &[Action], failure: impl Fn(Id) -> Failure) {
        for request in std::mem::take(&mut self.0) {
            match request.came_of(lifecycle, actions, &failure) {
                // Fails if nobody waits for it any more.
                Some(answer) => drop(request.answer.send(answer)),
                None => self.0.push(request),
            }
        }
    }
}

impl Request {
    fn came_of(&self, lifecycle: &Lifecycle, actions: &[Action], failure: impl Fn(Id) -> Failure) -> Option<Answer> {
        let is_concerned = |id: &Id| self.what != ByHand::Stop && self.along.contains(id);
        for action in actions {
            match *action {
                Action::TellDown(id) if id == self.id && self.what == ByHand::Stop => return Some(Ok(())),
                Action::TellStopping(Reason::Failed(id)) if is_concerned(&id) => {
                    return Some(Err(ControlError::Failed(failure(id))));
                }
                Action::TellLameDuck(_) | Action::TellStopping(_) => return Some(Err(ControlError::Stopping)),
                _ => {}
            }
        }
        let must_settle = if self.what == ByHand::Stop { std::slice::from_ref(&self.id) } else { &self.along };
        if must_settle.iter().any(|&id| lifecycle.is_under_way(id)) {
            return None;
        }
        let lost = self.along.iter().copied().find(|id| is_concerned(id) && lifecycle.is_lost(*id));
        Some(match lost {
            Some(lost) => Err(ControlError::Failed(failure(lost))),
            None if self.what != ByHand::Stop && lifecycle.is_down(self.id) => Err(ControlError::Overruled),
            None => Ok(()),
        })
    }
}
