//! Services whose routes another service serves, on its address.

use std::convert::Infallible;
use std::future;
use std::future::Ready;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::task;
use std::task::{Poll, ready};

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::future::RouteFuture;
use axum::routing::{MethodFilter, MethodRouter, Route, any, on};
use futures_util::future::Either;
use tower_layer::layer_fn;
use tower_service::Service;

use crate::base::error::BoxError;
use crate::base::lock;
use crate::base::panic::quietly;
#[cfg(feature = "metrics")]
use crate::http::counting::Endpoint;
use crate::http::extract::HandledBy;
use crate::http::panicked::Handling;
use crate::lifecycle::interface::Id;
use crate::running::holds::Held;
use crate::service::context::Context;
use crate::spec::Spec;

/// Every mount of a group.
#[derive(Debug)]
struct Mounts(Vec<Mount>);

impl Mounts {
    fn of(cx: &Context) -> Arc<Self> {
        cx.parts().get_or_make(|| Self(cx.mounts().iter().copied().map(Mount::new).collect()))
    }

    /// The mount of this service on another one, if there is one.
    fn of_guest(&self, cx: &Context) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.service == cx.id())
    }

    /// The services that are mounted on this one.
    fn on_host<'a>(&'a self, cx: &'a Context) -> impl Iterator<Item = (&'a Mount, &'a Spec)> {
        let here = self.0.iter().filter(|mount| mount.host == cx.id());
        here.map(|mount| (mount, cx.spec_of(mount.service)))
    }
}

/// One service that is mounted on another.
#[derive(Debug)]
struct Mount {
    service: Id,
    host: Id,
    /// The routes that it handed over last, and its context.
    routes: Mutex<Option<(Router, Context)>>,
    /// False while the service does not answer, for example because it waits for a restart.
    answers: Arc<AtomicBool>,
    /// True once the host has added the routes to its own.
    taken: AtomicBool,
}

impl Mount {
    fn new((service, host): (Id, Id)) -> Self {
        Self { service, host, routes: Mutex::default(), answers: Arc::default(), taken: AtomicBool::new(false) }
    }

    /// Answers with these routes until the result is dropped.
    fn hand_over(&self, routes: Router, guest: Context) -> impl Drop + use<> {
        // Those of an earlier run are dropped once the lock is released.
        let _before = lock(&self.routes).replace((routes, guest));
        self.answers.store(true, Relaxed);
        HandedOver(Arc::clone(&self.answers))
    }

    /// The routes as the host serves them: with 503 while the service does not answer. If the service failed before it
    /// handed routes over, they are those that its [`Spec`] lists.
    fn take(&self, host: &Context) -> Router {
        let spec = host.spec_of(self.service);
        #[cfg(feature = "metrics")]
        let counted_for = host.of_id(self.service);
        self.taken.store(true, Relaxed);
        let answers = Arc::clone(&self.answers);
        let routes = lock(&self.routes).clone();
        let (routes, guest) = routes.map_or_else(|| (unavailable(spec), None), |(routes, guest)| (routes, Some(guest)));
        // The layer is around the fallback, too. It does no harm there: a merge keeps the host's.
        routes.layer(layer_fn(move |route| Guarded {
            route,
            guest: guest.clone(),
            answers: Arc::clone(&answers),
            #[cfg(feature = "metrics")]
            endpoint: Arc::default(),
            #[cfg(feature = "metrics")]
            counted_for: counted_for.clone(),
        }))
    }
}

/// Routes that are handed over. When it is dropped, they are answered with 503.
struct HandedOver(Arc<AtomicBool>);

impl Drop for HandedOver {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// A route that is answered with 503 while its service does not answer. A panic in it is that service's.
#[derive(Clone)]
struct Guarded {
    route: Route,
    /// The service; `None` if it has handed nothing over, and so never answers.
    guest: Option<Context>,
    answers: Arc<AtomicBool>,
    #[cfg(feature = "metrics")]
    endpoint: Arc<Endpoint>,
    /// The service, also if it has handed nothing over.
    #[cfg(feature = "metrics")]
    counted_for: Context,
}

/// An extension of a response: the service that has made it, whose body is still to come.
#[derive(Clone, Debug)]
pub(super) struct AnsweredBy(pub(super) Context);

/// A response of a guest.
struct GuestAnswers(Handling<Infallibly>);

impl Future for GuestAnswers {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(Pin::new(&mut self.0).poll(task));
        response.extensions_mut().insert(AnsweredBy(self.0.cx().clone()));
        Poll::Ready(Ok(response))
    }
}

/// The response of a route, which never fails.
struct Infallibly(RouteFuture<Infallible>);

impl Future for Infallibly {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Response> {
        Pin::new(&mut self.0).poll(task).map(|response| response.unwrap_or_else(|never| match never {}))
    }
}

type Refused = Ready<Result<Response, Infallible>>;

