//! The state of one group that its driver, its services and its handles share.

use std::any::{Any, TypeId, type_name};
#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, Weak};
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
use crate::record::state::State;
use crate::running::guards::Guards;
use crate::running::journal::{Around, Inside, Journal};
use crate::running::lame_duck::LameDuck;
use crate::running::log;
use crate::running::members::Members;
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

    /// Copies what decides whether a service has what it needs.
    pub(crate) fn without_value(&self) -> Self {
        Self { value: Box::new(()), ..*self }
    }

    fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let as_it_is = || self.value.downcast_ref::<Arc<Arc<T>>>().map(AsRef::as_ref).cloned();
        self.value.downcast_ref().cloned().or_else(as_it_is)
    }
}

/// The time between two looks whether another thread still writes the log.
const SPEAKS: Duration = Duration::from_millis(1);

/// The place of a group that is a service of another one.
#[derive(Clone, Debug)]
pub(crate) struct Outer {
    /// Weak, because that group has this one.
    group: Weak<Shared>,
    id: Id,
    /// The names of all services inside begin with it: `billing/`.
    prefix: String,
}

impl Outer {
    pub(crate) fn new(group: &Arc<Shared>, id: Id) -> Self {
        let prefix = format!("{}/", group.members.spec(id).get_name());
        Self { group: Arc::downgrade(group), id, prefix }
    }

    /// The same, for the journal of the inner group.
    pub(crate) fn for_journal(&self) -> Around {
        let group = Weak::clone(&self.group);
        let tell = move |service: &str, state: State| {
            if let Some(group) = group.upgrade() {
                group.write(|journal| journal.told_inside(service, state));
            }
        };
        Around { name: self.prefix.trim_end_matches('/').to_owned().into(), tell: Arc::new(tell) }
    }
}

/// The state of one group that its driver, its services and its handles share.
pub(crate) struct Shared {
    /// Set if the group is a service of another one.
    pub(crate) outer: Option<Outer>,
    /// The groups that are services of this one, each in its last life.
    pub(crate) inner: Mutex<BTreeMap<Id, Arc<Self>>>,
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

    /// The service of this type, if it is built and not dropped, or the value of this type that was provided: in this group
    /// or, if it has none, in the one around it.
    pub(crate) fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let Some(&service) = self.by_type.get(&TypeId::of::<T>()) else {
            let provided = lock(&self.provided).iter().find_map(Provided::get);
            return provided.or_else(|| self.outer()?.0.get());
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

    /// The URL of the service of this type, if it runs elsewhere.
    #[cfg(feature = "grpc")]
    pub(crate) fn elsewhere<S: 'static>(&self) -> Option<Cow<'static, str>> {
        let url = self.elsewhere.get(&TypeId::of::<S>()).cloned();
        url.or_else(
            || if self.by_type.contains_key(&TypeId::of::<S>()) { None } else { self.outer()?.0.elsewhere::<S>() },
        )
    }

    /// The group around this one, and the service of it that this one is.
    pub(crate) fn outer(&self) -> Option<(Arc<Self>, Id)> {
        let Outer { group, id, .. } = self.outer.as_ref()?;
        // It is gone only when it has ended.
        Some((group.upgrade()?, *id))
    }

    /// Returns true once a driver runs it: one that is inside of another group may not be started yet.
    pub(crate) fn is_launched(&self) -> bool {
        lock(&self.journal).is_launched()
    }

    /// As [`get`](Self::get), in the groups inside of this one.
    pub(crate) fn get_inside<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let groups = lock(&self.inner).clone();
        groups.values().find_map(|group| group.get().or_else(|| group.get_inside()))
    }

    /// The group that this service is, in its last life.
    pub(crate) fn inner_of(&self, id: Id) -> Option<Arc<Self>> {
        lock(&self.inner).get(&id).cloned()
    }

    pub(crate) fn set_inner(&self, id: Id, group: Arc<Self>) {
        let _before = lock(&self.inner).insert(id, group);
    }

    /// The name of the service, or of one inside of it, that can be started only once.
    pub(crate) fn starts_once(&self, id: Id) -> Option<String> {
        let member = self.members.first(id);
        if member.runs_once {
            return Some(member.spec.get_name().to_owned());
        }
        let inner = self.inner_of(id)?;
        (0..inner.members.len()).find_map(|id| inner.starts_once(id))
    }

