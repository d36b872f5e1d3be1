//! Machines that are broken on purpose. If the search did not catch each of them, it would prove nothing.

use std::panic::catch_unwind;
use std::sync::Arc;

use super::group::Group;
use super::search::Covered;
use super::world::{Breaks, Task, World};
use crate::lifecycle::interface::{Action, GroupEnd, Input, Problem, ProblemKind, Reason, Role, Rules, Timer};
use crate::lifecycle::plan::{Edge, Schedule};
use crate::lifecycle::{GroupState, ServiceState};

/// Asserts that the search finds the broken promise, in a group of three services that start one after another.
fn catches(breaks: Breaks, promise: &str) {
    catches_in(Role::Task, breaks, promise);
}

/// As [`catches`], in services of this role.
fn catches_in(role: Role, breaks: Breaks, promise: &str) {
    let rules = [Rules { role, critical: true }; 3];
    catches_in_group(Group::new(Schedule::Strict, &rules, Vec::new()), breaks, promise);
}

/// As [`catches`], in a group that is controlled by hand: the second service needs the first, and nothing needs the third.
fn catches_by_hand(breaks: Breaks, promise: &str) {
    let rules = [Rules { role: Role::Task, critical: true }; 3];
    let edges = vec![Edge { from: 1, to: 0, required: true }];
    catches_in_group(Group::new(Schedule::Graph, &rules, edges).controlled().without_clients(), breaks, promise);
}

fn catches_in_group(group: Group, breaks: Breaks, promise: &str) {
    let mut world = World::new(&Arc::new(group));
    world.breaks = Some(breaks);
    let caught = catch_unwind(|| Covered::explore(world));
    let message = super::message(&*caught.expect_err("it went unnoticed"));
    assert!(message.contains(promise), "{message}");
}

#[test]
fn a_machine_that_stops_in_start_order_is_caught() {
    let breaks: Breaks = |_, actions, services| {
        let all_run = services.iter().all(|seen| seen.task == Task::Working);
        for action in actions.iter_mut().filter(|_| all_run) {
            if let Action::Stop(id) = action {
                *id = services.len() - 1 - *id;
            }
        }
    };
    catches(breaks, "stopped before those that need it");
}

#[test]
fn a_machine_that_forgets_a_built_service_is_caught() {
    let breaks: Breaks = |_, actions, _| actions.retain(|action| !matches!(action, Action::Stop(0) | Action::Abort(0)));
    catches(breaks, "past the deadline, and not told");
}

#[test]
fn a_machine_that_stops_a_dependency_early_is_caught() {
    let breaks: Breaks = |_, actions, services| {
        if actions.contains(&Action::Stop(2)) && services[1].task != Task::None {
            actions.push(Action::Stop(1));
        }
    };
    catches(breaks, "stopped before those that need it");
}

#[test]
fn a_machine_that_builds_too_early_is_caught() {
    let breaks: Breaks = |_, actions, _| {
        if actions.contains(&Action::Launch(0)) {
            actions.push(Action::Launch(1));
        }
    };
    catches(breaks, "built before its needs were ready");
}

#[test]
fn a_machine_that_waits_without_a_limit_is_caught() {
    catches(|_, actions, _| actions.retain(|action| *action != Action::Arm(Timer::Deadline)), "a stop without a limit");
    catches(
        |_, actions, _| actions.retain(|action| *action != Action::Arm(Timer::Start(1, 0))),
        "a start without a limit",
    );
}

#[test]
fn a_machine_that_swallows_a_failure_is_caught() {
    let breaks: Breaks = |_, actions, _| {
        let is_failure =
            |action: &Action| matches!(action, Action::Blame(problem) if problem.kind != ProblemKind::Aborted);
        actions.retain(|action| !is_failure(action));
    };
    catches(breaks, "it stops for a failure that is not reported");
}

#[test]
fn a_machine_that_puts_a_later_cause_in_place_of_the_first_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        let limit = actions.iter().any(|action| matches!(action, Action::Blame(problem) if problem.kind.is_limit()));
        if limit && !matches!(machine.outcome, GroupEnd::Clean | GroupEnd::Forced(_)) {
            machine.outcome = GroupEnd::UncleanStop;
        }
    };
    catches(breaks, "it ends for another cause than the first");
}

#[test]
fn a_machine_that_starts_again_what_is_to_stop_is_caught() {
    let breaks: Breaks = |_, actions, _| {
        if actions.contains(&Action::Stop(2)) {
            actions.push(Action::Restart(2));
        }
    };
    catches(breaks, "started again after it was told to stop");
}

#[test]
fn a_machine_that_says_too_early_that_the_group_is_ready_is_caught() {
    let breaks: Breaks = |_, actions, _| {
        if actions.contains(&Action::TellReady(1)) {
            actions.push(Action::TellGroupReady);
        }
    };
    catches(breaks, "the group is ready, and a service is not");
}

#[test]
fn a_machine_that_does_not_abort_when_it_is_forced_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if matches!(machine.outcome, GroupEnd::Forced(_)) {
            actions.retain(|action| !matches!(action, Action::Abort(_)));
        }
    };
    catches(breaks, "to end at once, and not aborted");
}

