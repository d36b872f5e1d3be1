//! The promises of `docs/design.md`, section 4, as far as the machine keeps them. Each is a method of that name;
//! `docs/lifecycle.md` lists them.

use std::cmp::Reverse;

use super::world::{Seen, Task, World};
use crate::lifecycle::interface::{Action, Again, ByHand, GroupEnd, Id, Input, Reason, Role, Timer};
use crate::lifecycle::{GroupState, ServiceState};

/// Checked on an action before it is carried out.
impl World {
    /// Promise 1, order, at start.
    pub(super) fn built_once_and_only_when_its_needs_are_settled(&self, id: Id) {
        let is_again = self.group_ready && self.services[id].task == Task::Gone;
        assert!(is_again || self.services[id].task == Task::None, "built twice");
        assert!(!self.services[id].lost, "built without what it needs");
        assert!(!self.stopping && !self.lame_duck, "built although the group stops");
        assert!(!self.is_kept_down(id), "built although it is to be down");
        for need in self.group.needs(id) {
            let is_spared = !need.required && (self.services[need.to].lost || self.is_kept_down(need.to));
            assert!(self.services[need.to].ready || is_spared, "built before its needs were ready");
        }
    }

    /// A request that is made by hand is refused only if the service could not come back: it blocks its thread, it comes
    /// after one that is to be down, or it or another one that would come back lacks what it needs.
    pub(super) fn refused_only_for_a_reason(&self, what: ByHand, id: Id) {
        assert_eq!(self.machine.refusal(what, id).is_some(), self.is_refused(what, id), "refused without a reason");
    }

    pub(super) fn is_refused(&self, what: ByHand, id: Id) -> bool {
        let seen = &self.services[id];
        if what == ByHand::Stop {
            return false;
        }
        let stays_down = |other: &Seen| other.is_off && !other.comes_back;
        let mut others = self.services.iter().zip(&self.group.along).filter(|(other, _)| stays_down(other));
        if others.any(|(_, along)| along.contains(&id)) {
            return true;
        }
        if what == ByHand::Start && !seen.is_off && !seen.lost {
            return false;
        }
        let returns = |next: Id| (next == id || self.group.along[id].contains(&next)) && !self.services[next].abandoned;
        let lacks = |next: Id| {
            let is_lacking = |need: Id| self.services[need].lost && !returns(need);
            self.group.needs(next).any(|edge| edge.required && is_lacking(edge.to))
        };
        // One that was given up, and is not there, may be given up again.
        let is_missed = |next: Id| !self.services[next].lost || !self.services[next].is_gone();
        let mut along = self.group.along[id].iter().filter(|&&next| is_missed(next)).chain([&id]);
        seen.abandoned || along.any(|&next| lacks(next))
    }

    /// Promise 2, exactly once: a service is restarted only after its `start` has ended, and never once it stops.
    pub(super) fn started_again_only_when_it_has_ended_and_may_go_on(&self, id: Id) {
        assert!(!self.services[id].is_told(), "started again after it was told to stop");
        assert_eq!(self.services[id].task, Task::Ended, "started again while it runs");
        assert!(!self.services[id].lost, "started again although it was given up");
    }

    /// Promises 1 and 2, order and exactly once, at stop.
    pub(super) fn stopped_once_and_only_when_its_holders_are_gone(&self, id: Id) {
        assert!(!self.services[id].is_told(), "stopped twice");
        assert!(!self.services[id].is_gone(), "stopped although it is not there");
        let is_by_hand = !self.stopping && !self.lame_duck && self.is_kept_down(id);
        assert!(self.stopping || is_by_hand, "stopped although the group runs");
        let holders = if self.stopping { &self.group.followers } else { &self.group.along };
        let is_its_turn = holders[id].iter().all(|&holder| self.services[holder].is_gone());
        assert!(is_its_turn || self.out_of_turns, "stopped before those that need it");
        assert!(self.stopping || !self.is_behind(id), "stopped before its turn by hand");
    }

    /// Returns true if another service must go down first, because the schedule is strict.
    fn is_behind(&self, id: Id) -> bool {
        let mut later = id + 1..self.services.len();
        self.group.is_strict() && later.any(|other| self.is_kept_down(other) && !self.services[other].is_gone())
    }

    /// Promise 2, exactly once: what is aborted was stopped before, unless the end was asked for at once.
    pub(super) fn aborted_once_and_only_while_the_group_stops(&self, id: Id) {
        assert!(!self.services[id].aborted, "aborted twice");
        assert!(!self.services[id].is_gone(), "aborted although it is not there");
        assert!(self.stopping || self.services[id].stopped, "aborted although the group runs");
        assert!(self.services[id].stopped || self.at_once, "aborted before it was asked to stop");
    }

