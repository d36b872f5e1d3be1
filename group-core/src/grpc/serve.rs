//! Serves gRPC, on an address or only within the process.

use std::sync::Arc;

use axum::Router;
use tonic::{Request, Status};

use crate::base::error::BoxError;
use crate::grpc::routes::Routes;
use crate::http::server::Server;
use crate::service::Service;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// Serves gRPC until the service is asked to stop, and then until every accepted call is answered. It is
/// [`http::Server::grpc`](crate::http::Server::grpc) with the default limits, and nothing else on the address. Needs
/// the feature `grpc`.
///
/// ```
/// use group::grpc::{self, Routes};
/// use group::{BoxError, Context, Group, Service};
/// use std::sync::Arc;
///
/// struct Inventory;
///
/// impl Service for Inventory {
///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
///         // let services = Routes::new().add_service(InventoryServer::from_arc(self));
///         let services = Routes::new();
///         grpc::serve(&cx, "127.0.0.1:0", services).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new().add(Inventory).start().await.unwrap();
/// println!("grpcurl -plaintext {} list", running.local_addr("inventory").unwrap());
/// assert!(running.stop().await.is_clean());
/// # }
/// ```
///
/// # Errors
///
/// If the address cannot be bound, or the services are invalid: see [`Routes`].
pub async fn serve(cx: &Context, address: &str, services: Routes) -> Result<(), BoxError> {
    Server::new(services.alone(cx)?).serve(cx, address).await
}

/// Waits until the service is asked to stop. The service has no address: only a [`Channel`](crate::grpc::Channel)
/// reaches it, and it has stopped only when every call that came through one is answered. Needs the feature `grpc`.
///
/// ```
/// use group::grpc::{self, Routes, Serve};
/// use group::{BoxError, Context, Service, Spec};
/// use std::sync::Arc;
///
/// struct Inventory;
///
/// impl Serve for Inventory {
///     fn grpc(self: Arc<Self>, services: Routes) -> Routes {
///         // services.add_service(InventoryServer::from_arc(self))
///         services
///     }
/// }
///
/// impl Service for Inventory {
///     fn spec() -> Spec {
///         Spec::of::<Self>().serves_grpc()
///     }
///
///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
///         grpc::serve_in_process(&cx).await;
///         Ok(())
///     }
/// }
/// ```
pub async fn serve_in_process(cx: &Context) {
    cx.shutdown_of_server().requested().await;
}

/// A service that answers gRPC calls, so that a [`Channel`](crate::grpc::Channel) can call it. Needs the feature
/// `grpc`.
///
/// `#[service]` implements it for a block with a method `grpc`, and serves the same services in `start`. An
/// implementation by hand has to serve them itself, as it does with routes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` serves no gRPC",
    label = "cannot be called",
    note = "give its `#[service]` block a method `grpc`, or implement `group::grpc::Serve`"
)]
pub trait Serve: Service {
    /// Adds the service's gRPC services to `services`. It is called for the server, and again for each
    /// [`Channel`](crate::grpc::Channel), so state that calls share belongs into `self`.
    fn grpc(self: Arc<Self>, services: Routes) -> Routes;
}

/// Adds the [`Shutdown`] of the service to a gRPC request. Needs the feature `grpc`.
///
/// ```
/// use group::grpc::RequestExt as _;
/// use group::tonic::{Request, Response, Status};
///
/// async fn next(request: Request<()>) -> Result<Response<()>, Status> {
///     let shutdown = request.shutdown()?;
///     tokio::select! {
///         () = std::future::pending() => Ok(Response::new(())), // something comes
///         () = shutdown.requested() => Err(Status::unavailable("the server stops")),
///     }
/// }
/// ```
pub trait RequestExt {
    /// Returns the [`Shutdown`] of the service that answers. A long stream should end when it is requested, so that it
    /// does not delay the stop: `stream.take_until(async move { shutdown.requested().await })`.
    ///
    /// It is in the request's extensions, too: `request.extensions().get::<Shutdown>()`.
    ///
    /// # Errors
    ///
    /// If the request does not come from a server or a channel of `group`.
    fn shutdown(&self) -> Result<Shutdown, Status>;
}

impl<T> RequestExt for Request<T> {
    fn shutdown(&self) -> Result<Shutdown, Status> {
        let shutdown = self.extensions().get().cloned();
        shutdown.ok_or_else(|| Status::internal("`Shutdown` is available only in a server of `group`"))
    }
}

impl Server {
    /// Serves gRPC, too, on the same address. Requests for other paths go to the other routes. Needs the feature
    /// `grpc`.
    ///
    /// ```
    /// use group::axum::{Router, routing::get};
    /// use group::{BoxError, Context, grpc, http};
    ///
    /// async fn serve(cx: &Context, services: grpc::Routes) -> Result<(), BoxError> {
    ///     let routes = Router::new().route("/", get(|| async { "hello" }));
    ///     http::Server::new(routes).grpc(services).serve(cx, "127.0.0.1:8080").await
    /// }
    /// ```
    pub fn grpc(self, services: Routes) -> Self {
        self.add_routes(move |cx, routes| services.clone().beside(cx, routes))
    }
}

/// Adds a service's gRPC to its routes, if these have an address of their own.
pub(crate) fn beside<S: Serve>(cx: &Context, service: &Arc<S>, routes: Router) -> Result<Router, BoxError> {
    let services = Arc::clone(service).grpc(Routes::new());
    if cx.http_address().is_some() {
        return services.beside(cx, routes);
    }
    let alone = services.alone(cx)?;
    // Only HTTP routes are mounted on another service.
    Ok(if cx.is_mounted() { routes } else { alone })
}
