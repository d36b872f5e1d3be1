//! The HTTP server and its settings.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use tokio::sync::Semaphore;

use crate::base::error::BoxError;
use crate::http::accept::serve_on;
use crate::http::connection::Served;
#[cfg(feature = "metrics")]
use crate::http::counting::counted;
use crate::http::limits::Limits;
use crate::http::listen::Listener;
use crate::http::mount::check_taken;
use crate::running::holds::Held;
use crate::service::context::Context;
use crate::service::ready::Ready;

/// Serves routes until the service is asked to stop, and then until every accepted request is answered. It is a
/// [`Server`] with its default limits. Needs the feature `http`.
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
/// If the address cannot be bound.
pub async fn serve(cx: &Context, address: &str, routes: Router) -> Result<(), BoxError> {
    Server::new(routes).serve(cx, address).await
}

/// An HTTP server: HTTP/1.1 and, with the feature `http2`, HTTP/2 without TLS on the same port.
///
/// Needs the feature `http`.
///
/// When its service is asked to stop, the server accepts no new connections. Requests in flight are answered, and each
/// response says that the connection closes; idle connections are closed after [`linger`](Self::linger). Streams can end in time through a
/// [`Shutdown`](crate::Shutdown), which any handler can take. Connections that are left at the service's
/// [`stop_timeout`](crate::Spec::stop_timeout) are cut, and [counted](crate::ServiceReport::drain).
///
/// Over TCP, a handler can take `ConnectInfo<SocketAddr>`, the address of the client.
///
/// If a handler panics, the client gets a 500. The panic is logged with its place, and the report has it as a failure
/// that was survived.
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
    /// Adds routes that depend on the service, once the server runs in one.
    adds_routes: Option<AddRoutes>,
    /// True if `#[service]` has made the routes, which are counted then.
    #[cfg(feature = "metrics")]
    is_of_service: bool,
    limits: Limits,
}

