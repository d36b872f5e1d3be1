//! Serves a service's routes where its spec says.

use std::task::Poll;

use axum::Router;

use crate::base::error::BoxError;
use crate::base::panic::{caught, flatten};
use crate::http::mount::mount;
use crate::http::server::serve;
use crate::service::context::Context;

/// Serves routes where the service's spec says: on its own address, on another service's, or, with
/// nothing but gRPC, for its group alone.
pub(crate) async fn run(cx: &Context, routes: Router) -> Result<(), BoxError> {
    match cx.http_address().or(cx.grpc_address()) {
        Some(address) => serve(cx, address, routes).await,
        None if cx.serves_in_process() => {
            cx.shutdown().requested().await;
            Ok(())
        }
        None => mount(cx, routes).await,
    }
}

/// The same, with a `start` beside it. If `start` ends well, the serving goes on; if it fails, until what is in hand
/// is answered.
pub(crate) async fn run_beside(
    cx: &Context,
    routes: Router,
    start: impl Future<Output = Result<(), BoxError>>,
) -> Result<(), BoxError> {
    let mut start = std::pin::pin!(caught(start));
    // Polled first, and alone: a `Shutdown` that is taken now is its own, not the server's.
    let first = std::future::poll_fn(|task| Poll::Ready(start.as_mut().poll(task))).await;
    let mut ended = first.is_ready();
    if let Poll::Ready(result) = first {
        flatten(result)?;
    }
    let hears = cx.member().hears();
    let mut serving = std::pin::pin!(run(cx, routes));
    let served = loop {
        tokio::select! {
            biased;
            result = &mut start, if !ended => {
                ended = true;
                flatten(result).unwrap_or_else(|error| cx.own_children().fail(error));
            }
            served = &mut serving => break served,
        }
    };
    if served.is_ok() && !ended && hears { flatten(start.await) } else { served }
}
