//! Tasks that a service spawns elsewhere than in its `start`: they belong to it all the same. It is gone only when they
//! are, and their failures are its own.

use std::sync::{Arc, OnceLock};

use group::{BoxError, Context, Ending, Group, Outcome, Service};
use tokio::time::{Instant, sleep};

use crate::support::{Journal, failures, in_time, millis, secs};

/// Spawns one task in each of its hooks, which ends a while after the stop, and from there another.
struct Spawner {
    journal: Journal,
    cx: OnceLock<Context>,
    in_stop: fn(&Context),
}

impl Spawner {
    fn new(journal: &Journal, in_stop: fn(&Context)) -> Self {
        Self { journal: journal.clone(), cx: OnceLock::new(), in_stop }
    }

    fn spawn(&self, place: &'static str) {
        let cx = self.cx.get().expect("it has started").clone();
        let (journal, again) = (self.journal.clone(), cx.clone());
        cx.spawn(async move {
            again.shutdown().requested().await;
            sleep(millis(100)).await;
            journal.write(format!("of {place}"));
            again.spawn(async move {
                sleep(millis(100)).await;
                journal.write(format!("nested in {place}"));
            });
        });
    }
}

impl Service for Spawner {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let _ = self.cx.set(cx.clone());
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        (self.in_stop)(self.cx.get().expect("it has started"));
        self.spawn("stop");
        self.journal.write("stop");
        Ok(())
    }

    async fn health(&self) -> Result<(), BoxError> {
        self.spawn("health");
        Ok(())
    }

    async fn reload(&self) -> Result<(), BoxError> {
        self.spawn("reload");
        Ok(())
    }
}

/// A group with one such service, and another.
fn group_of(spawner: Spawner) -> Group {
    let mut group = Group::new();
    group.add_as("s", spawner);
    group.add_fn("rest", |cx: Context| async move { cx.shutdown().requested().await });
    group
}

#[tokio::test(start_paused = true)]
async fn tasks_that_any_hook_has_spawned_are_waited_for() {
    let journal = Journal::default();
    let running = group_of(Spawner::new(&journal, |_| {})).start().await.unwrap();
    let handle = running.handle();
    handle.health().await;
    handle.reload().await.unwrap();
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    let before = ["of health", "of reload", "nested in health", "nested in reload"];
    assert_eq!(journal.take(), [&before[..], &["stop", "of stop", "nested in stop"]].concat());
    assert_eq!(asked.elapsed(), millis(400));
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_task_that_stop_has_spawned_is_that_of_the_service() {
    let fails = |cx: &Context| {
        cx.spawn(async {
            sleep(millis(200)).await;
            Err::<(), _>("the flush failed")
        });
    };
    let journal = Journal::default();
    let report = in_time(async { group_of(Spawner::new(&journal, fails)).start().await.unwrap().stop().await }).await;
    assert_eq!(report.outcome(), Outcome::RunFailed, "{report}");
    assert_eq!(failures(&report), ["`s` failed to stop: the flush failed"]);
    assert_eq!(journal.take(), ["stop", "of stop", "nested in stop"]);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_task_of_a_stop_that_failed_is_told_too() {
    let mut group = Group::new();
    group.add_as("s", FailsTwice(OnceLock::new()));
    group.add_fn("rest", |cx: Context| async move { cx.shutdown().requested().await });
    let report = in_time(async { group.start().await.unwrap().stop().await }).await;
    assert_eq!(failures(&report), ["`s` failed to stop: first", "`s` failed to stop: second"]);
}

/// Its `stop` spawns a task that fails, and fails.
struct FailsTwice(OnceLock<Context>);

impl Service for FailsTwice {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let _ = self.0.set(cx);
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.0.get().expect("it has started").spawn(async {
            sleep(secs(1)).await;
            Err::<(), _>("second")
        });
        Err("first".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stop_has_spawned_has_no_longer_than_the_service() {
    let hangs = |cx: &Context| cx.spawn(std::future::pending::<()>());
    let mut group = group_of(Spawner::new(&Journal::default(), hangs));
    group.configure("s", |spec| spec.stop_timeout(secs(3)));
    let running = group.start().await.unwrap();
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    assert_eq!((report.outcome(), asked.elapsed()), (Outcome::UncleanStop, secs(3)), "{report}");
    assert_eq!(report.service("s").unwrap().ending(), Ending::Aborted);
}
