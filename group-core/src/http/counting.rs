//! Counts each request once, when it is over, by the route that it has matched and the service that has answered.
//!
//! Only axum's router knows which route a request matches, and says it only to what is called for that route. So each
//! such thing has an [`Endpoint`]: a route of `#[service]`, a route of a mounted service, and the layer that [`counted`]
//! puts around all others. It is called in a poll of the request, so it leaves what it knows with the thread, and the
//! [`Counting`] of the request takes it from there after the poll. Of two that are called, the inner one counts: that of
//! the mounted service. If none is called, the request has matched no route, or is refused before it comes to one.

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
#[derive(Debug)]
enum Place {
    Route(Arc<RouteCounts>),
    /// A gRPC call, which is counted as such.
    #[cfg(feature = "grpc")]
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
    /// `None` until it is known.
    place: Option<Place>,
}

impl Counting {
    /// Polls the handler of the request, and sees where the request is to be counted.
    pub(super) fn during<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        // A layer of the user's may have called a route from another task.
        PLACE.set(None);
        let polled = poll();
        if let Some(place) = PLACE.take() {
            self.place = Some(place);
        }
        polled
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Sets the place of a request that no route of its own has counted.
    pub(super) fn place_at(&mut self, find: impl FnOnce() -> Arc<RouteCounts>) {
        self.place.get_or_insert_with(|| Place::Route(find()));
    }

    /// Counts the request, if it is to be counted.
    pub(super) fn end(self, took: Duration) {
        if let Some(Place::Route(route)) = self.place {
            route.count(self.status.map_or(DROPPED, |status| status.as_u16()), took);
        }
    }
}

/// Has each of these routes counted for its service: routes that are not made by `#[service]`, which count themselves.
pub(crate) fn counted(cx: &Context, routes: Router) -> Router {
    let cx = cx.clone();
    routes.layer(layer_fn(move |route| Counted { route, cx: cx.clone(), endpoint: Arc::default() }))
}

/// A route that is counted.
#[derive(Clone)]
struct Counted {
    route: Route,
    /// The context of the service that answers.
    cx: Context,
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
        self.endpoint.note(&self.cx, &request);
        self.route.call(request)
    }
}

/// One endpoint of a router: the counts of its route, found once for each method.
#[derive(Debug, Default)]
pub(crate) struct Endpoint([OnceLock<Arc<RouteCounts>>; METHODS]);

impl Endpoint {
    /// Notes where the request that this thread polls is to be counted.
    pub(crate) fn note(&self, cx: &Context, request: &Request) {
        let method = Method::of(request.method().as_str());
        let route = request.extensions().get::<MatchedPath>().map_or(OTHER, MatchedPath::as_str);
        let find = || cx.member().measures().http.of(method, route);
        let found = self.0[method.place()].get_or_init(find);
        // A router that is nested twice has one endpoint for two routes.
        let counts = if found.route() == route { Arc::clone(found) } else { find() };
        PLACE.set(Some(Place::Route(counts)));
    }
}
