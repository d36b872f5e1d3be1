//! Steers a group: stop, reload, and the control of single services.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::running::control_error::ControlError;
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

/// Stops a service, and answers when it is down.
pub(super) async fn stop_service(State(group): State<Handle>, Path(name): Path<String>) -> (StatusCode, String) {
    note("stop", &name);
    answer("stopped", group.stop_service(&name).await)
}

/// Starts a service, and answers when it is ready, with all that came back along with it.
pub(super) async fn start_service(State(group): State<Handle>, Path(name): Path<String>) -> (StatusCode, String) {
    note("start", &name);
    answer("started", group.start_service(&name).await)
}

/// Restarts a service, and answers as above.
pub(super) async fn restart_service(State(group): State<Handle>, Path(name): Path<String>) -> (StatusCode, String) {
    note("restart", &name);
    answer("restarted", group.restart_service(&name).await)
}

/// Writes down what was asked for, and where.
fn note(what: &str, name: &str) {
    tracing::warn!(target: "group", "a {what} of `{}` was asked for on the admin address", name.escape_debug());
}

/// The answer to a request that would have to wait for its own end.
pub(super) async fn this_one() -> (StatusCode, &'static str) {
    (StatusCode::CONFLICT, "this is the service that answers here\n")
}

fn answer(done: &str, came_of: Result<(), ControlError>) -> (StatusCode, String) {
    match came_of {
        Ok(()) => (StatusCode::OK, format!("{done}\n")),
        Err(error @ ControlError::Unknown { .. }) => (StatusCode::NOT_FOUND, format!("{error}\n")),
        Err(error @ ControlError::Failed(_)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(error) => (StatusCode::CONFLICT, format!("{error}\n")),
    }
}

fn code(error: &ReloadError) -> StatusCode {
    match error {
        ReloadError::Stopping | ReloadError::Nothing => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
