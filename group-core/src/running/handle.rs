//! A running group, from outside.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use crate::base::lock;
use crate::record::event::Events;
use crate::record::report::Report;
use crate::record::status::Status;
use crate::running::message::Message;
use crate::running::shared::Shared;

/// A running group.
///
/// To drop it asks the group to stop, without waiting: the services are still stopped in order, as long as the
/// runtime lives.
#[derive(Debug)]
#[must_use = "dropping it stops the group"]
pub struct Running {
    pub(super) handle: Handle,
    driver: Option<JoinHandle<()>>,
    unseen: Option<Unseen>,
}

/// The groups that a test has started, and whose reports it has not seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unseen(Arc<Mutex<Vec<Handle>>>);

impl Unseen {
    fn add(&self, group: &Handle) {
        lock(&self.0).push(group.clone());
    }

    fn remove(&self, group: &Handle) {
        lock(&self.0).retain(|unseen| !Arc::ptr_eq(&unseen.shared, &group.shared));
    }

    pub(crate) fn take(&self) -> Vec<Handle> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl Running {
    pub(crate) fn new(handle: Handle, driver: JoinHandle<()>, unseen: Option<Unseen>) -> Self {
        if let Some(unseen) = &unseen {
            unseen.add(&handle);
        }
        Self { handle, driver: Some(driver), unseen }
    }

    /// Returns a handle on the group, to keep and to pass on.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The address on which the service of this name listens, if it does. It shows the real port of a server on
    /// port 0.
    #[must_use]
    pub fn local_addr(&self, service: &str) -> Option<SocketAddr> {
        self.handle.local_addr(service)
    }

    /// The service of this type, or the value of this type that was provided: in the group, or else in one inside of it.
    /// `T` may be a trait object.
    #[must_use]
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let shared = &self.handle.shared;
        shared.get().or_else(|| shared.get_inside())
    }

    /// Asks the group to stop, and waits until everything is over. The services are stopped in reverse start order.
    pub async fn stop(self) -> Report {
        self.handle.stop();
        self.wait().await
    }

    /// Waits until everything is over, for whatever reason.
    ///
    /// # Panics
    ///
    /// If the group's own driver panicked, with the same panic. A panic in a service is in the report instead.
    pub async fn wait(mut self) -> Report {
        if let Some(driver) = &mut self.driver {
            if let Err(error) = driver.await
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
            self.driver = None;
        }
        let report = self.handle.wait().await;
        if let Some(unseen) = &self.unseen {
            unseen.remove(&self.handle);
        }
        report
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// Controls a group from anywhere: from its services, from other tasks, from signal handlers of
/// your own. Cheap to clone.
///
/// In the source, [`health`](Self::health) stands in `running/health.rs`, [`reload`](Self::reload) in
/// `running/reload.rs`, and the control of single services, as [`restart_service`](Self::restart_service), in
/// `running/control.rs`.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Asks the group to stop, and returns at once. While it stops, another request does nothing.
    pub fn stop(&self) {
        self.shared.tell(Message::Stop);
    }

    /// Aborts every service that is left, as a second signal does, and returns at once. No service has its turn any more:
    /// each is dropped at its next await, and no `stop` runs that is not running yet.
    ///
    /// If a service was left, the group has not ended cleanly: the outcome is
    /// [`UncleanStop`](crate::Outcome::UncleanStop), with exit code 3, unless something else went wrong before. The
    /// process itself is not ended: if every thread of the runtime is blocked, it ends at the deadline.
    ///
    /// ```
    /// use group::{Group, Outcome, Shutdown};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let running = Group::new()
    ///     .add_fn("slow", |shutdown: Shutdown| async move {
    ///         shutdown.requested().await;
    ///         std::future::pending::<()>().await;
    ///     })
    ///     .start()
    ///     .await
    ///     .unwrap();
    /// running.handle().stop();
    /// running.handle().abort();
    /// assert_eq!(running.wait().await.outcome(), Outcome::UncleanStop);
    /// # }
    /// ```
    pub fn abort(&self) {
        self.shared.tell(Message::Abort);
    }

    /// Asks the group to stop, and to end with this exit code if it ends cleanly. Returns at once. The first
    /// code counts. In a [group inside of another one](crate::Group::add_group), this is for the outermost one: it is the process
    /// that has an exit code.
    pub fn exit(&self, code: u8) {
        self.shared.root().tell(Message::Exit(code));
    }

    /// The status of the group and of every service, at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let mut status = lock(&shared.journal).status(&shared.members, &shared.plan);
        let services = std::mem::take(&mut status.services);
        for (id, (mut service, member)) in services.into_iter().zip(shared.members.iter()).enumerate() {
            service.known = member.known();
            let mut inside = shared.inner_of(id).map(|shared| Self { shared }.status().services).unwrap_or_default();
            for inside in &mut inside {
                service.around(inside);
            }
            status.places[id] = status.services.len();
            status.services.push(service);
            status.services.append(&mut inside);
        }
        status
    }

    /// The address on which the service of this name listens, if it does yet. A service that comes
    /// [after](crate::Spec::after) it finds the address in its `new` and `start`.
    #[must_use]
    pub fn local_addr(&self, service: &str) -> Option<SocketAddr> {
        let (shared, id) = self.shared.find(service)?;
        shared.members.get(id).addr()
    }

    /// Subscribes to the events of the group from now on. A reader that falls more than 1024 events behind
    /// misses the oldest, and [`Event::Missed`](crate::Event::Missed) says how many.
    #[must_use]
    pub fn events(&self) -> Events {
        let mut journal = lock(&self.shared.journal);
        Events { receiver: journal.subscribe(), over: journal.is_over() }
    }

    /// Waits until the group is asked to stop. This returns before the first service is asked to, and before a
    /// [`drain_delay`](crate::Group::drain_delay) is over.
    pub async fn stopping(&self) {
        self.shared.stopping.wait().await;
    }

    /// Returns true once the group was asked to stop, and after it has stopped.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.is_set()
    }

    /// For each service, in start order, the names of those that come after it.
    #[cfg(feature = "testing")]
    pub(crate) fn holders(&self) -> Vec<Vec<String>> {
        let shared = &self.shared;
        let name = |id: usize| shared.members.spec(id).get_name().to_owned();
        let holders = |id| shared.plan.needed_by(id).map(|need| name(need.id)).collect();
        (0..shared.members.len()).map(holders).collect()
    }

    /// Waits until everything is over. Every call returns the same report.
    pub async fn wait(&self) -> Report {
        let mut report = self.shared.report.subscribe();
        loop {
            if let Some(report) = &*report.borrow_and_update() {
                return report.clone();
            }
            // Cannot fail: `shared` holds the sender.
            let _ = report.changed().await;
        }
    }
}
