//! A handler's panic: it is caught, logged, and reported as a failure that the service survived.

use std::pin::Pin;
use std::task;
use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::http::Method;
use hyper::body::{Body as _, Frame};
use tracing::field::display;

use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::running::message::News;
use crate::service::context::Context;

impl Context {
    /// Logs and reports a panic of one of the service's handlers. A gRPC call has no method of interest, and a body
    /// does not know its request.
    pub(crate) fn handler_panicked(&self, panicked: &BoxError, method: Option<&Method>, path: Option<&str>) {
        let place = match (method, path) {
            (Some(method), Some(path)) => format!("on {method} {path}"),
            (None, Some(path)) => format!("on {path}"),
            (_, None) => "in a response body".to_owned(),
        };
        let (service, method) = (self.name(), method.map(display));
        tracing::error!(target: "group", service, method, path, "`{service}` {panicked} ({place})");
        self.tell(News::HandlerPanicked(format!("{panicked} ({place})").into()));
    }
}

/// The next frame of a body, if there is one.
type NextFrame = Option<Result<Frame<Bytes>, BoxError>>;

/// Polls a body for its next frame.
///
/// # Errors
///
/// If it panics.
pub(crate) fn poll_frame_caught(body: &mut Body, task: &mut task::Context<'_>) -> Result<Poll<NextFrame>, BoxError> {
    caught_now(|| Pin::new(body).poll_frame(task)).map(|polled| polled.map_err(BoxError::from))
}
