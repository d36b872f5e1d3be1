//! A call through memory, to a service of the same group.
//!
//! Each call has a task, which belongs to the service that answers, as a call over a network has one in the server. So
//! a caller that reads its response late, or a handler that reads its request late, holds up the other only when the
//! channel between them is full. The task ends when the caller drops the call.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Extensions, Request, Response, response};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower_service::Service as _;

use crate::base::error::BoxError;
use crate::http::panicked::RequestLine;
use crate::http::told::Telling;
use crate::record::counts::Drain;
use crate::record::state::State;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// The number of pieces of a request, and of a response, that may be on their way, as in a window of HTTP/2.
const ON_THE_WAY: usize = 16;

/// The gRPC services of a service in the same group.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    routes: Router,
    /// The context of the service that answers.
    cx: Context,
}

impl Local {
    pub(super) fn new(routes: Router, cx: Context) -> Self {
        Self { routes, cx }
    }

    /// Calls the service.
    ///
    /// # Errors
    ///
    /// If the service does not run, or is aborted before it has answered.
    pub(super) async fn call(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        self.check_running()?;
        let (head, answered) = oneshot::channel();
        let (sender, body) = mpsc::channel(ON_THE_WAY);
        let cx = self.cx.clone();
        cx.clone().spawn_child(async move {
            cx.noting_polls(self.answer(request, head, sender)).await;
            Ok(())
        });
        let head = answered.await.map_err(|_| cut_off())?;
        Ok(Response::from_parts(head, Body::new(Pieces { receiver: body, is_over: false })))
    }

    fn check_running(&self) -> Result<(), Status> {
        let (name, state) = (self.cx.name(), self.cx.state());
        let stops = self.cx.member().is_asked_to_stop();
        if matches!(state, State::Ready | State::Stopping) && !stops {
            return Ok(());
        }
        Err(Status::unavailable(format!("`{name}` is {}", if stops { State::Stopping } else { state })))
    }

    /// Answers a call, until the response is complete or the caller has dropped it.
    async fn answer(self, request: Request<Body>, head: oneshot::Sender<response::Parts>, pieces: mpsc::Sender<Piece>) {
        let Self { mut routes, cx } = self;
        let mut in_flight = CallInFlight::new(cx.clone());
        let (begun, line) = (Instant::now(), RequestLine::of(&request));
        let (upload, request) = split(request, &cx);
        let mut upload = pin!(upload);
        let mut is_uploaded = false;
        let has_begun = AtomicBool::new(false);
        let mut answered = pin!(async {
            let Ok(mut response) = routes.call(request).await;
            let mut telling = Telling::of(&mut response, &cx, &line, begun, None);
            let (parts, body) = response.into_parts();
            has_begun.store(true, Relaxed);
            // If the caller has dropped the call, `pieces.closed` below ends this.
            let _ = head.send(parts);
            send(body, pieces.clone(), |frame| telling.iter_mut().for_each(|telling| telling.note(frame))).await;
        });
        let mut stop = pin!(cx.member().stop_waiters().latch.wait());
        loop {
            tokio::select! {
                biased;
                () = &mut stop, if !in_flight.is_draining() => in_flight.drain(has_begun.load(Relaxed)),
                () = pieces.closed() => break,
                () = &mut answered => break,
                () = &mut upload, if !is_uploaded => is_uploaded = true,
            }
        }
        in_flight.is_over = true;
    }
}

/// Splits a request into a future that sends its body, and the request that receives it, so that the two sides run
/// apart, as over a network. The client's own extensions are left out.
fn split(request: Request<Body>, cx: &Context) -> (impl Future<Output = ()> + use<>, Request<axum::body::Body>) {
    let (mut parts, body) = request.into_parts();
    parts.extensions = Extensions::new();
    parts.extensions.insert(Shutdown::beside_start(cx.clone()));
    let (sender, receiver) = mpsc::channel(ON_THE_WAY);
    let pieces = Pieces { receiver, is_over: false };
    (send(body, sender, |_| ()), Request::from_parts(parts, axum::body::Body::new(pieces)))
}

/// A piece of a body; `None` when it is complete.
type Piece = Option<Result<Frame<Bytes>, Status>>;

/// Sends a body as fast as the other side reads it. `note` sees each piece before.
async fn send<B>(body: B, pieces: mpsc::Sender<Piece>, mut note: impl FnMut(&Frame<Bytes>))
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    while let Some(piece) = poll_fn(|task| body.as_mut().poll_frame(task)).await {
        let piece = piece.inspect(&mut note).map_err(|error| Status::from_error(error.into()));
        if pieces.send(Some(piece)).await.is_err() {
            return;
        }
    }
    // The other side may be gone, and then it does not need the end.
    let _ = pieces.send(None).await;
}

/// A body that comes from the other side.
#[derive(Debug)]
struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    is_over: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = ready!(self.receiver.poll_recv(task));
        self.is_over = !matches!(piece, Some(Some(_)));
        Poll::Ready(piece.unwrap_or_else(|| Some(Err(cut_off()))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

fn cut_off() -> Status {
    Status::unavailable("the call was cut off before it was answered")
}

/// A call, until it is answered. If its service is asked to stop before that, the call is counted in the drain.
struct CallInFlight {
    cx: Context,
    drains_since: Option<Instant>,
    is_stream: bool,
    is_over: bool,
}

impl CallInFlight {
    fn new(cx: Context) -> Self {
        Self { cx, drains_since: None, is_stream: false, is_over: false }
    }

    fn is_draining(&self) -> bool {
        self.drains_since.is_some()
    }

    fn drain(&mut self, is_stream: bool) {
        self.drains_since = Some(Instant::now());
        self.is_stream = is_stream;
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        let took = self.drains_since.map(|since| since.elapsed());
        if took.is_none() && !self.cx.member().is_asked_to_stop() {
            return;
        }
        self.cx.member().add_drain(Drain {
            drained: usize::from(self.is_over),
            cut: usize::from(!self.is_over),
            streams: usize::from(self.is_stream),
            took: took.unwrap_or(Duration::ZERO),
        });
    }
}
