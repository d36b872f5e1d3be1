//! Serves gRPC, on an address or in the process alone.

use std::sync::Arc;

use axum::Router;
use tonic::{Request, Status};

use crate::base::error::BoxError;
use crate::grpc::routes::Routes;
use crate::http::server::Server;
use crate::service::Service;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// Serves gRPC until the service is asked to stop, and then until every call that was accepted is
/// answered: [`http::Server::grpc`](crate::http::Server::grpc) with the usual limits, and nothing else on the address.
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
/// When the address cannot be bound, or something is wrong with the services: see [`Routes`].
pub async fn serve(cx: &Context, address: &str, services: Routes) -> Result<(), BoxError> {
    Server::new(services.alone(cx)?).serve(cx, address).await
}

/// Waits until the service is asked to stop. It has no address: only [`Channel`]s reach it, and the
/// service has not stopped before every call that came through one is answered.
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
    cx.shutdown().requested().await;
}

/// A service that answers gRPC calls: what a [`Channel`] can call.
///
/// `#[service]` implements it for a block with a method `grpc`. That a server serves the same services
/// is up to `start`, as it is with routes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` serves no gRPC",
    label = "cannot be called",
    note = "give its `#[service]` block a method `grpc`, or implement `group::grpc::Serve`"
)]
pub trait Serve: Service {
    /// Adds its gRPC services. It is called for its server, and again for each [`Channel`]: what calls
    /// share belongs into `self`.
    fn grpc(self: Arc<Self>, services: Routes) -> Routes;
}

/// What a gRPC handler can ask of a request.
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
    /// Fires when the service that answers is asked to stop. A long stream should end then, so that it
    /// does not hold the stop up: `stream.take_until(async move { shutdown.requested().await })`.
    ///
    /// It is in the request's extensions, too: `request.extensions().get::<Shutdown>()`.
    ///
    /// # Errors
    ///
    /// When something else than `group` serves.
    fn shutdown(&self) -> Result<Shutdown, Status>;
}

impl<T> RequestExt for Request<T> {
    fn shutdown(&self) -> Result<Shutdown, Status> {
        let shutdown = self.extensions().get().cloned();
        shutdown.ok_or_else(|| Status::internal("`Shutdown` is there only where `group` serves"))
    }
}

impl Server {
    /// Serves gRPC, too, on the same address: what is none of these services is for the other routes.
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

/// Puts a service's gRPC where its routes are, if these have an address.
pub(crate) fn beside<S: Serve>(cx: &Context, service: &Arc<S>, routes: Router) -> Result<Router, BoxError> {
    let services = Arc::clone(service).grpc(Routes::new());
    if cx.http_address().is_some() {
        return services.beside(cx, routes);
    }
    let alone = services.alone(cx)?;
    // What is mounted on another service is HTTP.
    Ok(if cx.is_mounted() { routes } else { alone })
}
