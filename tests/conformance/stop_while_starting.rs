//! A stop that is asked for while the group starts.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::task::{self, Waker};
use std::time::Duration;

use group::{
    BoxError, Context, Ending, Group, Handle, Outcome, Ready, Report, Role, Service, Shutdown, State, StopReason,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::support::{
    Act::{Hang, Take},
    Journal,
    Point::{Asked, BuildLater, Run, StartLater},
    Probe, Stage as _, in_time, secs, start_aside, stops, text_at, then, until_state,
};

/// Asks for a stop when `entry` is written, in a group of three services of which `s2` is the second.
async fn stopped_while(entry: &str, journal: &Journal, s2: Probe) -> Report {
    let mut group = journal.group(["s1"]);
    let starting = start_aside(group.build::<2>(s2).build::<3>(journal.probe("s3")));
    journal.until(entry).await;
    journal.handle().stop();
    let report = in_time(starting).await.unwrap().expect_err("it was stopped before it was ready").into_report();
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 0), "{report}");
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked));
    assert_eq!(report.service("s3").unwrap().ending(), Ending::NeverBuilt);
    report
}

#[tokio::test(start_paused = true)]
async fn a_stop_cancels_what_is_being_built() {
    let journal = Journal::default();
    let report = stopped_while("s2 builds", &journal, journal.probe("s2").on(BuildLater, Hang)).await;
    assert_eq!(report.service("s2").unwrap().ending(), Ending::NeverBuilt);
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds"], stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_what_is_starting() {
    let journal = Journal::default();
    let report = stopped_while("s2 starts", &journal, journal.probe("s2").on(StartLater, Hang)).await;
    assert_eq!(report.service("s2").unwrap().ending(), Ending::Stopped);
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds", "s2 built", "s2 starts"], stops(["s2", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_starting_clean_up() {
    let journal = Journal::default();
    let s2 = journal.probe("s2").on(StartLater, Hang).on(Asked, Take(secs(2)));
    let report = stopped_while("s2 starts", &journal, s2).await;
    assert_eq!(report.service("s1").unwrap().stop_asked_at(), Some(secs(2)));
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds", "s2 built", "s2 starts"], stops(["s2", "s1"])));
}

/// Starts a group, and asks for a stop when one of its services sends a handle. Returns the report, and how long it took.
async fn stopped_when(mut starts: UnboundedReceiver<Handle>, group: &mut Group) -> (Report, Duration) {
    let starting = start_aside(group);
    let handle = in_time(starts.recv()).await.unwrap();
    let asked_at = Instant::now();
    handle.stop();
    let report = in_time(starting).await.unwrap().expect_err("it was stopped before it was ready").into_report();
    (report, asked_at.elapsed())
}

/// Connects to something that does not answer.
async fn connects(starts: &UnboundedSender<Handle>, cx: &Context) {
    starts.send(cx.handle()).unwrap();
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_start_that_is_not_ready_and_has_not_looked_for_it() {
    let (sender, starts) = unbounded_channel();
    let mut group = Group::new();
    group.add_fn("s", |cx: Context, ready: Ready, shutdown: Shutdown| async move {
        connects(&sender, &cx).await;
        ready.fire();
        shutdown.requested().await;
    });
    let (report, took) = stopped_when(starts, &mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::Clean, Duration::ZERO), "{report}");
}

