//! One connection: its protocol, its requests, and how it is closed.

use std::convert::Infallible;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task;
use std::task::{Poll, Waker, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Extensions, Method, StatusCode, Version};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::future::Either;
use hyper::Request;
use hyper::body::{Body as HttpBody, Buf, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use hyper_util::rt::TokioTimer;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tower_service::Service as _;

use crate::base::cores::Core;
use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::http::io::Io;
use crate::http::limits::Limits;
use crate::http::mount::AnsweredBy;
use crate::http::panicked::{RequestLine, drop_caught, internal_error};
use crate::http::told::Telling;
#[cfg(feature = "http2")]
use crate::http::traffic::RunningTask;
use crate::http::traffic::{Activity, InFlight};
use crate::service::shutdown::Shutdown;

/// The routes and limits that all connections of a server share.
#[derive(Debug)]
pub(crate) struct Served {
    pub(super) routes: Router,
    pub(super) limits: Limits,
    /// The extensions of every request, whatever its connection: the shutdown.
    extensions: Extensions,
    /// Set if the connections are not served on the group's runtime.
    processor: Option<Processor>,
}

/// The processor that serves, beside the group's runtime.
#[derive(Clone, Debug)]
struct Processor {
    core: Core,
    group: Handle,
}

impl Served {
    pub(super) fn new(routes: Router, limits: Limits, shutdown: Shutdown) -> Self {
        Self { routes: routes.with_state(()), limits, extensions: roomy(shutdown), processor: None }
    }

    /// The same, for the connections of one processor. Called in the group's runtime.
    pub(super) fn on(&self, core: &Core) -> Self {
        let Self { routes, limits, extensions, .. } = self;
        let (routes, extensions) = (routes.clone(), extensions.clone());
        let processor = Processor { core: core.clone(), group: Handle::current() };
        Self { routes, limits: *limits, extensions, processor: Some(processor) }
    }

    /// Serves one connection until it is closed or upgraded.
    pub(super) async fn connection(self: Arc<Self>, io: Box<Io>, activity: Arc<Activity>) {
        // Its requests find that the thread polls the service already, and is in its span.
        let served = activity.noting_polls(self.serve(io, &activity)).await;
        activity.note_served();
        if let Err(error) = served {
            tracing::debug!(target: "group", service = activity.service(), %error, "a connection ended: {error}");
        }
    }

    async fn serve(self: &Arc<Self>, mut io: Box<Io>, activity: &Arc<Activity>) -> Result<(), BoxError> {
        let mut may_close = pin!(activity.may_close());
        #[cfg(feature = "http2")]
        {
            let speaks_http2 = tokio::select! {
                biased;
                speaks = io.speaks_http2() => speaks?,
                () = &mut may_close => return Ok(()),
            };
            if speaks_http2 {
                // Boxed, so that an HTTP/1 connection does not reserve space for the HTTP/2 future.
                return Box::pin(self.http2(io, activity)).await;
            }
        }
        loop {
            tokio::select! {
                biased;
                comes = poll_fn(|task| io.poll_comes(task)) => comes?,
                () = &mut may_close => return Ok(poll_fn(|task| io.poll_close(task)).await?),
            }
            // Boxed, so that a connection which is silent for long takes no space for what serves it.
            match Box::pin(self.http1(io, activity, may_close.as_mut())).await? {
                Some(silent) => io = silent,
                None => return Ok(()),
            }
        }
    }

    /// The extensions of every request of this connection.
    fn extensions(&self, io: &Io) -> Extensions {
        let mut extensions = self.extensions.clone();
        if let Some(peer) = io.peer() {
            extensions.insert(ConnectInfo(peer));
        }
        extensions
    }

    /// Serves requests until the connection is closed, or until its client has been silent for long: then it is returned,
    /// and what has served it is dropped, with its buffers.
    async fn http1(
        self: &Arc<Self>,
        io: Box<Io>,
        activity: &Arc<Activity>,
        may_close: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Option<Box<Io>>, BoxError> {
        let extensions = self.extensions(&io);
        let service = service_fn(|request| self.answer(request, activity, &extensions));
        let mut http1 = http1::Builder::new();
        // `Io` keeps this limit with one timer for the connection; hyper sets one for every request.
        http1.header_read_timeout(None);
        http1.max_header_size(self.limits.max_header_size);
        // `Io` sees whether the client has closed its side while its request is in flight.
        http1.half_close(true);
        let mut connection = http1.serve_connection(TokioIo::new(io), service).with_upgrades();
        match until(Pin::new(&mut connection), activity, may_close).await? {
            Ended::Closed => return Ok(None),
            Ended::Silent => return Ok(connection.into_parts().map(taken_apart)),
            Ended::Goodbye => {}
        }
        Pin::new(&mut connection).graceful_shutdown();
        connection.await?;
        Ok(None)
    }

    /// The connection need not be silent before it is asked to end: HTTP/2 reports which requests are still answered.
    #[cfg(feature = "http2")]
    async fn http2(self: &Arc<Self>, mut io: Box<Io>, activity: &Arc<Activity>) -> Result<(), BoxError> {
        io.is_http2();
        let extensions = self.extensions(&io);
        let service = service_fn(|request| self.answer(request, activity, &extensions));
        let mut http2 = http2::Builder::new(ConnectionTasks(Arc::clone(activity)));
        http2.timer(TokioTimer::new());
        http2.keep_alive_interval(self.limits.header_read_timeout);
        http2.max_header_list_size(u32::try_from(self.limits.max_header_size).unwrap_or(u32::MAX));
        // A `WebSocket` over HTTP/2 needs it.
        http2.enable_connect_protocol();
        let mut connection = pin!(http2.serve_connection(TokioIo::new(io), service));
        if until(connection.as_mut(), activity, pin!(activity.is_to_close())).await? == Ended::Closed {
            return Ok(());
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            biased;
            // It comes first, so that the connection is polled after each of its wakes.
            never = activity.close_in_time() => match never {},
            closed = connection => Ok(closed?),
        }
    }

    /// Answers one request: in the task of its connection, unless a handler has just blocked the thread of this processor.
    /// This one might block the thread that has come to help.
    fn answer(
        &self,
        request: Request<Incoming>,
        activity: &Arc<Activity>,
        extensions: &Extensions,
    ) -> Either<Answering, Elsewhere> {
        let answering = self.answering(request, activity, extensions);
        match &self.processor {
            Some(Processor { core, group }) if core.has_help() => Either::Right(Elsewhere(group.spawn(answering))),
            _ => Either::Left(answering),
        }
    }

    fn answering(&self, request: Request<Incoming>, activity: &Arc<Activity>, extensions: &Extensions) -> Answering {
        let version = request.version();
        let line = RequestLine::of(&request);
        let in_flight = activity.begin(line.clone());
        let is_whole = request.body().is_end_stream();
        if is_whole && says_close(&request) {
            activity.note_all_read();
        }
        activity.note_body(is_whole);
        // `Body::new` allocates, which a request without a body does not need.
        let body = |body| if is_whole { Body::empty() } else { Body::new(RequestBody::new(body, activity)) };
        let mut request = request.map(body);
        // A clone of the server's extensions has room for those that axum will add, so that the map does not grow.
        let upgrade = std::mem::replace(request.extensions_mut(), extensions.clone());
        request.extensions_mut().extend(upgrade);
        let routing = Routing::Waiting(self.routes.clone(), Some(request));
        Answering { routing, in_flight: Some(in_flight), version, line }
    }
}

/// Returns true if the request says that it is the client's last. Only the usual spelling is recognized: a connection
/// that is not recognized lingers before it is closed, which does no harm.
fn says_close(request: &Request<Incoming>) -> bool {
    request.headers().get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

/// Extensions with room for those that axum and a middleware or two add: growing the map for each request costs more.
fn roomy(shutdown: Shutdown) -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(shutdown);
    extensions.insert(0_u8);
    extensions.insert(0_u16);
    extensions.insert(0_u32);
    extensions.remove::<u8>();
    extensions.remove::<u16>();
    extensions.remove::<u32>();
    extensions
}

/// A request on its way through the routes. It is given to them in the first poll, so that a panic there is caught,
/// too.
#[derive(Default)]
enum Routing {
    Waiting(Router, Option<Request<Body>>),
    Called(RouteFuture<Infallible>),
    #[default]
    Over,
}

impl Routing {
    fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Response> {
        if let Self::Waiting(routes, request) = self
            && let Some(request) = request.take()
        {
            *self = Self::Called(routes.call(request));
        }
        // After a panic of `call` it is not polled again.
        let Self::Called(response) = self else { return Poll::Pending };
        Pin::new(response).poll(task).map(|response| response.unwrap_or_else(|never| match never {}))
    }
}

/// The response to a request. A panic is answered with 500.
struct Answering {
    routing: Routing,
    /// `None` once the response is given.
    in_flight: Option<InFlight>,
    version: Version,
    line: RequestLine,
}

impl Future for Answering {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Self { routing, in_flight, version, line } = &mut *self;
        // It is not polled again after the response.
        let Some(handled) = in_flight else { return Poll::Pending };
        let mut response = match handled.poll_handler(|| caught_now(|| routing.poll(task))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(response)) => response,
            Err(panicked) => {
                line.panicked(handled.cx(), &panicked);
                internal_error()
            }
        };
        let Some(mut in_flight) = in_flight.take() else { return Poll::Pending };
        let is_http1 = *version <= Version::HTTP_11;
        if is_http1 {
            if upgrades(line, response.status()) {
                in_flight.upgrade();
            } else if in_flight.is_last() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        in_flight.answer(is_http1, line, response.status());
        let guest = response.extensions_mut().remove::<AnsweredBy>();
        let by = guest.as_ref().map_or(in_flight.cx(), |AnsweredBy(guest)| guest);
        let telling = Telling::of(&mut response, by, line, in_flight.begun(), Some(in_flight.traffic()));
        Poll::Ready(Ok(response.map(|body| AnswerBody { body, in_flight: Some(in_flight), is_http1, guest, telling })))
    }
}

/// A request that is cancelled drops what its handler holds.
impl Drop for Answering {
    fn drop(&mut self) {
        let Self { routing, in_flight: Some(in_flight), line, .. } = self else { return };
        #[cfg(feature = "metrics")]
        in_flight.find_place(line);
        let _polls = in_flight.polls();
        drop_caught(routing, |panicked| line.panicked(in_flight.cx(), panicked));
    }
}

/// A request that is answered on another runtime than that of its connection. If this is dropped, the request is
/// cancelled.
struct Elsewhere(JoinHandle<Result<Response<AnswerBody>, Infallible>>);

impl Future for Elsewhere {
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let answered = ready!(Pin::new(&mut self.0).poll(task));
        // Panics are caught, so that it fails only if the other runtime ends.
        Poll::Ready(answered.unwrap_or_else(|_| Ok(internal_error().map(AnswerBody::of_nobody))))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns true if this response gives the connection to the handler, over HTTP/1.
fn upgrades(line: &RequestLine, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || line.method == Method::CONNECT && status.is_success()
}

/// The stream of a connection on which nothing is in flight. Bytes that were read of a request that has not come are read
/// again.
fn taken_apart<S>(parts: http1::Parts<TokioIo<Box<Io>>, S>) -> Box<Io> {
    let mut io = parts.io.into_inner();
    io.put_back(&parts.read_buf);
    io
}

/// Why [`until`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    /// Nothing is in flight, and the client has been silent for long.
    Silent,
    Goodbye,
}

/// Serves a connection until it is closed or silent, or until `goodbye` is ready and it is to be asked to end.
async fn until<C>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    mut goodbye: Pin<&mut impl Future<Output = ()>>,
) -> hyper::Result<Ended>
where
    C: Future<Output = hyper::Result<()>>,
{
    // The waker that `goodbye` has registered.
    let mut wakes = Waker::noop().clone();
    poll_fn(|task| {
        if let Poll::Ready(served) = connection.as_mut().poll(task) {
            return Poll::Ready(served.map(|()| Ended::Closed));
        }
        if activity.is_silent() {
            return Poll::Ready(Ok(Ended::Silent));
        }
        // Before the stop, another poll of `goodbye` would only register the same waker again.
        if !activity.is_stopping() && wakes.will_wake(task.waker()) {
            return Poll::Pending;
        }
        wakes.clone_from(task.waker());
        goodbye.as_mut().poll(task).map(|()| Ok(Ended::Goodbye))
    })
    .await
}

