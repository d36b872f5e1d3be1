//! Accepts connections, and drains them at the stop.

use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, WouldBlock};
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};

use crate::http::connection::Serving;
use crate::http::io::Io;
use crate::http::listen::{Backlog, Listener};
use crate::http::socket::Stream;
use crate::http::traffic::{Activity, Traffic};
use crate::running::log;
use crate::running::remains::Remains;
use crate::running::server::Server as _;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// The time to wait before `accept` is tried again after it failed for want of something, such as file descriptors:
/// connections that end meanwhile give some back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The time between two log lines that say that `accept` fails.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(10);

/// Serves until the service, or only its servers, are asked to stop; then drains.
pub(crate) async fn serve_on(listener: Listener, cx: &Context, serving: Serving, shutdown: &Shutdown) {
    let mut connections = Connections::new(cx, serving);
    let traffic = Arc::clone(&connections.traffic);
    cx.member().add_server(&traffic);
    let mut draining = Draining { traffic: Arc::clone(&traffic), cx, since: None };
    let children = cx.own_children();
    let _counted = children.count_server();
    listener.send_at_once();
    tokio::select! {
        biased;
        () = shutdown.requested() => {}
        () = children.servers_closed() => {}
        () = traffic.watch_lame_duck() => {}
        () = connections.accept(&listener) => {}
    }
    draining.since = Some(Instant::now());
    connections.drain(listener, cx).await;
}

/// All connections of a server. Dropping it cuts them.
struct Connections {
    tasks: JoinSet<()>,
    serving: Arc<Serving>,
    traffic: Arc<Traffic>,
    room: FreeRoom,
    /// When the last connection was accepted.
    last: Option<Instant>,
    /// When the log last said that `accept` fails.
    complained: Option<Instant>,
    /// A timer that ends before those of the connections: see [`set_first_timer`](Self::set_first_timer).
    first_timer: Option<Pin<Box<Sleep>>>,
    /// The service is not gone before the connections that hold a clone are.
    remains: Option<Remains>,
}

impl Connections {
    fn new(cx: &Context, serving: Serving) -> Self {
        let limits = serving.limits;
        Self {
            tasks: JoinSet::new(),
            serving: Arc::new(serving),
            traffic: Traffic::new(cx, &limits),
            room: FreeRoom::new(limits.max_connections),
            last: None,
            complained: None,
            first_timer: None,
            remains: cx.remains(),
        }
    }

