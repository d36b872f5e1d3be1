//! The report of a group: how it ended.

use std::cmp::Reverse;
use std::fmt;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{BoxError, Chain, Failure, Failures};
use crate::base::text::{Took, count, signal_name};
use crate::lifecycle::interface::{GroupEnd, Stage};
use crate::lifecycle::plan::{Plan, Schedule};
use crate::record::chain;
use crate::record::event::StopReason;
use crate::record::service_report::{Ending, ServiceReport};

/// A start that takes longer than this is slow: the log says what it waits for, and the report what it has waited for.
pub(crate) const SLOW_START: Duration = Duration::from_secs(10);

/// As [`SLOW_START`], for a stop.
pub(crate) const SLOW_STOP: Duration = Duration::from_secs(5);

/// The number of services that are named as those that were slow.
const SLOWEST: usize = 5;

/// The report of a group that has ended: the outcome, the first cause, every other error, and each service's times.
///
/// Cheap to clone. `Display` prints a few lines for a person. With the feature `serde` it can be
/// serialized, with every time in milliseconds. Returned from `main`, it sets the process's exit code.
///
/// ```
/// use group::{Group, Outcome, Shutdown};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut group = Group::new();
/// group.add_fn("hello", || async { println!("hello") });
/// let report = group.run().await;
/// assert_eq!(report.outcome(), Outcome::Clean);
/// assert_eq!(report.exit_code(), 0);
/// println!("{report}");
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it says how the group ended"]
pub struct Report {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    end: End,
    services: Vec<ServiceReport>,
    failures: Failures,
    /// The order in which services waited for one another.
    plan: Arc<Plan>,
    /// The place of each service of the plan in `services`, which has those inside of others, too.
    places: Vec<usize>,
}

/// The end of a group as a whole.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) at: Duration,
    /// When the group was asked to stop, and why.
    pub(crate) stopping: Option<(Duration, StopReason)>,
    /// The exit code of a clean end.
    pub(crate) exit_code: Option<u8>,
    /// The number of tasks of no service that are cut off.
    pub(crate) detached: usize,
}

/// The outcome of a group. The first failure decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything stopped as it should. Exit code 0.
    Clean,
    /// A service failed while the group ran, or while it stopped. Exit code 1.
    RunFailed,
    /// The group did not come up; what had been started was stopped again. Exit code 2.
    StartFailed,
    /// The group stopped, but past a limit: a service was aborted. Exit code 3.
    UncleanStop,
    /// The setup is invalid, and nothing was built. Exit code 78, the `EX_CONFIG` of BSD's
    /// `sysexits.h`.
    BadGroup,
    /// A second signal of this number forced the end. Exit code 128 + n, as in a shell.
    Forced(i32),
}

