//! The HTTP server: axum on hyper, with a stop that cuts nothing off.

use std::fmt;
use std::io;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{BoxError, Context, Shutdown};

/// How long to wait after `accept` failed for want of something, such as file descriptors, before
/// trying again: connections that end meanwhile give some back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Serves routes until the service is asked to stop, and then until every request that was
/// accepted is answered. Idle connections are closed at once.
///
/// The service is ready when the address is bound. Port 0 takes a free port; the bound address is
/// [published](Context::publish_addr).
///
/// ```
/// use group::axum::{Router, routing::get};
/// use group::{BoxError, Context, Group, Service, http};
/// use std::sync::Arc;
///
/// struct Hello;
///
/// impl Service for Hello {
///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
///         let routes = Router::new().route("/", get(|| async { "hello" }));
///         http::serve(&cx, "127.0.0.1:0", routes).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new().add(Hello).start().await.unwrap();
/// println!("curl http://{}/", running.local_addr("hello").unwrap());
/// assert!(running.stop().await.is_clean());
/// # }
/// ```
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn serve(cx: &Context, address: &str, routes: Router) -> Result<(), BoxError> {
    let (ready, shutdown) = (cx.ready(), cx.shutdown());
    let cannot_listen = |reason| CannotListen { address: address.to_owned(), reason };
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    cx.publish_addr(listener.local_addr().map_err(cannot_listen)?);
    ready.fire();

    let mut connections = JoinSet::new();
    accept_until(&listener, &shutdown, |stream| {
        connections.spawn(connection(stream, routes.clone(), shutdown.clone()));
        while connections.try_join_next().is_some() {}
    })
    .await;
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves routes, and runs a `start` beside the server. If `start` ends well, the server goes on.
pub(crate) async fn serve_beside(
    cx: &Context,
    address: &str,
    routes: Router,
    start: impl Future<Output = Result<(), BoxError>>,
) -> Result<(), BoxError> {
    let mut start = std::pin::pin!(start);
    // Polled first, and alone: a `Shutdown` that is taken now is its own, not the server's.
    let mut ended = std::future::poll_fn(|task| Poll::Ready(start.as_mut().poll(task))).await;
    let hears = cx.member().hears();
    let mut serving = std::pin::pin!(serve(cx, address, routes));
    let served = loop {
        if let Poll::Ready(Err(error)) = ended {
            return Err(error);
        }
        tokio::select! {
            biased;
            result = &mut start, if ended.is_pending() => ended = Poll::Ready(result),
            served = &mut serving => break served,
        }
    };
    if served.is_ok() && ended.is_pending() && hears { start.await } else { served }
}

async fn accept_until(listener: &TcpListener, shutdown: &Shutdown, mut take: impl FnMut(TcpStream)) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.requested() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => take(stream),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(target: "group", %error, "cannot accept connections: {error}");
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = tokio::time::sleep(ACCEPT_AGAIN) => {}
                }
            }
        }
    }
}

/// The client was gone before it was accepted: nothing is wrong here.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, routes: Router, shutdown: Shutdown) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(routes);
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => served,
        () = shutdown.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(target: "group", %error, "a connection ended: {error}");
    }
}

#[derive(Debug)]
struct CannotListen {
    address: String,
    reason: io::Error,
}

impl fmt::Display for CannotListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}", self.address)
    }
}

impl std::error::Error for CannotListen {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}
