//! The HTTP server and its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;

use crate::base::error::BoxError;
use crate::http::accept::serve_on;
use crate::http::connection::Serving;
use crate::http::limits::Limits;
use crate::http::listen::Listener;
use crate::http::mount::check_taken;
use crate::service::context::Context;

/// Serves routes until the service is asked to stop, and then until every request that was
/// accepted is answered: [`Server`] with its usual limits.
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
    Server::new(routes).serve(cx, address).await
}

/// An HTTP server: HTTP/1.1 and, with the feature `http2`, HTTP/2 without TLS on the same port.
///
/// When its service is asked to stop, it accepts nothing new. What is in hand is answered, and
/// every answer says that the connection closes; idle connections are closed at once. Streams
/// learn of it through [`Shutdown`], which any handler can take. What is left at the service's
/// [`stop_timeout`](crate::Spec::stop_timeout) is cut, and [counted](crate::ServiceReport::drain).
///
/// Over TCP, a handler can take `ConnectInfo<SocketAddr>`: who has connected.
///
/// A handler that panics answers 500, and the panic is logged with its place, and in the report as a failure that was
/// survived.
///
/// It is built by value, in one expression that ends with [`serve`](Self::serve), which consumes it.
///
/// ```
/// use group::axum::{Router, routing::get};
/// use group::{Context, Group, Shutdown, http};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut group = Group::new();
/// group.add_fn("web", |cx: Context| async move {
///     let wait = get(|shutdown: Shutdown| async move {
///         shutdown.requested().await;
///         "the server stops"
///     });
///     http::Server::new(Router::new().route("/wait", wait))
///         .header_read_timeout(Duration::from_secs(10))
///         .max_connections(1000)
///         .serve(&cx, "127.0.0.1:0")
///         .await
/// });
/// let running = group.start().await.unwrap();
/// assert!(running.stop().await.is_clean());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a server does nothing until it serves"]
pub struct Server {
    routes: Router,
    /// Adds routes that depend on the service which serves, once that is known.
    adds_routes: Option<AddRoutes>,
    limits: Limits,
}

type AddRoutes = Arc<dyn Fn(&Context, Router) -> Result<Router, BoxError> + Send + Sync>;

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("routes", &self.routes).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Server {
    /// A server of these routes.
    pub fn new(routes: Router) -> Self {
        Self { routes, adds_routes: None, limits: Limits::default() }
    }

    /// Has routes added when the server starts: they depend on the service which serves.
    #[cfg(feature = "grpc")]
    pub(crate) fn add_routes(
        mut self,
        add: impl Fn(&Context, Router) -> Result<Router, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.adds_routes = Some(Arc::new(add));
        self
    }

    /// How long a client may take to send the head of a request, counted from when it connected or
    /// was last answered: so it is also how long a connection may be idle. Over HTTP/2 it is how
    /// often a client is asked whether it is still there. 30 s by default, as in hyper.
    pub fn header_read_timeout(mut self, limit: Duration) -> Self {
        self.limits.header_read_timeout = limit;
        self
    }

    /// How many bytes the head of a request may have; more is answered with 431. 64 KiB by default:
    /// nginx takes 32, Go's `net/http` 1024.
    pub fn max_header_size(mut self, bytes: usize) -> Self {
        self.limits.max_header_size = bytes;
        self
    }

    /// How many connections may be open. Those that come then are not refused: they wait until
    /// another one is closed. 10 000 by default.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.max_connections = connections.min(Semaphore::MAX_PERMITS);
        self
    }

    /// How long a client may take nothing of its answer before the connection is closed. 60 s by
    /// default, as in nginx.
    pub fn write_timeout(mut self, limit: Duration) -> Self {
        self.limits.write_timeout = limit;
        self
    }

    /// When the server stops, how long a connection must have been silent to count as idle: on one
    /// that was just opened or answered, the next request may be on its way. 200 ms by default, a
    /// little more than the way to a client and back.
    pub fn linger(mut self, time: Duration) -> Self {
        self.limits.linger = time;
        self
    }

    /// When the server stops, each connection is told to close at a moment of its own within this time, rather than
    /// all at once: their clients do not come to other servers all at one moment, either. Until then it is served
    /// as before. Zero by default, and at most a quarter of the service's [`stop_timeout`](crate::Spec::stop_timeout), or
    /// of the group's if that is shorter: so does Envoy; in `HAProxy` it is `close-spread-time`.
    pub fn close_spread(mut self, time: Duration) -> Self {
        self.limits.close_spread = time;
        self
    }

    /// Serves on this address until the service is asked to stop, and then until every request that
    /// was accepted is answered.
    ///
    /// The address is `host:port`, or `unix:/path` for a unix socket. A socket file that a process
    /// which has ended left behind is replaced; ours is removed at the end. Port 0 takes a free
    /// port. The service is ready when the address is bound, and the bound address is
    /// [published](Context::publish_addr).
    ///
    /// With the feature `listenfd`, a listener that was handed over to this process for that very address,
    /// by systemd or by `systemfd`, is taken instead (`LISTEN_FDS`). `fd:name` takes one by its name
    /// (`LISTEN_FDNAMES`; `FileDescriptorName=` in a systemd socket), and `fd:0` by its number, counted
    /// from 0. It goes on listening when the server has stopped: whoever connects then is answered by the
    /// process that is given it next.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound or was not handed over, or when another service is mounted on this
    /// one and its routes were not [added](mounted).
    pub async fn serve(self, cx: &Context, address: &str) -> Result<(), BoxError> {
        let (ready, shutdown) = (cx.ready(), cx.shutdown());
        check_taken(cx)?;
        let Self { mut routes, adds_routes, limits } = self;
        if let Some(add_routes) = adds_routes {
            routes = add_routes(cx, routes)?;
        }
        let cannot_listen = |reason| CannotListen { address: address.to_owned(), reason };
        let listener = Listener::bind(address).await.map_err(cannot_listen)?;
        if let Some(addr) = listener.local_addr().map_err(cannot_listen)? {
            cx.publish_addr(addr);
        }
        cx.serves();
        ready.fire();
        serve_on(listener, cx, Serving::new(routes, limits, shutdown.clone()), &shutdown).await;
        Ok(())
    }
}

#[derive(Debug)]
struct CannotListen {
    address: String,
    reason: std::io::Error,
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
