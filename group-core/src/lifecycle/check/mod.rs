//! Every reachable state of the machine, against a model of all that its surroundings may do.
//!
//! A [`world`] is the machine and what one would see from outside: the task of each service, and
//! what has been done to it. Each event that is possible is tried in every world that is reached;
//! whatever the machine then does is held against the [`promises`]. Worlds that differ only in what
//! can make no difference any more ([`essence`]) are visited once.
//!
//! Whether a service is started again is chance here, each time, and there is no end to it: so all
//! policies are tried at once.

mod broken;
mod essence;
mod group;
mod promises;
mod search;
mod world;

use std::sync::Arc;

use self::group::{Group, ROLES, groups, rules};
use self::search::{Covered, worlds_of_one_essence_have_one_future};
use self::world::World;
use crate::lifecycle::interface::{Role, Rules};
use crate::lifecycle::plan::Schedule;

/// Every group of `n` services in these roles, critical or not.
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
fn every_state_of_every_group_of_four_tasks() {
    try_all(4, &[Role::Task]);
}

#[test]
fn every_state_of_every_graph_of_five() {
    let critical = [Rules { role: Role::Task, critical: true }; 5];
    for (schedule, name) in [(Schedule::Strict, "strict"), (Schedule::Graph, "graph")] {
        let graphs = groups(schedule, &critical).into_iter().filter(Group::stands_for_its_like);
        // As lame ducks, too, they would be five times as many states.
        Covered::explore_all(graphs.map(Group::without_clients).collect()).say(&format!("5 services, {name}"));
    }
}

/// What is left out of an essence makes no difference.
#[test]
fn worlds_that_look_alike_have_one_future() {
    let (mut worlds, mut essences) = (0, 0);
    for (schedule, n) in
        [Schedule::Strict, Schedule::Graph].into_iter().flat_map(|schedule| [(schedule, 1), (schedule, 2)])
    {
        for group in every_group(schedule, n, &ROLES) {
            let (more_worlds, more_essences) = worlds_of_one_essence_have_one_future(World::new(&Arc::new(group)));
            worlds += more_worlds;
            essences += more_essences;
        }
    }
    println!("{worlds} worlds of up to two services, {essences} essences");
}
