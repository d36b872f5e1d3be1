//! Tests a group with every fault in turn: what happens to *your* services when one of them fails? Needs the feature
//! `testing`.
//!
//! [`every_fault`] runs a group many times under paused time. In each run one service fails in one way, at one point of
//! its life, and every run is checked against the promises of a group. For a group with a real database, or with any
//! socket of its own, there is [`every_fault_in_real_time`].
//!
//! ```
//! use group::{Group, Shutdown, testing};
//!
//! fn shop() -> Group {
//!     let mut group = Group::new();
//!     group
//!         .add_fn("database", |shutdown: Shutdown| async move { shutdown.requested().await })
//!         .add_fn("api", |shutdown: Shutdown| async move { shutdown.requested().await });
//!     group
//! }
//!
//! let tried = testing::every_fault(shop).unwrap();
//! assert_eq!(tried.services, 2);
//! println!("{tried}");
//! ```

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::base::error::{BoxError, Failure};
use crate::base::lock;
use crate::group::Group;
use crate::group::declaration::Declared;
use crate::lifecycle::interface::Stage;
use crate::record::event::{Event, StopReason};
use crate::record::report::{Outcome, Report};
use crate::record::service_report::Ending;
use crate::record::state::State;
use crate::running::handle::Handle;
use crate::running::instance::{BoxFuture, Instance};
use crate::running::new_settings::NewSettings;
use crate::service::context::Context;
use crate::service::{DynService, Factory, Make};

/// The time, paused, that a group runs before it is asked to stop.
const RUN: Duration = Duration::from_secs(600);

/// The time for which tasks may outlive the group in real time: those that close a connection, for example.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// The way in which a service is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It returns an error.
    Error,
    /// It panics.
    Panic,
    /// It waits forever.
    Hang,
    /// It returns `Ok` at once.
    Return,
}

/// The point in the life of a service at which it is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Point {
    /// In place of `new`.
    New,
    /// In place of `start`, before the service is ready.
    Start,
    /// In `start`, once the group is ready.
    Run,
    /// In place of `stop`.
    Stop,
}

/// Every fault at every point, except an early return of `new`, which must return the service.
const INJECTIONS: [(Point, Fault); 15] = [
    (Point::New, Fault::Error),
    (Point::New, Fault::Panic),
    (Point::New, Fault::Hang),
    (Point::Start, Fault::Error),
    (Point::Start, Fault::Panic),
    (Point::Start, Fault::Hang),
    (Point::Start, Fault::Return),
    (Point::Run, Fault::Error),
    (Point::Run, Fault::Panic),
    (Point::Run, Fault::Hang),
    (Point::Run, Fault::Return),
    (Point::Stop, Fault::Error),
    (Point::Stop, Fault::Panic),
    (Point::Stop, Fault::Hang),
    (Point::Stop, Fault::Return),
];

/// A fault of one service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Injection {
    /// The name of the service.
    pub service: String,
    /// The point in its life.
    pub point: Point,
    /// The way in which it fails.
    pub fault: Fault,
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, point, fault } = self;
        let point = match point {
            Point::New => "new",
            Point::Start => "start",
            Point::Run => "start, when ready",
            Point::Stop => "stop",
        };
        let fault = match fault {
            Fault::Error => "an error",
            Fault::Panic => "a panic",
            Fault::Hang => "a hang",
            Fault::Return => "an early return",
        };
        write!(f, "{fault} in `{service}` ({point})")
    }
}

/// The extent of a test that found no broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tried {
    /// The number of services in the group.
    pub services: usize,
    /// The number of runs.
    pub runs: usize,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs: {} services, every fault at every point", self.runs, self.services)
    }
}

/// A run that broke a promise.
#[derive(Clone)]
pub struct Broken {
    /// The fault; `None` for the run without one.
    pub injection: Option<Injection>,
    /// A description of the broken promise.
    pub what: String,
    /// The report of the run.
    pub report: Report,
    time: Time,
}

/// The time in which a group runs.
#[derive(Clone, Copy)]
enum Time {
    Paused,
    /// Once it has started, it runs so long before it is asked to stop.
    Real(Duration),
}

