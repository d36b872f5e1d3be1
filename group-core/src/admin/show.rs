//! The status for machines, and the pictures.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

use crate::draw::graph::graph_of;
use crate::draw::timeline::timeline_of;
use crate::running::handle::Handle;

/// Answers with the status, as JSON.
pub(super) async fn status(State(group): State<Handle>) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(group.status())).into_response()
}

/// Answers with the order as a graph.
pub(super) async fn graph(State(group): State<Handle>) -> Response {
    picture(graph_of(&group.status()))
}

/// Answers with the start and the stop so far, as bars.
pub(super) async fn timeline(State(group): State<Handle>) -> Response {
    picture(timeline_of(&group.status()))
}

fn picture(svg: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (headers, svg).into_response()
}