#[test]
fn a_machine_that_does_not_abort_when_the_program_asks_for_it_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        let aborts = |action: &Action| matches!(action, Action::Blame(Problem { kind: ProblemKind::Aborted, .. }));
        if actions.iter().any(aborts) && machine.outcome == GroupEnd::UncleanStop {
            actions.retain(|action| !matches!(action, Action::Abort(_)));
        }
    };
    catches(breaks, "to end at once, and not aborted");
}

#[test]
fn a_machine_that_goes_on_after_a_lead_has_returned_is_caught() {
    let breaks: Breaks = |machine, _, _| machine.has_led = false;
    catches_in(Role::Lead, breaks, "it goes on although a lead has returned");
}

#[test]
fn a_machine_that_says_too_late_that_it_is_not_ready_is_caught() {
    catches(
        |_, actions, _| actions.retain(|action| !matches!(action, Action::TellLameDuck(_))),
        "a request to stop is lost",
    );
}

#[test]
fn a_machine_that_stops_something_while_it_is_a_lame_duck_is_caught() {
    let breaks: Breaks = |_, actions, _| {
        if matches!(actions[..], [Action::TellLameDuck(_), ..]) {
            actions.push(Action::Stop(2));
        }
    };
    catches(breaks, "stopped although the group runs");
}

#[test]
fn a_machine_whose_time_to_stop_counts_from_the_end_of_the_delay_is_caught() {
    let breaks: Breaks = |_, actions, _| match actions[..] {
        [Action::TellLameDuck(_), ..] => actions.retain(|action| *action != Action::Arm(Timer::Deadline)),
        [Action::TellStopping(Reason::DelayOver), ..] => actions.push(Action::Arm(Timer::Deadline)),
        _ => {}
    };
    catches(breaks, "a stop without a limit that counts from the request");
}

#[test]
fn a_machine_that_does_not_wait_for_the_last_clients_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if matches!(actions[..], [Action::TellLameDuck(_), ..]) {
            actions.extend(machine.handle(Input::Elapsed(Timer::Quiet)));
        }
    };
    catches(breaks, "it does not wait for the last clients");
}

#[test]
fn a_machine_that_remains_a_lame_duck_after_a_failure_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if machine.group == GroupState::Stopping
            && actions.iter().any(|action| matches!(action, Action::TellStopping(Reason::Failed(_))))
        {
            machine.group = GroupState::LameDuck;
            actions.retain(|action| matches!(action, Action::Blame(_)));
        }
    };
    catches(breaks, "it goes on after what should end it");
}

#[test]
fn a_machine_that_stops_by_hand_what_is_still_needed_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if machine.group == GroupState::Running && actions.contains(&Action::Stop(1)) {
            actions.push(Action::Stop(0));
        }
    };
    catches_by_hand(breaks, "stopped before those that need it");
}

#[test]
fn a_machine_that_stops_by_hand_what_nobody_asked_for_is_caught() {
    let breaks: Breaks = |machine, actions, services| {
        let is_at_work = services[2].task == Task::Working && !services[2].is_off;
        if is_at_work && machine.group == GroupState::Running && actions.contains(&Action::Stop(0)) {
            actions.push(Action::Stop(2));
        }
    };
    catches_by_hand(breaks, "stopped although the group runs");
}

#[test]
fn a_machine_that_forgets_a_request_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if machine.group == GroupState::Running {
            actions.retain(|action| !matches!(action, Action::Stop(_)));
        }
    };
    catches_by_hand(breaks, "it was to be stopped by hand, and is not");
}

#[test]
fn a_machine_that_does_not_bring_back_what_was_stopped_along_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if actions.contains(&Action::TellWaiting(1)) && machine.state(1) == ServiceState::Waiting {
            machine.set(1, ServiceState::Down);
        }
    };
    catches_by_hand(breaks, "it was to come back, and is not built");
}

#[test]
fn a_machine_that_brings_back_too_early_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if machine.group == GroupState::Running && actions.contains(&Action::Launch(0)) {
            actions.push(Action::Launch(1));
        }
    };
    catches_by_hand(breaks, "built before its needs were ready");
}

#[test]
fn a_machine_that_builds_beside_what_is_still_there_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if actions.contains(&Action::Stop(2)) && machine.services[2].comes_back {
            actions.push(Action::Launch(2));
        }
    };
    catches_by_hand(breaks, "built twice");
}

#[test]
fn a_machine_that_builds_what_is_to_be_down_is_caught() {
    let breaks: Breaks = |_, actions, services| {
        if actions.contains(&Action::TellDown(2)) && !services[2].comes_back {
            actions.push(Action::Launch(2));
        }
    };
    catches_by_hand(breaks, "built although it is to be down");
}

#[test]
fn a_machine_that_ends_because_all_was_stopped_by_hand_is_caught() {
    let breaks: Breaks = |machine, actions, _| {
        if actions.contains(&Action::TellDown(2)) && machine.group == GroupState::Running {
            actions.push(Action::TellStopping(Reason::Completed));
        }
    };
    catches_by_hand(breaks, "it ends although a service still works");
}

#[test]
fn a_machine_that_stops_by_hand_without_a_limit_is_caught() {
    let breaks: Breaks = |_, actions, _| actions.retain(|action| !matches!(action, Action::Arm(Timer::Stop(..))));
    catches_by_hand(breaks, "a stop without a limit");
}
