//! The questions of the log and the report to a server. It answers them also when its own task cannot run.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use crate::base::text::Took;
use crate::record::counts::Drain;
use crate::record::service_status::Load;

/// A server of a service.
pub(crate) trait Server: fmt::Debug + Send + Sync {
    /// The number of connections with something in flight.
    fn in_flight(&self) -> usize;

    /// The connections that are open, and the requests on them.
    fn load(&self) -> Load;

    fn requests(&self) -> Vec<RequestInFlight>;

    /// The counts, if everything ended now; `None` if the server has reported them itself.
    fn unreported(&self) -> Option<Drain>;

    /// The connections that were drained and cut so far; `None` if the server has reported them itself.
    #[cfg(all(feature = "metrics", feature = "http"))]
    fn drained_so_far(&self) -> Option<Drain>;
}

/// A request in flight.
#[derive(Clone, Debug)]
pub(crate) struct RequestInFlight {
    /// As `GET /users/{id}`.
    pub(crate) name: String,
    pub(crate) age: Duration,
}

/// Requests for a picture of the moment: each kind with the age of its oldest, the oldest first.
pub(crate) fn listed_with_ages(mut requests: Vec<RequestInFlight>) -> String {
    requests.sort_by_key(|request| Reverse(request.age));
    let mut kinds: Vec<(RequestInFlight, usize)> = Vec::new();
    for request in requests {
        match kinds.iter_mut().find(|(oldest, _)| oldest.name == request.name) {
            Some((_, number)) => *number += 1,
            None => kinds.push((request, 1)),
        }
    }
    let one = |(RequestInFlight { name, age }, number): &(RequestInFlight, usize)| match number {
        1 => format!("{name} for {}", Took(*age)),
        _ => format!("{number} × {name} for up to {}", Took(*age)),
    };
    kinds.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Requests for a line of the log: the first few kinds, each with its number.
pub(crate) fn listed(requests: &[String]) -> String {
    const MOST: usize = 5;
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for request in requests {
        match kinds.iter_mut().find(|(kind, _)| kind == request) {
            Some((_, number)) => *number += 1,
            None => kinds.push((request, 1)),
        }
    }
    let more = kinds.split_off(kinds.len().min(MOST));
    let one =
        |&(kind, number): &(&str, usize)| if number == 1 { kind.to_owned() } else { format!("{number} × {kind}") };
    let mut listed: Vec<String> = kinds.iter().map(one).collect();
    if !more.is_empty() {
        let number: usize = more.iter().map(|(_, number)| number).sum();
        listed.push(format!("{number} others"));
    }
    listed.join(", ")
}
