//! The extractors by which a handler takes parts of its service.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// An extension of a request: the mounted service that handles it.
#[derive(Clone, Debug)]
pub(super) struct HandledBy(pub(super) Context);

/// In a handler: the service's view of its group, to [leave a job behind](Context::spawn_job), say. Needs the feature
/// `http`.
impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let guest = parts.extensions.get().map(|HandledBy(guest)| guest);
        let server = || parts.extensions.get().and_then(Shutdown::context);
        let context = guest.or_else(server).cloned();
        context.ok_or((StatusCode::INTERNAL_SERVER_ERROR, "`Context` is available only in a server of `group`"))
    }
}
