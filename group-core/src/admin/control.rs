//! Steers a group: stop, reload.

use axum::extract::State;
use axum::http::StatusCode;

use crate::running::handle::Handle;
use crate::running::reloads::ReloadError;

/// Asks the group to stop. It answers at once: the stop is seen on the other pages.
pub(super) async fn stop(State(group): State<Handle>) -> (StatusCode, &'static str) {
    tracing::warn!(target: "group", "a stop was asked for on the admin address");
    group.stop();
    (StatusCode::ACCEPTED, "stopping\n")
}

/// Reloads the services, and answers when that is over.
pub(super) async fn reload(State(group): State<Handle>) -> (StatusCode, String) {
    tracing::info!(target: "group", "a reload was asked for on the admin address");
    match group.reload().await {
        Ok(()) => (StatusCode::OK, "reloaded\n".to_owned()),
        Err(error) => (code(&error), format!("{error}\n")),
    }
}

fn code(error: &ReloadError) -> StatusCode {
    match error {
        ReloadError::Stopping | ReloadError::Nothing => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
