//! gRPC, as the macros use it.

pub use crate::grpc::{Routes, Serve};

use std::sync::Arc;

use axum::Router;

use crate::__private::result::Result;
use crate::grpc::serve;
use crate::service::context::Context;

/// What `grpc` takes and returns.
#[diagnostic::on_unimplemented(
    message = "`grpc` takes the services and returns them: `fn grpc(self: Arc<Self>, services: Routes) -> Routes`",
    label = "not `group::grpc::Routes`"
)]
pub trait Services {
    /// Takes the services.
    fn from(services: Routes) -> Self;

    /// Returns the services.
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

/// Puts the gRPC services beside the routes.
///
/// # Errors
///
/// When something is wrong with them.
pub fn beside<S: Serve>(cx: &Context, service: &Arc<S>, routes: Router) -> Result<Router> {
    serve::beside(cx, service, routes)
}
