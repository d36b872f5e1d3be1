//! HTTP, as the macros use it.

pub use axum::Router;
pub use axum::extract::Request;
pub use axum::response::IntoResponse;
pub use axum::routing::{any, delete, get, head, options, patch, post, put};

pub use crate::http::mounted;

use std::convert::Infallible;
use std::pin::Pin;
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
use crate::http::run;
use crate::service::context::Context;

/// A parameter of a route or what its method answers, or else the response that says why it
/// cannot be had.
pub type Answer<T = Response> = std::result::Result<T, Response>;

/// What a parameter of a route can be that is not the last: every [`FromRequestParts`].
#[diagnostic::on_unimplemented(
    message = "only the last parameter can take the body",
    label = "`{Self}` cannot be taken from the request without its body",
    note = "for what can, see `https://docs.rs/axum/0.8/axum/extract/index.html`"
)]
pub trait Part: FromRequestParts<()> {}

// Recommended, so that rustc says what keeps an extractor from being one.
impl<T: FromRequestParts<()>> Part for T {}

/// What `router` takes and returns.
#[diagnostic::on_unimplemented(
    message = "`router` takes the routes and returns them: `fn router(&self, routes: Router) -> Router`",
    label = "not `group::axum::Router`"
)]
pub trait Routes {
    /// Takes the routes.
    fn from(routes: Router) -> Self;

    /// Returns the routes.
    fn into(self) -> Router;
}

impl Routes for Router {
    fn from(routes: Router) -> Self {
        routes
    }

    fn into(self) -> Router {
        self
    }
}

/// A parameter on its way. Boxed, because rustc has more to say of an opaque future: once the
/// parameter is no extractor, that is a second mistake.
pub type Taking<'a, T> = Pin<Box<dyn Future<Output = Answer<T>> + Send + 'a>>;

/// Takes a parameter that is not the last.
pub fn part<T: Part + 'static>(parts: &mut Parts) -> Taking<'_, T> {
    Box::pin(async { T::from_request_parts(parts, &()).await.map_err(IntoResponse::into_response) })
}

/// Takes the last parameter.
pub fn whole<T: FromRequest<(), M> + 'static, M: 'static>(request: Request) -> Taking<'static, T> {
    Box::pin(async { T::from_request(request, &()).await.map_err(IntoResponse::into_response) })
}

/// Answers with what cannot be named.
pub fn respond(answer: impl IntoResponse) -> Response {
    answer.into_response()
}

/// The answer of a route on its way. A type, so that rustc points at what cannot be one.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A route, as axum calls it.
#[derive(Clone, Debug)]
pub struct Handles<F>(F);

/// Makes a route.
pub fn route<F: FnOnce(Request) -> Answering>(answer: F) -> Handles<F> {
    Handles(answer)
}

impl<F: FnOnce(Request) -> Answering + Clone + Send + Sync + 'static> Handler<(), ()> for Handles<F> {
    type Future = Answered;

    fn call(self, request: Request, (): ()) -> Answered {
        Answered((self.0)(request))
    }
}

/// Answers with the response, whichever it is.
#[expect(missing_debug_implementations, reason = "a future")]
pub struct Answered(Answering);

impl Future for Answered {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Response> {
        self.0.as_mut().poll(task).map(|answer| answer.unwrap_or_else(|refusal| refusal))
    }
}

/// What `#[layer(…)]` takes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "cannot be put around a route",
    note = "a layer implements `tower::Layer`; `axum::middleware::from_fn` makes one of an async function"
)]
pub trait Wraps {
    /// Puts it around the handler of one method.
    fn around(self, route: MethodRouter) -> MethodRouter;

    /// Puts it around the handler of `any`, which to axum is a fallback.
    fn around_any(self, route: MethodRouter) -> MethodRouter;

    /// Puts it around all routes.
    fn around_all(self, routes: Router) -> Router;
}

pub trait IsLayer: Layer<Route> {}

#[diagnostic::do_not_recommend]
impl<L: Layer<Route>> IsLayer for L {}

// Recommended, so that rustc says what keeps a layer from being put around a route.
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
}

// Functions, because rustc points at an argument that is no layer.

/// [`Wraps::around`].
pub fn around(layer: impl Wraps, route: MethodRouter) -> MethodRouter {
    layer.around(route)
}

/// [`Wraps::around_any`].
pub fn around_any(layer: impl Wraps, route: MethodRouter) -> MethodRouter {
    layer.around_any(route)
}

/// [`Wraps::around_all`].
pub fn around_all(layer: impl Wraps, routes: Router) -> Router {
    layer.around_all(routes)
}

/// A `start` on its way, beside the routes. A type, so that rustc points at what cannot be one.
pub type Beside = Pin<Box<dyn Future<Output = Result> + Send>>;

/// Makes the routes and serves them where the service is to serve, with its `start` beside that.
///
/// # Errors
///
/// When any of it fails.
#[expect(clippy::manual_async_fn, reason = "that it is `Send` is proven here, and not again for each service")]
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