    /// Promise 3, all or nothing.
    pub(super) fn only_what_it_can_do_without_is_lost(&self, id: Id) {
        assert!(!self.group.rules[id].critical, "the group goes on without what it cannot do without");
        assert!(!self.services[id].lost, "lost twice");
    }

    /// Promise 3, all or nothing.
    pub(super) fn the_group_is_ready_once_and_only_when_all_are(&self) {
        assert!(!self.group_ready && !self.stopping, "ready twice, or too late");
        assert!(self.services.iter().all(|seen| seen.ready || seen.lost), "the group is ready, and a service is not");
    }

    /// The group begins to stop once, and reports that before it stops anything (promise 5).
    pub(super) fn turned_once_and_for_a_reason(&self, reason: Reason) {
        assert!(!self.stopping, "stopping twice");
        match reason {
            Reason::Completed => {
                assert!(self.group_ready, "completed before it was ready");
                self.nothing_is_waited_for();
            }
            Reason::Failed(_) => {
                assert_ne!(self.verdict, GroupEnd::Clean, "it stops for a failure that is not reported");
            }
            Reason::Quiet | Reason::DelayOver => assert!(self.lame_duck, "a delay is over that was not reported"),
            Reason::Asked | Reason::Signal(_) => {}
        }
    }

    /// The group ends by itself when a `lead` has ended, and when every `main` has; where there is neither, when
    /// everything but the sidecars has.
    fn nothing_is_waited_for(&self) {
        if self.a_lead_has_completed() {
            return;
        }
        let has = |role| self.group.rules.iter().any(|rules| rules.role == role);
        for (rules, seen) in self.group.rules.iter().zip(&self.services) {
            // A service that is stopped by hand has not ended.
            let is_over = if seen.stopped || self.group_ready && seen.is_gone() {
                seen.has_ended
            } else {
                seen.lost || matches!(seen.task, Task::Ended | Task::Ending)
            };
            let is_waited_for = match rules.role {
                Role::Main => true,
                Role::Lead => !has(Role::Main),
                Role::Sidecar => false,
                Role::Task | Role::Daemon | Role::Once => !has(Role::Main) && !has(Role::Lead),
            };
            assert!(!is_waited_for || is_over, "it ends although a service still works");
        }
    }

    fn a_lead_has_completed(&self) -> bool {
        self.group.rules.iter().zip(&self.services).any(|(rules, seen)| rules.role == Role::Lead && seen.completed)
    }

    /// Promise 5: only a group that was ready and serves becomes a lame duck, and only when a stop was asked for.
    pub(super) fn a_lame_duck_once_and_only_when_it_is_ready_and_serves(&self, reason: Reason) {
        assert!(!self.lame_duck && !self.stopping, "a lame duck twice, or too late");
        assert!(self.group_ready, "a lame duck that was never ready");
        assert!(self.serves, "a lame duck that does not serve");
        assert!(matches!(reason, Reason::Asked | Reason::Signal(_) | Reason::Completed), "a lame duck after a failure");
    }

    /// Promise 4: the time to stop counts from the request, and begins only once.
    pub(super) fn timed_once(&self) {
        assert!(!self.is_timed, "the time to stop begins again");
    }
}

/// Checked on the world after an input.
impl World {
    pub(super) fn keeps_every_promise(&self, before: &Self, input: Input, actions: &[Action]) {
        Self::every_failure_is_reported(before, input, actions);
        self.what_it_cannot_do_without_turns_it();
        self.the_end_of_a_lead_turns_it();
        self.a_request_turns_it(before, input);
        self.a_lame_duck_waits_and_no_longer(before, input);
        self.the_first_cause_is_kept();
        self.past_the_deadline_all_are_told();
        self.an_end_at_once_aborts_all();
        self.every_wait_has_a_limit();
        self.what_is_asked_for_by_hand_is_done();
        self.time_alone_leads_to_the_end(before, input);
        self.over_exactly_when_nothing_is_left();
        self.what_was_built_was_stopped();
    }

    /// Promise 6: every problem is reported, with its service.
    fn every_failure_is_reported(before: &Self, input: Input, actions: &[Action]) {
        let whose = match input {
            Input::Ended(id, again) if before.must_not_end(id, again) => Some(id),
            Input::Failed(id, _) | Input::Elapsed(Timer::Start(id, _) | Timer::Stop(id, _) | Timer::Abort(id, _)) => {
                Some(id)
            }
            Input::Elapsed(Timer::Deadline) if !before.services.iter().all(Seen::is_gone) => None,
            _ => return,
        };
        let is_reported = actions.iter().any(|action| matches!(action, Action::Blame(problem) if problem.id == whose));
        assert!(is_reported, "a failure is not reported");
    }

