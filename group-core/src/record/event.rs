//! The changes of a group's status, as events.

use std::fmt;

use tokio::sync::broadcast;

use crate::base::text::signal_name;
use crate::record::state::State;

/// The number of events that a slow reader may fall behind before it misses some.
pub(crate) const BACKLOG: usize = 1024;

/// Something that happened in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The state of a service has changed.
    Service {
        /// Its name.
        name: String,
        /// Its new state.
        state: State,
    },
    /// Every service is ready.
    GroupReady,
    /// A reload begins: services apply new settings.
    GroupReloading,
    /// The reload is over; a service that failed to reload keeps its old state.
    GroupReloaded,
    /// The group stops, and why.
    GroupStopping(StopReason),
    /// Everything is over. Nothing follows.
    GroupStopped,
    /// The reader was too slow, and missed this number of events.
    Missed(u64),
}

#[cfg(feature = "serde")]
impl Event {
    /// Its kind, as data.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Service { .. } => "service",
            Self::GroupReady => "group_ready",
            Self::GroupReloading => "group_reloading",
            Self::GroupReloaded => "group_reloaded",
            Self::GroupStopping(_) => "group_stopping",
            Self::GroupStopped => "group_stopped",
            Self::Missed(_) => "missed",
        }
    }
}

/// The events of a group, from the call of [`Handle::events`](crate::Handle::events) on.
///
/// When an event arrives, [`Handle::status`](crate::Handle::status) shows it already. A slow reader
/// delays nothing: it misses the oldest events, and [`Event::Missed`] says how many.
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
    pub(crate) over: bool,
}

impl Events {
    /// Waits for the next event. Returns `None` after [`Event::GroupStopped`].
    pub async fn recv(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        let event = match self.receiver.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(missed)) => Event::Missed(missed),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        self.over = event == Event::GroupStopped;
        Some(event)
    }
}

/// Why a group stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The process received this signal.
    Signal(i32),
    /// The program asked for it: [`Handle::stop`](crate::Handle::stop).
    Asked,
    /// All services completed, or every [`main`](crate::Role::Main) has returned, or a [`lead`](crate::Role::Lead).
    Completed,
    /// This service failed.
    Failed(String),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => f.write_str(&signal_name(*signal)),
            Self::Asked => f.write_str("a stop was asked for"),
            Self::Completed => f.write_str("all services completed"),
            Self::Failed(service) => write!(f, "`{service}` failed"),
        }
    }
}
