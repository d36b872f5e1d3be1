//! The state of one group that its driver, its services and its handles share.

use std::any::{Any, TypeId, type_name};
#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::base::clock::Moment;
use crate::base::hash::TypeMap;
use crate::base::lock;
use crate::base::sync::Latch;
use crate::lifecycle::interface::Id;
use crate::lifecycle::plan::Plan;
use crate::record::report::Report;
use crate::running::guards::Guards;
use crate::running::journal::Journal;
use crate::running::lame_duck::LameDuck;
use crate::running::log;
use crate::running::members::{Current, Members};
use crate::running::message::{Message, Post};
#[cfg(feature = "metrics")]
use crate::running::metrics::Metrics;
use crate::running::outbox::say;
#[cfg(feature = "http")]
use crate::running::parts::Parts;
#[cfg(feature = "http")]
use crate::running::processors::Processors;
use crate::running::reloads::Reloads;
use crate::spec::Spec;

/// A value that was provided to the services. They take it as an `Arc` of its type. If it is an `Arc` already, they take
/// it as it is: so it may be an `Arc` of a trait object.
#[derive(Debug)]
pub(crate) struct Provided {
    pub(crate) type_id: TypeId,
    /// The id of an `Arc` of its type.
    in_arc: TypeId,
    pub(crate) type_name: &'static str,
    /// An `Arc` of the value.
    value: Box<dyn Any + Send + Sync>,
}

impl Provided {
    pub(crate) fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self {
            type_id: TypeId::of::<T>(),
            in_arc: TypeId::of::<Arc<T>>(),
            type_name: type_name::<T>(),
            value: Box::new(Arc::new(value)),
        }
    }

    /// Returns true if there is a type of which both are the value.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        self.type_id == other.type_id || self.type_id == other.in_arc || self.in_arc == other.type_id
    }

    fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let as_it_is = || self.value.downcast_ref::<Arc<Arc<T>>>().map(AsRef::as_ref).cloned();
        self.value.downcast_ref().cloned().or_else(as_it_is)
    }
}

/// The time between two looks whether another thread still writes the log.
const SPEAKS: Duration = Duration::from_millis(1);

/// The state of one group that its driver, its services and its handles share.
pub(crate) struct Shared {
    /// In start order.
    pub(crate) members: Members,
    pub(crate) by_type: TypeMap<Id>,
    /// Pairs of a mounted service and its host.
    #[cfg(feature = "http")]
    pub(crate) mounts: Box<[(Id, Id)]>,
    /// The URLs of the services that run elsewhere.
    #[cfg(feature = "grpc")]
    pub(crate) elsewhere: TypeMap<Cow<'static, str>>,
    #[cfg(feature = "http")]
    pub(crate) parts: Parts,
    #[cfg(feature = "http")]
    pub(crate) processors: Processors,
    pub(crate) provided: Mutex<Vec<Provided>>,
    pub(crate) guards: Guards,
    /// The time at which the group began to start.
    pub(crate) begun: Instant,
    /// The inbox of the driver.
    pub(crate) inbox: Arc<dyn Post>,
    /// Notified when the driver waits for a timer.
    pub(crate) aimed: Notify,
    /// Set when every service is ready.
    pub(crate) ready: Latch,
    pub(crate) reloads: Reloads,
    /// The order in which services wait for one another.
    pub(crate) plan: Arc<Plan>,
    /// The limit of the whole stop.
    pub(crate) stop_timeout: Duration,
    /// Set when a stop is asked for.
    pub(crate) stopping: Latch,
    /// Set when no time is left for turns, and all services that are left are told to stop.
    pub(crate) last_grace: Latch,
    /// True if signals that the process gets come to this group. Set right after the launch.
    pub(crate) hears_signals: AtomicBool,
    /// True if the runtime ends with this group, as in `#[group::main]`. Set right after the launch.
    pub(crate) ends_runtime: AtomicBool,
    pub(crate) lame_duck: Arc<LameDuck>,
    /// The metrics of the program itself.
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Metrics,
    /// The runtime that the services run on that have none of their own.
    pub(crate) runtime: Handle,
    /// No code of the user's may run under this lock: see [`write`](Self::write).
    pub(crate) journal: Mutex<Journal>,
    pub(crate) report: watch::Sender<Option<Report>>,
}

/// Not the whole state: it is large, and behind its locks are errors of the user's, which may call the group.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.members.specs().map(Spec::get_name);
        f.debug_struct("Group").field("services", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Sends a message to the driver. After the end of the group it is dropped.
    pub(crate) fn tell(&self, message: Message) {
        self.inbox.put(message);
    }

    /// Writes into the journal. Then, without its lock, says what is to be said of it.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Journal) -> T) -> T {
        let level = log::level();
        let mut journal = lock(&self.journal);
        journal.outbox.set_level(level);
        let written = write(&mut journal);
        let mut turn = journal.outbox.take_turn();
        drop(journal);
        while let Some(mut sayings) = turn {
            let panicked = say(&mut sayings, &self.members);
            let mut journal = lock(&self.journal);
            if let Some(panicked) = panicked {
                journal.listener_panicked(&panicked);
            }
            turn = journal.outbox.take_more(sayings);
        }
        written
    }

    /// As [`write`](Self::write), but does not wait for a thread that speaks already, and may be blocked. `besides` is
    /// given what was written before anything is said.
    pub(crate) fn write_last<T>(&self, write: impl FnOnce(&mut Journal) -> T, besides: impl FnOnce(&T)) -> T {
        let level = log::level();
        let mut journal = lock(&self.journal);
        journal.outbox.set_level(level);
        let written = write(&mut journal);
        let mut sayings = journal.outbox.take();
        drop(journal);
        besides(&written);
        // The report is made already.
        let _panicked = say(&mut sayings, &self.members);
        written
    }

    /// Blocks the thread until all is said that was written. Another thread may be saying the last of it.
    pub(crate) fn wait_until_said(&self) {
        while lock(&self.journal).outbox.is_speaking() {
            thread::sleep(SPEAKS);
        }
    }

    /// The time of the last connection or request from outside.
    pub(crate) fn last_came(&self) -> Moment {
        Moment::of(self.lame_duck.last_came(), self.begun)
    }

    /// The service of this type, if it is built and not dropped, or the value of this type that was provided.
    pub(crate) fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let Some(&service) = self.by_type.get(&TypeId::of::<T>()) else {
            return lock(&self.provided).iter().find_map(Provided::get);
        };
        let member = self.members.get(service);
        let instance = member.instance()?;
        let mut found = None;
        Arc::clone(&instance).put_into(&mut found);
        for view in &member.spec.details().views {
            view.put_into(|slot| Arc::clone(&instance).put_into(slot), &mut found);
        }
        found
    }

    pub(crate) fn member(&self, name: &str) -> Option<Current<'_>> {
        Some(self.members.get(self.members.named(name)?))
    }
}
