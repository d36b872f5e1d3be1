//! A handler's panic: it is caught, logged, and reported as a failure that the service survived.

use std::mem;
use std::pin::Pin;
use std::task;
use std::task::Poll;

use axum::extract::{MatchedPath, Request};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tracing::field::display;

use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::running::message::News;
use crate::service::context::Context;

impl Context {
    /// Logs and reports a panic of one of the service's handlers. A gRPC call has no method of interest, and a body
    /// does not know its request.
    pub(crate) fn handler_panicked(&self, panicked: &BoxError, method: Option<&Method>, path: Option<&str>) {
        let place = match (method, path) {
            (Some(method), Some(path)) => format!("on {method} {path}"),
            (None, Some(path)) => format!("on {path}"),
            (_, None) => "in a response body".to_owned(),
        };
        let (service, method) = (self.name(), method.map(display));
        tracing::error!(target: "group", service, method, path, "`{service}` {panicked} ({place})");
        self.tell(News::HandlerPanicked(format!("{panicked} ({place})").into()));
    }
}

/// The method and the path of a request, for the log.
#[derive(Clone, Debug)]
pub(crate) struct RequestLine {
    pub(super) method: Method,
    path: PathOfRequest,
}

#[derive(Clone, Debug)]
enum PathOfRequest {
    /// The route that it has matched.
    Route(MatchedPath),
    Target(Option<PathAndQuery>),
}

impl RequestLine {
    pub(crate) fn of<B>(request: &axum::http::Request<B>) -> Self {
        let path = match request.extensions().get::<MatchedPath>() {
            Some(route) => PathOfRequest::Route(route.clone()),
            None => PathOfRequest::Target(request.uri().path_and_query().cloned()),
        };
        Self { method: request.method().clone(), path }
    }

    fn path(&self) -> &str {
        match &self.path {
            PathOfRequest::Route(route) => route.as_str(),
            PathOfRequest::Target(target) => target.as_ref().map_or("", PathAndQuery::path),
        }
    }

    /// The route, as `route_of` tells it, or else the path.
    pub(super) fn route<'a>(&'a self, route_of: impl FnOnce(&'a str) -> Option<&'a str>) -> &'a str {
        let path = self.path();
        route_of(path).unwrap_or(path)
    }

    /// The route, as `route_of` tells it.
    #[cfg(feature = "metrics")]
    pub(super) fn route_if<'a>(&self, route_of: impl FnOnce(&str) -> Option<&'a str>) -> Option<&'a str> {
        route_of(self.path())
    }

    /// Reports a panic of the handler of this request.
    pub(super) fn panicked(&self, cx: &Context, panicked: &BoxError) {
        cx.handler_panicked(panicked, Some(&self.method), Some(self.path()));
    }
}

/// A handler of a service. A panic in it, or in the destructor of what it holds when it is dropped, is that service's; the
/// layers around it see a 500.
#[derive(Debug)]
pub(crate) struct Handling<F> {
    /// `None` once it is over, or if the call of it has panicked.
    handler: Option<F>,
    cx: Context,
    line: RequestLine,
}

impl<F> Handling<F> {
    pub(crate) fn new(cx: &Context, request: Request, call: impl FnOnce(Request) -> F) -> Self {
        let line = RequestLine::of(&request);
        let _polls = cx.member().polls_other();
        let called = caught_now(|| call(request));
        let handler = called.inspect_err(|panicked| line.panicked(cx, panicked)).ok();
        Self { handler, cx: cx.clone(), line }
    }

    pub(crate) fn cx(&self) -> &Context {
        &self.cx
    }

    fn end(&mut self) {
        let Self { handler, cx, line } = self;
        let _polls = cx.member().polls_other();
        drop_caught(handler, |panicked| line.panicked(cx, panicked));
    }
}

impl<F: Future<Output = Response> + Unpin> Future for Handling<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Response> {
        let Self { handler: Some(handler), cx, .. } = &mut *self else { return Poll::Ready(internal_error()) };
        let polled = {
            let _polls = cx.member().polls_other();
            caught_now(|| Pin::new(handler).poll(task))
        };
        let answer = match polled {
            Ok(polled) => task::ready!(polled),
            Err(panicked) => {
                self.line.panicked(&self.cx, &panicked);
                internal_error()
            }
        };
        self.end();
        Poll::Ready(answer)
    }
}

impl<F> Drop for Handling<F> {
    fn drop(&mut self) {
        self.end();
    }
}

/// An extension of a response: the log says already that the service has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsTold;

/// The answer to a request whose handler has panicked.
pub(super) fn internal_error() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(IsTold);
    response
}

/// Drops what is there, and reports a panic of its destructor.
pub(super) fn drop_caught<T: Default>(value: &mut T, report: impl FnOnce(&BoxError)) {
    let value = mem::take(value);
    if let Err(panicked) = caught_now(|| drop(value)) {
        report(&panicked);
    }
}
