//! The HTTP server: axum on hyper, with a stop that cuts nothing off.

mod connection;
#[cfg(feature = "listenfd")]
mod handed;
mod io;
mod listen;
mod mount;
mod traffic;

use std::fmt;
use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, WouldBlock};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::{StatusCode, request::Parts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};

use self::connection::Serving;
use self::io::Io;
use self::listen::{Listener, Queue, Stream};
use self::traffic::{Activity, Traffic};

#[cfg(feature = "listenfd")]
pub(crate) use self::handed::receive;
pub use self::mount::{mount, mounted};

use crate::member::Remains;
use crate::panic::{caught, flatten};
use crate::{BoxError, Context, Drain, Shutdown};

/// How long to wait after `accept` failed for want of something, such as file descriptors, before
/// trying again: connections that end meanwhile give some back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How long after it was said that `accept` fails it is said again.
const SAY_AGAIN: Duration = Duration::from_secs(10);

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

#[derive(Clone, Copy, Debug)]
struct Limits {
    header_read_timeout: Duration,
    max_header_size: usize,
    max_connections: usize,
    write_timeout: Duration,
    linger: Duration,
    close_spread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(30),
            max_header_size: 64 * 1024,
            max_connections: 10_000,
            write_timeout: Duration::from_secs(60),
            linger: Duration::from_millis(200),
            close_spread: Duration::ZERO,
        }
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
        mount::check_taken(cx)?;
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

async fn serve_on(listener: Listener, cx: &Context, serving: Serving, shutdown: &Shutdown) {
    let mut connections = Connections::new(cx, serving);
    let traffic = Arc::clone(&connections.traffic);
    let children = cx.own_children();
    let _counted = children.count_server();
    listener.send_at_once();
    tokio::select! {
        biased;
        () = shutdown.requested() => {}
        () = children.servers_closed() => {}
        () = traffic.leave_when_told() => {}
        () = connections.accept(&listener) => {}
    }
    connections.drain(listener, cx).await;
}

/// All connections of a server. To drop it is to cut them.
struct Connections {
    tasks: JoinSet<()>,
    serving: Arc<Serving>,
    traffic: Arc<Traffic>,
    room: Arc<Semaphore>,
    /// When the last one was accepted.
    last: Option<Instant>,
    /// When it was last said that accepting fails.
    complained: Option<Instant>,
    /// Runs while connections come, and is over before any of theirs.
    first: Option<Pin<Box<Sleep>>>,
    /// The service is not gone before its connections are.
    remains: Option<Remains>,
}

impl Connections {
    fn new(cx: &Context, serving: Serving) -> Self {
        let limits = serving.limits;
        Self {
            tasks: JoinSet::new(),
            serving: Arc::new(serving),
            traffic: Traffic::new(cx, &limits),
            room: Arc::new(Semaphore::new(limits.max_connections)),
            last: None,
            complained: None,
            first: None,
            remains: Remains::of(cx),
        }
    }

    /// Accepts connections for ever.
    async fn accept(&mut self, listener: &Listener) {
        loop {
            let room = self.room().await;
            match listener.accept().await {
                Ok(stream) => self.take(stream, room),
                Err(error) if was_gone(&error) => {}
                Err(error) => {
                    self.complain(&error);
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Accepts what is left. While that fails, connections that end may give back what it wants.
    async fn accept_last(&mut self, queue: &Queue) -> std::io::Result<()> {
        loop {
            match queue.accept() {
                Ok(stream) => self.take(stream, None),
                Err(error) if error.kind() == WouldBlock => return Ok(()),
                Err(error) if was_gone(&error) => {}
                Err(error) if self.traffic.is_any_open() => {
                    self.complain(&error);
                    sleep(ACCEPT_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Says that `accept` fails, if it was not said a moment ago.
    fn complain(&mut self, error: &std::io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
            self.complained = Some(Instant::now());
            let service = self.traffic.service();
            tracing::warn!(target: "group", service, %error, "`{service}` cannot accept connections: {error}");
        }
    }

    /// Waits until one more connection may be open.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        if self.room.available_permits() == 0 {
            let (service, max) = (self.traffic.service(), self.serving.limits.max_connections);
            tracing::warn!(target: "group", service, "`{service}` has {max} connections, as many as it may (max_connections): new ones wait");
        }
        // It fails when it is closed, which nobody does.
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Before a connection sets its timer, there is one that is over earlier: the earliest of all wakes the
    /// thread that waits for them, which is a system call. So not every new connection makes it.
    fn set_first(&mut self) {
        if self.first.as_ref().is_some_and(|first| !first.is_elapsed()) {
            return;
        }
        let mut first = Box::pin(sleep(self.serving.limits.header_read_timeout));
        // It is set when it is polled.
        let _ = first.as_mut().poll(&mut task::Context::from_waker(Waker::noop()));
        self.first = Some(first);
    }

    fn take(&mut self, stream: Stream, room: Option<OwnedSemaphorePermit>) {
        self.last = Some(Instant::now());
        self.set_first();
        self.traffic.note_arrival();
        let activity = Activity::new(&self.traffic);
        let io = Io::new(stream, Arc::clone(&activity), self.serving.limits, room);
        let (serving, remains) = (Arc::clone(&self.serving), self.remains.clone());
        self.tasks.spawn(async move {
            let _remains = remains;
            serving.connection(io, activity).await;
        });
        while self.tasks.try_join_next().is_some() {}
    }

    /// Stops listening, and returns when all that was accepted is answered and every connection closed.
    async fn drain(mut self, listener: Listener, cx: &Context) {
        self.traffic.stop();
        cx.member().drains(self.traffic.waited_for());
        let drain = Draining { traffic: Arc::clone(&self.traffic), cx, begun: Instant::now() };
        // Where nobody has come for a while, nobody is likely to be on the way.
        let in_use = self.last.is_some_and(|last| last.elapsed() < self.serving.limits.linger);
        let accepted = match listener.close(in_use).await {
            Ok(Some(queue)) => self.accept_last(&queue).await,
            closed => closed.map(drop),
        };
        if let Err(error) = accepted {
            let service = cx.name();
            tracing::warn!(target: "group", service, %error, "`{service}` loses its last connections: {error}");
        }
        while self.tasks.join_next().await.is_some() {}
        // Those that were upgraded have no task here.
        self.traffic.ended().await;
        drop(drain);
    }
}

/// Whether the client was gone before it was accepted: nothing is wrong here.
fn was_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A drain that goes on. When it is dropped, because it is done or because it is cut short, it says
/// what it came to.
struct Draining<'a> {
    traffic: Arc<Traffic>,
    cx: &'a Context,
    begun: Instant,
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        let drain = Drain {
            drained: self.traffic.drained(),
            cut: self.traffic.left(),
            streams: self.traffic.streams(),
            took: self.begun.elapsed(),
        };
        self.cx.member().add_drain(drain);
        let service = self.cx.name();
        if drain.cut > 0 {
            tracing::warn!(target: "group", service, drained = drain.drained, cut = drain.cut, "{service} {drain}");
        } else if drain.drained > 0 {
            tracing::info!(target: "group", service, drained = drain.drained, cut = 0, "{service} {drain}");
        }
    }
}

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

/// In a handler: fires when the service that serves the request is asked to stop. A long answer, such as
/// a stream of events, should end then.
impl<S: Sync> FromRequestParts<S> for Shutdown {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let shutdown = parts.extensions.get().cloned();
        shutdown.ok_or((StatusCode::INTERNAL_SERVER_ERROR, "`Shutdown` is there only where `group` serves"))
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
