//! One connection: its protocol, its requests, and how it is let go.

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
use crate::http::traffic::{Activity, InHand};
use crate::running::message::News;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(super) routes: Router,
    pub(super) limits: Limits,
    /// What every request has with it, whatever its connection: the shutdown.
    extensions: Extensions,
}

impl Serving {
    pub(super) fn new(routes: Router, limits: Limits, shutdown: Shutdown) -> Self {
        Self { routes: routes.with_state(()), limits, extensions: roomy(shutdown) }
    }

    /// Serves one connection until it is closed or has become something else.
    pub(super) async fn connection(self: Arc<Self>, io: Io, activity: Arc<Activity>) {
        let served = self.serve(io, &activity).await;
        activity.served();
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
        // Of its own place: most connections do not need it, and each would have room for it.
        if speaks_http2 { Box::pin(self.http2(io, activity)).await } else { self.http1(io, activity).await }
    }

    /// What every request of this connection has with it.
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
        // `Io` keeps it: hyper sets a timer for every request.
        http1.header_read_timeout(None);
        http1.max_header_size(self.limits.max_header_size);
        let connection = pin!(http1.serve_connection(TokioIo::new(io), service).with_upgrades());
        until_closed(connection, activity, activity.may_close(), UpgradeableConnection::graceful_shutdown).await
    }

    /// It need not be silent before it is told to go: HTTP/2 says which requests are still answered.
    #[cfg(feature = "http2")]
    async fn http2(self: &Arc<Self>, mut io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        io.is_http2();
        let extensions = self.extensions(&io);
        let service = service_fn(|request| self.answer(request, activity, &extensions));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new());
        http2.keep_alive_interval(self.limits.header_read_timeout);
        http2.max_header_list_size(u32::try_from(self.limits.max_header_size).unwrap_or(u32::MAX));
        // For a `WebSocket` over HTTP/2.
        http2.enable_connect_protocol();
        let connection = pin!(http2.serve_connection(TokioIo::new(io), service));
        until_closed(connection, activity, activity.is_to_close(), http2::Connection::graceful_shutdown).await
    }

    /// Answers one request.
    fn answer(&self, request: Request<Incoming>, activity: &Arc<Activity>, extensions: &Extensions) -> Answering {
        let in_hand = activity.begin();
        let version = request.version();
        let asked = (request.method().clone(), request.uri().path_and_query().cloned());
        let is_whole = request.body().is_end_stream();
        if is_whole && says_close(&request) {
            activity.all_read();
        }
        // A request without a body needs no room for one.
        let mut request = request.map(|body| if is_whole { Body::empty() } else { Body::new(body) });
        // Before what axum adds: there is room for all of it, so that nothing grows.
        let upgrade = std::mem::replace(request.extensions_mut(), extensions.clone());
        request.extensions_mut().extend(upgrade);
        let way = Way::Asked(self.routes.clone(), Some(request));
        Answering { way, in_hand: Some(in_hand), version, asked }
    }
}

/// Whether it says that it is the last. One that says so in another way is waited for, which does no harm.
fn says_close(request: &Request<Incoming>) -> bool {
    request.headers().get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

/// With room for what axum and a middleware or two add, because to make room for each request costs more.
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

/// What was asked, for the log.
type Asked = (Method, Option<PathAndQuery>);

/// How far a request has come. It is handed over when it is polled, so that all of that is caught.
enum Way {
    Asked(Router, Option<Request<Body>>),
    Routed(RouteFuture<Infallible>),
}

impl Way {
    fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Response> {
        if let Self::Asked(routes, request) = self
            && let Some(request) = request.take()
        {
            *self = Self::Routed(routes.call(request));
        }
        // Nobody polls it again after a panic.
        let Self::Routed(response) = self else { return Poll::Pending };
        Pin::new(response).poll(task).map(|response| response.unwrap_or_else(|never| match never {}))
    }
}

/// An answer on its way. A panic has an answer, too.
struct Answering {
    way: Way,
    /// Until it is answered.
    in_hand: Option<InHand>,
    version: Version,
    asked: Asked,
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Self { way, in_hand, version, asked } = &mut *self;
        let polled = {
            // A handler that blocks its thread is the service's doing.
            let _polls = in_hand.as_ref().map(InHand::polls);
            caught_now(|| way.poll(task))
        };
        let mut response = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(response)) => response,
            Err(panicked) => {
                in_hand.as_ref().inspect(|in_hand| panicked_on(asked, in_hand.cx(), &panicked));
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        };
        // Nobody polls it when it is answered.
        let Some(mut in_hand) = in_hand.take() else { return Poll::Pending };
        let is_http1 = *version <= Version::HTTP_11;
        if is_http1 {
            if upgrades(asked, response.status()) {
                in_hand.upgrade();
            } else if in_hand.is_last() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        in_hand.answer(is_http1);
        Poll::Ready(Ok(response.map(|body| Answer { body, in_hand })))
    }
}

/// Whether after this answer the connection is the handler's, over HTTP/1.
fn upgrades((method, _): &Asked, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || *method == Method::CONNECT && status.is_success()
}

fn panicked_on((method, path): &Asked, cx: &Context, panicked: &BoxError) {
    let (service, path) = (cx.name(), path.as_ref().map_or("", PathAndQuery::path));
    tracing::error!(target: "group", service, %method, path, "`{service}` {panicked} (on {method} {path})");
    cx.tell(News::HandlerPanicked(format!("{panicked} (on {method} {path})").into()));
}

/// Serves a connection until it is closed. Once `goodbye` is ready, it is told to end.
async fn until_closed<C>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    goodbye: impl Future<Output = ()>,
    tell: impl FnOnce(Pin<&mut C>),
) -> Result<(), BoxError>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut goodbye = pin!(goodbye);
    // Whom `goodbye` wakes.
    let mut wakes = Waker::noop().clone();
    let served = poll_fn(|task| {
        if let Poll::Ready(served) = connection.as_mut().poll(task) {
            return Poll::Ready(Some(served));
        }
        // Before the stop, to poll it again would change nothing.
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
    tell(connection.as_mut());
    Ok(connection.await?)
}

/// The body of an answer. Until it is dropped, and over HTTP/1 written, the request is in hand.
#[derive(Debug)]
struct Answer {
    body: Body,
    in_hand: InHand,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match caught_now(|| Pin::new(&mut self.body).poll_frame(task)) {
            Ok(polled) => polled.map_err(BoxError::from),
            Err(panicked) => {
                let (cx, place) = (self.in_hand.cx(), "(in the body of an answer)");
                let service = cx.name();
                tracing::error!(target: "group", service, "`{service}` {panicked} {place}");
                cx.tell(News::HandlerPanicked(format!("{panicked} {place}").into()));
                Poll::Ready(Some(Err(panicked)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// In a handler: fires when the service that serves the request is asked to stop. A long answer, such as
/// a stream of events, should end then.
impl<S: Sync> FromRequestParts<S> for Shutdown {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let shutdown = parts.extensions.get().cloned();
        shutdown.ok_or((StatusCode::INTERNAL_SERVER_ERROR, "`Shutdown` is there only where `group` serves"))
    }
}
