//! The gRPC services of one server.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::Route;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tower_layer::Layer;
use tower_service::Service;

use crate::base::error::BoxError;
use crate::grpc::answer::answer;
use crate::grpc::health::HealthService;
use crate::service::context::Context;

/// The gRPC services that one server serves, each as tonic generates it. Needs the feature `grpc`.
///
/// `grpc.health.v1.Health` is served with them, from the state of the group: see [`add_service`](Self::add_service). If
/// two services have the same name, the server fails to start.
///
/// It is built by value, in one expression.
///
/// ```
/// use group::grpc::Routes;
/// use group::service;
/// use std::sync::Arc;
///
/// #[derive(Default)]
/// struct Inventory;
///
/// #[service(grpc = "127.0.0.1:50051")]
/// impl Inventory {
///     fn grpc(self: Arc<Self>, services: Routes) -> Routes {
///         // services.add_service(InventoryServer::from_arc(self))
///         services
///     }
/// }
/// ```
#[derive(Clone, Default)]
#[must_use = "they do nothing until a server serves them"]
pub struct Routes {
    services: tonic::service::Routes,
    names: Vec<&'static str>,
    /// A name that was added twice.
    twice: Option<&'static str>,
    descriptors: Vec<&'static [u8]>,
    /// The first one is the outermost.
    layers: Vec<Arc<dyn Fn(Router) -> Router + Send + Sync>>,
}

impl Routes {
    /// Creates routes with no services but health.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service, such as the `InventoryServer` that tonic generates.
    ///
    /// The health service reports it under its name, such as `shop.Inventory`. It is `SERVING` while the group is ready
    /// and so is the service of the group that serves it. The empty name stands for the group as a whole. Both are
    /// `NOT_SERVING` from the moment when a stop is asked for, and streams of `Watch` end when the server stops. A
    /// health service that you add replaces the built-in one.
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        // The router would panic if it were added.
        if self.has(S::NAME) {
            self.twice = Some(S::NAME);
            return self;
        }
        self.names.push(S::NAME);
        self.services = self.services.add_service(service);
        self
    }

    /// Serves reflection, too, in the versions `v1` and `v1alpha`, so that tools such as `grpcurl` can list the
    /// services. It takes the encoded file descriptor set that `prost` writes.
    ///
    /// ```ignore
    /// const DESCRIPTORS: &[u8] = group::tonic::include_file_descriptor_set!("shop");
    /// services.add_service(InventoryServer::from_arc(self)).reflection(DESCRIPTORS)
    /// ```
    pub fn reflection(mut self, file_descriptor_set: &'static [u8]) -> Self {
        self.descriptors.push(file_descriptor_set);
        self
    }

    /// Puts a layer of `tower` around the services that were added and will be, as a layer of axum: around calls in memory,
    /// too. Of several, the first is the outermost. It is not around health and reflection, which answer probes and tools
    /// without the credentials that a layer may ask for.
    ///
    /// ```
    /// use group::axum::extract::Request;
    /// use group::axum::middleware::{Next, from_fn};
    /// use group::axum::response::Response;
    /// use group::grpc::Routes;
    ///
    /// async fn log(request: Request, next: Next) -> Response {
    ///     tracing::info!("{}", request.uri().path());
    ///     next.run(request).await
    /// }
    ///
    /// let services = Routes::new().layer(from_fn(log));
    /// # let _ = services;
    /// ```
    ///
    /// In a `#[service]` block, the same is `#[layer(from_fn(log))]` on the method `grpc`.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<axum::extract::Request, Response: IntoResponse, Error = Infallible, Future: Send>,
        L::Service: Clone + Send + Sync,
    {
        self.layers.push(Arc::new(move |routes| routes.layer(layer.clone())));
        self
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// Makes the routes of a server that serves nothing else.
    pub(crate) fn alone(self, cx: &Context) -> Result<Router, BoxError> {
        self.into_router(cx)
    }

    /// Adds the services to other routes, whose fallback stays.
    pub(crate) fn beside(self, cx: &Context, routes: Router) -> Result<Router, BoxError> {
        Ok(routes.merge(self.into_router(cx)?.reset_fallback()))
    }

    fn into_router(mut self, cx: &Context) -> Result<Router, BoxError> {
        if let Some(name) = self.twice {
            return Err(format!("two gRPC services are called `{name}`").into());
        }
        let layers = std::mem::take(&mut self.layers);
        let users = std::mem::take(&mut self.services).into_axum_router();
        let users = layers.iter().rev().fold(users, |routes, around| around(routes));
        self = self.with_reflection()?;
        if !self.has(HealthServer::<HealthService>::NAME) {
            let health = HealthService::new(cx, &self.names);
            self = self.add_service(HealthServer::new(health));
        }
        let own = self.services.into_axum_router().reset_fallback();
        Ok(users.merge(own).layer(from_fn_with_state(cx.clone(), answer)))
    }

    fn with_reflection(mut self) -> Result<Self, BoxError> {
        if self.descriptors.is_empty() {
            return Ok(self);
        }
        self.descriptors.push(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let builder = || {
            let all = self.descriptors.iter();
            all.fold(tonic_reflection::server::Builder::configure(), |builder, one| {
                builder.register_encoded_file_descriptor_set(one)
            })
        };
        let wrong = |error| format!("reflection was given an invalid file descriptor set: {error}");
        let (v1, v1alpha) = (builder().build_v1().map_err(wrong)?, builder().build_v1alpha().map_err(wrong)?);
        Ok(self.add_service(v1).add_service(v1alpha))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routes").field(&self.names).finish()
    }
}
