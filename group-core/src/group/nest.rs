//! A group that is a service of another one.
//!
//! # Protocol
//!
//! The inner group has a lifecycle, a driver and a state of its own, as every group. What it lacks are signals, a watch thread and
//! an admin service: the outer group has these. A [`Nest`] stands between the two, as a service of the outer group:
//!
//! - **Start.** Each run of its `start` is one life of the inner group. It makes the [`Shared`] of that life from the one before,
//!   and spawns the driver. The driver's task holds a part of the outer service ([`Remains`](crate::running::remains::Remains)),
//!   so that the service is gone only when the inner group is over.
//! - **Stop.** The outer group's request to stop is passed on, with the time that the service has. Of a budget, the last part is
//!   left for the exit ([`Budget`]), and so the inner group is over before the service would be aborted.
//! - **Abort, or anything else that drops `start`.** [`Inside`] passes it on when it is dropped.
//! - **End.** The first cause of the inner group is the failure of the service. What was aborted inside during the stop is reported
//!   as that, so that the outer group's outcome is the same.
//! - **Lives.** While the outer group goes on, an inner one that is over leaves its values, and what makes its services, to the next
//!   life ([`Shared::may_come_back`]). The nest drops them, if there is none.

use std::any::TypeId;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::error::BoxError;
use crate::base::lock;
use crate::base::panic::caught_now;
use crate::engine::driver::{Driver, Kept, Mailbox};
use crate::group::Group;
use crate::group::declaration::Declared;
use crate::lifecycle::budget::Budget;
use crate::record::report::{Outcome, Report};
use crate::running::handle::Handle;
use crate::running::holds::Held;
use crate::running::member::Value;
use crate::running::message::{Message, News};
use crate::running::one_life::OneLife;
use crate::running::shared::Shared;
use crate::service::context::Context;
use crate::service::{Factory, Service};
use crate::spec::Spec;
use crate::spec::place::Place;

impl Group {
    /// Adds a whole group as a service: it starts in its turn, with its services in their order, is ready when all of them are,
    /// and stops in its turn, in reverse. Its name is the first part of theirs, everywhere: `billing/ledger`.
    ///
    /// ```
    /// use group::{Group, Shutdown, State};
    ///
    /// # async fn polite(shutdown: Shutdown) { shutdown.requested().await }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut billing = Group::new();
    /// billing.add_fn("ledger", polite).add_fn("invoices", polite);
    ///
    /// let mut group = Group::new();
    /// group.add_fn("database", polite).add_group("billing", billing).add_fn("api", polite);
    /// let running = group.start().await.unwrap();
    /// assert_eq!(running.handle().status().service("billing/ledger").unwrap().state(), State::Ready);
    ///
    /// let report = running.stop().await;
    /// let names: Vec<&str> = report.services().iter().map(|service| service.name()).collect();
    /// assert_eq!(names, ["database", "billing", "billing/ledger", "billing/invoices", "api"]);
    /// # assert!(report.is_clean());
    /// # }
    /// ```
    ///
    /// To the group around it, it is a service as any other: [`configure`](Self::configure) sets what it comes
    /// [after](crate::Spec::after_named), whether it is [critical](crate::Spec::critical), and whether it is
    /// [restarted](crate::Spec::restart), which is a restart of the whole. Its failure is that of the service, its time to stop is
    /// what the turn of the service leaves it. Its services take what the outer group has, as `Arc<T>`; what is inside cannot be taken
    /// from outside.
    ///
    /// Signals, a [`drain_delay`](Self::drain_delay), the admin service, the settings and the report are those of the
    /// outermost group.
    #[track_caller]
    pub fn add_group(&mut self, name: impl Into<String>, inner: Self) -> &mut Self {
        let name = name.into();
        let mut inner = inner.declared;
        let mistakes = std::mem::take(&mut inner.mistakes);
        self.declared.mistakes.extend(mistakes.iter().map(|mistake| format!("in `{name}`: {mistake}").into()));
        self.declared.guards.take_over(&inner.guards);
        #[cfg(feature = "metrics")]
        self.declared.metrics.join(&inner.metrics);
        let mut spec = Spec::new(name);
        let details = spec.details_mut();
        (details.is_group, details.stop_timeout) = (true, inner.stop_timeout);
        self.declared.services.push(Declared {
            spec,
            type_id: TypeId::of::<Nest>(),
            place: Place::here(),
            // Made when the group is assembled.
            factory: None,
            only_called: false,
            runs_once: false,
            inner: Some(Box::new(inner)),
        });
        self
    }
}

/// A group as a service of another one.
pub(super) struct Nest {
    /// The group in its present life, or in the one before it is first started.
    inner: Mutex<Arc<Shared>>,
    /// The values and the factories of its services, while it does not run.
    kept: Kept,
}

impl Nest {
    pub(super) fn new(inner: Arc<Shared>, factories: Vec<Option<Factory>>) -> Self {
        Self { inner: Mutex::new(inner), kept: Arc::new(Mutex::new(factories)) }
    }