impl Outcome {
    /// The exit code of this outcome.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::RunFailed => 1,
            Self::StartFailed => 2,
            Self::UncleanStop => 3,
            Self::BadGroup => 78,
            Self::Forced(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

impl From<GroupEnd> for Outcome {
    fn from(outcome: GroupEnd) -> Self {
        match outcome {
            GroupEnd::Clean => Self::Clean,
            GroupEnd::RunFailed => Self::RunFailed,
            GroupEnd::StartFailed => Self::StartFailed,
            GroupEnd::UncleanStop => Self::UncleanStop,
            GroupEnd::Forced(signal) => Self::Forced(signal),
        }
    }
}

impl Report {
    pub(crate) fn new(end: End, services: Vec<ServiceReport>, failures: Failures, plan: Arc<Plan>) -> Self {
        let places = (0..services.len()).collect();
        Self { inner: Arc::new(Inner { end, services, failures, plan, places }) }
    }

    /// The same report, in which the services of the plan have these places.
    pub(crate) fn with_places(self, places: Vec<usize>) -> Self {
        let Inner { end, services, failures, plan, .. } = Arc::unwrap_or_clone(self.inner);
        Self { inner: Arc::new(Inner { end, services, failures, plan, places }) }
    }

    /// The report of a group that was never made.
    pub(crate) fn of_nothing(outcome: Outcome, failures: Vec<Failure>) -> Self {
        let no_plan = Arc::new(Plan::new(Schedule::Strict, 0, &[]));
        let end = End { outcome, at: Duration::ZERO, stopping: None, exit_code: None, detached: 0 };
        Self::new(end, Vec::new(), failures.into(), no_plan)
    }

    /// As [`of_nothing`](Self::of_nothing), and logs why.
    pub(crate) fn refused(outcome: Outcome, failures: Vec<Failure>) -> Self {
        let report = Self::of_nothing(outcome, failures);
        report.log_refusal();
        report
    }

    /// Logs why nothing was started.
    pub(crate) fn log_refusal(&self) {
        for failure in self.failures() {
            tracing::error!(target: "group", "{}", Chain(failure));
        }
        tracing::error!(target: "group", exit_code = self.exit_code(), "{}", self.last_words());
    }

    /// The report of a group whose setup has these mistakes.
    pub(crate) fn bad_group(mistakes: Vec<BoxError>) -> Self {
        let failure = |mistake| Failure::new(None, Stage::Plan, true, mistake);
        Self::refused(Outcome::BadGroup, mistakes.into_iter().map(failure).collect())
    }

    /// The same report, with what went wrong after the last service was gone. A fatal failure makes a clean end an
    /// unclean one.
    pub(crate) fn with(&self, more: Vec<Failure>) -> Self {
        let Inner { end, services, failures, plan, places } = &*self.inner;
        let (mut end, mut failures) = (end.clone(), failures.clone());
        if end.outcome == Outcome::Clean && more.iter().any(Failure::is_fatal) {
            end.outcome = Outcome::UncleanStop;
        }
        for failure in more {
            drop(failures.push(failure));
        }
        Self::new(end, services.clone(), failures, Arc::clone(plan)).with_places(places.clone())
    }

    /// The outcome of the group.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.inner.end.outcome
    }

    /// Returns true if everything stopped as it should.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.inner.end.outcome == Outcome::Clean
    }

