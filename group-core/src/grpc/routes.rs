//! The gRPC services of one server.

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tower_service::Service;

use crate::base::error::BoxError;
use crate::grpc::answer::answer;
use crate::grpc::health::Health;
use crate::service::context::Context;

/// The gRPC services that one server serves, each as tonic generates it.
///
/// `grpc.health.v1.Health` comes with them, and answers from the group's state: see
/// [`add_service`](Self::add_service). Two services of one name are a mistake, which the server's start
/// reports.
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
    /// A name that came twice.
    twice: Option<&'static str>,
    descriptors: Vec<&'static [u8]>,
}

impl Routes {
    /// No services, but health.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service: what tonic calls `InventoryServer`.
    ///
    /// Health knows it by its name, `shop.Inventory`: `SERVING` while the group and the service of the
    /// group that serves it are ready. The empty name is the group as a whole. Both are `NOT_SERVING`
    /// from the moment when a stop is asked for, and streams of `Watch` end when the server stops. If
    /// you add a health service of your own, it takes the place of ours.
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        // The router would panic.
        if self.has(S::NAME) {
            self.twice = Some(S::NAME);
            return self;
        }
        self.names.push(S::NAME);
        self.services = self.services.add_service(service);
        self
    }

    /// Serves reflection, too, in both versions that clients ask for, so that `grpcurl` and its like
    /// know what there is. It takes what `prost` wrote: the encoded file descriptor set.
    ///
    /// ```ignore
    /// const DESCRIPTORS: &[u8] = group::tonic::include_file_descriptor_set!("shop");
    /// services.add_service(InventoryServer::from_arc(self)).reflection(DESCRIPTORS)
    /// ```
    pub fn reflection(mut self, file_descriptor_set: &'static [u8]) -> Self {
        self.descriptors.push(file_descriptor_set);
        self
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// As routes of a server that serves nothing else.
    pub(crate) fn alone(self, cx: &Context) -> Result<Router, BoxError> {
        self.into_router(cx)
    }

    /// As routes beside others. Whatever has no route is for the others' fallback.
    pub(crate) fn beside(self, cx: &Context, routes: Router) -> Result<Router, BoxError> {
        Ok(routes.merge(self.into_router(cx)?.reset_fallback()))
    }

    fn into_router(mut self, cx: &Context) -> Result<Router, BoxError> {
        if let Some(name) = self.twice {
            return Err(format!("two gRPC services are called `{name}`").into());
        }
        self = self.with_reflection()?;
        if !self.has(HealthServer::<Health>::NAME) {
            let health = Health::new(cx, &self.names);
            self = self.add_service(HealthServer::new(health));
        }
        Ok(self.services.into_axum_router().layer(from_fn_with_state(cx.clone(), answer)))
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
        let wrong = |error| format!("reflection was given what is no file descriptor set: {error}");
        let (v1, v1alpha) = (builder().build_v1().map_err(wrong)?, builder().build_v1alpha().map_err(wrong)?);
        Ok(self.add_service(v1).add_service(v1alpha))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routes").field(&self.names).finish()
    }
}
