//! The probes that Kubernetes, load balancers and monitors ask: plain text, or JSON for those that accept it.

use std::fmt::Write as _;

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::admin::pulse::Pulse;
use crate::base::text::Took;
use crate::record::service_status::ServiceStatus;
use crate::record::status::Status;
use crate::running::handle::Handle;

/// The state of the probes.
#[derive(Clone, Debug)]
pub(super) struct Probed {
    pub(super) group: Handle,
    pub(super) pulse: Pulse,
}

/// Is it to be killed? It is live also while it starts and stops, because a limit ends each step that hangs.
pub(super) async fn livez(State(probed): State<Probed>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let status = probed.group.status();
    let why_not = match probed.pulse.is_missed_for() {
        Some(silent) => Some(format!("the runtime has run no task for {}", Took(silent))),
        None => status.why_not_live(),
    };
    Answer { asked: "live", why_not, status }.into_response(query.as_deref(), &headers)
}

/// Is it to be sent new clients?
pub(super) async fn readyz(State(probed): State<Probed>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let status = probed.group.status();
    let why_not = (!status.is_ready()).then(|| status.to_string());
    Answer { asked: "ready", why_not, status }.into_response(query.as_deref(), &headers)
}

/// Has it come up?
pub(super) async fn startupz(State(probed): State<Probed>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let status = probed.group.status();
    let why_not = (!status.has_started()).then(|| status.to_string());
    Answer { asked: "started", why_not, status }.into_response(query.as_deref(), &headers)
}

/// The answer to a probe.
struct Answer {
    asked: &'static str,
    why_not: Option<String>,
    status: Status,
}

impl Answer {
    fn into_response(self, query: Option<&str>, headers: &HeaderMap) -> Response {
        let is_verbose =
            query.is_some_and(|query| query.split('&').any(|word| word.split('=').next() == Some("verbose")));
        let accepts =
            |kind| headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|text| text.contains(kind)));
        let code = if self.why_not.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let (kind, text) = if accepts("application/json") {
            ("application/json", self.json(is_verbose))
        } else {
            ("text/plain; charset=utf-8", self.text(is_verbose))
        };
        (code, [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], text).into_response()
    }

    fn text(&self, is_verbose: bool) -> String {
        let mut text = match &self.why_not {
            None => format!("{}\n", self.asked),
            Some(why_not) => format!("not {}: {why_not}\n", self.asked),
        };
        if is_verbose {
            // Infallible: a string grows.
            let _ = writeln!(text, "{:#}", self.status);
        }
        text
    }

    fn json(&self, is_verbose: bool) -> String {
        let mut told = json!({
            "ok": self.why_not.is_none(),
            "asked": self.asked,
            "why_not": self.why_not,
            "phase": self.status.phase().to_string(),
        });
        if is_verbose {
            let service = |service: &ServiceStatus| json!({ "name": service.name(), "state": service.to_string() });
            told["services"] = self.status.services().iter().map(service).collect();
        }
        format!("{told}\n")
    }
}