struct Writes(Journal, &'static str);

impl Drop for Writes {
    fn drop(&mut self) {
        self.0.write(self.1);
    }
}

/// Never becomes ready.
struct Connecting(UnboundedSender<Handle>, Journal);

impl Service for Connecting {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let (_ready, _shutdown) = (cx.ready(), cx.shutdown());
        cx.spawn(pending::<()>());
        let _dropped = Writes(self.1.clone(), "start dropped");
        connects(&self.0, &cx).await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.1.write("stops");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nor_for_the_tasks_that_it_has_spawned_and_its_stop_runs_after_it() {
    let (sender, starts) = unbounded_channel();
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(Connecting(sender, journal.clone()));
    let (report, took) = stopped_when(starts, &mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::Clean, Duration::ZERO), "{report}");
    assert_eq!(journal.take(), ["start dropped", "stops"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_start_that_looks_for_it_between_its_steps() {
    let (sender, starts) = unbounded_channel();
    let journal = Journal::default();
    let steps = journal.clone();
    let mut group = Group::new();
    group.add_fn("s", |cx: Context, ready: Ready, shutdown: Shutdown| async move {
        let _never_fires = ready;
        while !shutdown.is_requested() {
            let _ = sender.send(cx.handle());
            sleep(secs(3)).await;
            steps.write("a whole step");
        }
    });
    let (report, took) = stopped_when(starts, &mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::Clean, secs(3)), "{report}");
    assert_eq!(journal.take(), ["a whole step"]);
}

/// Connects in a thread of its own, which nothing can drop.
struct OnThread {
    starts: UnboundedSender<Handle>,
    connected: Mutex<std::sync::mpsc::Receiver<()>>,
    journal: Journal,
}

#[group::service(register = false, name = "s")]
impl OnThread {
    fn start(&self, cx: Context, _ready: Ready, _shutdown: Shutdown) {
        self.starts.send(cx.handle()).unwrap();
        self.connected.lock().unwrap().recv().unwrap();
        self.journal.write("start is over");
    }

    async fn stop(&self) {
        self.journal.write("stops");
    }
}

#[tokio::test]
async fn a_start_on_a_thread_is_waited_for_because_it_cannot_be_dropped() {
    let (sender, mut starts) = unbounded_channel();
    let (connects, connected) = std::sync::mpsc::channel();
    let journal = Journal::default();
    let mut group = Group::new();
    group.add(OnThread { starts: sender, connected: Mutex::new(connected), journal: journal.clone() });
    let starting = start_aside(&mut group);
    let handle = in_time(starts.recv()).await.unwrap();
    handle.stop();
    until_state(&handle, "s", State::Stopping).await;
    for _ in 0..100 {
        yield_now().await;
    }
    connects.send(()).unwrap();
    let report = in_time(starting).await.unwrap().expect_err("it was stopped before it was ready").into_report();
    assert_eq!(report.outcome(), Outcome::Clean, "{report}");
    assert_eq!(journal.take(), ["start is over", "stops"]);
}

/// Serves already while it connects, and asks itself.
struct Early {
    starts: UnboundedSender<Handle>,
    answers: UnboundedSender<String>,
    is_asked: Notify,
}

#[group::service(register = false, name = "web", http = "127.0.0.1:0")]
impl Early {
    #[get("/")]
    async fn answer(&self, shutdown: Shutdown) -> &'static str {
        self.is_asked.notify_one();
        shutdown.requested().await;
        "answered"
    }

    async fn start(&self, cx: Context, _ready: Ready, _shutdown: Shutdown) {
        let addr = loop {
            match cx.handle().local_addr("web") {
                Some(addr) => break addr,
                None => yield_now().await,
            }
        };
        let answers = self.answers.clone();
        tokio::spawn(async move { answers.send(text_at(addr, "/").await) });
        self.is_asked.notified().await;
        connects(&self.starts, &cx).await;
    }
}

#[tokio::test]
async fn requests_are_answered_before_a_start_that_is_not_ready_is_dropped() {
    let (sender, starts) = unbounded_channel();
    let (answers, mut answered) = unbounded_channel();
    let mut group = Group::new();
    group.add(Early { starts: sender, answers, is_asked: Notify::new() });
    group.configure("web", |spec| spec.stop_timeout(secs(60)));
    let (report, _) = stopped_when(starts, &mut group).await;
    assert_eq!(report.outcome(), Outcome::Clean, "{report}");
    assert_eq!(in_time(answered.recv()).await.unwrap(), "answered");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_once_that_has_not_returned() {
    let journal = Journal::default();
    let s2 = journal.probe("s2").on(Run, Hang).spec(|spec| spec.role(Role::Once));
    let report = stopped_while("s2 starts", &journal, s2).await;
    assert_eq!(report.service("s2").unwrap().ending(), Ending::Stopped);
    assert_eq!(journal.take(), then(&["s1 starts", "s2 builds", "s2 built", "s2 starts"], stops(["s2", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_first_start_starts_nothing() {
    let journal = Journal::default();
    let mut starting = Box::pin(Group::new().build::<1>(journal.probe("s1")).probe(journal.probe("s2")).start());
    // There is one thread, so the group has begun, but none of its tasks runs until this test awaits something.
    assert!(starting.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
    // A drop asks for a stop.
    drop(starting);
    assert!(journal.last_words().await.is_empty());
}
