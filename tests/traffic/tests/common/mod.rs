//! Shared by the tests under load.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use programs::Ended;

/// How often each is tried.
pub(crate) fn runs() -> usize {
    std::env::var("RUNS").map_or(5, |runs| runs.parse().expect("RUNS is a number"))
}

/// Some time in which the load is on, never the same.
pub(crate) fn a_while() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later");
    Duration::from_millis(60) + Duration::from_micros(u64::from(now.subsec_nanos()) / 1000 % 40_000)
}

/// How many requests a server has had, by its own count.
pub(crate) fn taken_by(server: &Ended) -> usize {
    let taken = server.printed.iter().find_map(|line| line.strip_prefix("taken "));
    taken.expect("the server has counted").parse().expect("is a number")
}
