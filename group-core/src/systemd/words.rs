//! The state of a group in one line, as `systemctl status` shows it.

use std::time::Duration;

use crate::base::error::{Chain, Failure};
use crate::base::text::{Took, count};
use crate::record::service_status::ServiceStatus;
use crate::record::state::{Phase, State};
use crate::record::status::Status;

/// The number of services that are named.
const NAMED: usize = 3;

/// The number of characters that are enough for anybody. The manager reads datagrams of 4096 bytes.
const LONGEST: usize = 500;

/// Puts a text into one line, which a message must be.
pub(super) fn line(text: &str) -> String {
    let line = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    line.take(LONGEST).collect()
}

/// As in `Starting: 3/7, waiting for db (4 s)`.
pub(super) fn status(status: &Status, reload_failure: Option<&Failure>) -> String {
    let services = status.services();
    let in_state = |states: &[State]| services.iter().filter(|service| states.contains(&service.state())).count();
    let why = status.stopped_by().map(|reason| format!(" ({reason})")).unwrap_or_default();
    line(&match status.phase() {
        Phase::Starting => {
            let up = in_state(&[State::Ready, State::Completed]);
            format!("Starting: {up}/{}{}", services.len(), waiting(status, &[State::Building, State::Starting]))
        }
        Phase::Running => format!("Running: {}{}", running(status), failed_reload(reload_failure)),
        Phase::Reloading => "Reloading".to_owned(),
        Phase::LameDuck => format!("Stopping{why}: still serving, for clients that do not know yet"),
        Phase::Stopping => {
            let gone = in_state(&[State::Gone]);
            format!("Stopping{why}: {gone}/{} stopped{}", services.len(), waiting(status, &[State::Stopping]))
        }
        Phase::Stopped => "Stopped".to_owned(),
    })
}

/// As in `7 services`, or `6/7, cache restarting in 3 s`.
fn running(status: &Status) -> String {
    let all = status.services();
    let is_down = |service: &&ServiceStatus| !matches!(service.state(), State::Ready | State::Completed);
    let down: Vec<String> = all.iter().filter(is_down).map(|service| format!("{} {service}", service.name())).collect();
    match down.len() {
        0 => count(all.len(), "service"),
        some => format!("{}/{}, {}", all.len() - some, all.len(), listed(&down)),
    }
}

fn failed_reload(failure: Option<&Failure>) -> String {
    failure.map(|failure| format!("; the last reload failed: {}", Chain(failure))).unwrap_or_default()
}

/// As in `, waiting for db (4 s)`.
fn waiting(status: &Status, steps: &[State]) -> String {
    let awaited = status.services().iter().filter(|service| steps.contains(&service.state()));
    let named: Vec<String> = awaited
        .map(|service| match status.uptime().saturating_sub(service.state_at()).as_secs() {
            0 => service.name().to_owned(),
            seconds => format!("{} ({})", service.name(), Took(Duration::from_secs(seconds))),
        })
        .collect();
    if named.is_empty() { String::new() } else { format!(", waiting for {}", listed(&named)) }
}

/// As in `a, b, c and 2 more`.
fn listed(all: &[String]) -> String {
    match all.split_at_checked(NAMED) {
        Some((named, more @ [_, ..])) => format!("{} and {} more", named.join(", "), more.len()),
        _ => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_named_and_the_rest_is_counted() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(["", "a", "a, b, c", "a, b, c and 1 more"], [0, 1, 3, 4].map(|many| listed(&names[..many])));
    }

    #[test]
    fn an_error_cannot_send_a_message_of_its_own() {
        assert_eq!(line("no such file\nREADY=1"), "no such file READY=1");
        assert_eq!(line(&"é".repeat(4096)).chars().count(), LONGEST);
    }
}
