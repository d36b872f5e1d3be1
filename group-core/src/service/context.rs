//! A service's view of its group.

#[cfg(feature = "grpc")]
use std::any::TypeId;
#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::Moment;
#[cfg(feature = "http")]
use crate::base::cores::Core;
#[cfg(feature = "grpc")]
use crate::base::lock;
use crate::base::panic::caught;
use crate::base::sync::Latch;
use crate::lifecycle::interface::Id;
#[cfg(feature = "http")]
use crate::lifecycle::interface::Role;
#[cfg(feature = "grpc")]
use crate::record::state::State;
use crate::running::handle::Handle;
use crate::running::holds::Held;
#[cfg(feature = "http")]
use crate::running::lame_duck::LameDuck;
use crate::running::member::{Member, NotingPolls};
use crate::running::message::{Message, News};
#[cfg(feature = "metrics")]
use crate::running::metrics::Metrics;
use crate::running::one_life::OneLife;
#[cfg(feature = "http")]
use crate::running::parts::Parts;
use crate::running::shared::{Outer, Shared};
use crate::service::ready::Ready;
use crate::service::result::ServiceResult;
#[cfg(feature = "http")]
use crate::spec::Spec;
#[cfg(feature = "http")]
use crate::spec::serve::Serving;

/// A service's view of its group. Cheap to clone.
///
/// In the source, some of its methods stand in other files: those behind [`spawn`](Self::spawn), such as `spawn_child`,
/// in `service/belongings.rs`; [`shutdown`](Self::shutdown) in `service/shutdown.rs`; `handler_panicked` in
/// `http/panicked.rs`; [`every`](Self::every), `cron` (with the feature `cron`), [`for_each`](Self::for_each)
/// and [`heartbeat`](Self::heartbeat) in `work/`.
#[derive(Clone)]
pub struct Context(pub(super) OneLife);

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("service", &self.name()).finish_non_exhaustive()
    }
}

impl Context {
    /// The context of a service in its first life.
    pub(crate) fn first(shared: Arc<Shared>, id: Id) -> Self {
        Self(OneLife::First(shared, id))
    }

    /// The context of a service in another life.
    pub(crate) fn again(shared: Arc<Shared>, id: Id, member: Arc<Member>) -> Self {
        Self(OneLife::again(shared, id, member))
    }

    fn shared(&self) -> &Arc<Shared> {
        self.0.shared()
    }

    pub(crate) fn id(&self) -> Id {
        self.0.id()
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.member().spec.get_name()
    }

    /// Spawns a task that belongs to the service. An error or panic of the task is the service's failure, as if
    /// `start` had returned it: `start` and the other tasks are dropped, an HTTP server among them after it
    /// has answered the requests in flight. The service ends only after its tasks have ended, and an abort
    /// drops them, too. A task should listen to [`Shutdown`](crate::Shutdown), as the service does.
    ///
    /// A service that is gone has no tasks any more: what is spawned for it then, in its destructor for example, is
    /// dropped unrun, with a warning in the log.
    ///
    /// # Panics
    ///
    /// If it is called outside of a tokio runtime.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output: ServiceResult> + Send + 'static,
    {
        let task = caught(self.clone().noting_polls(async { task.await.into_result() }));
        self.spawn_child(async { task.await.and_then(|result| result) });
    }

    /// Returns a [`Ready`], which holds the service's readiness back until it is fired. It must be taken in `new`, or
    /// in `start` before that first waits for something; after that, the service is ready already.
    ///
    /// If it is not fired, the log and the failure name the place of this call.
    #[must_use]
    #[track_caller]
    pub fn ready(&self) -> Ready {
        self.held_by(Held::TakenAt(Location::caller()))
    }

    pub(crate) fn held_by(&self, held: Held) -> Ready {
        Ready::new(self.member().hold(held))
    }

