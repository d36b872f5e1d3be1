//! The words of the log. Each function takes plain values and emits one event; the journal has them called by its
//! outbox, and a reload calls them. A [`Name`] is made text only when its event is enabled. Times are text in a message,
//! and a number of milliseconds in a field, whose name ends with `_ms`.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::base::error::{Chain, Failure};
use crate::base::panic::caught_now;
use crate::base::text::{Limit, Took, count, millis};
use crate::lifecycle::interface::ByHand;
use crate::record::counts::Drain;
use crate::record::event::StopReason;
use crate::record::report::Report;
use crate::record::state::State;
use crate::running::server::listed;
use crate::spec::name::Name;

/// The most verbose level of which events are enabled. To ask for it runs code of the subscriber's.
pub(crate) fn level() -> LevelFilter {
    let level = || {
        if tracing::event_enabled!(target: "group", Level::DEBUG) {
            LevelFilter::DEBUG
        } else if tracing::event_enabled!(target: "group", Level::INFO) {
            LevelFilter::INFO
        } else if tracing::event_enabled!(target: "group", Level::ERROR) {
            LevelFilter::WARN
        } else {
            LevelFilter::OFF
        }
    };
    // A subscriber that panics here panics again when it gets the events, and that is kept.
    caught_now(level).unwrap_or(LevelFilter::DEBUG)
}

pub(super) fn building(service: &Name) {
    tracing::debug!(target: "group", service = service.as_str(), "{service} is being built");
}

/// A service that is mounted on another one is ready.
pub(super) fn ready_on_host(service: &Name, host: &str, prefix: &str, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::info!(target: "group", service = service.as_str(), http_on = host, prefix, took_ms, "{service} is ready on {host}, under {prefix} ({took})");
}

/// A service that listens on a TCP port is ready.
pub(super) fn ready_on_port(service: &Name, scheme: &str, addr: SocketAddr, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::info!(target: "group", service = service.as_str(), %addr, took_ms, "{service} is ready on {scheme}{addr} ({took})");
}

/// A service that listens on a Unix socket is ready.
pub(super) fn ready_on_socket(service: &Name, path: &str, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::info!(target: "group", service = service.as_str(), took_ms, "{service} is ready on {path} ({took})");
}

pub(super) fn ready(service: &Name, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::info!(target: "group", service = service.as_str(), took_ms, "{service} is ready ({took})");
}

/// `to` is what the service has not done yet, and `setting` names its limit. `why` says what it waits for, if that is known.
pub(super) fn still_waiting(
    service: &Name,
    to: &str,
    waited: Duration,
    setting: &str,
    limit: Duration,
    in_flight: usize,
    why: &str,
) {
    let (waited_ms, limit_ms) = (millis(waited), (limit != Duration::MAX).then(|| millis(limit)));
    let (waited, limit) = (Took(waited), Limit(limit));
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    tracing::info!(target: "group", service = service.as_str(), waited_ms, limit_ms, in_flight, "still waiting for {service} to {to} ({waited}; {setting} {limit}){why}");
}

/// A server has drained. `cut` are the requests that it has cut.
pub(crate) fn drained(service: &str, drain: Drain, cut: &[String]) {
    let Drain { drained, cut: connections, took, .. } = drain;
    let took_ms = millis(took);
    let requests = if cut.is_empty() { String::new() } else { format!(" (cut: {})", listed(cut)) };
    if connections > 0 {
        tracing::warn!(target: "group", service, drained, cut = connections, took_ms, "{service} {drain}{requests}");
    } else if drained > 0 {
        tracing::info!(target: "group", service, drained, cut = connections, took_ms, "{service} {drain}");
    }
}

pub(super) fn restarting(service: &Name, wait: Duration, nth: u32, max: usize, within: Duration) {
    let (wait_ms, wait, within) = (millis(wait), Took(wait), Took(within));
    tracing::warn!(target: "group", service = service.as_str(), wait_ms, restart = nth, "{service}: restarting in {wait} (restart {nth}, at most {max} in {within})");
}

pub(super) fn giving_up(service: &Name, max: usize, within: Duration) {
    let (restarts, within) = (count(max, "restart"), Took(within));
    tracing::warn!(target: "group", service = service.as_str(), "{service}: giving up: {restarts} within {within} of being ready");
}

pub(super) fn degraded(service: &Name) {
    tracing::warn!(target: "group", service = service.as_str(), "the group goes on without {service} (degraded)");
}