    /// Returns true if it is a failure when this service ends now, and it has not failed before.
    fn must_not_end(&self, id: Id, again: Again) -> bool {
        match self.group.rules[id].role {
            _ if self.machine.state(id) == ServiceState::Failed => false,
            Role::Once => false,
            Role::Daemon | Role::Sidecar => true,
            Role::Task | Role::Main | Role::Lead => {
                self.services[id].task == Task::Starting || again == Again::TooOften
            }
        }
    }

    /// Promise 3: the group does not go on without a critical service.
    fn what_it_cannot_do_without_turns_it(&self) {
        assert!(self.stopping || self.verdict == GroupEnd::Clean, "it goes on after what should end it");
    }

    /// The first `lead` that has returned ends a group that is ready.
    fn the_end_of_a_lead_turns_it(&self) {
        let goes_on = self.group_ready && !self.lame_duck && !self.stopping;
        assert!(!goes_on || !self.a_lead_has_completed(), "it goes on although a lead has returned");
    }

    /// Promises 3 and 7: a request or a signal begins the stop, in every state of the group. If the group becomes a lame
    /// duck first, its time counts from that moment.
    fn a_request_turns_it(&self, before: &Self, input: Input) {
        let is_asked = self.lame_duck || self.stopping;
        assert!(
            is_asked || !matches!(input, Input::Stop | Input::Abort | Input::Signal(..)),
            "a request to stop is lost"
        );
        assert_eq!(self.is_timed, is_asked, "a stop without a limit that counts from the request");
        let at_once = matches!(input, Input::Abort | Input::Signal(_, true)) || self.verdict != GroupEnd::Clean;
        if is_asked && before.may_wait() && !before.lame_duck && !at_once {
            assert!(self.lame_duck && !self.stopping, "it does not wait for the last clients");
        }
    }

    /// Promise 5: nothing is stopped before the delay is over, unless there are no requests or something has failed.
    /// Promise 7: a second signal ends the delay, and so do a signal from a terminal and an abort.
    fn a_lame_duck_waits_and_no_longer(&self, before: &Self, input: Input) {
        if !before.lame_duck || before.stopping {
            return;
        }
        let is_over = matches!(input, Input::Elapsed(Timer::LameDuck | Timer::Quiet | Timer::Deadline))
            || matches!(input, Input::Abort | Input::Signal(_, true))
            || self.verdict != GroupEnd::Clean;
        assert_eq!(self.stopping, is_over, "a lame duck goes on for too short or too long");
    }

    /// Promises 3 and 6: only a forced end replaces the first cause.
    fn the_first_cause_is_kept(&self) {
        assert_eq!(self.machine.outcome(), self.verdict, "it ends for another cause than the first");
    }

    /// Promise 4: when no time is left for turns, every service that is left is told to stop.
    fn past_the_deadline_all_are_told(&self) {
        let all = self.services.iter().all(|seen| seen.is_gone() || seen.is_told());
        assert!(!self.out_of_turns || all, "past the deadline, and not told");
    }

    /// Promise 7: a second signal aborts all services that are left, and so does the program that asks for it.
    fn an_end_at_once_aborts_all(&self) {
        let all = self.services.iter().all(|seen| seen.is_gone() || seen.aborted);
        assert!(!self.at_once || all, "to end at once, and not aborted");
    }

    /// Promise 4: a timer runs for every service that the group waits for.
    fn every_wait_has_a_limit(&self) {
        let is_limited = self.delay_armed && self.quiet_armed && self.deadline_armed;
        assert!(!self.lame_duck || self.stopping || is_limited, "a lame duck without a limit");
        for (id, seen) in self.services.iter().enumerate() {
            let [start, backoff, stop, abort] = seen.armed;
            match self.machine.state(id) {
                ServiceState::Building | ServiceState::Starting => assert!(start, "a start without a limit"),
                ServiceState::Backoff => assert!(backoff, "a backoff without an end"),
                ServiceState::Stopping => assert!(stop || self.grace_armed, "a stop without a limit"),
                ServiceState::Aborting => assert!(abort, "an abort without a limit"),
                _ => {}
            }
            let limit = self.deadline_armed || self.grace_armed || abort;
            assert!(!self.stopping || seen.is_gone() || limit, "a stop without a limit");
        }
    }