/// Runs the tasks of an HTTP/2 connection, and counts them.
#[cfg(feature = "http2")]
#[derive(Clone)]
struct ConnectionTasks(Arc<Activity>);

#[cfg(feature = "http2")]
impl<F> hyper::rt::Executor<F> for ConnectionTasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(CountedTask { future, running: self.0.begin_task() });
    }
}

#[cfg(feature = "http2")]
pin_project_lite::pin_project! {
    /// An `async` block would take twice the memory of the future.
    struct CountedTask<F> {
        #[pin]
        future: F,
        running: RunningTask,
    }
}

#[cfg(feature = "http2")]
impl<F: Future> Future for CountedTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _polls = this.running.polls();
        this.future.poll(task)
    }
}

/// The body of a request. Its connection cannot be taken apart before all of it is read.
#[derive(Debug)]
struct RequestBody {
    body: Incoming,
    activity: Arc<Activity>,
}

impl RequestBody {
    fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        Self { body, activity: Arc::clone(activity) }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(task);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.activity.note_body(true);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response. The request is in flight until this is dropped or has given its last piece and, over HTTP/1,
/// until it is written.
#[derive(Debug)]
struct AnswerBody {
    body: Body,
    /// `None` once the last piece is given.
    in_flight: Option<InFlight>,
    is_http1: bool,
    /// The service that has answered, if another one serves it.
    guest: Option<AnsweredBy>,
    telling: Option<Box<Telling>>,
}

impl AnswerBody {
    /// A body that no request counts.
    fn of_nobody(body: Body) -> Self {
        Self { body, in_flight: None, is_http1: false, guest: None, telling: None }
    }

