//! A model check: it visits every state of the machine that inputs can lead to.
//!
//! A [`world`] is the machine together with what an observer sees: the task of each service, and the actions on it so
//! far. In every world, each possible input is tried, and the machine's actions are checked against the [`promises`].
//! Worlds that differ only in facts that no later step looks at have the same [`essence`], and are visited once.
//!
//! A restart is always possible here, any number of times. This covers all restart policies at once.

mod broken;
mod essence;
mod group;
mod nested;
mod promises;
mod search;
mod world;

use std::any::Any;
use std::sync::Arc;

use self::group::{Group, ROLES, groups, rules};
use self::search::{Covered, worlds_of_one_essence_have_one_future};
use self::world::World;
use crate::lifecycle::interface::{Role, Rules};
use crate::lifecycle::plan::Schedule;

/// The message of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    text.unwrap_or_default().to_owned()
}

/// Returns every group of `n` services in these roles, critical or not.
fn every_group(schedule: Schedule, n: usize, roles: &[Role]) -> Vec<Group> {
    let groups = rules(n, roles).into_iter().flat_map(|rules| groups(schedule, &rules));
    groups.filter(Group::stands_for_its_like).collect()
}

/// Tries every group of `n` services in these roles, in both schedules.
fn try_all(n: usize, roles: &[Role]) {
    for (schedule, name) in [(Schedule::Strict, "strict"), (Schedule::Graph, "graph")] {
        Covered::explore_all(every_group(schedule, n, roles)).say(&format!("{n} services, {name}"));
    }
}

#[test]
fn every_state_of_every_group_of_up_to_three_in_every_role() {
    for n in 0..=3 {
        try_all(n, &ROLES);
    }
}

#[test]
fn every_state_of_every_group_of_up_to_three_with_sidecars() {
    for n in 1..=2 {
        try_all(n, &[Role::Sidecar, Role::Task, Role::Daemon, Role::Once, Role::Main]);
    }
    try_all(3, &[Role::Sidecar, Role::Task]);
}

#[test]
fn every_state_of_every_group_of_up_to_three_with_leads() {
    for n in 1..=2 {
        try_all(n, &[Role::Lead, Role::Sidecar, Role::Task, Role::Daemon, Role::Once, Role::Main]);
    }
    try_all(3, &[Role::Lead]);
}

#[test]
fn every_state_of_every_group_of_four_tasks() {
    try_all(4, &[Role::Task]);
}

/// Tries every group of `n` services in these roles, in both schedules, which are controlled by hand at any moment.
fn try_all_by_hand(n: usize, roles: &[Role]) {
    for (schedule, name) in [(Schedule::Strict, "strict"), (Schedule::Graph, "graph")] {
        let mut groups = every_group(schedule, n, roles);
        // With three, there would be too many states of lame ducks, and of services that a strict group can do without.
        if n > 2 {
            groups = groups.into_iter().map(Group::without_clients).collect();
            groups.retain(|group| !group.is_strict() || group.rules.iter().all(|rules| rules.critical));
        }
        Covered::explore_all(groups.into_iter().map(Group::controlled).collect())
            .say(&format!("{n} services by hand, {name}"));
    }
}

#[test]
fn every_state_of_every_group_that_is_controlled_by_hand() {
    try_all_by_hand(1, &[Role::Task, Role::Daemon, Role::Once, Role::Main]);
    try_all_by_hand(2, &[Role::Sidecar, Role::Task, Role::Daemon, Role::Once, Role::Main]);
    try_all_by_hand(3, &[Role::Task]);
}

#[test]
fn every_state_of_every_graph_of_five() {
    let critical = [Rules { role: Role::Task, critical: true }; 5];
    for (schedule, name) in [(Schedule::Strict, "strict"), (Schedule::Graph, "graph")] {
        let graphs = groups(schedule, &critical).into_iter().filter(Group::stands_for_its_like);
        // With lame ducks, there would be five times as many states.
        Covered::explore_all(graphs.map(Group::without_clients).collect()).say(&format!("5 services, {name}"));
    }
}

/// The facts that an essence leaves out make no difference.
#[test]
fn worlds_that_look_alike_have_one_future() {
    let (mut worlds, mut essences) = (0, 0);
    for (schedule, n) in
        [Schedule::Strict, Schedule::Graph].into_iter().flat_map(|schedule| [(schedule, 1), (schedule, 2)])
    {
        for group in every_group(schedule, n, &ROLES) {
            let group = if n == 1 { group.controlled() } else { group };
            let (more_worlds, more_essences) = worlds_of_one_essence_have_one_future(World::new(&Arc::new(group)));
            worlds += more_worlds;
            essences += more_essences;
        }
    }
    println!("{worlds} worlds of up to two services, {essences} essences");
}
