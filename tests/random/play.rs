//! Plays a scenario, and keeps what was seen of it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use group::{Ending, Event, Handle, Outcome, Report, Running, StartError, StopReason};
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::probe::{Entry, Reload, Stage};
use crate::scenario::{How, Scenario};

/// Longer than every scenario takes.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The same in real time.
const A_MINUTE: Duration = Duration::from_secs(60);

/// All that was seen of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) scenario: Scenario,
    pub(crate) entries: Vec<Entry>,
    /// Empty if no service was reached: the group can be watched only through one.
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) reloads: Vec<Reload>,
    /// True if the group was stopping already when the first service was reached.
    pub(crate) late: bool,
    /// When the stop was asked for, if the group had not ended before.
    pub(crate) asked: Option<Duration>,
    /// What `Group::start` returned, if it was awaited to its end.
    pub(crate) came_up: Option<bool>,
    /// `None` if the group was dropped before anything could be seen of it.
    pub(crate) report: Option<Told>,
    /// When the report came, and how many entries and tasks there were then.
    pub(crate) ended: Duration,
    pub(crate) entries_at_end: usize,
    pub(crate) tasks_at_end: usize,
}

/// For the person who looks into a failure.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { at, who, what } in &self.entries {
            writeln!(f, "  {at:>8?} s{who} {what:?}")?;
        }
        for (at, event) in &self.events {
            writeln!(f, "  {at:>8?} {event:?}")?;
        }
        for reload in &self.reloads {
            writeln!(f, "  {reload:?}")?;
        }
        for line in self.report.iter().flat_map(|report| &report.failures) {
            writeln!(f, "  {line:?}")?;
        }
        for line in self.report.iter().flat_map(|report| &report.services) {
            writeln!(f, "  {line:?}")?;
        }
        let outcome = self.report.as_ref().map(|report| (report.outcome, report.exit_code, &report.stopped_by));
        let Self { asked, came_up, late, ended, tasks_at_end, .. } = self;
        writeln!(
            f,
            "  asked {asked:?}, came up {came_up:?}, late {late}, ended {ended:?}, tasks left {tasks_at_end}, {outcome:?}"
        )
    }
}

/// What the report says.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    pub(crate) exit_code: u8,
    pub(crate) stopped_by: Option<StopReason>,
    pub(crate) failures: Vec<Failed>,
    /// In start order.
    pub(crate) services: Vec<ToldOf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) who: Option<usize>,
    pub(crate) fatal: bool,
    pub(crate) words: String,
}

/// What the report says of one service.
#[derive(Clone, Debug)]
pub(crate) struct ToldOf {
    pub(crate) who: usize,
    pub(crate) ending: Ending,
    pub(crate) built: bool,
    pub(crate) restarts: u64,
    pub(crate) stop_asked: Option<Duration>,
    pub(crate) gone: Option<Duration>,
}

/// The place in the scenario of the service of this name.
pub(crate) fn id(name: &str) -> usize {
    name.trim_start_matches('s').parse().expect("its name is an s and its place")
}

impl From<&Report> for Told {
    fn from(report: &Report) -> Self {
        let failed = |failure: &group::Failure| Failed {
            who: failure.service().map(id),
            fatal: failure.is_fatal(),
            words: failure.error().to_string(),
        };
        let service = |service: &group::ServiceReport| ToldOf {
            who: id(service.name()),
            ending: service.ending(),
            built: service.built_at().is_some(),
            restarts: service.restarts(),
            stop_asked: service.stop_asked_at(),
            gone: service.gone_at(),
        };
        Self {
            outcome: report.outcome(),
            exit_code: report.exit_code(),
            stopped_by: report.stopped_by().cloned(),
            failures: report.failures().iter().map(failed).collect(),
            services: report.services().iter().map(service).collect(),
        }
    }
}