    fn inner(&self) -> Arc<Shared> {
        Arc::clone(&lock(&self.inner))
    }

    /// Begins a life of the group. The receiver fires when all services are ready.
    fn launch(&self, cx: &Context) -> (Arc<Shared>, oneshot::Receiver<()>) {
        let before = self.inner();
        let inbox = Arc::<Mailbox>::default();
        let factories = self.take_factories(&before);
        let shared = Arc::new(before.next_life(Arc::clone(&inbox) as _, cx.as_outer()));
        *lock(&self.inner) = Arc::clone(&shared);
        cx.set_inner(Arc::clone(&shared));
        let budget = Budget::new(cx.time_to_stop(), Duration::ZERO, shared.plan.chain());
        let (driver, started) = Driver::new(Arc::clone(&shared), inbox, budget, factories, false);
        let driver = driver.that_keeps(Arc::clone(&self.kept));
        let remains = cx.remains();
        shared.runtime.spawn(async move {
            // Dropped at the end: nothing of the group outlives the service.
            let _remains = remains;
            driver.run().await;
        });
        (shared, started)
    }

    /// Takes what the services are made of: the values of the life before, and what makes them anew.
    fn take_factories(&self, before: &Shared) -> Vec<Option<Factory>> {
        let mut factories = std::mem::take(&mut *lock(&self.kept));
        factories.resize_with(before.members.len(), || None);
        for (factory, member) in factories.iter_mut().zip(before.members.iter()) {
            let value = member.take_value().and_then(|Value(value)| value.downcast().ok());
            *factory = value.map(|service| Factory::Made(*service)).or_else(|| factory.take());
        }
        factories
    }
}

impl Service for Nest {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let (ready, shutdown) = (cx.held_by(Held::Inside), cx.shutdown());
        let (shared, started) = self.launch(&cx);
        let inside = Inside(shared);
        let group = inside.handle();
        tokio::select! {
            biased;
            Ok(()) = started => ready.fire(),
            () = shutdown.requested() => {}
            _ = group.wait() => {}
        }
        tokio::select! {
            biased;
            report = group.wait() => drop(report),
            () = shutdown.requested() => inside.ask_to_stop(),
        }
        came_of(&group.wait().await, &cx)
    }

    /// Waits for a group whose `start` was given up.
    async fn stop(&self) -> Result<(), BoxError> {
        let inside = Inside(self.inner());
        if inside.has_begun() {
            inside.ask_to_stop();
            let _report = inside.handle().wait().await;
        }
        Ok(())
    }
}

/// Drops what no life of the group has dropped, in the order in which its end would.
impl Drop for Nest {
    fn drop(&mut self) {
        let inner = self.inner();
        let mut factories = self.take_factories(&inner);
        while let Some(made) = factories.pop() {
            let spec = inner.members.spec(factories.len());
            if let Err(panicked) = caught_now(|| drop(made)) {
                inner.write(|journal| journal.blame_at_the_end(Some(spec), panicked));
            }
        }
        let mut provided = std::mem::take(&mut *lock(&inner.provided));
        while let Some(value) = provided.pop() {
            if let Err(panicked) = caught_now(|| drop(value)) {
                inner.write(|journal| journal.blame_at_the_end(None, panicked));
            }
        }
    }
}

/// A running group inside of a service. When it is dropped before the group is over, the group ends, too: at once, if the service
/// was aborted.
struct Inside(Arc<Shared>);

impl Inside {
    fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.0))
    }

    /// Returns true if the group was launched.
    fn has_begun(&self) -> bool {
        self.0.outer().is_some_and(|(outer, id)| outer.inner_of(id).is_some_and(|inner| inner.is_launched()))
    }

    /// Asks the group to stop, in the time that the service has for that.
    fn ask_to_stop(&self) {
        let Some((outer, id)) = self.0.outer() else { return };
        let life = OneLife::present(&outer, id);
        let member = life.member();
        let until = member.stop_time.until();
        let left = until.map(|until| Duration::from(until).saturating_sub(outer.begun.elapsed()));
        self.0.tell(Message::StopWithin(left.unwrap_or_else(|| member.spec.stop_limit().min(outer.stop_timeout))));
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        match self.0.outer() {
            Some((outer, id)) if !outer.members.get(id).is_aborted() => self.ask_to_stop(),
            _ => self.0.tell(Message::Abort),
        }
    }
}

/// Turns the end of the group into that of the service.
///
/// # Errors
///
/// With the first cause, if the group has failed.
fn came_of(report: &Report, cx: &Context) -> Result<(), BoxError> {
    let failure = || match report.cause() {
        Some(cause) => BoxError::from(cause.clone()),
        None => report.summary().into(),
    };
    match report.outcome() {
        Outcome::Clean => Ok(()),
        Outcome::UncleanStop if cx.member().is_asked_to_stop() => {
            cx.tell_silently(News::StoppedUncleanly(failure()));
            Ok(())
        }
        _ => Err(failure()),
    }
}
