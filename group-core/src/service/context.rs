//! What a service sees of its group.

#[cfg(feature = "grpc")]
use std::any::TypeId;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Moment;
#[cfg(feature = "grpc")]
use crate::base::lock;
use crate::base::panic::caught;
use crate::lifecycle::interface::Id;
#[cfg(feature = "grpc")]
use crate::record::status::State;
use crate::running::handle::Handle;
#[cfg(feature = "http")]
use crate::running::lame_duck::LameDuck;
use crate::running::member::Member;
use crate::running::message::{Message, News};
#[cfg(feature = "http")]
use crate::running::parts::Parts;
use crate::running::shared::Shared;
use crate::service::ready::Ready;
use crate::service::result::ServiceResult;
use crate::service::shutdown::Shutdown;
#[cfg(feature = "http")]
use crate::spec::Spec;

/// A service's view of its group.
#[derive(Clone, Debug)]
pub struct Context {
    shared: Arc<Shared>,
    id: Id,
}

impl Context {
    pub(crate) fn new(shared: Arc<Shared>, id: Id) -> Self {
        Self { shared, id }
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.member().spec.get_name()
    }

    /// Fires when this service is asked to stop. A service that takes it is waited for.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.member().set_listens_to_stop(true);
        Shutdown::new(self.clone())
    }

    /// Spawns a task that belongs to the service. Its error or panic is the service's failure, as if
    /// `start` had returned it: `start` and the other tasks are dropped, an HTTP server among them once
    /// it has answered what it has in hand. The service has not ended before its tasks have, and an
    /// abort reaches them, too. They should listen to [`Shutdown`], as the service does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output: ServiceResult> + Send + 'static,
    {
        let task = caught(self.clone().noting_polls(async { task.await.into_result() }));
        self.spawn_child(async { task.await.and_then(|result| result) });
    }

    /// Holds the service's readiness back until it is fired. It counts when it is taken in `new`,
    /// or in `start` before that first waits for something; later the service is ready already.
    #[must_use]
    pub fn ready(&self) -> Ready {
        Ready::new(self.member().hold())
    }

    /// The group, as seen from outside.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Another service of this type, or a value that was [provided](crate::Group::provide).
    ///
    /// `None` when the group has none, or when that service is not built yet or gone already:
    /// come [after](crate::Spec::after) it to be sure.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.shared.get()
    }

    /// The address on which this service is to serve HTTP, if it has one of its own:
    /// [`Spec::http`](crate::Spec::http).
    #[must_use]
    pub fn http_address(&self) -> Option<&str> {
        self.member().spec.details().http.as_deref()
    }

    /// The address on which this service is to serve gRPC, if it has one for that: [`Spec::grpc`](crate::Spec::grpc).
    #[must_use]
    pub fn grpc_address(&self) -> Option<&str> {
        self.member().spec.details().grpc.as_deref()
    }

    /// Makes known where this service listens: the log, the report and
    /// [`Running::local_addr`](crate::Running::local_addr) show it. Only the first call counts.
    pub fn publish_addr(&self, addr: SocketAddr) {
        self.member().set_addr(addr);
        // What is mounted here is found here.
        #[cfg(feature = "http")]
        for &(service, _) in self.shared.mounts.iter().filter(|(_, host)| *host == self.id) {
            self.shared.members[service].set_addr(addr);
        }
    }

    #[cfg(feature = "http")]
    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// Whether this service is mounted on another one.
    #[cfg(feature = "grpc")]
    pub(crate) fn is_mounted(&self) -> bool {
        self.member().spec.details().http_on.is_some()
    }

    /// Whether this service serves gRPC and has no address: only its own group reaches it.
    #[cfg(feature = "http")]
    pub(crate) fn serves_in_process(&self) -> bool {
        let details = self.member().spec.details();
        details.serves_grpc && details.http.is_none() && details.grpc.is_none() && details.http_on.is_none()
    }

    /// Which service of the group is mounted on which.
    #[cfg(feature = "http")]
    pub(crate) fn mounts(&self) -> &[(Id, Id)] {
        &self.shared.mounts
    }

    #[cfg(feature = "http")]
    pub(crate) fn spec_of(&self, id: Id) -> &Spec {
        &self.shared.members[id].spec
    }

    #[cfg(feature = "http")]
    pub(crate) fn parts(&self) -> &Parts {
        &self.shared.parts
    }

    /// Clients come to this service from outside.
    #[cfg(feature = "http")]
    pub(crate) fn serves(&self) {
        self.shared.tell(Message::Serves);
    }

    #[cfg(feature = "http")]
    pub(crate) fn lame_duck(&self) -> &Arc<LameDuck> {
        &self.shared.lame_duck
    }

    /// How long this service may take to stop, if none before it takes longer than it should.
    pub(crate) fn time_to_stop(&self) -> Duration {
        self.member().spec.stop_limit().min(self.shared.stop_timeout)
    }

    /// Waits until every service is ready.
    #[cfg(feature = "testing")]
    pub(crate) fn group_ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.ready.wait().await }
    }

    /// What another service of this type sees.
    #[cfg(feature = "grpc")]
    pub(crate) fn of<S: 'static>(&self) -> Option<Self> {
        let id = *self.shared.by_type.get(&TypeId::of::<S>())?;
        Some(Self::new(Arc::clone(&self.shared), id))
    }

    /// The URL of a service of this type that runs elsewhere.
    #[cfg(feature = "grpc")]
    pub(crate) fn elsewhere<S: 'static>(&self) -> Option<&str> {
        self.shared.elsewhere.get(&TypeId::of::<S>()).map(AsRef::as_ref)
    }

    /// What the service does, at this moment.
    #[cfg(feature = "grpc")]
    pub(crate) fn state(&self) -> State {
        lock(&self.shared.journal).state(self.id)
    }

    pub(crate) fn member(&self) -> &Member {
        &self.shared.members[self.id]
    }

    /// Notes whenever it is polled that the service holds a thread.
    pub(crate) async fn noting_polls<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|task| {
            let _polls = self.member().polls_other();
            future.as_mut().poll(task)
        })
        .await
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(self.shared.begun)
    }

    pub(crate) fn extend(&self, by: Duration) {
        self.shared.tell(Message::Extend(self.id, by));
    }

    #[cfg(feature = "http")]
    pub(crate) fn tell(&self, news: News) {
        self.shared.tell(Message::Service(self.id, news));
    }

    /// Tells the driver without waking it: of the service's own task, which has it [look](Self::drive) when it was polled.
    pub(crate) fn tell_silently(&self, news: News) {
        self.shared.inbox.put_silently(Message::Service(self.id, news));
    }

    pub(crate) fn wake_driver(&self) {
        self.shared.inbox.wake();
    }

    /// Runs the driver on this thread, unless another thread runs it.
    pub(crate) fn drive(&self) {
        self.shared.inbox.deal();
    }
}