/// Plays a scenario to its end, on a clock that does not wait unless threads are blocked.
///
/// # Errors
///
/// When it has no end: the report never comes, or the group itself panics.
pub(crate) fn play(scenario: &Scenario) -> Result<History, String> {
    let (runtime, most) = if scenario.blocks {
        (Builder::new_multi_thread().worker_threads(1).enable_time().build(), A_MINUTE)
    } else {
        (Builder::new_current_thread().enable_time().start_paused(true).build(), FOR_EVER)
    };
    let runtime = runtime.expect("a runtime");
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let stage = Stage::new(scenario);
            let seen = timeout(most, perform(&stage)).await;
            let entries = stage.journal.entries();
            seen.map_err(|_| format!("the report never comes, after {entries:?}"))
        })
    }));
    played.unwrap_or_else(|panic| Err(format!("the group itself panics: {:?}", panic.downcast_ref::<String>())))
}

/// How a group ended.
#[derive(Default)]
struct End {
    report: Option<Report>,
    came_up: Option<bool>,
    asked: Option<Duration>,
}

async fn perform(stage: &Arc<Stage>) -> History {
    let End { report, came_up, asked } = end(stage).await;
    let ended = stage.now();
    let entries_at_end = stage.journal.entries().len();
    let witness = stage.witness.get();
    let others = witness.map(|witness| std::mem::take(&mut *witness.others.lock().unwrap())).unwrap_or_default();
    let mut tasks_at_end = alive() - others.iter().filter(|other| !other.is_finished()).count();
    for other in others {
        other.await.expect("it only watches");
    }
    if stage.scenario.blocks {
        // Another thread may still be leaving the last tasks.
        let gone = async {
            while alive() > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(Duration::from_secs(5), gone).await;
        tasks_at_end = alive();
    } else {
        // A task that was left behind would act in this time.
        sleep(Duration::from_secs(60 * 60)).await;
    }
    History {
        scenario: stage.scenario.clone(),
        entries: stage.journal.entries(),
        events: stage.events.entries(),
        reloads: stage.reloads.entries(),
        late: witness.is_some_and(|witness| witness.late),
        asked,
        came_up,
        report: report.as_ref().map(Told::from),
        ended,
        entries_at_end,
        tasks_at_end,
    }
}

fn alive() -> usize {
    Runtime::current().metrics().num_alive_tasks()
}

async fn end(stage: &Arc<Stage>) -> End {
    let mut starting = Box::pin(stage.group().start());
    let mut due = pin!(stage.comes(stage.scenario.ask.when));
    let started = tokio::select! {
        biased;
        started = &mut starting => started,
        () = &mut due => {
            let asked = Some(stage.now());
            return match stage.witness.get() {
                Some(witness) if stage.scenario.ask.how != How::Drop => {
                    stage.scenario.ask.how.ask(&witness.handle);
                    End { asked, ..to_the_end(starting.await, pin!(std::future::pending()), stage).await }
                }
                _ => {
                    drop(starting);
                    End { asked, report: unseen(stage).await, came_up: None }
                }
            };
        }
    };
    to_the_end(started, due, stage).await
}

impl How {
    /// Asks for the stop. A drop of the running group is left to the caller.
    pub(crate) fn ask(self, handle: &Handle) {
        match self {
            Self::Stop => handle.stop(),
            Self::Exit(code) => handle.exit(code),
            Self::Drop => {}
        }
    }
}

/// Goes on after `Group::start`, whatever that returned.
async fn to_the_end(started: Result<Running, StartError>, due: impl Future<Output = ()> + Unpin, stage: &Stage) -> End {
    let running = match started {
        Ok(running) => running,
        Err(error) => return End { report: Some(error.into_report()), came_up: Some(false), asked: None },
    };
    let handle = running.handle();
    let mut ended: Pin<Box<dyn Future<Output = Report>>> = Box::pin(running.wait());
    let (report, asked) = tokio::select! {
        biased;
        report = &mut ended => (report, None),
        () = due => {
            let asked = Some(stage.now());
            stage.scenario.ask.how.ask(&handle);
            if stage.scenario.ask.how == How::Drop {
                // The old future holds the running group, and this drops it.
                ended = Box::pin(async move { handle.wait().await });
            }
            (ended.await, asked)
        }
    };
    End { report: Some(report), came_up: Some(true), asked }
}

/// The report of a group that was dropped, through the handle of a service, if one was reached.
async fn unseen(stage: &Stage) -> Option<Report> {
    for _ in 0..100 {
        match stage.witness.get() {
            Some(witness) => return Some(witness.handle.wait().await),
            None => yield_now().await,
        }
    }
    None
}