type AddRoutes = Arc<dyn Fn(&Context, Router) -> Result<Router, BoxError> + Send + Sync>;

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("routes", &self.routes).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Server {
    /// Creates a server of these routes, with the default limits.
    pub fn new(routes: Router) -> Self {
        Self {
            routes,
            adds_routes: None,
            #[cfg(feature = "metrics")]
            is_of_service: false,
            limits: Limits::default(),
        }
    }

    /// Creates a server of the routes that `#[service]` has made.
    pub(crate) fn of_service(routes: Router) -> Self {
        Self {
            #[cfg(feature = "metrics")]
            is_of_service: true,
            ..Self::new(routes)
        }
    }

    /// Adds routes when the server starts, because they depend on the service that it runs in.
    #[cfg(feature = "grpc")]
    pub(crate) fn add_routes(
        mut self,
        add: impl Fn(&Context, Router) -> Result<Router, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.adds_routes = Some(Arc::new(add));
        self
    }

    /// Sets the time that a client may take to send the head of a request, counted from its first byte; for the first
    /// request it is counted from the connection. Over HTTP/2 it is the interval of keep-alive pings. 30 s by default, as
    /// in hyper.
    pub fn header_read_timeout(mut self, limit: Duration) -> Self {
        self.limits.header_read_timeout = limit;
        self
    }

    /// Sets the time for which a connection may be idle after a response. 65 minutes by default, which is longer than
    /// the common proxies keep an idle connection to a server: nginx and Varnish keep it for 60 s, Caddy for 120 s,
    /// Google's load balancer for 10 minutes, Envoy for an hour. If the server closes first, the proxy may be sending a
    /// request at that moment, and loses it. So behind a proxy, this limit must be longer than that of the proxy.
    ///
    /// While [`max_connections`](Self::max_connections) are open, so that clients wait for a connection, one may be idle
    /// for no longer than [`header_read_timeout`](Self::header_read_timeout). Over HTTP/2 a connection may be idle as
    /// long as its client answers the pings.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.limits.idle_timeout = limit;
        self
    }

    /// Sets the time that a request still has when its client has closed its side of the connection. The client may have
    /// done only that, and wait for its answer, or it may be gone: the two look alike until something is sent to it. The
    /// time begins again with each piece that is read or sent. 5 s by default: that answers nearly all who wait, and a
    /// handler whose client is gone, such as one that waits for an event, does not run on for long.
    ///
    /// With zero, the handler is dropped at once, as with hyper's own default; with `Duration::MAX` it always runs to its
    /// end. A client that resets the connection is gone, and its handler is dropped at once. Over HTTP/2 a client that
    /// closes its side of the connection is gone, too.
    pub fn half_close_timeout(mut self, limit: Duration) -> Self {
        self.limits.half_close_timeout = limit;
        self
    }

    /// Sets the largest size of a request's head, in bytes. A larger head is answered with 431. 64 KiB by default;
    /// nginx takes 32 KiB, Go's `net/http` 1024 KiB.
    pub fn max_header_size(mut self, bytes: usize) -> Self {
        self.limits.max_header_size = bytes;
        self
    }

    /// Sets the number of connections that may be open. Further connections are not refused: they wait until another
    /// one is closed. The log says so, every 10 s at most. 10 000 by default.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.max_connections = connections.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Sets the time for which a client may leave its response unread before the connection is closed. 60 s by default,
    /// as in nginx.
    pub fn write_timeout(mut self, limit: Duration) -> Self {
        self.limits.write_timeout = limit;
        self
    }

    /// Sets the time for which a connection stays open when the server stops, if no request comes on it: one may be on
    /// its way. It is counted from the stop or from the last response, whichever is later, and it is also the longest
    /// time that connections have which are being made at the stop. 200 ms by default, a little more than the way to a
    /// client and back.
    ///
    /// Over HTTP/2 it is the time that a client without a stream has for answering the goodbye of the server: then the
    /// connection is closed. There, it is two seconds at most, and no more than a quarter of the time to stop.
    pub fn linger(mut self, time: Duration) -> Self {
        self.limits.linger = time;
        self
    }

    /// Sets the time over which connections are closed when the server stops: each at a random moment within it, so
    /// that their clients do not all reconnect to other servers at once. Until its moment a connection is served as
    /// before. Zero by default, and at most a quarter of the service's [`stop_timeout`](crate::Spec::stop_timeout), or
    /// of the group's if that is shorter. Envoy does the same; in `HAProxy` it is `close-spread-time`.
    pub fn close_spread(mut self, time: Duration) -> Self {
        self.limits.close_spread = time;
        self
    }

    /// Serves on this address until the service is asked to stop, and then until every accepted request is answered.
    ///
    /// The address is `host:port`, or `unix:/path` for a unix socket. A socket file that an ended process has left
    /// behind is replaced, and the server removes its own at the end. Port 0 takes a free port. The service is ready
    /// when the address is bound, and the bound address is [published](Context::publish_addr).
    ///
    /// With the feature `listenfd`, a listener for the same address that systemd or `systemfd` has handed over to this
    /// process is used instead (`LISTEN_FDS`). `fd:name` takes a listener by its name (`LISTEN_FDNAMES`;
    /// `FileDescriptorName=` in a systemd socket), and `fd:0` by its number, counted from 0. Such a listener stays open
    /// when the server has stopped: clients that connect then are answered by the process that gets it next.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound or was not handed over, or if a service is mounted on this one and its routes
    /// were not [added](crate::http::mounted).
    pub async fn serve(self, cx: &Context, address: &str) -> Result<(), BoxError> {
        self.serve_holding(&cx.held_by(Held::Server), cx, address).await
    }

    /// Serves as [`serve`](Self::serve) does, with a hold on the service's readiness that was taken before.
    pub(crate) async fn serve_holding(self, ready: &Ready, cx: &Context, address: &str) -> Result<(), BoxError> {
        let shutdown = cx.shutdown_of_server();
        check_taken(cx)?;
        let Self { mut routes, adds_routes, limits, .. } = self;
        if let Some(add_routes) = adds_routes {
            routes = add_routes(cx, routes)?;
        }
        #[cfg(feature = "metrics")]
        if !self.is_of_service {
            routes = counted(cx, routes);
        }
        let processors = cx.processors().unwrap_or_default();
        let listeners = listen(cx, address, processors.len()).await;
        let listeners = listeners.map_err(|reason| CannotListen { address: address.into(), reason })?;
        cx.serves();
        ready.fire();
        Ok(serve_on(listeners, &processors, cx, Served::new(routes, limits, shutdown.clone()), &shutdown).await?)
    }
}

/// Binds an address, for so many processors or, with zero, for the group's runtime. Publishes it.
async fn listen(cx: &Context, address: &str, processors: usize) -> io::Result<Vec<Listener>> {
    let listener = Listener::bind(address).await?;
    let addr = listener.local_addr()?;
    let listeners = if processors == 0 { vec![listener] } else { listener.one_for_each(processors)? };
    if let Some(addr) = addr {
        cx.publish_addr(addr);
    }
    Ok(listeners)
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