    /// While the group runs, each service that is to go down is told to, unless it is not its turn; and each that is to come
    /// back is built, unless it waits for another one that is on its way.
    fn what_is_asked_for_by_hand_is_done(&self) {
        if !self.is_running() {
            return;
        }
        for (id, seen) in self.services.iter().enumerate() {
            if self.is_kept_down(id) {
                let is_held = !self.group.along[id].iter().all(|&next| self.services[next].is_gone());
                let is_done = seen.is_gone() || seen.is_told();
                assert!(is_done || is_held || self.is_behind(id), "it was to be stopped by hand, and is not");
            } else if seen.is_gone() && !seen.lost {
                let is_there = |need: Id| {
                    let seen = &self.services[need];
                    let is_up = seen.ready && !seen.is_told() || seen.lost;
                    is_up || seen.is_gone() && self.is_kept_down(need)
                };
                let waits = self.group.needs(id).any(|need| !is_there(need.to));
                assert!(waits, "it was to come back, and is not built");
            }
        }
    }

    /// Promise 4: each timer that elapses while the group stops brings the end nearer, so the group ends even if
    /// nothing else happens.
    fn time_alone_leads_to_the_end(&self, before: &Self, input: Input) {
        let Input::Elapsed(timer) = input else { return };
        if before.lame_duck || before.stopping {
            let nearer =
                (before.steps_done(), Reverse(before.timers_left())) < (self.steps_done(), Reverse(self.timers_left()));
            assert!(nearer, "{timer:?} elapses and leads nowhere");
        }
    }

    fn timers_left(&self) -> usize {
        let group = self.timers().into_iter().filter(|&armed| armed).count();
        group + self.services.iter().flat_map(|seen| seen.armed).filter(|&armed| armed).count()
    }

    /// The number of steps from the request to stop towards the end that are done.
    fn steps_done(&self) -> usize {
        let steps = |id| match self.machine.state(id) {
            ServiceState::Waiting => 0,
            ServiceState::Ready | ServiceState::Backoff => 1,
            ServiceState::Building | ServiceState::Starting => 2,
            ServiceState::Completed | ServiceState::Failed => 3,
            ServiceState::Stopping => 4,
            ServiceState::Aborting => 5,
            ServiceState::Down | ServiceState::Gone => 6,
        };
        let group = match self.machine.group {
            GroupState::Stopping => 1,
            GroupState::LastGrace => 2,
            GroupState::Over => 3,
            _ => 0,
        };
        group + (0..self.services.len()).map(steps).sum::<usize>()
    }

    fn over_exactly_when_nothing_is_left(&self) {
        let all_gone = self.services.iter().all(Seen::is_gone);
        assert_eq!(self.over, self.stopping && all_gone, "over exactly when nothing is left");
        assert_eq!(self.over, self.machine.is_over(), "over, and not");
    }

    /// Promise 2, exactly once, at the end.
    fn what_was_built_was_stopped(&self) {
        for seen in self.services.iter().filter(|seen| self.over && seen.built) {
            assert!(seen.is_told(), "built, and never stopped");
        }
    }
}

/// Checked on every world.
impl World {
    /// News from a task that was told to stop come too late; once the group is over, all inputs do.
    pub(super) fn late_news_changes_nothing(&self) {
        let mut late = self.machine.clone();
        let mut comes_too_late = |input| assert_eq!(late.handle(input), [], "late news");
        for (id, _) in self.services.iter().enumerate().filter(|(_, seen)| self.over || seen.is_told()) {
            let ended = [Again::Yes, Again::No, Again::TooOften].map(|again| Input::Ended(id, again));
            [Input::Built(id), Input::Ready(id)].into_iter().chain(ended).for_each(&mut comes_too_late);
            if self.over {
                [Input::Failed(id, Again::No), Input::Gone(id)].into_iter().for_each(&mut comes_too_late);
            }
        }
        // Timers of an earlier run may still run out.
        for (id, seen) in self.services.iter().enumerate().filter(|(_, seen)| seen.restarts > 0) {
            let before = Seen { restarts: seen.restarts - 1, ..*seen };
            Self::timers_of(id, &before).map(Input::Elapsed).into_iter().for_each(&mut comes_too_late);
        }
        if self.over {
            let timers = [Timer::LameDuck, Timer::Quiet, Timer::Deadline, Timer::LastGrace].map(Input::Elapsed);
            [Input::Begin, Input::Stop, Input::Abort, Input::Signal(15, false)]
                .into_iter()
                .chain(timers)
                .for_each(&mut comes_too_late);
        }
        assert_eq!(late.services, self.machine.services, "late news");
        assert_eq!(late.outcome(), self.machine.outcome(), "late news");
    }
}
