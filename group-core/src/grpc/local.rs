//! A call that goes through memory: to a service of the same group.
//!
//! It has a task of its own, a part of the service that answers, as a call over a network has one in
//! the server: so a caller that reads an answer late, or a handler that reads its request late, holds up
//! the other only when what is between them is full. The task ends when the caller lets go.

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
use crate::record::counts::Drain;
use crate::record::status::State;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// How many pieces of a request, and of an answer, may be on their way. Over a network it is what a
/// window of HTTP/2 holds.
const ON_THE_WAY: usize = 16;

/// The gRPC services of a service in the same group.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    routes: Router,
    /// What the service that answers sees of the group.
    cx: Context,
}

impl Local {
    pub(super) fn new(routes: Router, cx: Context) -> Self {
        Self { routes, cx }
    }

    /// Calls it.
    ///
    /// # Errors
    ///
    /// When it does not run, or is aborted before it has answered.
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

    /// Has it answered, until that is done or nobody waits for it any more.
    async fn answer(self, request: Request<Body>, head: oneshot::Sender<response::Parts>, pieces: mpsc::Sender<Piece>) {
        let Self { mut routes, cx } = self;
        let mut in_hand = InHand::new(cx.clone());
        let (asked, request) = split(request, &cx);
        let mut asked = pin!(asked);
        let mut is_asked = false;
        let has_begun = AtomicBool::new(false);
        let mut answered = pin!(async {
            let Ok(answer) = routes.call(request).await;
            let (parts, body) = answer.into_parts();
            has_begun.store(true, Relaxed);
            // Whoever has let go is seen below.
            let _ = head.send(parts);
            send(body, pieces.clone()).await;
        });
        let mut stop = pin!(cx.member().stop_waiters().latch.wait());
        loop {
            tokio::select! {
                biased;
                () = &mut stop, if !in_hand.is_draining() => in_hand.drain(has_begun.load(Relaxed)),
                () = pieces.closed() => break,
                () = &mut answered => break,
                () = &mut asked, if !is_asked => is_asked = true,
            }
        }
        in_hand.is_over = true;
    }
}

/// What sends the client's stream, and the request that receives it: it is read on its own, as over a
/// network. What the client noted for itself stays with it.
fn split(request: Request<Body>, cx: &Context) -> (impl Future<Output = ()> + use<>, Request<axum::body::Body>) {
    let (mut parts, body) = request.into_parts();
    parts.extensions = Extensions::new();
    parts.extensions.insert(Shutdown::new(cx.clone()));
    let (sender, receiver) = mpsc::channel(ON_THE_WAY);
    let pieces = Pieces { receiver, is_over: false };
    (send(body, sender), Request::from_parts(parts, axum::body::Body::new(pieces)))
}

/// A piece of a body; `None` when it is complete.
type Piece = Option<Result<Frame<Bytes>, Status>>;

/// Sends a body, as fast as it is taken.
async fn send<B>(body: B, pieces: mpsc::Sender<Piece>)
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    while let Some(piece) = poll_fn(|task| body.as_mut().poll_frame(task)).await {
        let piece = piece.map_err(|error| Status::from_error(error.into()));
        if pieces.send(Some(piece)).await.is_err() {
            return;
        }
    }
    // Whoever does not wait for the end need not know of it.
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

/// A call, until it is answered. What becomes of it once its service stops is a part of the drain.
struct InHand {
    cx: Context,
    drains_since: Option<Instant>,
    is_stream: bool,
    is_over: bool,
}

impl InHand {
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

impl Drop for InHand {
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