    /// The exit code of the [`outcome`](Self::outcome). A clean end has the code that was given to
    /// [`Handle::exit`](crate::Handle::exit), if one was.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.inner.end.exit_code {
            Some(code) if self.is_clean() => code,
            _ => self.inner.end.outcome.exit_code(),
        }
    }

    /// The first fatal failure. `None` if there was none.
    #[must_use]
    pub fn cause(&self) -> Option<&Failure> {
        self.failures().iter().find(|failure| failure.is_fatal())
    }

    /// Every failure but the first cause.
    fn besides(&self) -> impl Iterator<Item = &Failure> {
        let cause = self.cause();
        self.failures().iter().filter(move |failure| !cause.is_some_and(|cause| std::ptr::eq(cause, *failure)))
    }

    /// Every failure, in order. Only the last 1000 failures that the group survived are kept.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        self.inner.failures.kept()
    }

    /// The number of earlier failures that the group survived, and that were not kept.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.inner.failures.forgotten()
    }

    /// Why the group stopped. `None` if nothing was started.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&StopReason> {
        self.inner.end.stopping.as_ref().map(|(_, reason)| reason)
    }

    /// The time of the request to stop, counted from when the group began to start.
    #[must_use]
    pub fn stop_asked_at(&self) -> Option<Duration> {
        self.inner.end.stopping.as_ref().map(|(asked, _)| *asked)
    }

    /// The time at which everything was over, counted from when the group began to start.
    #[must_use]
    pub fn ended_at(&self) -> Duration {
        self.inner.end.at
    }

    /// Every service, in start order. One that is a [group](crate::Group::add_group) is followed by those inside of it.
    #[must_use]
    pub fn services(&self) -> &[ServiceReport] {
        &self.inner.services
    }

    /// A service of the plan.
    fn planned(&self, id: usize) -> &ServiceReport {
        &self.inner.services[self.inner.places[id]]
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceReport> {
        self.inner.services.iter().find(|service| service.name() == name)
    }

    /// The services that decided how long the start took, the last one first: each waited for the
    /// next. If the start failed, it begins with the last service that became ready.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let mut group = Group::new();
    /// # for name in ["database", "api"] {
    /// #     group.add_fn(name, |shutdown: Shutdown| async move { shutdown.requested().await });
    /// # }
    /// let report = group.start().await.unwrap().stop().await;
    /// for service in report.critical_chain() {
    ///     println!("{}: ready at {:?}, after {:?} of its own", service.name(), service.ready_at(), service.took_to_start());
    /// }
    /// # assert_eq!(report.critical_chain().iter().map(|service| service.name()).collect::<Vec<_>>(), ["api", "database"]);
    /// # }
    /// ```
    ///
    /// The idea comes from `systemd-analyze critical-chain`.
    #[must_use]
    pub fn critical_chain(&self) -> Vec<&ServiceReport> {
        let first_ready = |id: usize| self.planned(id).times.first_ready;
        self.named(chain::of_start(&self.inner.plan, self.inner.places.len(), first_ready))
    }

    /// The services that decided how long the stop took, the last one first: each waited for the next. Services that
    /// were gone before the stop was asked for are left out.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let mut group = Group::new();
    /// # for name in ["database", "api"] {
    /// #     group.add_fn(name, |shutdown: Shutdown| async move { shutdown.requested().await });
    /// # }
    /// let report = group.start().await.unwrap().stop().await;
    /// for service in report.stop_critical_chain() {
    ///     println!("{}: gone at {:?}, after {:?} of its own", service.name(), service.gone_at(), service.took_to_stop());
    /// }
    /// # assert_eq!(report.stop_critical_chain().iter().map(|one| one.name()).collect::<Vec<_>>(), ["database", "api"]);
    /// # }
    /// ```
    #[must_use]
    pub fn stop_critical_chain(&self) -> Vec<&ServiceReport> {
        let asked = self.stop_asked_at().unwrap_or(Duration::MAX);
        let gone = |id: usize| self.planned(id).gone_at().filter(|&gone| gone >= asked);
        self.named(chain::of_stop(&self.inner.plan, self.inner.places.len(), gone))
    }

    fn named(&self, chain: Vec<usize>) -> Vec<&ServiceReport> {
        chain.into_iter().map(|id| self.planned(id)).collect()
    }

    /// The last line of the log: the summary, and the first cause, which may stand far above.
    pub(crate) fn last_words(&self) -> String {
        let summary = self.summary();
        match self.cause() {
            Some(cause) => format!("{summary}: {}", Chain(cause)),
            None => summary,
        }
    }

    /// Sums the end up in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let asked = self.inner.end.stopping.as_ref().map(|(asked, _)| *asked);
        let was_stopped = |service: &&ServiceReport| {
            let is_left = || service.gone_at().zip(asked).is_none_or(|(gone, asked)| gone >= asked);
            service.times.built.is_some() && is_left()
        };
        let planned = || self.inner.places.iter().map(|&place| &self.inner.services[place]);
        let stopped = planned().filter(was_stopped).count();
        let stopped = match &self.inner.end.stopping {
            Some((asked, _)) if stopped > 0 => {
                let took = Took(self.inner.end.at.saturating_sub(*asked));
                format!(": {} in {took}, after {}", count(stopped, "service"), Took(*asked))
            }
            _ => String::new(),
        };
        let lost = match planned().filter(|service| service.ending == Ending::Failed).count() {
            0 => String::new(),
            lost => format!("; {} had failed", count(lost, "service")),
        };
        let detached = match self.inner.end.detached {
            0 => String::new(),
            left => format!("; {} of no service cut off", count(left, "task")),
        };
        let code = self.exit_code();
        match self.inner.end.outcome {
            Outcome::Clean if code == 0 => format!("stopped cleanly{stopped}{lost}{detached}"),
            Outcome::Clean => format!("stopped cleanly{stopped}{lost}{detached} (exit code {code})"),
            Outcome::RunFailed => format!("stopped after a failure{stopped}{detached} (exit code {code})"),
            Outcome::StartFailed if stopped.is_empty() => {
                format!("start failed; nothing had been started (exit code {code})")
            }
            Outcome::StartFailed => format!("start failed; stopped again{stopped}{detached} (exit code {code})"),
            Outcome::UncleanStop => format!("stopped, but not cleanly{stopped} (exit code {code})"),
            Outcome::BadGroup => format!("nothing was started: invalid setup (exit code {code})"),
            Outcome::Forced(signal) => {
                format!("forced to end by a second signal, {}{stopped} (exit code {code})", signal_name(signal))
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        if let Some(cause) = self.cause() {
            write!(f, "\n  first cause: {}", Chain(cause))?;
        }
        if self.forgotten() > 0 {
            write!(f, "\n  survived: {} more before these (not kept)", self.forgotten())?;
        }
        for failure in self.besides() {
            let which = if failure.is_fatal() { "also" } else { "survived" };
            write!(f, "\n  {which}: {}", Chain(failure))?;
        }
        write_slow(f, "start", SLOW_START, &self.critical_chain(), ServiceReport::took_to_start)?;
        write_slow(f, "stop", SLOW_STOP, &self.stop_critical_chain(), ServiceReport::took_to_stop)?;
        let width = self.services().iter().map(|service| service.name().len()).max().unwrap_or(0);
        for service in self.services() {
            write!(f, "\n  {:width$}  {}", service.name, service)?;
        }
        Ok(())
    }
}

/// Writes the slowest services of a critical chain in the order in which they came, if together they were slow: `slow start:
/// 12 s: users 9.5 s, gateway 2.5 s`.
fn write_slow(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    slow: Duration,
    chain: &[&ServiceReport],
    took: fn(&ServiceReport) -> Option<Duration>,
) -> fmt::Result {
    let steps: Vec<_> = chain.iter().rev().filter_map(|service| Some((took(service)?, service.name()))).collect();
    let all: Duration = steps.iter().map(|(took, _)| took).sum();
    if all < slow {
        return Ok(());
    }
    let mut slowest: Vec<usize> = (0..steps.len()).collect();
    slowest.sort_by_key(|&step| Reverse(steps[step].0));
    slowest.truncate(SLOWEST);
    slowest.sort_unstable();
    let named: Vec<_> = slowest.iter().map(|&step| format!("{} {}", steps[step].1, Took(steps[step].0))).collect();
    write!(f, "\n  slow {what}: {}: {}", Took(all), named.join(", "))
}

impl Termination for Report {
    fn report(self) -> ExitCode {
        ExitCode::from(self.exit_code())
    }
}

/// The group did not start. The services that had been started were stopped again before this was returned.
///
/// `Display` prints one line. `Debug` prints the whole report, as [`Report`]'s `Display` does: that is what
/// `unwrap` shows, and a `main` or a test that returns it.
#[derive(Clone)]
pub struct StartError {
    report: Report,
}

impl StartError {
    pub(crate) fn new(report: Report) -> Self {
        Self { report }
    }

    /// The report of the failed start.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The report of the failed start, by value.
    pub fn into_report(self) -> Report {
        self.report
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.report, f)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cause) = self.report.cause() else {
            return f.write_str("the group was stopped before it was ready");
        };
        cause.fmt(f)?;
        match self.report.besides().count() {
            0 => Ok(()),
            _ if cause.stage() == Stage::Plan => self.report.besides().try_for_each(|mistake| write!(f, "; {mistake}")),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.report.cause().and_then(std::error::Error::source)
    }
}
