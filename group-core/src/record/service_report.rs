//! How one service ended.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::clock::{Moment, Times};
use crate::base::text::{Took, count};
use crate::record::counts::{Drain, Messages};
use crate::spec::name::Name;

/// How one service ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// It was never built, and so never stopped.
    #[default]
    NeverBuilt,
    /// It was asked to stop, and did.
    Stopped,
    /// Its `start` returned by itself, as it may; then it was stopped.
    Completed,
    /// It failed; then it was stopped.
    Failed,
    /// It did not stop in time, and was dropped.
    Aborted,
    /// It did not even notice that it was aborted: it blocks its thread.
    Abandoned,
}

/// One service's part in a [`Report`]. All times are counted from when the group began to start.
#[derive(Clone, Debug)]
pub struct ServiceReport {
    pub(crate) name: Name,
    pub(crate) times: Times,
    pub(crate) stopped: Option<Moment>,
    pub(crate) ending: Ending,
    /// Apart, because of most services nothing of it is to be told.
    pub(crate) rest: Option<Box<Rest>>,
}

/// What is told of a service besides its times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) addr: Option<SocketAddr>,
    pub(crate) restarts: u64,
    pub(crate) last_restarts: Vec<Duration>,
    pub(crate) messages: Option<Messages>,
    pub(crate) drain: Option<Drain>,
}

impl ServiceReport {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Where it listened.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.rest.as_ref()?.addr
    }

    /// How long it took to be ready the first time, from when all that it comes after was.
    #[must_use]
    pub fn took_to_start(&self) -> Option<Duration> {
        Some(self.times.first_ready?.since(self.times.launched?))
    }

    /// How it ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// What became of its connections when it stopped. `None` if it served none.
    #[must_use]
    pub fn drain(&self) -> Option<&Drain> {
        self.rest.as_ref()?.drain.as_ref()
    }

    /// When its `new` had returned.
    #[must_use]
    pub fn built_at(&self) -> Option<Duration> {
        self.times.built.map(Duration::from)
    }

    /// How often it was started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.restarts)
    }

    /// When it was started again, the last 32 times.
    #[must_use]
    pub fn last_restarts(&self) -> &[Duration] {
        self.rest.as_ref().map_or(&[], |rest| &rest.last_restarts)
    }

    /// When it was ready, the last time.
    #[must_use]
    pub fn ready_at(&self) -> Option<Duration> {
        self.times.ready.map(Duration::from)
    }

    /// When it was asked to stop.
    #[must_use]
    pub fn stop_asked_at(&self) -> Option<Duration> {
        self.unless_never_built(self.times.stop_asked)
    }

    /// When its `start` and its `stop` had returned. Not so for one that was aborted.
    #[must_use]
    pub fn stopped_at(&self) -> Option<Duration> {
        self.unless_never_built(self.stopped)
    }

    /// When it was dropped, or was given up.
    #[must_use]
    pub fn gone_at(&self) -> Option<Duration> {
        self.unless_never_built(self.times.gone)
    }

    fn unless_never_built(&self, moment: Option<Moment>) -> Option<Duration> {
        moment.filter(|_| self.times.built.is_some()).map(Duration::from)
    }

    /// What came of the messages that it took, if it took any:
    /// [`Context::for_each`](crate::Context::for_each).
    #[must_use]
    pub fn messages(&self) -> Option<Messages> {
        self.rest.as_ref()?.messages
    }
}

impl fmt::Display for ServiceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = self.times;
        let ending = match self.ending {
            Ending::NeverBuilt => return f.write_str("never built"),
            Ending::Stopped => "stopped",
            Ending::Completed => "completed",
            Ending::Failed => "failed",
            Ending::Aborted => "aborted",
            Ending::Abandoned => "abandoned",
        };
        let started = self.last_restarts().last().copied().or(times.launched.map(Duration::from));
        match (started, self.ready_at()) {
            (Some(started), Some(ready)) => write!(f, "ready in {}, ", Took(ready.saturating_sub(started)))?,
            _ => f.write_str("never ready, ")?,
        }
        if self.restarts() > 0 {
            write!(f, "{}, ", count(usize::try_from(self.restarts()).unwrap_or(usize::MAX), "restart"))?;
        }
        f.write_str(ending)?;
        if let (Some(asked), Some(gone)) = (times.stop_asked, times.gone) {
            write!(f, " in {}", Took(gone.since(asked)))?;
        }
        if let Some(messages) = self.messages() {
            write!(f, "; {messages}")?;
        }
        match self.drain().filter(|drain| drain.drained + drain.cut > 0) {
            Some(drain) => write!(f, "; {drain}"),
            None => Ok(()),
        }
    }
}
