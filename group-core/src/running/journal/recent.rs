//! The last events of a group, for those who look later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::lifecycle::interface::Id;
use crate::record::event::{Event, StopReason};
use crate::record::state::State;

/// The number of events that are kept.
const KEPT: usize = 256;

/// The last events. Names and reasons are looked up when somebody reads them.
#[derive(Clone, Default)]
pub(super) struct Recent {
    last: VecDeque<(Moment, Happened)>,
    pub(super) forgotten: u64,
}

/// An [`Event`], in little room.
#[derive(Clone)]
pub(super) enum Happened {
    Service(Id, State),
    /// The same of a service inside of another one.
    Inside(Arc<str>, State),
    Ready,
    Reloading,
    Reloaded,
    Stopping,
    Stopped,
}

impl Recent {
    pub(super) fn keep(&mut self, at: Moment, happened: Happened) {
        if self.last.len() == KEPT {
            self.last.pop_front();
            self.forgotten += 1;
        }
        self.last.push_back((at, happened));
    }

    /// The events with their times, the latest one last.
    pub(super) fn events(
        &self,
        name: impl Fn(Id) -> String,
        stopped_by: Option<&StopReason>,
    ) -> Vec<(Duration, Event)> {
        let event = |happened: &Happened| match *happened {
            Happened::Service(id, state) => Event::Service { name: name(id), state },
            Happened::Inside(ref name, state) => Event::Service { name: name.to_string(), state },
            Happened::Ready => Event::GroupReady,
            Happened::Reloading => Event::GroupReloading,
            Happened::Reloaded => Event::GroupReloaded,
            Happened::Stopping => Event::GroupStopping(stopped_by.cloned().unwrap_or(StopReason::Asked)),
            Happened::Stopped => Event::GroupStopped,
        };
        self.last.iter().map(|(at, happened)| ((*at).into(), event(happened))).collect()
    }
}
