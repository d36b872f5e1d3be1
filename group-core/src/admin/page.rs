//! The page: a group at a glance. All of it is rendered here, so that it can be read without JavaScript; what little there
//! is in `page.html` puts in what has changed.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use axum::extract::{OriginalUri, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

use crate::base::process::program;
use crate::base::text::{Took, count};
use crate::draw::graph::{graph_in_page, node_in_page};
use crate::draw::svg::{Escaped, STYLE, class, mark};
use crate::draw::timeline::timeline_in_page;
use crate::lifecycle::interface::Role;
use crate::lifecycle::plan::Schedule;
use crate::record::event::Event;
use crate::record::report::Outcome;
use crate::record::service_status::ServiceStatus;
use crate::record::state::{Phase, State as ServiceState};
use crate::record::status::Status;
use crate::running::handle::Handle;

const PAGE: &str = include_str!("page.html");

/// The events that the page lists.
const EVENTS: usize = 40;

/// The services that are named as those whose turn it is.
const TURNS: usize = 4;

/// The services that are named as those that another one waits for.
const NAMES: usize = 6;

/// A moment of a group, as the page shows it.
pub(super) struct View<'a> {
    status: &'a Status,
    /// The parts are for a page that writes the times itself, every second.
    is_live: bool,
    /// Nothing changes any more.
    is_over: bool,
}

/// A part of the page that changes: its id, and what it has.
pub(super) type Part = (String, String);

/// Answers with the page.
pub(super) async fn page(State(group): State<Handle>, OriginalUri(uri): OriginalUri) -> Response {
    let status = group.status();
    let nonce = nonce();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, View::of(&status).whole(&nonce, uri.path())).into_response()
}

/// A word that nobody can guess, by which the browser knows that the page's script is ours.
fn nonce() -> String {
    // The keys come from the system's random numbers.
    let random = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", random(), random())
}

/// Fills in a template: `⟦name⟧` is replaced by the value of that name.
fn filled(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut pieces = template.split('⟦');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('⟧').unwrap_or_default();
        filled.push_str(&value(name));
        filled.push_str(rest);
    }
    filled
}

impl<'a> View<'a> {
    /// The page as it is, once.
    pub(super) fn of(status: &'a Status) -> Self {
        Self { status, is_live: false, is_over: status.phase() == Phase::Stopped }
    }

    /// For a page that is open. With `is_over`, it is the last picture.
    pub(super) fn live(status: &'a Status, is_over: bool) -> Self {
        Self { status, is_live: true, is_over }
    }

    fn whole(&self, nonce: &str, path: &str) -> String {
        filled(PAGE, |name| match name {
            "nonce" => nonce.to_owned(),
            "base" => format!("{}/", Escaped(path.trim_end_matches('/'))),
            "title" => Escaped(&self.title()).to_string(),
            "pictures" => STYLE.to_owned(),
            "uptime" => format!("{:.3}", self.status.uptime().as_secs_f64()),
            "head" => self.head(),
            "count" => self.count(),
            "services" => self.rows(),
            "graph" => graph_in_page(self.status),
            "timeline" => timeline_in_page(self.status),
            "log" => self.log(),
            _ => String::new(),
        })
    }

    /// The state of the group as a whole.
    pub(super) fn heads(&self) -> Vec<Part> {
        vec![("head".to_owned(), self.head()), ("count".to_owned(), self.count())]
    }

    /// The services, and what has happened to them.
    pub(super) fn services(&self) -> Vec<Part> {
        let mut parts = vec![("log".to_owned(), self.log())];
        for (id, service) in self.status.services().iter().enumerate() {
            parts.push((format!("service-{id}"), self.row(service)));
        }
        for id in 0..self.status.places.len() {
            parts.push((format!("node-{id}"), node_in_page(self.status, id)));
        }
        parts
    }

    /// The timeline. It is the largest part, and changes all the while something starts or stops.
    pub(super) fn bars(&self) -> Vec<Part> {
        vec![("bars".to_owned(), timeline_in_page(self.status))]
    }

