//! The limit on open connections.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::base::lock;
use crate::http::listen::Listener;
use crate::http::socket::Stream;
use crate::http::spread::Place;
use crate::http::traffic::Traffic;

/// The time between two log lines that say that connections cannot be accepted, or must wait.
pub(super) const COMPLAIN_AGAIN: Duration = Duration::from_secs(10);

/// The room that one connection takes, until this is dropped with it.
#[derive(Debug)]
pub(super) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
    _place: Option<Place>,
}

impl Room {
    pub(super) fn new(permit: Option<OwnedSemaphorePermit>, place: Option<Place>) -> Self {
        Self { _permit: permit, _place: place }
    }
}

/// The connections of one server that may still be opened.
#[derive(Debug)]
pub(super) struct FreeRoom {
    max: usize,
    left: Arc<Semaphore>,
    told: Mutex<Told>,
}

/// The lines that the log has of the limit.
#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// How often the limit was reached since then.
    reached: usize,
}

impl FreeRoom {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, left: Arc::new(Semaphore::new(max)), told: Mutex::default() })
    }

    /// Waits until one more connection may be open. Tells the log once of each client that waits.
    async fn wait(&self, traffic: &Traffic, is_told: &mut bool) -> Option<OwnedSemaphorePermit> {
        let left = Arc::clone(&self.left);
        if let Ok(permit) = Arc::clone(&left).try_acquire_owned() {
            return Some(permit);
        }
        let _waits = traffic.client_waits();
        if !std::mem::replace(is_told, true) {
            self.complain(traffic.service());
        }
        // The semaphore is never closed, so this does not fail.
        left.acquire_owned().await.ok()
    }

    /// Logs that the limit is reached, unless that was logged a moment ago.
    fn complain(&self, service: &str) {
        let mut told = lock(&self.told);
        told.reached += 1;
        if told.last.is_some_and(|at| at.elapsed() < COMPLAIN_AGAIN) {
            return;
        }
        told.last = Some(Instant::now());
        let (max, reached) = (self.max, std::mem::take(&mut told.reached));
        drop(told);
        let times = if reached > 1 { format!(", {reached} times since this was last logged") } else { String::new() };
        tracing::warn!(target: "group", service, "`{service}` has reached its limit of {max} connections (max_connections){times}: new ones wait");
    }
}

/// The way in for the clients of one listener.
pub(super) struct Entrance {
    room: Arc<FreeRoom>,
    /// A client that was accepted, and waits for room.
    waits: Option<Stream>,
    /// The log was told that this client waits.
    is_told: bool,
}

impl Entrance {
    pub(super) fn new(room: &Arc<FreeRoom>) -> Self {
        Self { room: Arc::clone(room), waits: None, is_told: false }
    }

    /// Another one of the same server.
    pub(super) fn another(&self) -> Self {
        Self::new(&self.room)
    }

    /// Accepts a connection, and waits until one more may be open. Nothing is lost if this is dropped meanwhile. Without
    /// a listener, nobody comes.
    pub(super) async fn accept(
        &mut self,
        listener: Option<&Listener>,
        traffic: &Traffic,
    ) -> io::Result<(Stream, Option<OwnedSemaphorePermit>)> {
        let Some(listener) = listener else { return std::future::pending().await };
        if self.waits.is_none() {
            self.waits = Some(listener.accept().await?);
        }
        let permit = self.room.wait(traffic, &mut self.is_told).await;
        self.is_told = false;
        // It was put there above.
        let stream = self.waits.take().ok_or(io::ErrorKind::WouldBlock)?;
        Ok((stream, permit))
    }

    /// The client that still waits for room.
    pub(super) fn waiting(&mut self) -> Option<Stream> {
        self.waits.take()
    }
}