    /// Returns a handle on the group, as code outside of it has.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(self.shared()))
    }

    /// Returns the metrics of the program itself, to register others. Needs the feature `metrics`.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared().metrics.clone()
    }

    /// The service of this type, or the value of this type that was [provided](crate::Group::provide). `T` may be a
    /// trait object.
    ///
    /// `None` if the group has none, or if that service is not built yet or gone already. A service that comes
    /// [after](crate::Spec::after) it always finds it.
    #[must_use]
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.shared().get()
    }

    /// The address on which this service is to serve HTTP, if it has one of its own. See
    /// [`Spec::http`](crate::Spec::http).
    #[must_use]
    pub fn http_address(&self) -> Option<&str> {
        self.member().spec.details().http.as_deref()
    }

    /// The address on which this service is to serve gRPC, if it has one of its own. See
    /// [`Spec::grpc`](crate::Spec::grpc).
    #[must_use]
    pub fn grpc_address(&self) -> Option<&str> {
        self.member().spec.details().grpc.as_deref()
    }

    /// Publishes the address on which this service listens. The log, the report and
    /// [`Running::local_addr`](crate::Running::local_addr) show it. Of each run of `start`, only the first call counts.
    pub fn publish_addr(&self, addr: SocketAddr) {
        let is_first = self.member().publish_addr(addr);
        // The services that are mounted on this one have the same address.
        #[cfg(feature = "http")]
        for &(service, _) in self.shared().mounts.iter().filter(|(_, host)| is_first && *host == self.id()) {
            self.shared().members.get(service).publish_addr_of_host(addr);
        }
        #[cfg(not(feature = "http"))]
        let _ = is_first;
    }

    /// Returns true if this service is mounted on another one.
    #[cfg(feature = "grpc")]
    pub(crate) fn is_mounted(&self) -> bool {
        self.member().spec.details().http_on.is_some()
    }

    /// Returns true if this service serves gRPC without an address, so that only its own group can call it.
    #[cfg(feature = "http")]
    pub(crate) fn serves_in_process(&self) -> bool {
        let details = self.member().spec.details();
        details.serves_grpc && details.http.is_none() && details.grpc.is_none() && details.http_on.is_none()
    }

    /// Pairs of a mounted service and its host, of the whole group.
    #[cfg(feature = "http")]
    pub(crate) fn mounts(&self) -> &[(Id, Id)] {
        &self.shared().mounts
    }

    #[cfg(feature = "http")]
    pub(crate) fn spec_of(&self, id: Id) -> &Spec {
        self.shared().members.spec(id)
    }

    /// The context of another service of the group.
    #[cfg(all(feature = "http", feature = "metrics"))]
    pub(crate) fn of_id(&self, id: Id) -> Self {
        Self(OneLife::present(self.shared(), id))
    }

    /// The runtimes of the processors, if this service's connections are served on each of them.
    #[cfg(feature = "http")]
    pub(crate) fn processors(&self) -> Option<Vec<Core>> {
        if self.member().spec.get_runtime().is_some() {
            return None;
        }
        let serve = self.member().spec.get_serve().unwrap_or(self.shared().processors.serve);
        if serve == Serving::PerCore { self.shared().root().processors.get() } else { None }
    }

    #[cfg(feature = "http")]
    pub(crate) fn parts(&self) -> &Parts {
        &self.shared().parts
    }

    /// Reports that this service serves clients from outside. Those of a sidecar are no traffic.
    #[cfg(feature = "http")]
    pub(crate) fn serves(&self) {
        if self.is_sidecar() {
            return;
        }
        match self.around() {
            Some(outer) => outer.serves(),
            None => self.shared().tell(Message::Serves),
        }
    }

    /// The context of the service of the outer group that this group is.
    #[cfg(feature = "http")]
    fn around(&self) -> Option<Self> {
        let (group, id) = self.shared().outer()?;
        Some(Self(OneLife::present(&group, id)))
    }

    #[cfg(feature = "http")]
    pub(crate) fn is_sidecar(&self) -> bool {
        self.member().spec.rules.role == Role::Sidecar
    }

    #[cfg(feature = "http")]
    pub(crate) fn lame_duck(&self) -> &Arc<LameDuck> {
        &self.shared().lame_duck
    }

    /// Notes the next life of the group that this service is.
    pub(crate) fn set_inner(&self, group: Arc<Shared>) {
        self.shared().set_inner(self.id(), group);
    }

    /// The place inside of this service, for a group that it is.
    pub(crate) fn as_outer(&self) -> Outer {
        Outer::new(self.shared(), self.id())
    }

    /// The time in which this service must stop: its own limit, and at most the group's.
    pub(crate) fn time_to_stop(&self) -> Duration {
        self.member().spec.stop_limit().min(self.shared().stop_timeout)
    }

    /// Waits until every service is ready.
    #[cfg(feature = "testing")]
    pub(crate) fn group_ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(self.shared());
        async move { shared.ready.wait().await }
    }

    /// The context of the service of this type, if the group has one.
    #[cfg(feature = "grpc")]
    pub(crate) fn of<S: 'static>(&self) -> Option<Self> {
        match self.shared().by_type.get(&TypeId::of::<S>()) {
            Some(&id) => Some(Self(OneLife::present(self.shared(), id))),
            None => self.around()?.of::<S>(),
        }
    }

    /// The URL of the service of this type, if it runs elsewhere.
    #[cfg(feature = "grpc")]
    pub(crate) fn elsewhere<S: 'static>(&self) -> Option<Cow<'static, str>> {
        self.shared().elsewhere::<S>()
    }

    /// The state of the service, at this moment.
    #[cfg(feature = "grpc")]
    pub(crate) fn state(&self) -> State {
        lock(&self.shared().journal).state(self.id())
    }

    pub(crate) fn member(&self) -> &Member {
        self.0.member()
    }

    /// As [`Member::noting_polls`], for a task.
    pub(crate) fn noting_polls<F: Future>(self, future: F) -> NotingPolls<Self, F> {
        NotingPolls { of: self, future }
    }

    /// The time at which the group began to start.
    pub(crate) fn begun(&self) -> Instant {
        self.shared().begun
    }

    /// Set when no time is left for turns.
    pub(crate) fn last_grace(&self) -> &Latch {
        &self.shared().last_grace
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(self.shared().begun)
    }

    pub(crate) fn extend(&self, by: Duration) {
        self.shared().tell(Message::Extend(self.id(), by));
    }

    pub(crate) fn tell(&self, news: News) {
        self.shared().tell(Message::Service(self.id(), news));
    }

    /// Reports to the driver without waking it. For the service's own task, which runs the [driver](Self::drive) itself
    /// at the end of its poll.
    pub(crate) fn tell_silently(&self, news: News) {
        self.shared().inbox.put_silently(Message::Service(self.id(), news));
    }

    pub(crate) fn wake_driver(&self) {
        self.shared().inbox.wake();
    }

    /// Runs the driver on this thread, unless another thread runs it.
    pub(crate) fn drive(&self) {
        self.shared().inbox.deal();
    }
}

impl AsRef<Member> for Context {
    fn as_ref(&self) -> &Member {
        self.member()
    }
}