    pub(super) fn title(&self) -> String {
        let name = program();
        if self.is_over { format!("ended – {name}") } else { format!("{} – {name}", self.status) }
    }

    /// The time since a moment, in words.
    fn since(&self, at: Duration) -> String {
        let text = if self.is_live { String::new() } else { age(self.status.uptime().saturating_sub(at)) };
        format!("<span class=\"number\" data-since=\"{:.3}\">{text}</span>", at.as_secs_f64())
    }

    /// The time until a moment, in words.
    fn until(&self, left: Duration) -> String {
        // Only milliseconds: a part that is rendered again is the same.
        let at = (self.status.uptime() + left).as_secs_f64();
        let text = if self.is_live { String::new() } else { age(left) };
        format!("<span class=\"number\" data-until=\"{at:.1}\">{text}</span>")
    }

    fn head(&self) -> String {
        let status = self.status;
        let (state, phase) = self.phase();
        let mut head = format!(
            "<div class=\"line\"><h1>{}</h1><p class=\"phase {}\">{} {phase}</p></div>",
            Escaped(&program()),
            class(state),
            icon(state)
        );
        let order = match status.schedule() {
            Schedule::Strict => "strict order",
            Schedule::Graph => "graph order",
        };
        let _ = write!(head, "<p class=\"facts\"><span>pid {}</span><span>{order}</span>", std::process::id());
        if let Some(took) = status.took_to_start() {
            let _ = write!(head, "<span>ready after {}</span>", Took(took));
        }
        if !self.is_over {
            let _ = write!(head, "<span>up {}</span>", self.since(Duration::ZERO));
        }
        head.push_str("</p>");
        if self.is_over {
            self.write_end(&mut head);
        } else {
            self.write_turn(&mut head);
        }
        head
    }

    /// The phase, in words, and the state of a service that is most like it.
    fn phase(&self) -> (ServiceState, String) {
        let status = self.status;
        let state = match status.phase() {
            _ if self.is_over => return (ServiceState::Gone, "ended".to_owned()),
            Phase::Starting => ServiceState::Starting,
            Phase::LameDuck | Phase::Stopping => ServiceState::Stopping,
            Phase::Stopped => ServiceState::Gone,
            Phase::Running | Phase::Reloading if !status.is_ready() || status.is_degraded() => ServiceState::Restarting,
            Phase::Running | Phase::Reloading => ServiceState::Ready,
        };
        (state, status.to_string())
    }

    /// Whose turn it is, and how long the stop may still take.
    fn write_turn(&self, head: &mut String) {
        let status = self.status;
        if let Some(reason) = status.stopped_by() {
            let _ = write!(head, "<p class=\"turn\">Stop: {}.</p>", Escaped(&reason.to_string()));
        }
        if let Some(cause) = status.cause() {
            let _ = write!(head, "<p class=\"failure\">{}</p>", Escaped(&cause.to_string()));
        }
        let is_busy = |state| {
            matches!(
                state,
                ServiceState::Building | ServiceState::Starting | ServiceState::Restarting | ServiceState::Stopping
            )
        };
        let busy: Vec<&ServiceStatus> = status.services().iter().filter(|service| is_busy(service.state())).collect();
        let named = busy.iter().take(TURNS).map(|service| {
            format!("<b>{}</b> ({} for {})", Escaped(service.name()), service.state(), self.since(service.state_at()))
        });
        let mut named: Vec<String> = named.collect();
        if busy.len() > TURNS {
            named.push(format!("{} more", busy.len() - TURNS));
        }
        if !named.is_empty() {
            let _ = write!(head, "<p class=\"turn\">Now: {}</p>", named.join(", "));
        }
        if let (Some(left), Some(asked)) = (status.time_left(), status.stop_asked_at()) {
            let end = (status.uptime() + left).as_secs_f64();
            let all = end - asked.as_secs_f64();
            let _ = write!(
                head,
                "<p class=\"turn\"><progress max=\"{all:.1}\" value=\"{}\" data-end=\"{end:.1}\" \
                 aria-label=\"Time left to stop\"></progress> {} left</p>",
                if self.is_live { String::new() } else { format!("{:.1}", left.as_secs_f64()) },
                self.until(left)
            );
        }
    }

