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
use crate::http::listen::{Listener, Queue};
use crate::http::socket::Stream;
use crate::http::traffic::{Activity, Traffic};
use crate::record::counts::Drain;
use crate::service::belongings::Remains;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// How long to wait after `accept` failed for want of something, such as file descriptors, before
/// trying again: connections that end meanwhile give some back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How long after it was said that `accept` fails it is said again.
const SAY_AGAIN: Duration = Duration::from_secs(10);

pub(crate) async fn serve_on(listener: Listener, cx: &Context, serving: Serving, shutdown: &Shutdown) {
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
