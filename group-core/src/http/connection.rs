//! One connection: its protocol, its requests, and how it is closed.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task;
use std::task::{Poll, Waker};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Extensions, Method, StatusCode, Version};
use axum::response::{IntoResponse as _, Response};
use axum::routing::future::RouteFuture;
use hyper::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::server::conn::http1::UpgradeableConnection;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service as _;

use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::http::io::Io;
use crate::http::limits::Limits;
use crate::http::panicked::poll_frame_caught;
use crate::http::traffic::{Activity, InFlight};
use crate::service::shutdown::Shutdown;

/// The routes and limits that all connections of a server share.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(super) routes: Router,
    pub(super) limits: Limits,
    /// The extensions of every request, whatever its connection: the shutdown.
    extensions: Extensions,
}

impl Serving {
    pub(super) fn new(routes: Router, limits: Limits, shutdown: Shutdown) -> Self {
        Self { routes: routes.with_state(()), limits, extensions: roomy(shutdown) }
    }

    /// Serves one connection until it is closed or upgraded.
    pub(super) async fn connection(self: Arc<Self>, io: Io, activity: Arc<Activity>) {
        let served = self.serve(io, &activity).await;
        activity.note_served();
        if let Err(error) = served {
            tracing::debug!(target: "group", service = activity.service(), %error, "a connection ended: {error}");
        }
    }

    #[cfg(not(feature = "http2"))]
    async fn serve(self: &Arc<Self>, io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        self.http1(io, activity).await
    }

    #[cfg(feature = "http2")]
    async fn serve(self: &Arc<Self>, mut io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        let speaks_http2 = tokio::select! {
            biased;
            speaks = io.speaks_http2() => speaks?,
            () = activity.may_close() => return Ok(()),
        };
        // Boxed, so that an HTTP/1 connection does not reserve space for the HTTP/2 future.
        if speaks_http2 { Box::pin(self.http2(io, activity)).await } else { self.http1(io, activity).await }
    }

    /// The extensions of every request of this connection.
    fn extensions(&self, io: &Io) -> Extensions {
        let mut extensions = self.extensions.clone();
        if let Some(peer) = io.peer() {
            extensions.insert(ConnectInfo(peer));
        }
        extensions
    }

    async fn http1(self: &Arc<Self>, io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        let extensions = self.extensions(&io);
        let service = service_fn(|request| self.answer(request, activity, &extensions));
        let mut http1 = http1::Builder::new();
        // `Io` keeps this limit with one timer for the connection; hyper sets one for every request.
        http1.header_read_timeout(None);
        http1.max_header_size(self.limits.max_header_size);
        let connection = pin!(http1.serve_connection(TokioIo::new(io), service).with_upgrades());
        until_closed(connection, activity, activity.may_close(), UpgradeableConnection::graceful_shutdown).await
    }

    /// The connection need not be silent before it is asked to end: HTTP/2 reports which requests are still answered.
    #[cfg(feature = "http2")]
    async fn http2(self: &Arc<Self>, mut io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        io.is_http2();
        let extensions = self.extensions(&io);
        let service = service_fn(|request| self.answer(request, activity, &extensions));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new());
        http2.keep_alive_interval(self.limits.header_read_timeout);
        http2.max_header_list_size(u32::try_from(self.limits.max_header_size).unwrap_or(u32::MAX));
        // A `WebSocket` over HTTP/2 needs it.
        http2.enable_connect_protocol();
        let connection = pin!(http2.serve_connection(TokioIo::new(io), service));
        until_closed(connection, activity, activity.is_to_close(), http2::Connection::graceful_shutdown).await
    }

    /// Answers one request.
    fn answer(&self, request: Request<Incoming>, activity: &Arc<Activity>, extensions: &Extensions) -> Answering {
        let in_flight = activity.begin();
        let version = request.version();
        let line = (request.method().clone(), request.uri().path_and_query().cloned());
        let is_whole = request.body().is_end_stream();
        if is_whole && says_close(&request) {
            activity.note_all_read();
        }
        // `Body::new` allocates, which a request without a body does not need.
        let mut request = request.map(|body| if is_whole { Body::empty() } else { Body::new(body) });
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

/// The method and the target of a request, for the log.
type RequestLine = (Method, Option<PathAndQuery>);

/// A request on its way through the routes. It is given to them in the first poll, so that a panic there is caught,
/// too.
enum Routing {
    Waiting(Router, Option<Request<Body>>),
    Called(RouteFuture<Infallible>),
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
        let polled = {
            // A handler that blocks its thread is found in the service's polls.
            let _polls = in_flight.as_ref().map(InFlight::polls);
            caught_now(|| routing.poll(task))
        };
        let mut response = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(response)) => response,
            Err(panicked) => {
                if let Some(in_flight) = in_flight {
                    let (method, target) = line;
                    let path = target.as_ref().map_or("", PathAndQuery::path);
                    in_flight.cx().handler_panicked(&panicked, Some(method), Some(path));
                }
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        };
        // It is not polled again after the response.
        let Some(mut in_flight) = in_flight.take() else { return Poll::Pending };
        let is_http1 = *version <= Version::HTTP_11;
        if is_http1 {
            if upgrades(line, response.status()) {
                in_flight.upgrade();
            } else if in_flight.is_last() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        in_flight.answer(is_http1);
        Poll::Ready(Ok(response.map(|body| AnswerBody { body, in_flight })))
    }
}

/// Returns true if this response gives the connection to the handler, over HTTP/1.
fn upgrades((method, _): &RequestLine, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || *method == Method::CONNECT && status.is_success()
}

/// Serves a connection until it is closed. Once `goodbye` is ready, calls `shut_down`, which asks it to end.
async fn until_closed<C>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    goodbye: impl Future<Output = ()>,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> Result<(), BoxError>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut goodbye = pin!(goodbye);
    // The waker that `goodbye` has registered.
    let mut wakes = Waker::noop().clone();
    let served = poll_fn(|task| {
        if let Poll::Ready(served) = connection.as_mut().poll(task) {
            return Poll::Ready(Some(served));
        }
        // Before the stop, another poll of `goodbye` would only register the same waker again.
        if !activity.is_stopping() && wakes.will_wake(task.waker()) {
            return Poll::Pending;
        }
        wakes.clone_from(task.waker());
        goodbye.as_mut().poll(task).map(|()| None)
    })
    .await;
    if let Some(served) = served {
        return Ok(served?);
    }
    shut_down(connection.as_mut());
    Ok(connection.await?)
}

/// The body of a response. The request is in flight until this is dropped and, over HTTP/1, written.
#[derive(Debug)]
struct AnswerBody {
    body: Body,
    in_flight: InFlight,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        poll_frame_caught(&mut self.body, task).unwrap_or_else(|panicked| {
            self.in_flight.cx().handler_panicked(&panicked, None, None);
            Poll::Ready(Some(Err(panicked)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