    /// Runs code of the body, which is code of the service that has answered. A panic in it is reported.
    ///
    /// # Errors
    ///
    /// If it panics.
    fn run<T>(&mut self, run: impl FnOnce(&mut Body) -> T) -> Result<T, BoxError> {
        let Self { body, in_flight, guest, .. } = self;
        let cx = guest.as_ref().map(|AnsweredBy(guest)| guest).or(in_flight.as_ref().map(InFlight::cx));
        let _polls = cx.and_then(|cx| cx.member().polls_other());
        caught_now(|| run(body)).inspect_err(|panicked| {
            if let Some(cx) = cx {
                cx.handler_panicked(panicked, None, None);
            }
        })
    }

    /// Counts a piece until it is written. HTTP/1 needs no such count: there, a flush tells it.
    fn piece(&mut self, bytes: Bytes) -> AnswerPiece {
        let counted = if self.is_http1 {
            None
        } else if self.body.is_end_stream() {
            self.in_flight.take().map(InFlight::into_last_piece)
        } else {
            self.in_flight.as_ref().map(InFlight::piece)
        };
        AnswerPiece { bytes, _counted: counted }
    }
}

/// A piece of a response. It is dropped when it is written, or is not to be written any more.
#[derive(Debug)]
struct AnswerPiece {
    bytes: Bytes,
    _counted: Option<InFlight>,
}

impl Buf for AnswerPiece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.bytes.copy_to_bytes(length)
    }
}

impl HttpBody for AnswerBody {
    type Data = AnswerPiece;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<AnswerPiece>, BoxError>>> {
        let polled = self.run(|body| Pin::new(body).poll_frame(task).map_err(BoxError::from));
        let polled = polled.unwrap_or_else(|panicked| Poll::Ready(Some(Err(panicked))));
        if let (Some(telling), Poll::Ready(Some(Ok(frame)))) = (&mut self.telling, &polled) {
            telling.note(frame);
        }
        polled.map(|frame| Some(frame?.map(|frame| frame.map_data(|bytes| self.piece(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let _panicked = self.run(|body| drop(mem::take(body)));
    }
}

/// In a handler: completes when the service that serves the request is asked to stop. A long response, such as
/// a stream of events, should end then. Needs the feature `http`.
impl<S: Sync> FromRequestParts<S> for Shutdown {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let shutdown = parts.extensions.get().cloned();
        shutdown.ok_or((StatusCode::INTERNAL_SERVER_ERROR, "`Shutdown` is available only in a server of `group`"))
    }
}
