//! gRPC, for the emitted code.

pub use crate::grpc::{Routes, Serve};

use std::sync::Arc;

use axum::Router;

use crate::__private::result::Result;
use crate::grpc::serve;
use crate::service::context::Context;

/// The parameter and the result of the method `grpc`.
#[diagnostic::on_unimplemented(
    message = "`grpc` takes the services and returns them: `fn grpc(self: Arc<Self>, services: Routes) -> Routes`",
    label = "not `group::grpc::Routes`"
)]
pub trait Services {
    /// Makes the parameter.
    fn from(services: Routes) -> Self;

    /// Takes the result.
    fn into(self) -> Routes;
}

impl Services for Routes {
    fn from(services: Routes) -> Self {
        services
    }

    fn into(self) -> Routes {
        self
    }
}

/// Adds the gRPC services of a service to its routes.
///
/// # Errors
///
/// If they cannot be served.
pub fn beside<S: Serve>(cx: &Context, service: &Arc<S>, routes: Router) -> Result<Router> {
    serve::beside(cx, service, routes)
}