    /// Writes the end of the group: its outcome, the reason of the stop, and the first cause.
    fn write_end(&self, head: &mut String) {
        let status = self.status;
        let what = match status.outcome() {
            Some(Outcome::Clean) | None => "Stopped cleanly",
            Some(Outcome::RunFailed) => "Stopped after a failure",
            Some(Outcome::StartFailed) => "The start failed; what had been started was stopped again",
            Some(Outcome::UncleanStop) => "Stopped, but not cleanly",
            Some(Outcome::BadGroup) => "Nothing was started: invalid setup",
            Some(Outcome::Forced(_)) => "Forced to end by a second signal",
        };
        let is_clean = status.cause().is_none() && matches!(status.outcome(), Some(Outcome::Clean) | None);
        let _ = write!(
            head,
            "<div class=\"ended {}\"><p class=\"what\">{what}, exit code {}</p>",
            if is_clean { "completed" } else { "failed" },
            status.exit_code().unwrap_or_default()
        );
        if let (Some(reason), Some(asked)) = (status.stopped_by(), status.stop_asked_at()) {
            let gone = status.services().iter().filter(|service| service.role() != Role::Sidecar);
            let last = gone.filter_map(ServiceStatus::gone_at).max().unwrap_or(asked);
            let _ = write!(
                head,
                "<p>Why: {}, after {}. The stop took {}.</p>",
                Escaped(&reason.to_string()),
                Took(asked),
                Took(last.saturating_sub(asked))
            );
        }
        if let Some(cause) = status.cause() {
            let _ = write!(head, "<p>First cause: {}</p>", Escaped(&cause.to_string()));
        }
        head.push_str("</div>");
    }

    fn count(&self) -> String {
        let services = self.status.services();
        let number = |is: fn(ServiceState) -> bool| services.iter().filter(|service| is(service.state())).count();
        let all = services.len();
        match self.status.phase() {
            Phase::Stopping | Phase::Stopped => {
                format!("{} of {all} gone", number(|state| state == ServiceState::Gone))
            }
            _ => {
                let ready = number(|state| matches!(state, ServiceState::Ready | ServiceState::Completed));
                format!("{ready} of {all} ready")
            }
        }
    }

    fn rows(&self) -> String {
        let mut rows = String::new();
        for (id, service) in self.status.services().iter().enumerate() {
            let _ = write!(rows, "<tr id=\"service-{id}\">{}</tr>", self.row(service));
        }
        rows
    }

    fn row(&self, service: &ServiceStatus) -> String {
        let mut row = format!("<th scope=\"row\">{}", Escaped(service.name()));
        let role = Some(service.role().to_string()).filter(|_| !matches!(service.role(), Role::Task | Role::Daemon));
        let notes: Vec<String> =
            role.into_iter().chain((!service.is_critical()).then(|| "not critical".to_owned())).collect();
        if !notes.is_empty() {
            let _ = write!(row, " <small>{}</small>", notes.join(", "));
        }
        let state = service.state();
        let _ = write!(
            row,
            "</th><td class=\"state\"><span class=\"{}\">{} {state}</span> <span class=\"soft\">{}</span></td>",
            class(state),
            icon(state),
            self.since(service.state_at())
        );
        let _ = write!(row, "<td class=\"names\">{}</td>", self.waits(service));
        let _ = write!(row, "<td>{}</td>", traffic(service));
        let _ = write!(row, "<td>{}</td>", self.restarts(service));
        let _ = write!(row, "<td class=\"mono\">{}</td>", Escaped(service.address().unwrap_or_default()));
        row
    }

    /// The cell with the services that a service waits for, and its last failure.
    fn waits(&self, service: &ServiceStatus) -> String {
        let mut waits = String::new();
        if let Some(left) = service.starts_again_in() {
            let _ = write!(waits, "{} until it is started again", self.until(left));
        }
        if !service.waits_for().is_empty() {
            let _ = write!(waits, "{HEAD}waits for </span>{}", Escaped(&few(service.waits_for())));
        }
        if let Some(failure) = service.last_failure() {
            let _ = write!(waits, "<div class=\"failure\">{}</div>", Escaped(&failure.to_string()));
        }
        waits
    }