    /// The parts of the report that are of services inside of others.
    pub(crate) fn inside(&self) -> Vec<Inside> {
        let groups = lock(&self.inner).clone();
        let told = |(id, group): (Id, Arc<Self>)| {
            let inside = group.inside();
            let journal = lock(&group.journal);
            let (services, _) = journal.service_reports(&group.members, &inside);
            Inside { id, services, failures: journal.all_failures(&group.members, &inside) }
        };
        groups.into_iter().map(told).collect()
    }

    /// Tells the groups inside of a stop signal that has come.
    pub(crate) fn signal_inside(&self, signal: i32) {
        let groups = lock(&self.inner).clone();
        for group in groups.values() {
            group.write(|journal| journal.signalled_outside(signal));
            group.signal_inside(signal);
        }
    }

    /// Blames every service inside that is left, when the driver is stuck.
    pub(crate) fn blame_inside(&self) {
        let groups = lock(&self.inner).clone();
        for group in groups.values() {
            group.blame_inside();
            let mut journal = lock(&group.journal);
            if journal.has_left() {
                journal.blame_survivors(&group.members);
            }
        }
    }

    /// The outermost group.
    pub(crate) fn root(self: &Arc<Self>) -> Arc<Self> {
        self.outer().map_or_else(|| Arc::clone(self), |(group, _)| group.root())
    }

    /// Returns true if the services may have another life after this group is over: it is a service of another group that
    /// may start it again.
    pub(crate) fn may_come_back(&self) -> bool {
        let Some((group, _)) = self.outer() else { return false };
        !group.stopping.is_set() || group.may_come_back()
    }

    /// Finds a service by its name: of this group, or of one inside of it. In a group that is inside of another one, a name may be as
    /// its own code has it, `ledger`, or as the log has it, `billing/ledger`.
    pub(crate) fn find(self: &Arc<Self>, name: &str) -> Option<(Arc<Self>, Id)> {
        let prefix = self.outer.as_ref().map_or("", |outer| &*outer.prefix);
        let found = self.find_inside(prefix, name);
        found.or_else(|| self.find_inside(prefix, name.strip_prefix(prefix)?))
    }

    fn find_inside(self: &Arc<Self>, prefix: &str, name: &str) -> Option<(Arc<Self>, Id)> {
        let is_it = |id: &Id| self.members.spec(*id).get_name().strip_prefix(prefix) == Some(name);
        if let Some(id) = (0..self.members.len()).find(is_it) {
            return Some((Arc::clone(self), id));
        }
        let (group, rest) = name.split_once('/')?;
        let (_, id) = self.find_inside(prefix, group)?;
        self.inner_of(id)?.find(rest)
    }

    /// The state of this group, which is over, for its next life at this place. It takes the provided values over.
    pub(crate) fn next_life(&self, inbox: Arc<dyn Post>, outer: Outer) -> Self {
        Self {
            journal: Mutex::new(lock(&self.journal).of_next_life(outer.for_journal())),
            outer: Some(outer),
            inner: Mutex::new(lock(&self.inner).clone()),
            members: self.members.next_lives(),
            by_type: self.by_type.clone(),
            #[cfg(feature = "http")]
            mounts: self.mounts.clone(),
            #[cfg(feature = "grpc")]
            elsewhere: self.elsewhere.clone(),
            #[cfg(feature = "http")]
            parts: Parts::default(),
            provided: Mutex::new(std::mem::take(&mut *lock(&self.provided))),
            guards: Guards::default(),
            #[cfg(feature = "http")]
            processors: Processors::new(self.processors.serve),
            begun: self.begun,
            inbox,
            aimed: Notify::new(),
            ready: Latch::default(),
            reloads: Reloads::default(),
            plan: Arc::clone(&self.plan),
            stop_timeout: self.stop_timeout,
            stopping: Latch::default(),
            last_grace: Latch::default(),
            hears_signals: AtomicBool::new(false),
            ends_runtime: AtomicBool::new(false),
            lame_duck: Arc::clone(&self.lame_duck),
            #[cfg(feature = "metrics")]
            metrics: self.metrics.clone(),
            runtime: self.runtime.clone(),
            report: watch::Sender::new(None),
        }
    }
}
