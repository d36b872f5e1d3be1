//! The services that decided how long a start or a stop took: each waited for the next.

use std::cmp::Reverse;
use std::iter;

use crate::lifecycle::interface::Id;
use crate::lifecycle::plan::Plan;

/// The chain of the start, the last one first. `ready` has the time at which a service was ready, if it was. Ties go to the
/// service that is later in start order.
pub(crate) fn of_start<T: Ord>(plan: &Plan, services: usize, ready: impl Fn(Id) -> Option<T>) -> Vec<Id> {
    let last = |ids: &mut dyn Iterator<Item = Id>| ids.filter_map(|id| Some((ready(id)?, id))).max().map(|(_, id)| id);
    iter::successors(last(&mut (0..services)), |&id| last(&mut plan.needs(id).map(|need| need.id))).collect()
}

/// The chain of the stop, the last one first. `gone` has the time at which a service was gone, if it is. Ties go to the
/// service that is earlier in start order.
pub(crate) fn of_stop<T: Ord>(plan: &Plan, services: usize, gone: impl Fn(Id) -> Option<T>) -> Vec<Id> {
    let last = |ids: &mut dyn Iterator<Item = Id>| {
        ids.filter_map(|id| Some((gone(id)?, Reverse(id)))).max().map(|(_, Reverse(id))| id)
    };
    iter::successors(last(&mut (0..services)), |&id| last(&mut plan.needed_by(id).map(|need| need.id))).collect()
}