    /// Accepts connections for ever.
    async fn accept(&mut self, listener: &Listener) {
        loop {
            // A task that has ended keeps its memory until it is joined.
            let (room, accepted) = tokio::select! {
                biased;
                accepted = self.room.accept(listener, &self.traffic) => accepted,
                Some(_) = self.tasks.join_next() => continue,
            };
            match accepted {
                Ok(stream) => self.take(stream, room),
                Err(error) if is_client_gone(&error) => {}
                Err(error) => {
                    self.complain(&error);
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Accepts the connections in the backlog, until it does not grow any more. If that fails while others are open, it
    /// is tried again: connections that end may give back what was missing.
    async fn accept_last(&mut self, mut backlog: Backlog) -> std::io::Result<()> {
        let mut grows = true;
        loop {
            match backlog.accept() {
                Ok(stream) => self.take(stream, None),
                // The last that were made are accepted after it has stopped to grow.
                Err(error) if error.kind() == WouldBlock && grows => grows = backlog.grows().await,
                Err(error) if error.kind() == WouldBlock => return Ok(()),
                Err(error) if is_client_gone(&error) => {}
                Err(error) if self.traffic.is_any_open() => {
                    self.complain(&error);
                    sleep(ACCEPT_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Logs that `accept` fails, unless that was logged a moment ago.
    fn complain(&mut self, error: &std::io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_AGAIN) {
            self.complained = Some(Instant::now());
            let service = self.traffic.service();
            tracing::warn!(target: "group", service, %error, "`{service}` cannot accept connections: {error}");
        }
    }

    /// Sets a timer that ends before those of the connections that come next. When a timer becomes the earliest of all,
    /// tokio wakes the thread that waits for timers, which is a system call; with this one, new connections do not.
    fn set_first_timer(&mut self) {
        if self.first_timer.as_ref().is_some_and(|timer| !timer.is_elapsed()) {
            return;
        }
        let mut timer = Box::pin(sleep(self.serving.limits.header_read_timeout));
        // A tokio timer is registered by its first poll.
        let _ = timer.as_mut().poll(&mut task::Context::from_waker(Waker::noop()));
        self.first_timer = Some(timer);
    }

    /// Spawns the task of an accepted connection.
    fn take(&mut self, stream: Stream, room: Option<OwnedSemaphorePermit>) {
        self.last = Some(Instant::now());
        self.set_first_timer();
        self.traffic.note_arrival();
        let activity = Activity::new(&self.traffic);
        let io = Io::new(stream, Arc::clone(&activity), self.serving.limits, room);
        let (serving, remains) = (Arc::clone(&self.serving), self.remains.clone());
        self.tasks.spawn(async move {
            let _remains = remains;
            serving.connection(io, activity).await;
        });
    }

    /// Stops listening, and waits until every accepted request is answered and every connection closed.
    async fn drain(mut self, listener: Listener, cx: &Context) {
        self.traffic.stop();
        let linger = self.serving.limits.linger;
        let in_use = self.last.is_some_and(|last| last.elapsed() < linger);
        let accepted = match listener.close(in_use, linger) {
            Ok(Some(backlog)) => self.accept_last(backlog).await,
            closed => closed.map(drop),
        };
        if let Err(error) = accepted {
            let service = cx.name();
            tracing::warn!(target: "group", service, %error, "`{service}` cannot accept its last connections: {error}");
        }
        while self.tasks.join_next().await.is_some() {}
        // Upgraded connections have no task here.
        self.traffic.ended().await;
    }
}

/// The connections that may still be opened.
struct FreeRoom {
    max: usize,
    left: Arc<Semaphore>,
    /// One more may be open: the next that is accepted.
    next: Option<OwnedSemaphorePermit>,
    /// The next one has been counted in `waited`.
    waits: bool,
    /// How often the limit was reached since the log last said so.
    waited: usize,
    /// When the log last said that the limit is reached.
    complained: Option<Instant>,
}

impl FreeRoom {
    fn new(max: usize) -> Self {
        let left = Arc::new(Semaphore::new(max));
        Self { max, left, next: None, waits: false, waited: 0, complained: None }
    }

    /// Waits until one more connection may be open, and accepts it. Nothing is lost if this is dropped meanwhile.
    async fn accept(
        &mut self,
        listener: &Listener,
        traffic: &Traffic,
    ) -> (Option<OwnedSemaphorePermit>, std::io::Result<Stream>) {
        if self.next.is_none() {
            if self.left.available_permits() == 0 && !self.waits {
                self.waits = true;
                traffic.note_full(true);
                self.complain(traffic.service());
            }
            // The semaphore is never closed, so this does not fail.
            self.next = Arc::clone(&self.left).acquire_owned().await.ok();
            if std::mem::take(&mut self.waits) {
                traffic.note_full(false);
            }
        }
        let accepted = listener.accept().await;
        (self.next.take(), accepted)
    }

    /// Logs that the limit is reached, unless that was logged a moment ago.
    fn complain(&mut self, service: &str) {
        self.waited += 1;
        if self.complained.is_some_and(|at| at.elapsed() < COMPLAIN_AGAIN) {
            return;
        }
        self.complained = Some(Instant::now());
        let (max, waited) = (self.max, std::mem::take(&mut self.waited));
        let times = if waited > 1 { format!(", {waited} times since this was last logged") } else { String::new() };
        tracing::warn!(target: "group", service, "`{service}` has reached its limit of {max} connections (max_connections){times}: new ones wait");
    }
}

/// Returns true if the client closed the connection before it was accepted. The server can go on.
fn is_client_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A server. When it is dropped, at the end of its drain, or earlier if it is cut short, its connections are counted and
/// logged.
struct Draining<'a> {
    traffic: Arc<Traffic>,
    cx: &'a Context,
    /// The time at which the drain has begun.
    since: Option<Instant>,
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        let drain = self.traffic.report(self.since.map_or(Duration::ZERO, |since| since.elapsed()));
        let (member, service) = (self.cx.member(), self.cx.name());
        member.add_drain(drain);
        let cut = if drain.cut > 0 { self.traffic.requests() } else { Vec::new() };
        let cut: Vec<String> = cut.into_iter().map(|request| request.name).collect();
        log::drained(service, drain, &cut);
        member.add_cut(cut);
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::group::Group;
    use crate::http::limits::Limits;

    #[tokio::test]
    async fn the_tasks_of_ended_connections_are_gone_before_another_connection_comes() {
        let mut group = Group::new();
        group.add_fn("web", |cx: Context| async move {
            let listener = Listener::bind("127.0.0.1:0").await?;
            let addr = listener.local_addr()?.expect("it has one");
            let mut connections = Connections::new(&cx, Serving::new(Router::new(), Limits::default(), cx.shutdown()));
            let traffic = Arc::clone(&connections.traffic);
            let clients = async {
                for _ in 0..20 {
                    let mut client = TcpStream::connect(addr).await.unwrap();
                    client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
                    client.read_to_end(&mut Vec::new()).await.unwrap();
                }
                traffic.ended().await;
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                () = clients => {}
                () = connections.accept(&listener) => {}
            }
            assert_eq!(connections.tasks.len(), 0);
            Ok::<(), crate::base::error::BoxError>(())
        });
        let report = group.start().await.unwrap().stop().await;
        assert!(report.is_clean(), "{report}");
    }
}