    fn restarts(&self, service: &ServiceStatus) -> String {
        match service.last_restarts().last() {
            Some(last) => {
                let since = self.since(last.started_at());
                format!("{HEAD}restarts: </span>{}, the last {since} ago", service.restarts())
            }
            None => String::new(),
        }
    }

    /// The last events, the latest first.
    fn log(&self) -> String {
        let mut log = String::new();
        for (at, event) in self.status.recent_events().iter().rev().take(EVENTS) {
            let (state, what) = match event {
                Event::Service { name, state } => (Some(*state), format!("<b>{}</b> is {state}", Escaped(name))),
                Event::GroupReady => (None, "every service is ready".to_owned()),
                Event::GroupReloading => (None, "a reload begins".to_owned()),
                Event::GroupReloaded => (None, "the reload is over".to_owned()),
                Event::GroupStopping(reason) => (None, format!("stop: {}", Escaped(&reason.to_string()))),
                Event::GroupStopped => (None, "everything is over".to_owned()),
                Event::Missed(_) => continue,
            };
            let mark = state.map(|state| format!("<span class=\"{}\">{}</span> ", class(state), icon(state)));
            let _ = write!(
                log,
                "<li><span class=\"at\">{}</span><span class=\"what\">{}{what}</span></li>",
                moment(*at),
                mark.unwrap_or_default()
            );
        }
        log
    }
}

/// Begins the name of a value, which is shown where the table has no heads: on a phone.
const HEAD: &str = "<span class=\"head\">";

/// Names, the first few of them.
fn few(names: &[String]) -> String {
    let mut few = names.iter().take(NAMES).cloned().collect::<Vec<_>>();
    if names.len() > NAMES {
        few.push(format!("{} more", names.len() - NAMES));
    }
    few.join(", ")
}

fn traffic(service: &ServiceStatus) -> String {
    let mut traffic = Vec::new();
    if let (Some(connections), Some(requests)) = (service.connections(), service.requests_in_flight()) {
        traffic.push(format!("{}, {} in flight", count(connections, "connection"), count(requests, "request")));
    }
    traffic.extend(service.messages().map(|messages| messages.to_string()));
    traffic.join("; ")
}

fn icon(state: ServiceState) -> String {
    format!("<svg class=\"mark\" viewBox=\"0 0 10 10\" aria-hidden=\"true\">{}</svg>", mark(state))
}

/// The time of an event. Many come in one second.
fn moment(at: Duration) -> String {
    if at < Duration::from_secs(60) { format!("{:.3} s", at.as_secs_f64()) } else { age(at) }
}

/// A time in its two largest units: `5 s`, `2m 5s`, `3h 12m`.
fn age(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 60 {
        return format!("{whole} s");
    }
    let parts = [(86_400, u64::MAX, "d"), (3600, 24, "h"), (60, 60, "m"), (1, 60, "s")];
    let numbers = parts.map(|(size, most, unit)| (whole / size % most, unit));
    let used = numbers.into_iter().skip_while(|(number, _)| *number == 0).take(2).filter(|(number, _)| *number > 0);
    used.map(|(number, unit)| format!("{number}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        let ages = [0, 59, 60, 125, 3600, 3661, 90_000, 864_000].map(|secs| age(Duration::from_secs(secs)));
        assert_eq!(ages, ["0 s", "59 s", "1m", "2m 5s", "1h", "1h 1m", "1d 1h", "10d"]);
    }

    #[test]
    fn every_place_of_the_page_is_filled_and_a_value_is_not_a_place() {
        let page = filled(PAGE, |name| {
            assert!(!name.is_empty());
            "⟦title⟧".to_owned()
        });
        assert_eq!(page.matches("⟦title⟧").count(), PAGE.matches('⟦').count());
    }

    #[test]
    fn no_two_nonces_are_the_same() {
        assert_ne!(nonce(), nonce());
    }
}
