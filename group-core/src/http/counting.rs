//! Counts each request once, when it is over, by the route that it has matched and the service that has answered.
//!
//! Only axum's router knows which route a request matches, and says it only to what stands around that route. So
//! [`counted`] puts a [`Counted`] around each route of a server, and a mounted service has one around each of its own.
//! A route is called in a poll of its request, so a [`Counted`] leaves what it knows with the thread, and the
//! [`Counting`] of the request takes it from there after the poll. Of two that are called, the inner one counts: that of
//! the mounted service.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::task;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::routing::Route;
use axum::routing::future::RouteFuture;
use tower_layer::layer_fn;
use tower_service::Service;

use crate::record::requests::{METHODS, Method, OTHER, RouteCounts};
use crate::service::context::Context;

/// The status of a request that was dropped before it was answered, because its client has gone or its service was
/// aborted. nginx logs such a request with it.
const DROPPED: u16 = 499;

thread_local! {
    /// The place where the request that this thread polls is counted, once it is known.
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

/// A place where a request is counted.
enum Place {
    Route(Arc<RouteCounts>),
    /// A gRPC call, which is counted as such.
    Call,
}

/// Leaves it to the caller to count the request that this thread polls, because it is a gRPC call.
#[cfg(feature = "grpc")]
pub(crate) fn leave_out() {
    PLACE.set(Some(Place::Call));
}

/// One request, until it is counted.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// `None` until there is an answer.
    status: Option<StatusCode>,
    /// `None` until it is known, and for a request that is not to be counted.
    route: Option<Arc<RouteCounts>>,
}

impl Counting {
    /// Polls the handler of the request, and sees where the request is to be counted.
    pub(super) fn during<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        // A layer of the user's may have called a route from another task.
        PLACE.set(None);
        let polled = poll();
        match PLACE.take() {
            Some(Place::Route(route)) => self.route = Some(route),
            Some(Place::Call) => self.route = None,
            None => {}
        }
        polled
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Counts the request, if it is to be counted.
    pub(super) fn end(self, took: Duration) {
        if let Some(route) = self.route {
            route.count(self.status.map_or(DROPPED, |status| status.as_u16()), took);
        }
    }
}

/// Has each route of a server counted for its service.
pub(super) fn counted(routes: Router, cx: &Context) -> Router {
    let cx = cx.clone();
    routes.layer(layer_fn(move |route| Counted { route, endpoint: Endpoint::new(&cx) }))
}

/// A route that is counted.
#[derive(Clone)]
struct Counted {
    route: Route,
    endpoint: Arc<Endpoint>,
}

impl Service<Request> for Counted {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.route, task)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.endpoint.note(&request);
        self.route.call(request)
    }
}

/// One endpoint of a router: the counts of its route, found once for each method.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// The context of the service that answers.
    cx: Context,
    found: [OnceLock<Arc<RouteCounts>>; METHODS],
}

impl Endpoint {
    pub(super) fn new(cx: &Context) -> Arc<Self> {
        Arc::new(Self { cx: cx.clone(), found: Default::default() })
    }

    /// Notes where the request that this thread polls is to be counted.
    pub(super) fn note(&self, request: &Request) {
        let method = Method::of(request.method().as_str());
        let route = request.extensions().get::<MatchedPath>().map_or(OTHER, MatchedPath::as_str);
        let find = || self.cx.member().measures().http.of(method, route);
        let found = self.found[method.place()].get_or_init(find);
        // A router that is nested twice has one endpoint for two routes.
        let counts = if found.route() == route { Arc::clone(found) } else { find() };
        PLACE.set(Some(Place::Route(counts)));
    }
}
