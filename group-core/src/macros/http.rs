//! HTTP, for the emitted code.

pub use axum::Router;
pub use axum::extract::Request;
pub use axum::response::IntoResponse;
pub use axum::routing::{any, delete, get, head, options, patch, post, put};

pub use crate::http::mounted;

use std::convert::Infallible;
use std::pin::Pin;
#[cfg(feature = "metrics")]
use std::sync::Arc;
use std::task;
use std::task::Poll;

use axum::extract::{FromRequest, FromRequestParts};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, Route};
use tower_layer::Layer;
use tower_service::Service;

use crate::__private::result::Result;
#[cfg(feature = "grpc")]
use crate::grpc::routes::Routes;
#[cfg(feature = "metrics")]
use crate::http::counting;
#[cfg(feature = "metrics")]
use crate::http::counting::Endpoint;
use crate::http::panicked::Handling;
use crate::http::run;
use crate::service::context::Context;

/// A parameter of a route or the response of its method; as an error, the response that refuses the request.
pub type Answer<T = Response> = std::result::Result<T, Response>;

/// A parameter of a route that is not the last one: every [`FromRequestParts`].
#[diagnostic::on_unimplemented(
    message = "only the last parameter can take the body",
    label = "`{Self}` cannot be taken from the request without its body",
    note = "for what can, see `https://docs.rs/axum/0.8/axum/extract/index.html`"
)]
pub trait Part: FromRequestParts<()> {}

// Without `do_not_recommend`, so that rustc explains why an extractor is not a part.
impl<T: FromRequestParts<()>> Part for T {}

/// The parameter and the result of the method `router`.
#[diagnostic::on_unimplemented(
    message = "`router` takes the routes and returns them: `fn router(&self, routes: Router) -> Router`",
    label = "not `group::axum::Router`"
)]
pub trait IsRouter {
    /// Makes the parameter.
    fn from(routes: Router) -> Self;

    /// Takes the result.
    fn into(self) -> Router;
}

impl IsRouter for Router {
    fn from(routes: Router) -> Self {
        routes
    }

    fn into(self) -> Router {
        self
    }
}

/// The future of a parameter. Boxed: for a parameter that is not an extractor, rustc would report an opaque future as a
/// second error.
pub type Taking<'a, T> = Pin<Box<dyn Future<Output = Answer<T>> + Send + 'a>>;

/// Takes a parameter that is not the last.
pub fn part<T: Part + 'static>(parts: &mut Parts) -> Taking<'_, T> {
    Box::pin(async { T::from_request_parts(parts, &()).await.map_err(IntoResponse::into_response) })
}

/// Takes the last parameter.
pub fn whole<T: FromRequest<(), M> + 'static, M: 'static>(request: Request) -> Taking<'static, T> {
    Box::pin(async { T::from_request(request, &()).await.map_err(IntoResponse::into_response) })
}

/// A parameter that is called `State`, in any other place than the last.
#[diagnostic::on_unimplemented(
    message = "the state of a route is `&self`: there is no `State`",
    label = "take `&self`, and let `new` take what the routes need"
)]
pub trait PartOfState: Part {}

#[diagnostic::do_not_recommend]
impl<T: Part> PartOfState for T {}

/// Takes a parameter that is called `State` and is not the last.
pub fn part_of_state<T: PartOfState + 'static>(parts: &mut Parts) -> Taking<'_, T> {
    part(parts)
}

/// A parameter that is called `State`, in the last place.
#[diagnostic::on_unimplemented(
    message = "the state of a route is `&self`: there is no `State`",
    label = "take `&self`, and let `new` take what the routes need"
)]
pub trait WholeOfState<M>: FromRequest<(), M> {}

#[diagnostic::do_not_recommend]
impl<T: FromRequest<(), M>, M> WholeOfState<M> for T {}

/// Takes the last parameter, if it is called `State`.
pub fn whole_of_state<T: WholeOfState<M> + 'static, M: 'static>(request: Request) -> Taking<'static, T> {
    whole(request)
}

/// Turns a result without a nameable type into a response.
pub fn respond(answer: impl IntoResponse) -> Response {
    answer.into_response()
}

/// The future of a route's answer. A named type, so that rustc points at the code that does not fit it.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A route of a service as a handler of axum.
#[derive(Clone, Debug)]
pub struct Handles<F> {
    cx: Context,
    #[cfg(feature = "metrics")]
    endpoint: Arc<Endpoint>,
    answer: F,
}

