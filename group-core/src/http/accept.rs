//! Accepts connections, and drains them at the stop.

use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, WouldBlock};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::Waker;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Sleep, sleep};

use crate::base::cores::Core;
use crate::http::connection::Served;
use crate::http::io::{Io, PATIENCE};
use crate::http::listen::{Backlog, Listener};
use crate::http::room::{COMPLAIN_AGAIN, Entrance, FreeRoom, Room};
use crate::http::socket::Stream;
use crate::http::spread::{Given, Lane};
use crate::http::traffic::{Activity, Traffic};
use crate::running::log;
use crate::running::remains::Remains;
use crate::running::server::Server as _;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// The time to wait before `accept` is tried again after it failed for want of something, such as file descriptors:
/// connections that end meanwhile give some back.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Serves until the service, or only its servers, are asked to stop; then drains.
///
/// # Errors
///
/// If the connections cannot be accepted on every processor.
pub(crate) async fn serve_on(
    mut listeners: Vec<Listener>,
    processors: &[Core],
    cx: &Context,
    served: Served,
    shutdown: &Shutdown,
) -> std::io::Result<()> {
    let traffic = Traffic::new(cx, &served.limits);
    cx.member().add_server(&traffic);
    let mut draining = Draining { traffic: Arc::clone(&traffic), cx, since: None };
    let children = cx.own_children();
    let _counted = children.count_server();
    listeners.iter().for_each(Listener::send_at_once);
    let acceptor = Acceptor::new(cx, served, &traffic);
    let mut accepting = if processors.is_empty() {
        acceptor.run(listeners.pop()).map(Ok).boxed()
    } else {
        acceptor.run_on(processors, listeners).boxed()
    };
    tokio::select! {
        biased;
        () = shutdown.requested() => {}
        () = children.servers_closed() => {}
        () = traffic.watch_lame_duck() => {}
        ended = &mut accepting => return ended,
    }
    draining.since = Some(Instant::now());
    traffic.stop();
    let drained = async {
        accepting.await?;
        // Upgraded connections have no task.
        traffic.ended().await;
        Ok(())
    };
    tokio::select! {
        biased;
        ended = drained => ended,
        never = traffic.linger() => match never {},
    }
}

/// Accepts connections on one thread, or on those of the runtime. Dropping it cuts the connections.
struct Acceptor {
    tasks: JoinSet<()>,
    served: Arc<Served>,
    traffic: Arc<Traffic>,
    entrance: Entrance,
    /// The way to the other processors, if this one is one of several.
    lane: Option<Lane>,
    /// When the last connection was accepted.
    last: Option<Instant>,
    /// When the log last said that `accept` fails.
    complained: Option<Instant>,
    /// A timer that ends before those of the connections: see [`set_first_timer`](Self::set_first_timer).
    first_timer: Option<Pin<Box<Sleep>>>,
    /// The service is not gone before the connections that hold a clone are.
    remains: Option<Remains>,
}

impl Acceptor {
    fn new(cx: &Context, served: Served, traffic: &Arc<Traffic>) -> Self {
        Self {
            tasks: JoinSet::new(),
            entrance: Entrance::new(&FreeRoom::new(served.limits.max_connections)),
            served: Arc::new(served),
            traffic: Arc::clone(traffic),
            lane: None,
            last: None,
            complained: None,
            first_timer: None,
            remains: cx.remains(),
        }
    }

    /// Another one of the same server, for one of several processors.
    fn on(&self, processor: &Core, lane: Lane) -> Self {
        Self {
            tasks: JoinSet::new(),
            entrance: self.entrance.another(),
            served: Arc::new(self.served.on(processor)),
            traffic: Arc::clone(&self.traffic),
            lane: Some(lane),
            last: None,
            complained: None,
            first_timer: None,
            remains: self.remains.clone(),
        }
    }

    /// Runs one acceptor on each of these processors. Each has a listener of its own, where the system spreads the
    /// connections over them; elsewhere the first one has it.
    fn run_on(
        self,
        processors: &[Core],
        listeners: Vec<Listener>,
    ) -> impl Future<Output = std::io::Result<()>> + use<> {
        let mut listeners = listeners.into_iter();
        let mut tasks: JoinSet<std::io::Result<()>> = JoinSet::new();
        for (processor, lane) in processors.iter().zip(Lane::all(processors.len())) {
            let (acceptor, listener) = (self.on(processor, lane), listeners.next());
            let run = async move {
                acceptor.run(listener.map(Listener::here).transpose()?).await;
                Ok(())
            };
            tasks.spawn_on(run, processor.handle());
        }
        async move {
            while let Some(ended) = tasks.join_next().await {
                match ended.map_err(JoinError::try_into_panic) {
                    Ok(ended) => ended?,
                    Err(Ok(panic)) => resume_unwind(panic),
                    Err(Err(cancelled)) => return Err(std::io::Error::other(cancelled)),
                }
            }
            Ok(())
        }
    }

