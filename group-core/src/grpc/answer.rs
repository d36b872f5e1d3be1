//! Answers one call, over the network or within the process: within the client's deadline, and always with a status.

use std::pin::Pin;
#[cfg(feature = "metrics")]
use std::sync::Arc;
use std::task;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tonic::{Code, Status};

use crate::base::error::BoxError;
use crate::base::panic::{caught, caught_now};
#[cfg(feature = "metrics")]
use crate::http::counting::leave_out;
use crate::http::panicked::IsTold;
#[cfg(feature = "metrics")]
use crate::record::requests::{Method, OTHER, Requests, RouteCounts};
use crate::service::context::Context;

/// The number of methods of one service that are counted apart.
#[cfg(feature = "metrics")]
const METHODS: usize = 200;

/// Answers one call of a service. A panic and a deadline that has passed get a status, too.
pub(crate) async fn answer(State(cx): State<Context>, request: Request, next: Next) -> Response {
    let deadline = deadline(request.headers());
    let mut call = Call::begin(cx, request.uri().clone());
    let answering = caught(next.run(request));
    let answered = match deadline {
        None => answering.await,
        Some(at) => match timeout_at(at, answering).await {
            Ok(answered) => answered,
            Err(_) => return call.ends_with(too_late()).into_http(),
        },
    };
    match answered {
        Ok(response) => {
            call.look_for_status(response.headers());
            response.map(|body| {
                let deadline = deadline.map(|at| Box::pin(sleep_until(at)));
                Body::new(CallBody { body: Some(body), call, deadline })
            })
        }
        Err(panicked) => {
            let mut response = call.panicked(&panicked).into_http();
            response.extensions_mut().insert(IsTold);
            response
        }
    }
}

/// A call: its service and its path, for the log and the report.
#[derive(Debug)]
struct Call {
    cx: Context,
    uri: Uri,
    /// `None` once it is counted.
    #[cfg(feature = "metrics")]
    begun: Option<Instant>,
}

impl Call {
    fn begin(cx: Context, uri: Uri) -> Self {
        #[cfg(feature = "metrics")]
        leave_out();
        Self {
            cx,
            uri,
            #[cfg(feature = "metrics")]
            begun: Some(Instant::now()),
        }
    }

    fn panicked(&mut self, panicked: &BoxError) -> Status {
        self.cx.handler_panicked(panicked, None, Some(self.uri.path()));
        self.ends_with(Status::internal("the handler panicked"))
    }

    fn ends_with(&mut self, status: Status) -> Status {
        self.count(status.code());
        status
    }

    /// Looks whether these headers, or trailers, have the status of the call.
    fn look_for_status(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.count(Code::from_bytes(status.as_bytes()));
        }
    }

    #[cfg(not(feature = "metrics"))]
    #[expect(clippy::unused_self, reason = "with the feature `metrics` it counts")]
    fn count(&mut self, _: Code) {}

    /// Counts the call, unless that was done.
    #[cfg(feature = "metrics")]
    fn count(&mut self, code: Code) {
        if let Some(begun) = self.begun.take() {
            let calls = &self.cx.member().measures().grpc;
            counts(calls, self.uri.path(), code).count(code as u16, begun.elapsed());
        }
    }
}

/// A call that is dropped before it has a status was cancelled.
#[cfg(feature = "metrics")]
impl Drop for Call {
    fn drop(&mut self) {
        self.count(Code::Cancelled);
    }
}

/// The counts of the method that a path names. A client may send any path, and a service tells only by its answer
/// whether it has the method, so that one that it does not implement gets no counts of its own; nor does one too many.
#[cfg(feature = "metrics")]
fn counts(calls: &Requests, path: &str, code: Code) -> Arc<RouteCounts> {
    let post = Method::of("POST");
    calls.find(post, path).unwrap_or_else(|| {
        let is_known = code != Code::Unimplemented && calls.len() < METHODS;
        calls.of(post, if is_known { path } else { OTHER })
    })
}

pub(crate) fn too_late() -> Status {
    Status::deadline_exceeded("the deadline that the client set has passed")
}

/// The instant after which the client wants no answer.
fn deadline(headers: &HeaderMap) -> Option<Instant> {
    let limit = headers.get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?))?;
    Instant::now().checked_add(limit)
}

/// Reads the value of `grpc-timeout`: up to eight digits, and a unit.
fn timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 60 * 60),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// The body of a response. A panic or a passed deadline ends it with a status in the trailers.
#[derive(Debug)]
struct CallBody {
    /// `None` once it has ended with a status.
    body: Option<Body>,
    call: Call,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl CallBody {
    fn end_with(&mut self, status: &Status) -> Result<Frame<Bytes>, BoxError> {
        self.body = None;
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).map(|()| Frame::trailers(trailers)).map_err(BoxError::from)
    }
}

impl HttpBody for CallBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body: Some(body), deadline, .. } = &mut *self else { return Poll::Ready(None) };
        if deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(task).is_ready()) {
            let status = self.call.ends_with(too_late());
            return Poll::Ready(Some(self.end_with(&status)));
        }
        let polled = caught_now(|| Pin::new(body).poll_frame(task).map_err(BoxError::from));
        let polled = polled.unwrap_or_else(|panicked| {
            let status = self.call.panicked(&panicked);
            Poll::Ready(Some(self.end_with(&status)))
        });
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.look_for_status(trailers);
                }
            }
            Poll::Ready(None) => self.call.count(Code::Unknown),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::timeout;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (value, limit) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("100m", Duration::from_millis(100)),
            ("7u", Duration::from_micros(7)),
            ("1n", Duration::from_nanos(1)),
        ] {
            assert_eq!(timeout(value), Some(limit), "{value}");
        }
        for wrong in ["", "S", "100", "123456789S", "-1S", "1 S", "1s", "1é"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }
}