/// A task was dropped unrun.
pub(crate) fn spawned_too_late(service: &str) {
    tracing::warn!(target: "group", service, "{service} is gone: a task that was spawned for it is dropped");
}

pub(super) fn completed(service: &Name) {
    tracing::info!(target: "group", service = service.as_str(), "{service} has completed");
}

pub(super) fn asked_to_stop(service: &Name) {
    tracing::debug!(target: "group", service = service.as_str(), "{service} is asked to stop");
}

/// A request about one service was made by hand.
pub(super) fn asked_by_hand(service: &Name, what: ByHand) {
    let what = match what {
        ByHand::Stop => "stop",
        ByHand::Start => "start",
        ByHand::Restart => "restart",
    };
    tracing::info!(target: "group", service = service.as_str(), "{service} is to {what}, by hand");
}

pub(super) fn not_built(service: &Name) {
    tracing::debug!(target: "group", service = service.as_str(), "{service} was not built");
}

pub(super) fn stopped(service: &Name, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::info!(target: "group", service = service.as_str(), took_ms, "{service} stopped ({took})");
}

pub(super) fn aborted(service: &Name, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::warn!(target: "group", service = service.as_str(), took_ms, "{service} was aborted ({took})");
}

pub(super) fn abandoned(service: &Name, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::warn!(target: "group", service = service.as_str(), took_ms, "{service} was abandoned ({took})");
}

/// `asked_by` is a signal. The lines for the services follow.
pub(super) fn picture(asked_by: &str, group: &str) {
    tracing::info!(target: "group", "{asked_by}: {group}");
}

/// One service at this moment.
pub(super) struct ServicePicture<'a> {
    pub(super) service: &'a str,
    pub(super) state: State,
    /// For how long it has been in this state.
    pub(super) lasts: Duration,
    /// What it waits for.
    pub(super) waits_for: Option<String>,
    /// Its requests in flight, the oldest first.
    pub(super) requests: String,
    pub(super) in_flight: usize,
    pub(super) tasks: usize,
    pub(super) tickers: usize,
    pub(super) jobs: usize,
    pub(super) blocked: Vec<&'a str>,
}

/// The line of one service in a picture of the moment.
pub(super) fn service_in_picture(picture: &ServicePicture<'_>) {
    let ServicePicture { service, state, lasts, waits_for, requests, in_flight, tasks, tickers, jobs, blocked } =
        picture;
    let mut text = format!("  {service}: {state} for {}", Took(*lasts));
    let parts = [
        waits_for.as_ref().map(|it| format!("waits for {it}")),
        (*in_flight > 0).then(|| format!("{} in flight: {requests}", count(*in_flight, "request"))),
        (*tasks > 0).then(|| count(*tasks, "task")),
        (*tickers > 0).then(|| count(*tickers, "ticker")),
        (*jobs > 0).then(|| count(*jobs, "job")),
        (!blocked.is_empty()).then(|| format!("blocks {}: {}", count(blocked.len(), "thread"), blocked.join("; "))),
    ];
    parts.into_iter().flatten().for_each(|part| text.extend(["; ", &*part]));
    tracing::info!(target: "group", service, state = %state, state_ms = millis(*lasts), waits_for, in_flight, tasks, tickers, jobs, blocked = blocked.len(), "{text}");
}

pub(super) fn no_services() {
    tracing::warn!(target: "group", "there are no services in this group");
}

pub(super) fn all_ready(services: usize, took: Duration) {
    let (took_ms, took) = (millis(took), Took(took));
    tracing::info!(target: "group", services, took_ms, "{services} services are ready ({took})");
}

/// Appended to the line of a stop that a signal has asked for.
const HOW_TO_FORCE: &str = "; a second signal forces the end";

/// `by_signal` is true if a signal has asked for the stop. With `quiet`, it begins early without requests.
pub(super) fn lame_duck(why: &str, by_signal: bool, delay: Duration, quiet: Option<Duration>) {
    let (delay_ms, delay, how_to_force) = (millis(delay), Took(delay), if by_signal { HOW_TO_FORCE } else { "" });
    let early = quiet.map_or_else(String::new, |quiet| format!(", or once there are no requests for {}", Took(quiet)));
    tracing::info!(target: "group", drain_delay_ms = delay_ms, "{why}: not ready any more; stopping in {delay}{early}{how_to_force}");
}