impl Time {
    /// Waits until the group is to be asked to stop.
    async fn is_over(self, group: &Handle) {
        match self {
            Self::Paused => tokio::time::sleep(RUN).await,
            Self::Real(runs_for) => {
                group.shared.ready.wait().await;
                tokio::time::sleep(runs_for).await;
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.injection {
            Some(injection) => write!(f, "after {injection}: ")?,
            None => f.write_str("without any fault: ")?,
        }
        write!(f, "{}\n{}", self.what, self.report)?;
        match self.time {
            Time::Paused => f.write_str(
                "\n  note: time was paused, and leaps over the timeouts of real sockets: for a group with a real \
                 database, or with any socket of its own, use `testing::every_fault_in_real_time`",
            ),
            Time::Real(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Broken {}

/// Runs the group that `make` makes once as it is, and then once for each service, each point of its life and each
/// fault. After each run it checks that
///
/// - services started and stopped in order, each once, and no task of them is left;
/// - the stop took no longer than the group's `stop_timeout`;
/// - the fault is in the report, and the outcome is that of the first cause;
/// - no other service failed because of it or had to be aborted.
///
/// The group runs for ten minutes before it is asked to stop, on one thread and under tokio's paused time: timers do not
/// wait. Whenever all tasks wait for something outside of the process, such as the answer of a database, time leaps to
/// the next timer, which may be the timeout of that very answer. So let `make` put fakes in place of a real database and
/// of clients with real sockets, or use [`every_fault_in_real_time`]. A service that only listens, as an HTTP service
/// does, is no such case.
///
/// # Errors
///
/// The first run that broke one of these promises.
///
/// # Panics
///
/// If it is called from within an async runtime, or if no runtime can be built.
pub fn every_fault(make: impl Fn() -> Group) -> Result<Tried, Broken> {
    try_all(make, Time::Paused)
}

/// As [`every_fault`], in real time: for a group with a real database, or with any socket of its own.
///
/// Once it has started, the group runs for `runs_for` before it is asked to stop. A service that hangs does so until its
/// `start_timeout` or `stop_timeout`, so `make` should set short ones:
///
/// ```
/// use group::{Group, Shutdown, testing};
/// use std::time::Duration;
///
/// fn shop() -> Group {
///     let limit = Duration::from_millis(100);
///     let mut group = Group::new();
///     group
///         .add_fn("database", |shutdown: Shutdown| async move { shutdown.requested().await })
///         .configure("database", |spec| spec.start_timeout(limit).stop_timeout(limit));
///     group
/// }
///
/// let tried = testing::every_fault_in_real_time(shop, Duration::from_millis(10)).unwrap();
/// println!("{tried}");
/// ```
///
/// # Errors
///
/// The first run that broke a promise.
///
/// # Panics
///
/// If it is called from within an async runtime, or if no runtime can be built.
pub fn every_fault_in_real_time(make: impl Fn() -> Group, runs_for: Duration) -> Result<Tried, Broken> {
    try_all(make, Time::Real(runs_for))
}

fn try_all(make: impl Fn() -> Group, time: Time) -> Result<Tried, Broken> {
    let names = run(make(), None, time)?;
    let mut runs = 1;
    for service in &names {
        for (point, fault) in INJECTIONS {
            run(make(), Some(Injection { service: service.clone(), point, fault }), time)?;
            runs += 1;
        }
    }
    Ok(Tried { services: names.len(), runs })
}

/// Runs a group once, and returns the names of its services.
fn run(mut group: Group, injection: Option<Injection>, time: Time) -> Result<Vec<String>, Broken> {
    let trap = injection.as_ref().map(|injection| inject(&mut group, injection));
    let is_paused = matches!(time, Time::Paused);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(is_paused).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("cannot build a runtime: {error}"));
    let observed = runtime.block_on(observe(&mut group, time));
    let sprung = trap.is_some_and(|trap| trap.sprung.load(Ordering::Relaxed));
    let what = observed.check(injection.as_ref(), sprung).err();
    match what {
        Some(what) => Err(Broken { injection, what, report: observed.report, time }),
        None => Ok(observed.report.services().iter().map(|service| service.name().to_owned()).collect()),
    }
}

/// Puts a trap into one service of a group.
fn inject(group: &mut Group, injection: &Injection) -> Trap {
    let trap = Trap { point: injection.point, fault: injection.fault, sprung: Arc::default() };
    let named = |service: &&mut Declared| service.spec.get_name() == injection.service;
    if let Some(service) = group.declared.services.iter_mut().find(named)
        && let Some(factory) = service.factory.take()
    {
        let trap = trap.clone();
        let has_reload = factory.has_reload();
        let factory = Mutex::new(Some(factory));
        let make: Make = Box::new(move |cx| {
            let (trap, factory) = (trap.clone(), lock(&factory).take());
            Box::pin(async move {
                if trap.point == Point::New {
                    trap.spring().await?;
                }
                let inner = match factory {
                    Some(Factory::Made(service)) => service,
                    Some(Factory::Make { make, .. }) => make(cx).await?,
                    None => return Err("a service with a trap is built once".into()),
                };
                Ok(Arc::new(Faulty { inner, trap }) as Arc<dyn DynService>)
            })
        });
        service.factory = Some(Factory::Make { make, has_reload });
    }
    trap
}

/// A fault that happens when its point is reached.
#[derive(Clone)]
struct Trap {
    point: Point,
    fault: Fault,
    /// True once its point was reached. Some points never are: a service that has completed cannot fail while it runs.
    sprung: Arc<AtomicBool>,
}

impl Trap {
    async fn spring(&self) -> Result<(), BoxError> {
        self.sprung.store(true, Ordering::Relaxed);
        match self.fault {
            Fault::Error => Err("an injected error".into()),
            Fault::Panic => panic!("an injected panic"),
            Fault::Hang => std::future::pending().await,
            Fault::Return => Ok(()),
        }
    }
}

/// A service with a fault.
struct Faulty {
    inner: Arc<dyn DynService>,
    trap: Trap,
}

impl DynService for Faulty {
    fn start(self: Arc<Self>, cx: Context) -> BoxFuture<Result<(), BoxError>> {
        Box::pin(async move {
            match self.trap.point {
                Point::Start => {
                    let _unready = cx.ready();
                    self.trap.spring().await
                }
                Point::Run => {
                    let group_ready = cx.group_ready();
                    tokio::select! {
                        biased;
                        ended = Arc::clone(&self.inner).start(cx) => ended,
                        () = group_ready => self.trap.spring().await,
                    }
                }
                Point::New | Point::Stop => Arc::clone(&self.inner).start(cx).await,
            }
        })
    }

    fn has_stop(&self) -> bool {
        self.trap.point == Point::Stop || self.inner.has_stop()
    }

    fn has_reload(&self) -> bool {
        self.inner.has_reload()
    }

    fn stop(self: Arc<Self>) -> BoxFuture<Option<Result<(), BoxError>>> {
        if self.trap.point == Point::Stop {
            return Box::pin(async move { Some(self.trap.spring().await) });
        }
        Arc::clone(&self.inner).stop()
    }
}

impl Instance for Faulty {
    fn health(self: Arc<Self>) -> BoxFuture<Result<(), BoxError>> {
        Arc::clone(&self.inner).health()
    }

    fn reload(self: Arc<Self>, settings: NewSettings) -> BoxFuture<Option<Result<(), BoxError>>> {
        Arc::clone(&self.inner).reload(settings)
    }

    fn put_into(self: Arc<Self>, slot: &mut dyn Any) {
        Arc::clone(&self.inner).put_into(slot);
    }
}

/// The observations of one run.
struct Observed {
    report: Report,
    events: Vec<Event>,
    /// For each service, in start order, the services that start after it.
    holders: Vec<Vec<String>>,
    took: Duration,
    stop_timeout: Duration,
    tasks_left: usize,
}

/// Runs a group and observes it.
async fn observe(group: &mut Group, time: Time) -> Observed {
    let before = alive_tasks();
    let running = match group.start_observed() {
        Ok(running) => running,
        Err(report) => return Observed::refused(report),
    };
    let handle = running.handle();
    let mut events = handle.events();
    // A group that has started runs for the whole time, unless a service ends it.
    tokio::select! {
        biased;
        () = handle.stopping() => {}
        () = time.is_over(&handle) => {}
    }
    let asked = tokio::time::Instant::now();
    let report = running.stop().await;
    let took = asked.elapsed();
    let mut seen = Vec::new();
    while let Some(event) = events.recv().await {
        seen.push(event);
    }
    Observed {
        holders: handle.holders(),
        stop_timeout: handle.shared.stop_timeout,
        tasks_left: tasks_left(before, time).await,
        events: seen,
        report,
        took,
    }
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// The number of tasks that outlive the group.
async fn tasks_left(before: usize, time: Time) -> usize {
    // The driver's own task ends with the report.
    tokio::task::yield_now().await;
    let ended = tokio::time::Instant::now();
    while matches!(time, Time::Real(_)) && alive_tasks() > before && ended.elapsed() < LEFTOVERS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    alive_tasks().saturating_sub(before)
}

impl Observed {
    fn refused(report: Report) -> Self {
        let (events, holders) = (Vec::new(), Vec::new());
        Self { report, events, holders, took: Duration::ZERO, stop_timeout: Duration::MAX, tasks_left: 0 }
    }

    fn check(&self, injection: Option<&Injection>, sprung: bool) -> Result<(), String> {
        if self.report.outcome() == Outcome::BadGroup {
            return Err("invalid setup".to_owned());
        }
        self.each_once()?;
        self.in_order()?;
        self.in_time()?;
        self.as_the_first_cause_says()?;
        match injection {
            None if self.report.is_clean() => Ok(()),
            None => Err("the group does not end cleanly".to_owned()),
            Some(injection) => {
                if sprung {
                    self.nothing_lost(injection)?;
                }
                self.no_other_harmed(injection)
            }
        }
    }

    /// Returns the place of the event that a service came to this state for the first time.
    fn position(&self, name: &str, state: State) -> Option<usize> {
        let is_it = |event: &Event| matches!(event, Event::Service { name: n, state: s } if n == name && *s == state);
        self.events.iter().position(is_it)
    }

    fn each_once(&self) -> Result<(), String> {
        for service in self.report.services() {
            for state in [State::Building, State::Stopping, State::Gone] {
                let (name, is) = (service.name(), Event::Service { name: service.name().to_owned(), state });
                let times = self.events.iter().filter(|event| **event == is).count();
                if times > 1 {
                    return Err(format!("`{name}` was {state} {times} times"));
                }
            }
            if service.built_at().is_some() && service.gone_at().is_none() {
                return Err(format!("`{}` was built and never stopped", service.name()));
            }
        }
        match self.tasks_left {
            0 => Ok(()),
            left => Err(format!("{left} tasks outlive the group")),
        }
    }

    fn in_order(&self) -> Result<(), String> {
        for (service, holders) in self.report.services().iter().zip(&self.holders) {
            let name = service.name();
            let stopped = self.position(name, State::Stopping);
            for holder in holders {
                let built = self.position(holder, State::Building);
                let settled = [State::Ready, State::Completed, State::Failed].map(|state| self.position(name, state));
                if built.is_some() && !settled.iter().flatten().any(|at| built > Some(*at)) {
                    return Err(format!("`{holder}` was built before `{name}` was ready"));
                }
                let gone = self.position(holder, State::Gone);
                if built.is_some() && stopped.is_some() && gone > stopped {
                    return Err(format!("`{name}` was stopped before `{holder}` was gone"));
                }
            }
        }
        Ok(())
    }

    fn in_time(&self) -> Result<(), String> {
        if self.took > self.stop_timeout {
            return Err(format!("the stop took {:?}, and the limit is {:?}", self.took, self.stop_timeout));
        }
        Ok(())
    }

    fn as_the_first_cause_says(&self) -> Result<(), String> {
        let outcome = self.report.outcome();
        let fits = match self.report.cause().map(Failure::stage) {
            None => outcome == Outcome::Clean,
            Some(Stage::Stop) => matches!(outcome, Outcome::RunFailed | Outcome::UncleanStop),
            Some(_) if self.has_failed_to_start() => outcome == Outcome::StartFailed,
            Some(_) => outcome == Outcome::RunFailed,
        };
        if fits { Ok(()) } else { Err(format!("the outcome, {outcome:?}, is not that of the first cause")) }
    }

    /// Returns true if the group was never ready, and was not asked to stop before it failed.
    fn has_failed_to_start(&self) -> bool {
        !self.events.contains(&Event::GroupReady) && self.report.stopped_by() != Some(&StopReason::Asked)
    }

    /// Checks that the fault is in the report, and is the first cause if it is fatal. An early return need not be a
    /// failure, nor need a hang be one: a task that is stopped by being dropped may hang.
    fn nothing_lost(&self, injection: &Injection) -> Result<(), String> {
        let said = match injection.fault {
            Fault::Error => "an injected error",
            Fault::Panic => "an injected panic",
            Fault::Hang | Fault::Return => return Ok(()),
        };
        let is_it = |failure: &&Failure| {
            failure.service() == Some(&injection.service) && failure.error().to_string().contains(said)
        };
        match self.report.failures().iter().find(is_it) {
            None => Err("its failure is not in the report".to_owned()),
            Some(failure) if failure.is_fatal() && !self.report.cause().is_some_and(|cause| is_it(&cause)) => {
                Err("its failure is not the first cause".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    fn no_other_harmed(&self, injection: &Injection) -> Result<(), String> {
        let others = self.report.services().iter().filter(|service| service.name() != injection.service);
        for service in others {
            let name = service.name();
            match service.ending() {
                Ending::Aborted | Ending::Abandoned => return Err(format!("`{name}` did not stop in time")),
                Ending::Failed => return Err(format!("`{name}` failed, too")),
                Ending::NeverBuilt | Ending::Stopped | Ending::Completed => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_must_be_that_of_the_first_cause() {
        let is_held = |outcome, stage, events: &[Event]| {
            let cause = Failure::new(Some("s1"), stage, true, "it rains".into());
            let observed = Observed::refused(Report::of_nothing(outcome, vec![cause]));
            Observed { events: events.to_vec(), ..observed }.as_the_first_cause_says().is_ok()
        };
        assert!(is_held(Outcome::StartFailed, Stage::Build, &[]));
        assert!(!is_held(Outcome::RunFailed, Stage::Build, &[]));
        assert!(is_held(Outcome::RunFailed, Stage::Run, &[Event::GroupReady]));
        assert!(!is_held(Outcome::StartFailed, Stage::Run, &[Event::GroupReady]));
        assert!(is_held(Outcome::UncleanStop, Stage::Stop, &[Event::GroupReady]));
        assert!(!is_held(Outcome::Clean, Stage::Stop, &[Event::GroupReady]));
    }
}