    /// Serves until the server stops, and then until every accepted request is answered.
    async fn run(mut self, listener: Option<Listener>) {
        let traffic = Arc::clone(&self.traffic);
        tokio::select! {
            biased;
            () = traffic.stop_asked() => {}
            () = self.accept(listener.as_ref()) => {}
        }
        self.drain(listener).await;
    }

    /// Accepts connections for ever.
    async fn accept(&mut self, listener: Option<&Listener>) {
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = self.entrance.accept(listener, &self.traffic) => accepted,
                given = given(&mut self.lane) => {
                    self.take_given(given);
                    continue;
                }
                // A task that has ended keeps its memory until it is joined.
                Some(_) = self.tasks.join_next() => continue,
            };
            match accepted {
                Ok((stream, permit)) => self.take(stream, permit),
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
        let mut timer = Box::pin(sleep(self.served.limits.header_read_timeout.min(PATIENCE / 2)));
        // A tokio timer is registered by its first poll.
        let _ = timer.as_mut().poll(&mut task::Context::from_waker(Waker::noop()));
        self.first_timer = Some(timer);
    }

    /// Takes a connection that was accepted here. Another processor may have more time for it.
    fn take(&mut self, stream: Stream, permit: Option<OwnedSemaphorePermit>) {
        self.last = Some(Instant::now());
        self.traffic.note_arrival();
        let kept = match &self.lane {
            Some(lane) => lane.give(Given { stream, permit, place: lane.place() }).map(of_given),
            None => Some((stream, Room::new(permit, None))),
        };
        if let Some((stream, room)) = kept {
            self.serve(stream, room);
        }
    }

    /// Takes a connection that another processor has accepted.
    fn take_given(&mut self, given: Given) {
        let (stream, room) = of_given(given);
        match stream.here() {
            Ok(stream) => self.serve(stream, room),
            Err(error) => self.complain(&error),
        }
    }

    /// Spawns the task of a connection.
    fn serve(&mut self, stream: Stream, room: Room) {
        self.set_first_timer();
        let activity = Activity::new(&self.traffic);
        // Boxed, because it is moved from one future into another.
        let io = Box::new(Io::new(stream, Arc::clone(&activity), self.served.limits, room));
        let (served, remains) = (Arc::clone(&self.served), self.remains.clone());
        self.tasks.spawn(async move {
            let _remains = remains;
            served.connection(io, activity).await;
        });
    }

    /// Stops listening, and waits until every accepted request is answered and every connection closed.
    async fn drain(mut self, listener: Option<Listener>) {
        let given = self.lane.take().map(Lane::close);
        if let Some(stream) = self.entrance.waiting() {
            self.take(stream, None);
        }
        if let Some(listener) = listener
            && let Err(error) = self.close(listener).await
        {
            let service = self.traffic.service();
            tracing::warn!(target: "group", service, %error, "`{service}` cannot accept its last connections: {error}");
        }
        if let Some(mut given) = given {
            // Until the last of the other processors gives no more.
            while let Some(connection) = given.recv().await {
                self.take_given(connection);
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    /// Stops listening, and accepts what the system has accepted.
    async fn close(&mut self, listener: Listener) -> std::io::Result<()> {
        let linger = self.served.limits.linger;
        let in_use = self.last.is_some_and(|last| last.elapsed() < linger);
        match listener.close(in_use, linger)? {
            Some(backlog) => self.accept_last(backlog).await,
            None => Ok(()),
        }
    }
}

fn of_given(Given { stream, permit, place }: Given) -> (Stream, Room) {
    (stream, Room::new(permit, Some(place)))
}

/// Waits for a connection that another processor gives; for ever if there is none.
async fn given(lane: &mut Option<Lane>) -> Given {
    if let Some(lane) = lane
        && let Some(given) = lane.given().await
    {
        return given;
    }
    std::future::pending().await
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
            let traffic = Traffic::new(&cx, &Limits::default());
            let served = Served::new(Router::new(), Limits::default(), cx.shutdown());
            let mut acceptor = Acceptor::new(&cx, served, &traffic);
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
                () = acceptor.accept(Some(&listener)) => {}
            }
            assert_eq!(acceptor.tasks.len(), 0);
            Ok::<(), crate::base::error::BoxError>(())
        });
        let report = group.start().await.unwrap().stop().await;
        assert!(report.is_clean(), "{report}");
    }
}
