//! Serves a service's routes at the address that its spec gives.

use std::task::Poll;

use axum::Router;

use crate::base::error::BoxError;
use crate::base::panic::{caught, flatten};
use crate::http::mount::mount;
use crate::http::server::Server;
use crate::service::context::Context;

/// Serves routes on the service's own address or on its host's. A service that has only gRPC and no address is called
/// within its group, so this waits for its stop.
pub(crate) async fn run(cx: &Context, routes: Router) -> Result<(), BoxError> {
    match cx.http_address().or(cx.grpc_address()) {
        Some(address) => Server::of_service(routes).serve(cx, address).await,
        None if cx.serves_in_process() => {
            cx.shutdown_of_server().requested().await;
            Ok(())
        }
        None => mount(cx, routes).await,
    }
}

/// Serves as [`run`] does, with a `start` beside it. If `start` returns `Ok`, the serving goes on. If it fails, the
/// server is closed, and requests in flight are answered.
pub(crate) async fn run_beside(
    cx: &Context,
    routes: Router,
    start: impl Future<Output = Result<(), BoxError>>,
) -> Result<(), BoxError> {
    let mut start = std::pin::pin!(caught(start));
    // `start` has its first poll before the server takes a `Shutdown`, so that `listens` is about `start` alone.
    let first = std::future::poll_fn(|task| Poll::Ready(start.as_mut().poll(task))).await;
    let mut ended = first.is_ready();
    if let Poll::Ready(result) = first {
        flatten(result)?;
    }
    let listens = cx.member().listens_to_stop();
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
    if served.is_ok() && !ended && listens { flatten(start.await) } else { served }
}
