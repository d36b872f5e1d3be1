//! Reloading: new settings while the group runs.

use std::sync::{Arc, Mutex};

use group::{BoxError, Context, Event, Group, Outcome, Phase, ReloadError, Restart, Running, Service, State};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Level;

use crate::support::{
    Act::{Fail, Hang, Panic, Take},
    Journal,
    Point::{Reload, Run, StartLater, Stop},
    Probe, Stage as _, failures, in_time, listen, logged, logged_at, millis, secs, start_aside, until_state,
};

/// A service with a `reload` that takes a second.
fn reloadable(journal: &Journal, name: &str) -> Probe {
    journal.probe(name).on(Reload, Take(secs(1)))
}

#[tokio::test(start_paused = true)]
async fn services_reload_in_start_order_one_at_a_time() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(reloadable(&journal, "s3").after(["s1"]));
    group.probe(reloadable(&journal, "s1")).probe(journal.probe("s2"));
    let running = group.start().await.unwrap();
    assert_eq!(journal.take(), ["s1 starts", "s3 starts", "s2 starts"]);
    in_time(running.handle().reload()).await.unwrap();
    assert_eq!(journal.take(), ["s1 reloads", "s1 reloaded", "s3 reloads", "s3 reloaded"]);
    assert!(running.handle().status().is_ready());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn the_group_shows_that_it_reloads_and_is_ready_meanwhile() {
    let journal = Journal::default();
    let running = Group::new().probe(reloadable(&journal, "s1")).start().await.unwrap();
    let handle = running.handle();
    let mut events = handle.events();
    let reloading = tokio::spawn({
        let handle = handle.clone();
        async move { handle.reload().await }
    });
    journal.until("s1 reloads").await;
    let status = handle.status();
    assert!(status.phase() == Phase::Reloading && status.is_ready() && status.is_live(), "{status}");
    in_time(reloading).await.unwrap().unwrap();
    let status = handle.status();
    assert!(status.phase() == Phase::Running && status.is_ready(), "{status}");
    assert_eq!(events.recv().await, Some(Event::GroupReloading));
    assert_eq!(events.recv().await, Some(Event::GroupReloaded));
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_nobody_waits_for_any_more_is_over() {
    listen();
    let journal = Journal::default();
    let running = Group::new().probe(journal.probe("s1").on(Reload, Hang)).start().await.unwrap();
    let handle = running.handle();
    assert!(tokio::time::timeout(secs(1), handle.reload()).await.is_err());
    assert_eq!(handle.status().phase(), Phase::Running);
    assert_eq!(logged_at(Level::WARN), ["WARN s1 was cut off while it reloaded: its caller stopped waiting"]);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn reloads_do_not_overlap() {
    let journal = Journal::default();
    let running = Group::new().probe(reloadable(&journal, "s1")).start().await.unwrap();
    let handle = running.handle();
    let (one, two) = in_time(async { tokio::join!(handle.reload(), handle.reload()) }).await;
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(journal.take(), ["s1 starts", "s1 reloads", "s1 reloaded", "s1 reloads", "s1 reloaded"]);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn all_reloads_that_wait_at_the_same_time_are_one() {
    for (act, is_ok) in [(Take(secs(1)), true), (Fail, false)] {
        let journal = Journal::default();
        let s1 = journal.probe("s1").on(Reload, Take(secs(1))).on(Reload, act);
        let running = Group::new().probe(s1).start().await.unwrap();
        let first = start_reload(&running);
        journal.until("s1 reloads").await;
        let mut waiting: Vec<_> = (0..20).map(|_| start_reload(&running)).collect();
        assert_eq!(in_time(first).await.unwrap().is_ok(), is_ok);
        for reload in waiting.drain(..) {
            assert_eq!(in_time(reload).await.unwrap().is_ok(), is_ok, "its result is everybody's");
        }
        assert_eq!(journal.take().iter().filter(|entry| *entry == "s1 reloads").count(), 2);
        let report = running.stop().await;
        assert_eq!(report.failures().len(), if is_ok { 0 } else { 2 }, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_was_cut_off_is_nobodys_result() {
    let journal = Journal::default();
    let running = Group::new().probe(reloadable(&journal, "s1")).start().await.unwrap();
    let first = start_reload(&running);
    journal.until("s1 reloads").await;
    let (cut_off, waits) = (start_reload(&running), start_reload(&running));
    in_time(first).await.unwrap().unwrap();
    tokio::time::sleep(millis(500)).await;
    cut_off.abort();
    in_time(waits).await.unwrap().unwrap();
    assert_eq!(journal.take().iter().filter(|entry| *entry == "s1 reloads").count(), 3);
    assert!(running.stop().await.is_clean());
}

/// Reloads in a task of its own.
fn start_reload(running: &Running) -> JoinHandle<Result<(), ReloadError>> {
    let handle = running.handle();
    tokio::spawn(async move { handle.reload().await })
}

#[tokio::test]
async fn where_nothing_can_be_reloaded_the_caller_is_told() {
    let running = Journal::default().group(["s1", "s2"]).start().await.unwrap();
    assert!(matches!(running.handle().reload().await, Err(ReloadError::Nothing)));
    assert!(running.handle().status().is_ready());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_fails_is_told_and_the_service_runs_on() {
    for (act, did) in [(Fail, "s1 fails in Reload"), (Panic, "panicked: s1 panics in Reload")] {
        let journal = Journal::default();
        let mut group = Group::new();
        group.probe(journal.probe("s1").on(Reload, act)).probe(reloadable(&journal, "s2"));
        let running = group.start().await.unwrap();
        let error = in_time(running.handle().reload()).await.expect_err("it fails");
        assert!(error.to_string().starts_with(&format!("`s1` failed to reload: {did}")), "{error}");
        let ReloadError::Failed(failed) = error else { panic!("{error}") };
        assert_eq!(failed.iter().map(|failure| failure.service().unwrap_or_default()).collect::<Vec<_>>(), ["s1"]);
        assert_eq!(journal.take(), ["s1 starts", "s2 starts", "s1 reloads", "s2 reloads", "s2 reloaded"]);
        let status = running.handle().status();
        assert!(status.is_ready() && status.service("s1").unwrap().state() == State::Ready, "{status:?}");
        assert!(running.stop().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_failed_is_in_the_report() {
    let journal = Journal::default();
    let running = Group::new().probe(journal.probe("s1").on(Reload, Fail)).start().await.unwrap();
    in_time(running.handle().reload()).await.expect_err("it fails");
    let report = running.stop().await;
    let [failure] = report.failures() else { panic!("nothing of it is in: {report}") };
    assert_eq!((failure.service(), failure.is_fatal()), (Some("s1"), false));
    assert!(failure.to_string().ends_with("s1 fails in Reload"), "{failure}");
    assert_eq!(report.outcome(), Outcome::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_while_it_reloads_is_started_again() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s1 = journal.probe("s1").on_starts(..=1, Run, Take(secs(1))).on_starts(..=1, Run, Fail);
    let restarted = s1.on(Reload, Take(secs(5))).spec(|spec| spec.restart(Restart::on_failure()));
    let running = group.probe(restarted).probe(reloadable(&journal, "s2")).start().await.unwrap();
    in_time(running.handle().reload()).await.unwrap();
    let reloaded = ["s1 reloads", "s1 starts", "s1 reloaded", "s2 reloads", "s2 reloaded"];
    assert_eq!(journal.take()[2..], reloaded);
    assert!(running.handle().status().is_ready());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_fails_while_it_reloads_stops_at_once() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s1 = journal.probe("s1").on(Run, Take(secs(1))).on(Run, Fail).on(Reload, Hang);
    let running = group.probe(s1).start().await.unwrap();
    let begun = Instant::now();
    assert!(matches!(in_time(running.handle().reload()).await, Err(ReloadError::Stopping)));
    let report = in_time(running.wait()).await;
    assert_eq!((report.outcome(), begun.elapsed()), (Outcome::RunFailed, secs(1)));
    assert_eq!(failures(&report), ["`s1` failed: s1 fails in Run"]);
    assert_eq!(journal.take(), ["s1 starts", "s1 reloads", "s1 stops", "s1 dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_takes_long_says_once_what_it_waits_for() {
    listen();
    let journal = Journal::default();
    let slow = journal.probe("s1").on(Reload, Take(secs(30)));
    let running = Group::new().probe(slow).probe(reloadable(&journal, "s2")).start().await.unwrap();
    in_time(running.handle().reload()).await.expect("reloads");
    let waits: Vec<_> = logged().into_iter().filter(|line| line.contains("still waiting")).collect();
    assert_eq!(waits, ["INFO still waiting for s1 to reload (5 s; start_timeout 1m)"]);
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_hangs_is_given_up_in_time() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Reload, Hang).spec(|spec| spec.start_timeout(secs(3))));
    let running = group.probe(reloadable(&journal, "s2")).start().await.unwrap();
    let begun = Instant::now();
    let error = in_time(running.handle().reload()).await.expect_err("one of them hangs");
    assert_eq!(begun.elapsed(), secs(3 + 1), "the other is reloaded all the same");
    assert!(error.to_string().starts_with("`s1` failed to reload: it has not reloaded after 3"), "{error}");
    assert!(running.handle().status().is_ready());
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_reload_waits_until_the_group_has_started() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(reloadable(&journal, "s1")).probe(journal.probe("s2").on(StartLater, Take(secs(9))));
    let starting = start_aside(&mut group);
    journal.until("s2 starts").await;
    in_time(journal.handle().reload()).await.unwrap();
    assert_eq!(journal.take(), ["s1 starts", "s2 starts", "s2 ready", "s1 reloads", "s1 reloaded"]);
    assert!(starting.await.unwrap().unwrap().stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_waits_for_a_start_is_refused_when_that_fails() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s2 = journal.probe("s2").on(StartLater, Take(secs(9))).on(StartLater, Fail);
    let starting = start_aside(group.probe(reloadable(&journal, "s1")).probe(s2));
    journal.until("s2 starts").await;
    assert!(matches!(in_time(journal.handle().reload()).await, Err(ReloadError::Stopping)));
    assert!(starting.await.unwrap().is_err());
    assert!(!journal.take().contains(&"s1 reloads".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_stops_does_not_reload() {
    let journal = Journal::default();
    let running = Group::new().probe(reloadable(&journal, "s1").on(Stop, Take(secs(1)))).start().await.unwrap();
    let handle = running.handle();
    handle.stop();
    journal.until("s1 stops").await;
    assert!(matches!(handle.reload().await, Err(ReloadError::Stopping)));
    assert!(running.wait().await.is_clean());
    assert!(matches!(handle.reload().await, Err(ReloadError::Stopping)), "nor one that has stopped");
    assert!(!journal.take().contains(&"s1 reloads".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_reload() {
    listen();
    let journal = Journal::default();
    let running = Group::new().probe(journal.probe("s1").on(Reload, Hang)).start().await.unwrap();
    let handle = running.handle();
    let reloading = tokio::spawn(async move { handle.reload().await });
    journal.until("s1 reloads").await;
    let asked = Instant::now();
    assert!(in_time(running.stop()).await.is_clean());
    assert_eq!(asked.elapsed(), secs(0));
    assert!(matches!(reloading.await.unwrap(), Err(ReloadError::Stopping)));
    assert_eq!(logged_at(Level::WARN), ["WARN s1 was cut off while it reloaded: the group is stopping"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_being_started_again_is_passed_over() {
    let journal = Journal::default();
    let mut group = Group::new();
    let s1 = reloadable(&journal, "s1").on_starts(..=1, Run, Take(secs(1))).on_starts(..=1, Run, Fail);
    let slowly = Restart::on_failure().backoff(secs(9), secs(9));
    let running =
        group.probe(s1.spec(|spec| spec.restart(slowly))).probe(reloadable(&journal, "s2")).start().await.unwrap();
    until_state(&running.handle(), "s1", State::Restarting).await;
    in_time(running.handle().reload()).await.unwrap();
    assert_eq!(journal.take(), ["s1 starts", "s2 starts", "s2 reloads", "s2 reloaded"]);
    assert!(running.stop().await.is_clean());
}

/// Its `reload` and its `health` block their thread until the gate opens.
struct Gated {
    journal: Journal,
    gate: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Gated {
    fn waits(&self, hook: &str) {
        self.journal.write(format!("{hook} begins"));
        let _ = self.gate.lock().expect("no hook panics").recv();
        self.journal.write(format!("{hook} is over"));
    }
}

impl Service for Gated {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        self.journal.write("gated returns");
        Ok(())
    }

    async fn reload(&self) -> Result<(), BoxError> {
        self.waits("reload");
        Ok(())
    }

    async fn health(&self) -> Result<(), BoxError> {
        self.waits("health");
        Ok(())
    }
}

/// No future can be dropped while its thread is blocked, so the service waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_is_gone_only_when_its_reload_and_its_health_are_over() {
    for hook in ["reload", "health"] {
        let journal = Journal::default();
        let (gate, waits) = std::sync::mpsc::channel();
        let mut group = journal.group(["first"]);
        group.add_as("gated", Gated { journal: journal.clone(), gate: Mutex::new(waits) });
        group.configure("gated", |spec| spec.after_named("first"));
        let running = group.start().await.unwrap();
        let handle = running.handle();
        let asked = tokio::spawn(async move {
            if hook == "reload" { drop(handle.reload().await) } else { drop(handle.health().await) }
        });
        journal.until(&*format!("{hook} begins")).await;
        let stopping = tokio::spawn(running.stop());
        journal.until("gated returns").await;
        // If it did not wait, it would be gone by now.
        let _ = tokio::time::timeout(millis(50), journal.until("first stops")).await;
        gate.send(()).unwrap();
        let report = in_time(stopping).await.unwrap();
        asked.await.unwrap();
        assert!(report.is_clean(), "{report}");
        let entries = journal.entries();
        let at = |entry: &str| entries.iter().position(|written| written == entry);
        assert!(at(&format!("{hook} is over")) < at("first stops"), "{entries:?}");
    }
}
