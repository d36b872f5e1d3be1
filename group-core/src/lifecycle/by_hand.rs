//! Services that are stopped, started and restarted by hand, while the group runs.
//!
//! A request changes only what is wanted: a service is *off* until it is asked for again. A service is kept down by each
//! one that is off among itself and those that it comes after. After each input,
//! [`go_on_by_hand`](Lifecycle::go_on_by_hand) does what can be done now: it stops what is kept down, in reverse order, and
//! builds what is not kept down any more, in order. So requests may come at any moment, also in the middle of others.
//!
//! The edges that count are those that were declared, required or not: what comes after a service may hold its old value.
//! Those that a strict schedule implies do not count, and neither do those that put every service after the sidecars.

use super::interface::{Action, ByHand, Id, Refusal, Role};
use super::plan::{Need, Schedule};
use super::{GroupState, Lifecycle, ServiceState};

impl Lifecycle {
    /// The reason why a request is refused, if it is.
    pub(crate) fn refusal(&self, what: ByHand, id: Id) -> Option<Refusal> {
        if self.group != GroupState::Running {
            return Some(Refusal::NotRunning);
        }
        if what == ByHand::Stop {
            return None;
        }
        if let Some(other) = self.kept_down_by(id).find(|&other| other != id && !self.services[other].comes_back) {
            return Some(Refusal::KeptDownBy(other));
        }
        if self.is_as_wanted(what, id) {
            return None;
        }
        if self.services[id].is_abandoned {
            return Some(Refusal::Abandoned(id));
        }
        let along = self.along(id);
        let returns = |id: Id| along.binary_search(&id).is_ok() && !self.services[id].is_abandoned;
        let lacks = |next: Id| {
            let mut needs = self.plan.declared(next).iter();
            let lacking = needs.find(|need| need.required && self.is_lost(need.id) && !returns(need.id))?;
            Some(Refusal::Lacks(next, lacking.id))
        };
        // Those that were given up before may be given up again.
        let mut wanted = along.iter().copied().filter(|&next| next == id || self.state(next) != ServiceState::Gone);
        wanted.find_map(lacks)
    }

    /// Returns true if the service is to be started, and is neither off nor given up.
    fn is_as_wanted(&self, what: ByHand, id: Id) -> bool {
        what == ByHand::Start && !self.services[id].is_off && !self.is_lost(id)
    }

    /// The service, and all that go down before it and come back after it, in start order.
    pub(crate) fn along(&self, id: Id) -> Vec<Id> {
        let mut goes = vec![false; self.services.len()];
        goes[id] = true;
        let after = (id + 1..self.services.len()).filter(|&next| {
            let mut needs = self.plan.declared(next).iter();
            goes[next] = needs.any(|need| goes[need.id] && self.is_along(next, *need));
            goes[next]
        });
        std::iter::once(id).chain(after).collect()
    }

    /// The services that are to be built again because of this request. Those that stop along with one which stays down are
    /// to be built again later.
    pub(crate) fn to_return(&self, what: ByHand, id: Id) -> Vec<Id> {
        if self.is_as_wanted(what, id) {
            return Vec::new();
        }
        let own = u32::from(self.services[id].is_off);
        let mut along = self.along(id);
        along.retain(|&next| self.services[next].kept_down_by == own && (what != ByHand::Stop || next != id));
        along
    }

    /// Returns true if a service goes along with this one that it comes after.
    fn is_along(&self, id: Id, need: Need) -> bool {
        let is_sidecar = |id: Id| self.rules(id).role == Role::Sidecar;
        need.required || !is_sidecar(need.id) || is_sidecar(id)
    }

    /// The services that are off among this one and those that it goes along with.
    fn kept_down_by(&self, id: Id) -> impl Iterator<Item = Id> {
        let is_kept = self.services[id].kept_down_by > 0;
        let off = (0..=id).filter(move |&other| is_kept && self.services[other].is_off);
        off.filter(move |&other| self.along(other).contains(&id))
    }

    /// Returns true if something is still to be done with the service before it is as it was asked for.
    pub(crate) fn is_under_way(&self, id: Id) -> bool {
        match self.state(id) {
            ServiceState::Gone => false,
            ServiceState::Down => self.kept_down_by(id).all(|other| self.services[other].comes_back),
            ServiceState::Ready | ServiceState::Completed | ServiceState::Failed => self.services[id].kept_down_by > 0,
            _ => true,
        }
    }