/// `why` is what the stop begins with now, and `cause` the first reason: they differ at the end of a delay. `built` and
/// `building` count the services that are not gone yet. `by_signal` is true if a signal has just asked for the stop, and
/// is the first.
pub(super) fn stopping(why: &str, cause: &str, by_signal: bool, built: usize, building: usize, within: Duration) {
    let how_to_force = if by_signal && built + building > 0 { HOW_TO_FORCE } else { "" };
    let (within_ms, within) = (millis(within), Took(within));
    let what = match (built, building) {
        (0, 0) => "nothing to stop".to_owned(),
        (built, 0) => format!("stopping {}, within {within}", count(built, "service")),
        (0, building) => format!("dropping {} before `new` has returned, within {within}", count(building, "service")),
        (built, building) => {
            let built = count(built, "service");
            format!("stopping {built}, dropping {building} before `new` has returned, within {within}")
        }
    };
    tracing::info!(target: "group", cause, within_ms, "{why}: {what}{how_to_force}");
}

/// A signal came this long after a service had failed.
pub(super) fn signal_explains(signal: &StopReason, failed: &StopReason, after: Duration) {
    let (after_ms, after) = (millis(after), Took(after));
    tracing::info!(target: "group", cause = %signal, after_ms, "{signal} came {after} after {failed}, and is taken for the cause");
}

/// A signal repeats a request of less than `window` ago.
pub(crate) fn same_request(signal: &str, window: Duration) {
    tracing::debug!(target: "group", "{signal}: the stop was asked for already, less than {} ago", Took(window));
}

pub(crate) fn ignored(signal: &str) {
    tracing::debug!(target: "group", "{signal}: ignored, as it was when the program was started");
}

/// A signal asks for a reload while another one waits.
pub(super) fn reload_waits(signal: &str) {
    tracing::debug!(target: "group", "{signal}: a reload waits already");
}

pub(super) fn will_reload(signal: &str) {
    tracing::debug!(target: "group", "{signal}: reloading, once all services are ready");
}

/// The program is built with `panic = "abort"`.
pub(super) fn aborts() {
    tracing::warn!(target: "group", "this program is built with panic = \"abort\": a panic of any service ends the process at once, and no service is stopped");
}

/// The process ends at once because of a panic, whose words these are, of a service or of something else. `running` are
/// the services that were not gone.
pub(super) fn last_words_of_abort(service: Option<&str>, panicked: &str, running: &[String]) {
    let whose = service.map_or_else(|| "something else than a service".to_owned(), |service| format!("`{service}`"));
    let left = if running.is_empty() {
        "no service was running".to_owned()
    } else {
        format!("not stopped: {}", running.join(", "))
    };
    tracing::error!(target: "group", service, "{whose} {panicked}; the process ends at once (panic = \"abort\"); {left}");
}

pub(super) fn ended(report: &Report) {
    let exit_code = report.exit_code();
    if report.is_clean() {
        tracing::info!(target: "group", exit_code, "{}", report.summary());
    } else {
        tracing::error!(target: "group", exit_code, "{}", report.last_words());
    }
}

/// A failure for which the group stops, or one that it can only report.
pub(super) fn failed(failure: &Failure) {
    tracing::error!(target: "group", service = failure.service(), "{}", Chain(failure));
}

/// A failure that the group survives.
pub(super) fn survived(failure: &Failure) {
    tracing::warn!(target: "group", service = failure.service(), "{}", Chain(failure));
}

pub(super) fn reloaded(service: &str) {
    tracing::info!(target: "group", service, "{service} has reloaded");
}

pub(super) fn all_reloaded(services: usize) {
    tracing::info!(target: "group", "{} reloaded", count(services, "service"));
}

pub(super) fn nothing_reloaded(signal: &str) {
    tracing::warn!(target: "group", "{signal}: nothing was reloaded: no service with a `reload` is ready");
}

pub(super) fn reload_failed(failure: &Failure) {
    let kept = if failure.service().is_some() { "it keeps its old state" } else { "everything stays as it was" };
    tracing::error!(target: "group", service = failure.service(), "{}; {kept}", Chain(failure));
}

pub(super) fn still_reloading(service: &str, waited: Duration, limit: Duration) {
    let (waited_ms, limit_ms, waited, limit) = (millis(waited), millis(limit), Took(waited), Limit(limit));
    tracing::info!(target: "group", service, waited_ms, limit_ms, "still waiting for {service} to reload ({waited}; start_timeout {limit})");
}

pub(super) fn reload_cut_off(service: &str, why: &str) {
    tracing::warn!(target: "group", service, "{service} was cut off while it reloaded: {why}");
}
