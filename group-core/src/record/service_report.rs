//! One service's part in the report of a group.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::clock::{Moment, Times};
use crate::base::text::{Took, count};
use crate::record::counts::{Drain, Jobs, Messages};
use crate::spec::name::Name;

/// The way in which a service ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// It was never built, and so never stopped.
    #[default]
    NeverBuilt,
    /// It was asked to stop, and did.
    Stopped,
    /// Its `start` returned by itself, as its role allows; then it was stopped.
    Completed,
    /// It failed; then it was stopped.
    Failed,
    /// It did not stop in time, and was dropped.
    Aborted,
    /// It blocks its thread, so it could not be aborted.
    Abandoned,
}

/// One service's part in a [`Report`](crate::Report). All times are counted from when the group began to start.
///
/// With the feature `serde` it can be serialized.
#[derive(Clone, Debug)]
pub struct ServiceReport {
    pub(crate) name: Name,
    pub(crate) times: Times,
    pub(crate) stopped: Option<Moment>,
    pub(crate) ending: Ending,
    /// Boxed, because most services have none of it.
    pub(crate) rest: Option<Box<Rest>>,
}

/// The parts of a service's report that most services do not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) addr: Option<SocketAddr>,
    pub(crate) restarts: u64,
    pub(crate) last_restarts: Vec<Duration>,
    pub(crate) messages: Option<Messages>,
    pub(crate) jobs: Option<Jobs>,
    pub(crate) drain: Option<Drain>,
    pub(crate) cut: Vec<String>,
}

impl ServiceReport {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The address on which it listened, if it did.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.rest.as_ref()?.addr
    }

    /// The time that it took to become ready for the first time, from when every service that it comes after was
    /// ready. `None` if it never was.
    #[must_use]
    pub fn took_to_start(&self) -> Option<Duration> {
        Some(self.times.first_ready?.since(self.times.launched?))
    }

    /// The time that it took to stop, from when it was asked to until it was dropped. `None` if it was never built.
    #[must_use]
    pub fn took_to_stop(&self) -> Option<Duration> {
        Some(self.gone_at()?.saturating_sub(self.stop_asked_at()?))
    }

    /// The way in which it ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// The result of draining its connections when it stopped. `None` if it served none.
    #[must_use]
    pub fn drain(&self) -> Option<&Drain> {
        self.rest.as_ref()?.drain.as_ref()
    }

    /// The requests that were cut, each with its method and the route that it has matched: `GET /users/{id}`. Of a route
    /// that its [`Spec`](crate::Spec) does not list, it is the path of the request.
    #[must_use]
    pub fn cut_requests(&self) -> &[String] {
        self.rest.as_ref().map_or(&[], |rest| &rest.cut)
    }

    /// The time at which its `new` had returned.
    #[must_use]
    pub fn built_at(&self) -> Option<Duration> {
        self.times.built.map(Duration::from)
    }

    /// The number of restarts.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.restarts)
    }

    /// The times of its last 32 restarts.
    #[must_use]
    pub fn last_restarts(&self) -> &[Duration] {
        self.rest.as_ref().map_or(&[], |rest| &rest.last_restarts)
    }

    /// The time at which it became ready, after the last restart if there was one.
    #[must_use]
    pub fn ready_at(&self) -> Option<Duration> {
        self.times.ready.map(Duration::from)
    }

    /// The time at which it was asked to stop. `None` if it was never built.
    #[must_use]
    pub fn stop_asked_at(&self) -> Option<Duration> {
        self.unless_never_built(self.times.stop_asked)
    }

    /// The time at which its `start` and its `stop` had returned. `None` if it was aborted, or never built.
    #[must_use]
    pub fn stopped_at(&self) -> Option<Duration> {
        self.unless_never_built(self.stopped)
    }

    /// The time at which it was dropped, or given up as abandoned. `None` if it was never built.
    #[must_use]
    pub fn gone_at(&self) -> Option<Duration> {
        self.unless_never_built(self.times.gone)
    }

    fn unless_never_built(&self, moment: Option<Moment>) -> Option<Duration> {
        moment.filter(|_| self.times.built.is_some()).map(Duration::from)
    }

    /// The counts of the messages that it took with [`Context::for_each`](crate::Context::for_each). `None` if it
    /// took none.
    #[must_use]
    pub fn messages(&self) -> Option<Messages> {
        self.rest.as_ref()?.messages
    }

    /// The counts of the jobs that it has spawned with [`Context::spawn_job`](crate::Context::spawn_job). `None` if there
    /// were none.
    #[must_use]
    pub fn jobs(&self) -> Option<Jobs> {
        self.rest.as_ref()?.jobs
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
        if let Some(jobs) = self.jobs() {
            write!(f, "; {jobs}")?;
        }
        match self.drain().filter(|drain| drain.drained + drain.cut > 0) {
            Some(drain) => write!(f, "; {drain}")?,
            None => return Ok(()),
        }
        match self.cut_requests() {
            [] => Ok(()),
            cut => write!(f, " (cut: {})", cut.join(", ")),
        }
    }
}
