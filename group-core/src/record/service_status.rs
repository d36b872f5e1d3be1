//! One service's part in the status of a group.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::clock::{Moment, Times};
use crate::base::error::Failure;
use crate::base::text::Took;
use crate::lifecycle::interface::Role;
use crate::record::counts::Messages;
use crate::record::service_report::Ending;
use crate::record::state::State;

/// One service in a [`Status`](crate::Status). As in a [`ServiceReport`](crate::ServiceReport), a time that ends with
/// `at` is counted from when the group began to start.
///
/// With the feature `serde` it can be serialized.
///
/// ```
/// use group::{Group, Role, Shutdown};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut group = Group::new();
/// for name in ["database", "api"] {
///     group.add_fn(name, |shutdown: Shutdown| async move { shutdown.requested().await });
/// }
/// group.configure("api", |spec| spec.after_named("database"));
/// let running = group.start().await.unwrap();
/// let status = running.handle().status();
/// let api = status.service("api").unwrap();
/// assert_eq!((api.role(), api.is_critical(), api.after()), (Role::Task, true, &["database".to_owned()][..]));
/// assert!(api.waits_for().is_empty() && api.ready_at().is_some() && api.last_failure().is_none());
/// # running.stop().await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) critical: bool,
    pub(crate) after: Vec<String>,
    pub(crate) state: State,
    pub(crate) since: Moment,
    pub(crate) waits_for: Vec<String>,
    pub(crate) times: Times,
    pub(crate) ending: Ending,
    pub(crate) restarts: u64,
    pub(crate) last_restarts: Vec<Restarted>,
    pub(crate) starts_again_in: Option<Duration>,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) known: Known,
}

/// One restart of a service. Its times are counted from when the group began to start.
///
/// With the feature `serde` it can be serialized.
#[derive(Clone, Copy, Debug)]
pub struct Restarted {
    pub(crate) ended: Moment,
    pub(crate) started: Moment,
    pub(crate) ready: Option<Moment>,
}

impl Restarted {
    /// The time at which the run before it had ended, or was asked to stop by hand.
    #[must_use]
    pub fn ended_at(&self) -> Duration {
        self.ended.into()
    }

    /// The time at which `start` was run again.
    #[must_use]
    pub fn started_at(&self) -> Duration {
        self.started.into()
    }

    /// The time at which the service was ready again, if it was.
    #[must_use]
    pub fn ready_at(&self) -> Option<Duration> {
        self.ready.map(Duration::from)
    }
}

/// The part of a status that the service knows, and not the journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) addr: Option<SocketAddr>,
    /// Its address as the log shows it.
    pub(crate) address: Option<String>,
    pub(crate) load: Option<Load>,
    pub(crate) messages: Option<Messages>,
    /// True if this run of `start` has missed a heartbeat.
    pub(crate) misses_heartbeat: bool,
}

/// What a server does at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
}

impl ServiceStatus {
    /// Looks at a service inside of this one, which is a group, as the outer group does.
    pub(crate) fn around(&self, inside: &mut Self) {
        inside.critical &= self.critical;
        // While the group inside does not run, what is known of it is of an earlier life.
        let ended = inside.state == State::Waiting && self.state == State::Gone;
        if ended || self.state == State::Waiting {
            inside.state = self.state;
        }
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its role: what it means that its `start` returns.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns true if it has missed a heartbeat, and still runs.
    pub(crate) fn hangs(&self) -> bool {
        self.known.misses_heartbeat && matches!(self.state, State::Starting | State::Ready | State::Stopping)
    }

    /// Returns true if the group stops when it fails. Of a service inside of another one that is a group, both must be critical.
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.critical
    }

    /// The names of the services that it comes after, as declared. Besides, every service comes after the sidecars, and in
    /// a strict schedule after the one before it in [`Status::services`](crate::Status::services).
    #[must_use]
    pub fn after(&self) -> &[String] {
        &self.after
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The time at which it came into its state.
    #[must_use]
    pub fn state_at(&self) -> Duration {
        self.since.into()
    }

    /// The names of the services that it waits for at this moment: before it is built, those that must be ready first;
    /// once the group stops, those that must be gone first.
    #[must_use]
    pub fn waits_for(&self) -> &[String] {
        &self.waits_for
    }

    /// The time at which it became ready, after the last restart if there was one.
    #[must_use]
    pub fn ready_at(&self) -> Option<Duration> {
        self.times.ready.map(Duration::from)
    }

    /// The time that it took to become ready for the first time, from when every service that it comes after was
    /// ready.
    #[must_use]
    pub fn took_to_start(&self) -> Option<Duration> {
        Some(self.times.first_ready?.since(self.times.launched?))
    }

    /// The time at which it was asked to stop.
    #[must_use]
    pub fn stop_asked_at(&self) -> Option<Duration> {
        self.times.stop_asked.map(Duration::from)
    }

    /// The time at which it was gone. `None` before, and for a service that was never built.
    #[must_use]
    pub fn gone_at(&self) -> Option<Duration> {
        self.times.gone.map(Duration::from)
    }

    /// The time that it took to stop, once it is gone.
    #[must_use]
    pub fn took_to_stop(&self) -> Option<Duration> {
        Some(self.times.gone?.since(self.times.stop_asked?))
    }

    /// The way in which it ended, once it is gone, or stopped by hand.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        matches!(self.state, State::Stopped | State::Gone).then_some(self.ending)
    }

    /// The number of restarts.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Its last 32 restarts, the latest one last.
    #[must_use]
    pub fn last_restarts(&self) -> &[Restarted] {
        &self.last_restarts
    }

    /// The time until the next restart, while the service waits for it.
    #[must_use]
    pub fn starts_again_in(&self) -> Option<Duration> {
        self.starts_again_in
    }

    /// Its last failure, also one that it survived.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref()
    }

    /// The address on which it listens, if it does.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.known.addr
    }

    /// Its address as the log shows it: `http://127.0.0.1:8080`, `unix:/run/web.sock`. For a service that is
    /// [mounted](crate::Spec::http_on), it is that of the other one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.known.address.as_deref()
    }

    /// The number of connections that it has open. `None` if it serves none.
    #[must_use]
    pub fn connections(&self) -> Option<usize> {
        self.known.load.map(|load| load.connections)
    }

    /// The number of requests that it is answering. `None` if it serves no connections. Those of a service that is
    /// [mounted](crate::Spec::http_on) on another one are counted there.
    #[must_use]
    pub fn requests_in_flight(&self) -> Option<usize> {
        self.known.load.map(|load| load.requests)
    }

    /// The counts of the messages that it has taken with [`Context::for_each`](crate::Context::for_each). `None` if it
    /// took none.
    #[must_use]
    pub fn messages(&self) -> Option<Messages> {
        self.known.messages
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        match self.starts_again_in {
            Some(wait) => write!(f, " in {}", Took(wait)),
            None => Ok(()),
        }
    }
}