/// Makes a route.
pub fn route<F: FnOnce(Request) -> AnswerFuture>(cx: &Context, answer: F) -> Handles<F> {
    Handles {
        cx: cx.clone(),
        #[cfg(feature = "metrics")]
        endpoint: Arc::default(),
        answer,
    }
}

impl<F: FnOnce(Request) -> AnswerFuture + Clone + Send + Sync + 'static> Handler<(), ()> for Handles<F> {
    type Future = Answered;

    fn call(self, request: Request, (): ()) -> Answered {
        #[cfg(feature = "metrics")]
        self.endpoint.note(&self.cx, &request);
        Answered(Handling::new(&self.cx, request, |request| Respond((self.answer)(request))))
    }
}

/// Has the routes counted that a service makes itself.
pub fn counted(cx: &Context, routes: Router) -> Router {
    #[cfg(feature = "metrics")]
    let routes = counting::counted(cx, routes);
    #[cfg(not(feature = "metrics"))]
    let _ = cx;
    routes
}

/// The future of the response. A panic is a 500 to the layers around the route.
#[expect(missing_debug_implementations, reason = "a future")]
pub struct Answered(Handling<Respond>);

impl Future for Answered {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Response> {
        Pin::new(&mut self.0).poll(task)
    }
}

/// The answer, or the one that refuses the request.
struct Respond(AnswerFuture);

impl Future for Respond {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Response> {
        self.0.as_mut().poll(task).map(|answer| answer.unwrap_or_else(|refusal| refusal))
    }
}

/// The argument of `#[layer(…)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "cannot be put around a route",
    note = "a layer implements `tower::Layer`; `axum::middleware::from_fn` makes one of an async function"
)]
pub trait Wraps {
    /// Wraps the handler of one method.
    fn around(self, route: MethodRouter) -> MethodRouter;

    /// Wraps the handler of `any`, which axum treats as a fallback.
    fn around_any(self, route: MethodRouter) -> MethodRouter;

    /// Wraps all routes.
    fn around_all(self, routes: Router) -> Router;

    /// Wraps gRPC services.
    #[cfg(feature = "grpc")]
    fn around_grpc(self, services: Routes) -> Routes;
}

pub trait IsLayer: Layer<Route> {}

#[diagnostic::do_not_recommend]
impl<L: Layer<Route>> IsLayer for L {}

// Without `do_not_recommend`, so that rustc explains why a layer does not fit a route.
impl<L> Wraps for L
where
    L: IsLayer + Clone + Send + Sync + 'static,
    L::Service: Service<Request, Response: IntoResponse, Error = Infallible, Future: Send> + Clone + Send + Sync,
{
    fn around(self, route: MethodRouter) -> MethodRouter {
        route.route_layer(self)
    }

    fn around_any(self, route: MethodRouter) -> MethodRouter {
        route.layer(self)
    }

    fn around_all(self, routes: Router) -> Router {
        routes.layer(self)
    }

    #[cfg(feature = "grpc")]
    fn around_grpc(self, services: Routes) -> Routes {
        services.layer(self)
    }
}

// These are functions, because rustc then points at the argument that is not a layer.

/// Calls [`Wraps::around`].
pub fn around(layer: impl Wraps, route: MethodRouter) -> MethodRouter {
    layer.around(route)
}

/// Calls [`Wraps::around_any`].
pub fn around_any(layer: impl Wraps, route: MethodRouter) -> MethodRouter {
    layer.around_any(route)
}

/// Calls [`Wraps::around_all`].
pub fn around_all(layer: impl Wraps, routes: Router) -> Router {
    layer.around_all(routes)
}

/// Calls [`Wraps::around_grpc`].
#[cfg(feature = "grpc")]
pub fn around_grpc(layer: impl Wraps, services: Routes) -> Routes {
    layer.around_grpc(services)
}

/// The future of a `start` beside the routes. A named type, so that rustc points at the code that does not fit it.
pub type Beside = Pin<Box<dyn Future<Output = Result> + Send>>;

/// Makes the routes and serves them at the address of the service, with its own `start` beside the server.
///
/// # Errors
///
/// If the routes, the server or the `start` fail.
#[expect(clippy::manual_async_fn, reason = "rustc proves once here that it is `Send`, and not again for each service")]
pub fn run(
    cx: Context,
    make: impl FnOnce(Context) -> Result<(Router, Option<Beside>)> + Send,
) -> impl Future<Output = Result> + Send {
    async move {
        match make(cx.clone())? {
            (routes, Some(start)) => run::run_beside(&cx, routes, start).await,
            (routes, None) => run::run(&cx, routes).await,
        }
    }
}
