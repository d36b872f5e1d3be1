//! The pages of a group.

use axum::Router;
use axum::routing::get;

use crate::admin::probes::Probed;
use crate::admin::pulse::Pulse;
use crate::admin::{events, page, probes, show};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::running::handle::Handle;

/// Makes the pages that only show: `/`, `/status`, `/events`, `/graph.svg` and `/timeline.svg`, the probes `/livez`,
/// `/readyz` and `/startupz`, and, with the feature `metrics`, `/metrics`.
///
/// To steer a group, mount routes of your own that call its [`Handle`], behind an authentication of your own.
///
/// ```
/// use group::axum::Router;
/// use group::{Context, Group, Role, admin, http};
///
/// async fn ops(cx: Context) -> Result<(), group::BoxError> {
///     let routes = Router::new().nest("/ops", admin::router(&cx.handle()));
///     http::serve(&cx, "127.0.0.1:0", routes).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut group = Group::new();
/// group.add_fn("ops", ops).configure("ops", |spec| spec.role(Role::Sidecar));
/// # group.add_fn("hello", |shutdown: group::Shutdown| async move { shutdown.requested().await });
/// let running = group.start().await.unwrap();
/// println!("curl http://{}/ops/readyz?verbose", running.local_addr("ops").unwrap());
/// # running.stop().await;
/// # }
/// ```
pub fn router(group: &Handle) -> Router {
    for_all(group, Pulse::of_this_runtime()).merge(for_people(group))
}

/// The pages that anybody may ask for: probes, the status, and metrics with the feature `metrics`.
pub(super) fn for_all(group: &Handle, pulse: Pulse) -> Router {
    let asked = Probed { group: group.clone(), pulse };
    let probes = Router::new()
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/startupz", get(probes::startupz))
        .with_state(asked);
    let open = probes.merge(Router::new().route("/status", get(show::status)).with_state(group.clone()));
    #[cfg(feature = "metrics")]
    let open = open.merge(metrics::serve::routes(group));
    open
}

/// The pages for people on this machine, or where there is a token.
pub(super) fn for_people(group: &Handle) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/events", get(events::events))
        .route("/graph.svg", get(show::graph))
        .route("/timeline.svg", get(show::timeline))
        .with_state(group.clone())
}