impl Service<Request> for Guarded {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<GuestAnswers, Refused>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.route, task)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        #[cfg(feature = "metrics")]
        self.endpoint.note(&self.counted_for, &request);
        match &self.guest {
            Some(guest) if self.answers.load(Relaxed) => {
                request.extensions_mut().insert(HandledBy(guest.clone()));
                let call = |request| Infallibly(self.route.call(request));
                Either::Left(GuestAnswers(Handling::new(guest, request, call)))
            }
            _ => Either::Right(future::ready(Ok(StatusCode::SERVICE_UNAVAILABLE.into_response()))),
        }
    }
}

/// The routes that the spec of a service lists, each answered with 503.
fn unavailable(spec: &Spec) -> Router {
    let refuse = || async { StatusCode::SERVICE_UNAVAILABLE };
    let route = |method: &str| -> MethodRouter {
        let method = Method::from_bytes(method.as_bytes()).ok();
        method
            .and_then(|method| MethodFilter::try_from(method).ok())
            .map_or_else(|| any(refuse), |method| on(method, refuse))
    };
    spec.details().routes.iter().fold(Router::new(), |routes, one| routes.route(one.path(), route(one.method())))
}

/// Hands the routes of a service over to its host, the service that it is [mounted on](Spec::http_on), and returns when
/// the service is asked to stop: by then the host has stopped. The service is ready once the routes are handed over.
///
/// While this does not run, because the service has failed or waits for a restart, its routes are answered with 503.
/// After a restart, the host serves the routes that it took when it started.
///
/// Needs the feature `http`.
///
/// # Errors
///
/// If the service is not mounted on another one.
pub async fn mount(cx: &Context, routes: Router) -> Result<(), BoxError> {
    let mounts = Mounts::of(cx);
    let Some(mount) = mounts.of_guest(cx) else {
        return Err(format!("`{}` is mounted on no service: its spec needs `http_on`", cx.name()).into());
    };
    let (ready, shutdown) = (cx.held_by(Held::Mount), cx.shutdown_of_server());
    let _handed_over = mount.hand_over(routes, cx.clone());
    ready.fire();
    shutdown.requested().await;
    // They hold the service, and nobody serves them any more. They are dropped once the lock is released.
    let _routes = lock(&mount.routes).take();
    Ok(())
}

/// Adds to a service's own routes those of every service that is [mounted on](Spec::http_on) it. A layer that is put
/// around the result is around all of them.
///
/// If no service is mounted on it, it returns the routes as they are.
///
/// Needs the feature `http`.
///
/// # Errors
///
/// If routes conflict. Conflicts between routes that a [`Spec`] lists are reported before the group starts.
pub fn mounted(cx: &Context, routes: Router) -> Result<Router, BoxError> {
    let mounts = Mounts::of(cx);
    let mut parts: Vec<(&str, Router)> = Vec::new();
    for (mount, spec) in mounts.on_host(cx) {
        let under = |prefix: &str| quietly(|| Router::new().nest(prefix, mount.take(cx)));
        let routes = spec.details().prefix.as_deref().map_or_else(|| Ok(mount.take(cx)), under);
        let cannot = |why| format!("the routes of `{}` cannot be served: {why}", spec.get_name());
        parts.push((spec.get_name(), routes.map_err(cannot)?));
    }
    if parts.is_empty() {
        return Ok(routes);
    }
    // The host comes last: if both fallbacks are axum's own, a merge keeps that of the later router, which must not be
    // one that answers with 503.
    parts.push((cx.name(), routes));
    Ok(merged(&parts)?)
}

/// The routes that the specs of a service and of its guests list, to find the one that a path matches.
pub(super) fn listed_routes(cx: &Context) -> matchit::Router<String> {
    let mut routes = matchit::Router::new();
    let mut add = |spec: &Spec| {
        let prefix = spec.details().prefix.as_deref().unwrap_or_default();
        for route in &spec.details().routes {
            let route = format!("{prefix}{}", route.path());
            // Of a route with two methods there is only one.
            let _ = routes.insert(route.clone(), route);
        }
    };
    add(cx.spec_of(cx.id()));
    Mounts::of(cx).on_host(cx).for_each(|(_, guest)| add(guest));
    routes
}

fn merged(parts: &[(&str, Router)]) -> Result<Router, String> {
    let merge = |first: &Router, second: &Router| quietly(|| first.clone().merge(second.clone()));
    let mut all = Router::new();
    for (nth, (name, routes)) in parts.iter().enumerate() {
        all = merge(&all, routes).map_err(|why| {
            let other = parts[..nth].iter().find(|(_, other)| merge(other, routes).is_err());
            let other = other.map_or_else(String::new, |(other, _)| format!("`{other}` and "));
            format!("the routes of {other}`{name}` cannot be served together: {why}")
        })?;
    }
    Ok(all)
}

/// Fails if a service is mounted on this one and its routes were not added.
pub(super) fn check_taken(cx: &Context) -> Result<(), BoxError> {
    match Mounts::of(cx).on_host(cx).find(|(mount, _)| !mount.taken.load(Relaxed)) {
        None => Ok(()),
        Some((_, spec)) => {
            let (name, host) = (spec.get_name(), cx.name());
            Err(format!("`{name}` is mounted on `{host}`, which does not serve it: add it with `http::mounted`").into())
        }
    }
}
