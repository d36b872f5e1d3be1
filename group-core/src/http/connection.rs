//! One connection: its protocol, its requests, and how it is let go.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{StatusCode, Version};
use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1::{self, UpgradeableConnection};
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::{Service as _, service_fn};
#[cfg(feature = "http2")]
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;

use super::Limits;
use super::io::Io;
use super::traffic::{Activity, InHand};
use crate::panic::{caught, caught_now};
use crate::{BoxError, Shutdown};

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) routes: Router,
    pub(super) limits: Limits,
    pub(super) shutdown: Shutdown,
}

impl Serving {
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
            () = tokio::time::sleep(self.limits.header_read_timeout) => return Err("nothing was asked".into()),
        };
        if speaks_http2 { self.http2(io, activity).await } else { self.http1(io, activity).await }
    }

    async fn http1(self: &Arc<Self>, io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        let routes = TowerToHyperService::new(self.routes.clone());
        let service = service_fn(|request| self.answer(&routes, request, activity));
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new());
        http1.header_read_timeout(self.limits.header_read_timeout);
        http1.max_header_size(self.limits.max_header_size);
        let connection = http1.serve_connection(TokioIo::new(io), service).with_upgrades();
        until_closed(connection, activity.may_close(), UpgradeableConnection::graceful_shutdown).await
    }

    /// It need not be silent before it is told to go: HTTP/2 says which requests are still answered.
    #[cfg(feature = "http2")]
    async fn http2(self: &Arc<Self>, io: Io, activity: &Arc<Activity>) -> Result<(), BoxError> {
        let routes = TowerToHyperService::new(self.routes.clone());
        let service = service_fn(|request| self.answer(&routes, request, activity));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new());
        http2.keep_alive_interval(self.limits.header_read_timeout);
        http2.max_header_list_size(u32::try_from(self.limits.max_header_size).unwrap_or(u32::MAX));
        // For a `WebSocket` over HTTP/2.
        http2.enable_connect_protocol();
        let connection = http2.serve_connection(TokioIo::new(io), service);
        until_closed(connection, activity.stop_asked(), http2::Connection::graceful_shutdown).await
    }

    /// Answers one request. A panic has an answer, too.
    fn answer(
        &self,
        routes: &TowerToHyperService<Router>,
        mut request: Request<Incoming>,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<> {
        let mut in_hand = activity.begin();
        let (version, method, uri) = (request.version(), request.method().clone(), request.uri().clone());
        request.extensions_mut().insert(self.shutdown.clone());
        // A handler that blocks its thread is the service's doing.
        let response = self.shutdown.cx.clone().noting_polls(routes.call(request));
        async move {
            let mut response = match caught(response).await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(panicked) => {
                    let service = in_hand.service();
                    tracing::error!(target: "group", service, %method, path = uri.path(), "`{service}` {panicked} (on {method} {})", uri.path());
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }
            };
            let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if in_hand.is_last() && version <= Version::HTTP_11 && !is_upgrade {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            in_hand.answer();
            Ok(response.map(|body| Answer { body, in_hand }))
        }
    }
}

/// Serves a connection until it is closed. Once `goodbye` is ready, it is told to end.
async fn until_closed<C>(
    connection: C,
    goodbye: impl Future<Output = ()>,
    tell: impl FnOnce(Pin<&mut C>),
) -> Result<(), BoxError>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        served = connection.as_mut() => return Ok(served?),
        () = goodbye => tell(connection.as_mut()),
    }
    Ok(connection.await?)
}

/// The body of an answer. Until it is dropped, the request is in hand.
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
                let service = self.in_hand.service();
                tracing::error!(target: "group", service, "`{service}` {panicked} (in the body of an answer)");
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