    /// Returns true if the group goes on without the service, and not because it was asked to.
    pub(crate) fn is_lost(&self, id: Id) -> bool {
        matches!(self.state(id), ServiceState::Failed | ServiceState::Gone)
    }

    /// Returns true if the service is down because of a request.
    pub(crate) fn is_down(&self, id: Id) -> bool {
        self.state(id) == ServiceState::Down
    }

    pub(super) fn by_hand(&mut self, what: ByHand, id: Id) {
        if self.is_as_wanted(what, id) || self.refusal(what, id).is_some() {
            return;
        }
        self.services[id].comes_back = what != ByHand::Stop;
        if !std::mem::replace(&mut self.services[id].is_off, true) {
            for next in self.along(id) {
                self.services[next].kept_down_by += 1;
            }
        }
        self.is_changing = true;
    }

    /// Does what can be done now. Once a stop of the group is asked for, nothing is done by hand any more.
    pub(super) fn go_on_by_hand(&mut self) {
        if self.group != GroupState::Running {
            return;
        }
        let goes_down = self.take_down();
        self.ask_back();
        let waits = self.build_what_waits();
        self.is_changing = goes_down || waits;
    }

    /// Stops what is kept down, each service once all that go along with it are down. Returns true until all are down.
    fn take_down(&mut self) -> bool {
        let mut is_held = vec![false; self.services.len()];
        let mut goes_down = false;
        for id in (0..self.services.len()).rev() {
            let state = self.state(id);
            if is_held[id] || state.is_alive() {
                let needs = self.plan.declared(id).iter().filter(|need| self.is_along(id, **need));
                needs.for_each(|need| is_held[need.id] = true);
            }
            if self.services[id].kept_down_by == 0 {
                continue;
            }
            if state == ServiceState::Waiting {
                self.set(id, ServiceState::Down);
                self.act(Action::TellDown(id));
            } else if state.is_alive() {
                let must_wait = is_held[id] || goes_down && self.plan.schedule() == Schedule::Strict;
                goes_down = true;
                if !must_wait && state < ServiceState::Stopping {
                    self.stop(id);
                }
            }
        }
        goes_down
    }

    /// A service that was asked to come back is not off any more, once it is down with all that go along with it.
    fn ask_back(&mut self) {
        for id in 0..self.services.len() {
            if !self.services[id].comes_back {
                continue;
            }
            let along = self.along(id);
            if along.iter().any(|&next| self.state(next).is_alive()) {
                continue;
            }
            self.services[id].comes_back = false;
            self.services[id].is_off = false;
            for next in along {
                self.services[next].kept_down_by -= 1;
                if self.services[next].kept_down_by == 0 && !self.services[next].is_abandoned {
                    self.set(next, ServiceState::Waiting);
                    self.undecided(next);
                    self.act(Action::TellWaiting(next));
                }
            }
        }
    }

    /// The group waits again for the end of a service.
    fn undecided(&mut self, id: Id) {
        if std::mem::take(&mut self.services[id].decided) {
            self.deciding += 1;
        }
    }

    /// Builds what waits for nothing any more, and gives up what lacks a service that it needs. Returns true if some still
    /// wait.
    fn build_what_waits(&mut self) -> bool {
        let mut waits = false;
        for id in 0..self.services.len() {
            if self.state(id) != ServiceState::Waiting {
                continue;
            }
            let is_lacking = |need: &Need| need.required && self.is_lost(need.id);
            if self.plan.declared(id).iter().any(is_lacking) {
                self.lose(id);
            } else if self.plan.needs(id).all(|need| self.is_up_or_given_up(need.id)) {
                self.services[id].again += 1;
                self.build(id);
            } else {
                waits = true;
            }
        }
        self.check_completed();
        waits
    }

    /// Returns true if nothing waits for the service.
    fn is_up_or_given_up(&self, id: Id) -> bool {
        matches!(self.state(id), ServiceState::Ready | ServiceState::Completed | ServiceState::Down) || self.is_lost(id)
    }
}
