//! The line of the log for an answer: at debug for each one, at error for one that says that the service has failed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hyper::body::Frame;
use tokio::time::Instant;
use tracing::Level;

use crate::base::panic::caught_now;
use crate::base::text::{Took, millis};
use crate::http::panicked::{IsTold, RequestLine};
use crate::http::traffic::Traffic;
use crate::service::context::Context;

/// An answer on its way. When it is dropped, it is told, if that is wanted.
#[derive(Debug)]
pub(crate) struct Telling {
    /// Knows the routes. `None` for a call that came through memory.
    traffic: Option<Arc<Traffic>>,
    /// The service that has answered.
    cx: Context,
    line: RequestLine,
    begun: Instant,
    status: StatusCode,
    grpc: Grpc,
    bytes: u64,
    is_told: bool,
}

/// The status of a gRPC call, which may come with the last bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grpc {
    /// It is no gRPC call.
    No,
    ToCome,
    Status(u8),
}

/// The names of the statuses of gRPC, by number.
pub(crate) const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The statuses of gRPC that are what 500 is over HTTP: `UNKNOWN`, `INTERNAL`, `DATA_LOSS`.
const FAILURES: [u8; 3] = [2, 13, 15];

impl Grpc {
    fn of(response: &Response) -> Self {
        let media_type = response.headers().get("content-type").map_or(&[][..], |value| value.as_bytes());
        if !media_type.starts_with(b"application/grpc") {
            return Self::No;
        }
        status_in(response.headers()).map_or(Self::ToCome, Self::Status)
    }
}

fn status_in(headers: &HeaderMap) -> Option<u8> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

impl Telling {
    /// Returns `None` for an answer that nobody wants to hear of.
    pub(crate) fn of(
        response: &mut Response,
        cx: &Context,
        line: &RequestLine,
        begun: Instant,
        traffic: Option<&Arc<Traffic>>,
    ) -> Option<Box<Self>> {
        let (status, grpc) = (response.status(), Grpc::of(response));
        let may_fail = status == StatusCode::INTERNAL_SERVER_ERROR || grpc != Grpc::No;
        let is_told = may_fail && response.extensions_mut().remove::<IsTold>().is_some();
        if !may_fail && !is_read() {
            return None;
        }
        Some(Box::new(Self {
            traffic: traffic.cloned(),
            cx: cx.clone(),
            line: line.clone(),
            begun,
            status,
            grpc,
            bytes: 0,
            is_told,
        }))
    }

    /// Notes a piece of the answer.
    pub(crate) fn note(&mut self, frame: &Frame<Bytes>) {
        if let Some(bytes) = frame.data_ref() {
            self.bytes += bytes.len() as u64;
        } else if let (Some(trailers), Grpc::ToCome) = (frame.trailers_ref(), self.grpc) {
            self.grpc = status_in(trailers).map_or(Grpc::ToCome, Grpc::Status);
        }
    }

    fn is_failure(&self) -> bool {
        match self.grpc {
            Grpc::Status(status) => FAILURES.contains(&status),
            _ => self.status == StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn tell(&self) {
        let is_failure = self.is_failure() && !self.is_told;
        if !is_failure && !is_read() {
            return;
        }
        let Self { cx, line, bytes, status, .. } = self;
        let (service, method, status) = (cx.name(), line.method.as_str(), status.as_u16());
        let route = line.route(|path| self.traffic.as_ref()?.route_of(path));
        let took: Duration = self.begun.elapsed();
        let (took_ms, took) = (millis(took), Took(took));
        let grpc_status = match self.grpc {
            Grpc::Status(status) => STATUSES.get(usize::from(status)).copied(),
            _ => None,
        };
        let answer = grpc_status.map_or_else(|| status.to_string(), str::to_owned);
        if is_failure {
            tracing::error!(target: "group::requests", service, method, route, status, grpc_status, took_ms, bytes, "{service}: {method} {route}: {answer} ({took}, {bytes} bytes)");
        } else {
            tracing::debug!(target: "group::requests", service, method, route, status, grpc_status, took_ms, bytes, "{service}: {method} {route}: {answer} ({took}, {bytes} bytes)");
        }
    }
}

/// Returns true if somebody reads a line for each answer.
fn is_read() -> bool {
    tracing::event_enabled!(target: "group::requests", Level::DEBUG)
}

/// A subscriber that panics ends neither the connection nor the service.
impl Drop for Telling {
    fn drop(&mut self) {
        let _panicked = caught_now(|| self.tell());
    }
}
