//! Services of a running group that are stopped, started and restarted by hand.

use tokio::sync::oneshot;

use crate::base::syntax::nearest;
use crate::lifecycle::interface::{ByHand, Id};
use crate::running::control_error::{Answer, ControlError};
use crate::running::handle::{Handle, Running};
use crate::running::message::Message;
use crate::running::one_life::OneLife;

/// Control of single services, while the group runs. Each of these waits until the group is ready, and acts then, also if
/// its future is dropped after it was polled.
///
/// A service may hold another one that it comes after: so it goes down before it, in reverse order, and comes back after it, in
/// order. These are all services that come [after](crate::Spec::after) it, directly or not, also where that is optional; the
/// one on whose address it is [mounted](crate::Spec::http_on); and those that take it as an `Arc` or a `Channel`. That a
/// [sidecar](crate::Role::Sidecar) comes before all others, and that a strict schedule has one service after the other,
/// does not count. The rest of the group runs on.
impl Handle {
    /// Stops the service of this name, after those that come after it, and leaves them stopped. Returns once it is down.
    ///
    /// The group is not [ready](crate::Status::is_ready) while a service is down that it cannot do without, and it does not
    /// end by itself: what was stopped by hand has not completed. A failure to stop is in the report, and hinders nothing.
    ///
    /// ```
    /// use group::{Group, Shutdown, State};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// for name in ["database", "api"] {
    ///     group.add_restartable_fn(name, |shutdown: Shutdown| async move { shutdown.requested().await });
    /// }
    /// group.configure("api", |spec| spec.after_named("database"));
    /// let running = group.start().await.unwrap();
    ///
    /// running.stop_service("database").await.unwrap();
    /// let status = running.handle().status();
    /// assert_eq!(status.service("api").unwrap().state(), State::Stopped);
    /// assert!(!status.is_ready());
    ///
    /// running.start_service("database").await.unwrap();
    /// assert!(running.handle().status().is_ready());
    /// # assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such service, or if the group stops.
    pub async fn stop_service(&self, name: &str) -> Result<(), ControlError> {
        self.by_hand(ByHand::Stop, name).await
    }

    /// Starts the service of this name, if it was stopped by hand or has failed, and then what was stopped along with it.
    /// Returns once all of them are ready. A service that is ready, or has completed, is left as it is.
    ///
    /// It is as new: its `new` runs again. A service that was added as a value is started again as the same value, so its
    /// `start` runs after its `stop`; it is dropped at the end of the group. Restarts from before do not count any more.
    ///
    /// # Errors
    ///
    /// If there is no such service, if the group stops, if it cannot be started again, or if it or another one that comes
    /// back fails to start. That is a failure as any other: the service is restarted if its
    /// [policy](crate::Spec::restart) says so, and otherwise the group stops, or goes on without it if it is not
    /// [critical](crate::Spec::critical).
    pub async fn start_service(&self, name: &str) -> Result<(), ControlError> {
        self.by_hand(ByHand::Start, name).await
    }

    /// Stops the service of this name as [`stop_service`](Self::stop_service) does, and starts it again as
    /// [`start_service`](Self::start_service) does.
    ///
    /// ```
    /// use group::{Group, Shutdown};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let running = Group::new()
    ///     .add_restartable_fn("mailer", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .start()
    ///     .await
    ///     .unwrap();
    /// running.restart_service("mailer").await.unwrap();
    /// assert_eq!(running.handle().status().service("mailer").unwrap().restarts(), 1);
    /// # assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start_service`](Self::start_service). What cannot be started again is not stopped first.
    pub async fn restart_service(&self, name: &str) -> Result<(), ControlError> {
        self.by_hand(ByHand::Restart, name).await
    }

    async fn by_hand(&self, what: ByHand, name: &str) -> Answer {
        let find = || self.shared.find(name);
        if find().is_some() {
            // A service inside of another one is there only after the start.
            self.has_started().await?;
        }
        let Some((shared, id)) = find() else {
            let known = OneLife::all(&self.shared);
            let nearest = nearest(name, known.iter().map(|life| life.member().spec.get_name())).map(str::to_owned);
            return Err(ControlError::Unknown { name: name.to_owned(), nearest });
        };
        let group = Self::new(shared);
        match group.by_hand_here(what, id).await {
            // A group inside of this one, which has ended while this one goes on.
            Err(ControlError::Stopping) if !self.is_stopping() => Err(group.why_it_is_over()),
            answer => answer,
        }
    }

    async fn by_hand_here(&self, what: ByHand, id: Id) -> Answer {
        self.has_started().await?;
        let (sender, answer) = oneshot::channel();
        self.shared.tell(Message::ByHand(what, id, sender));
        // The driver has dropped the sender: the group is over.
        answer.await.unwrap_or(Err(ControlError::Stopping))
    }

    async fn has_started(&self) -> Answer {
        tokio::select! {
            biased;
            () = self.stopping() => Err(ControlError::Stopping),
            () = self.shared.ready.wait() => Ok(()),
        }
    }

    /// Names the service that this group is, and that does not run.
    fn why_it_is_over(&self) -> ControlError {
        let group = self.shared.outer();
        group.map_or(ControlError::Stopping, |(group, id)| {
            ControlError::KeptDownBy(group.members.spec(id).get_name().to_owned())
        })
    }
}

/// Control of single services, as on a [`Handle`].
impl Running {
    /// As [`Handle::stop_service`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn stop_service(&self, name: &str) -> Result<(), ControlError> {
        self.handle.stop_service(name).await
    }

    /// As [`Handle::start_service`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn start_service(&self, name: &str) -> Result<(), ControlError> {
        self.handle.start_service(name).await
    }

    /// As [`Handle::restart_service`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn restart_service(&self, name: &str) -> Result<(), ControlError> {
        self.handle.restart_service(name).await
    }
}
