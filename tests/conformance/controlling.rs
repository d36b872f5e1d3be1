//! Controlling a group: ending it with an exit code, spawning tasks, asking for more time,
//! subscribing to events, and running beside another group.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use group::{
    BoxError, Context, Ending, Event, Group, Handle, Outcome, Ready, Restart, Role, Service, Shutdown, State,
    StopReason,
};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::Level;

use crate::support::{
    Act::{self, Fail, Hang, Panic, Take},
    Journal,
    Point::{Asked, Build, StartLater, Stop},
    Stage as _, ended, fails_to_start, failures, in_time, listen, logged_at, secs, start_aside, started_and_stopped,
    stops, then,
};

/// Starts in this many steps of one second, and asks for two seconds before each step.
async fn start_in_steps(steps: usize, shutdown: &Shutdown) {
    for _ in 0..steps {
        shutdown.extend(secs(2));
        sleep(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_asks_for_more_time_in_time_gets_it() {
    let mut group = Group::new();
    group.add_fn("s1", |shutdown: Shutdown, ready: Ready| async move {
        start_in_steps(9, &shutdown).await;
        ready.fire();
        shutdown.requested().await;
    });
    group.configure("s1", |spec| spec.start_timeout(secs(2)));
    let begun = Instant::now();
    let running = in_time(group.start()).await.unwrap();
    assert_eq!(begun.elapsed(), secs(9));
    assert!(running.stop().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_asks_no_more_is_given_up_at_the_last_extension() {
    let mut group = Group::new();
    group.add_fn("s1", |shutdown: Shutdown, ready: Ready| async move {
        start_in_steps(4, &shutdown).await;
        shutdown.requested().await;
        drop(ready);
    });
    group.configure("s1", |spec| spec.start_timeout(secs(2)));
    let report = fails_to_start(&mut group).await;
    assert_eq!(report.outcome(), Outcome::StartFailed);
    assert_eq!(
        failures(&report),
        ["`s1` failed to start: it is not ready after 5 s (start_timeout): its `Ready` was not fired"]
    );
}

#[tokio::test(start_paused = true)]
async fn to_ask_for_less_never_shortens_a_limit() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.add_fn("s1", |shutdown: Shutdown, ready: Ready| async move {
        shutdown.extend(secs(9));
        shutdown.extend(secs(1));
        sleep(secs(8)).await;
        ready.fire();
        shutdown.requested().await;
    });
    group.configure("s1", |spec| spec.start_timeout(secs(5)));
    // The limit of `s2` runs out earlier.
    group.probe(journal.probe("s2").on(StartLater, Take(secs(1))).spec(|spec| spec.start_timeout(secs(2))));
    let running = in_time(group.schedule(group::Schedule::Graph).start()).await.expect("it was given nine seconds");
    assert!(running.stop().await.is_clean());
}

/// Stops in this many steps of one second, and asks for two seconds before each step.
async fn stop_in_steps(steps: usize, shutdown: Shutdown) {
    shutdown.requested().await;
    for _ in 0..steps {
        shutdown.extend(secs(2));
        sleep(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_asks_for_more_time_in_time_gets_it() {
    let mut group = Group::new();
    group.add_fn("s1", |shutdown: Shutdown| stop_in_steps(9, shutdown));
    let (report, took) = started_and_stopped(group.configure("s1", |spec| spec.stop_timeout(secs(2)))).await;
    assert_eq!((report.outcome(), took), (Outcome::Clean, secs(9)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_asks_no_more_is_aborted_at_the_last_extension() {
    let mut group = Group::new();
    group.add_fn("s1", |shutdown: Shutdown| async move {
        stop_in_steps(4, shutdown).await;
        std::future::pending::<()>().await;
    });
    let (report, took) = started_and_stopped(group.configure("s1", |spec| spec.stop_timeout(secs(2)))).await;
    assert_eq!((report.outcome(), took), (Outcome::UncleanStop, secs(5)));
    assert_eq!(report.service("s1").unwrap().ending(), Ending::Aborted);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_ever_gets_neither_the_groups_time_nor_that_of_others() {
    let journal = Journal::default();
    let mut group = Group::new();
    group.probe(journal.probe("s1").on(Stop, Take(secs(2))));
    group.add_fn("s2", |shutdown: Shutdown| stop_in_steps(usize::MAX, shutdown));
    let (report, took) = started_and_stopped(group.stop_timeout(secs(10))).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    assert_eq!(report.service("s2").unwrap().ending(), Ending::Aborted);
    assert_eq!(report.service("s1").unwrap().ending(), Ending::Stopped);
    assert!(took <= secs(10), "{took:?}");

    group.add_fn("s1", |shutdown: Shutdown| stop_in_steps(usize::MAX, shutdown));
    let (report, took) = started_and_stopped(group.stop_timeout(secs(10))).await;
    assert_eq!(report.service("s1").unwrap().ending(), Ending::Aborted);
    assert!(took <= secs(10), "{took:?}");
}

/// A task of a service; it ends after a second, with this result.
async fn child(act: Act) -> Result<(), BoxError> {
    sleep(secs(1)).await;
    match act {
        Fail => Err("child fails".into()),
        Panic => panic!("child panics"),
        _ => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_what_a_service_spawned_is_its_own() {
    for (act, message) in [(Fail, "`s2` failed: child fails"), (Panic, "`s2` failed: panicked: child panics")] {
        let journal = Journal::default();
        let mut group = journal.group(["s1"]);
        group.add_fn("s2", move |cx: Context, shutdown: Shutdown| async move {
            cx.spawn(child(act));
            shutdown.requested().await;
        });
        let (report, at) = ended(group.probe(journal.probe("s3"))).await;
        assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::RunFailed, 1, secs(1)));
        assert_eq!(report.stopped_by(), Some(&StopReason::Failed("s2".to_owned())));
        let [failure] = &failures(&report)[..] else { panic!("{report}") };
        assert!(failure.starts_with(message), "{failure}");
        assert_eq!(journal.take(), then(&["s1 starts", "s3 starts"], stops(["s3", "s1"])));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_has_not_completed_before_what_it_spawned() {
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context| async move { cx.spawn(child(Act::Return)) });
    let (report, at) = ended(&mut group).await;
    assert_eq!((report.outcome(), at), (Outcome::Clean, secs(1)));
    assert_eq!(report.service("s1").unwrap().ending(), Ending::Completed);
}

/// A service whose child takes two seconds to stop; the service itself ends at once, with this result.
async fn parent(journal: Journal, cx: Context, ends: Result<(), BoxError>) -> Result<(), BoxError> {
    let shutdown = cx.shutdown();
    cx.spawn(async move {
        shutdown.requested().await;
        sleep(secs(2)).await;
        journal.write("child ends");
    });
    cx.shutdown().requested().await;
    ends
}

#[tokio::test(start_paused = true)]
async fn what_a_service_spawned_is_awaited_when_it_stops() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let writes = journal.clone();
    group.add_fn("s2", |cx: Context| parent(writes, cx, Ok(())));
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::Clean, secs(2)));
    assert_eq!(journal.take(), then(&["s1 starts", "child ends"], stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn what_a_service_spawned_is_awaited_also_when_it_fails_to_stop() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let writes = journal.clone();
    group.add_fn("s2", |cx: Context| parent(writes, cx, Err("cannot stop".into())));
    let (report, _) = started_and_stopped(&mut group).await;
    assert_eq!(failures(&report), ["`s2` failed to stop: cannot stop"]);
    assert_eq!(journal.take(), then(&["s1 starts", "child ends"], stops(["s1"])));
}

#[tokio::test(start_paused = true)]
async fn none_of_the_failures_at_one_moment_of_what_a_service_spawned_is_lost() {
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context, shutdown: Shutdown| async move {
        cx.spawn(child(Fail));
        cx.spawn(child(Panic));
        shutdown.requested().await;
    });
    let (report, at) = ended(&mut group).await;
    assert_eq!((report.outcome(), at), (Outcome::RunFailed, secs(1)));
    let failures = failures(&report).join("\n");
    assert!(failures.contains("child fails") && failures.contains("child panics"), "{failures}");
}

#[tokio::test(start_paused = true)]
async fn every_failure_to_stop_of_what_a_service_spawned_is_told() {
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context, shutdown: Shutdown| async move {
        for act in [Fail, Panic] {
            let asked = shutdown.clone();
            cx.spawn(async move {
                asked.requested().await;
                child(act).await
            });
        }
        shutdown.requested().await;
        Err::<(), _>("start fails")
    });
    let (report, took) = started_and_stopped(&mut group).await;
    assert_eq!((report.outcome(), took), (Outcome::RunFailed, secs(1)));
    let told = failures(&report);
    assert_eq!(told[0], "`s1` failed to stop: start fails", "it comes first");
    let failures = told.join("\n");
    for failure in ["start fails", "child fails", "child panics"] {
        assert!(failures.contains(failure), "{failure} is not in: {failures}");
    }
}

/// Writes that it was dropped.
struct Dropped(Journal);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.write("child dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_reaches_what_a_service_spawned() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let dropped = Dropped(journal.clone());
    group.add_fn("s2", |cx: Context, shutdown: Shutdown| async move {
        cx.spawn(async move {
            std::future::pending::<()>().await;
            drop(dropped);
        });
        shutdown.requested().await;
    });
    let (report, took) = started_and_stopped(group.configure("s2", |spec| spec.stop_timeout(secs(1)))).await;
    assert_eq!((report.service("s2").unwrap().ending(), took), (Ending::Aborted, secs(1)));
    assert_eq!(journal.take(), then(&["s1 starts", "child dropped"], stops(["s1"])));
}

/// A service whose child fails in its first run.
struct Parent(Journal, AtomicBool);

impl Service for Parent {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let shutdown = cx.shutdown();
        self.0.write("parent starts");
        if !self.1.swap(true, Ordering::Relaxed) {
            cx.spawn(child(Fail));
        }
        shutdown.requested().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_of_what_it_spawned_a_service_is_started_again() {
    let journal = Journal::default();
    let mut group = Group::new();
    group
        .add_as("s1", Parent(journal.clone(), AtomicBool::new(false)))
        .configure("s1", |spec| spec.restart(Restart::on_failure()));
    let (report, _) = ended(group.lasts(secs(90))).await;
    assert_eq!(report.outcome(), Outcome::Clean, "{report}");
    assert_eq!(journal.take(), ["parent starts", "parent starts"]);
}

#[tokio::test]
async fn subscribers_that_panic_have_all_been_told_and_harm_nobody() {
    let journal = Journal::default();
    let running = journal.group(["s1", "s2"]).start().await.unwrap();
    let mut subscribers = JoinSet::new();
    for _ in 0..3 {
        let mut events = running.handle().events();
        subscribers.spawn(async move { panic!("{:?}", events.recv().await) });
    }
    assert!(running.stop().await.is_clean());
    assert_eq!(journal.take(), then(&["s1 starts", "s2 starts"], stops(["s2", "s1"])));
    while let Some(subscriber) = subscribers.join_next().await {
        let panicked: Result<(), _> = subscriber;
        let last_words = panicked.unwrap_err().into_panic().downcast::<String>().unwrap();
        assert_eq!(*last_words, format!("{:?}", Some(Event::GroupStopping(StopReason::Asked))));
    }
}

#[tokio::test]
async fn a_subscriber_that_never_reads_holds_nothing_up_and_learns_what_it_missed() {
    let (sender, receiver) = oneshot::channel();
    let (journal, mut group) = (Journal::default(), Group::new());
    group.add_fn("s0", |handle: Handle, shutdown: Shutdown| async move {
        let _ = sender.send(handle.events());
        shutdown.requested().await;
    });
    for number in 1..=600 {
        group.probe(journal.probe(&format!("s{number}")));
    }
    assert!(started_and_stopped(&mut group).await.0.is_clean());
    let mut events = receiver.await.unwrap();
    let Some(Event::Missed(missed)) = events.recv().await else { panic!("it has missed something") };
    let mut read = 0;
    while events.recv().await.is_some() {
        read += 1;
    }
    // Five for each service, without the one of `s0` before it subscribed, and three for the group.
    assert_eq!((missed + read, read), (600 * 5 + 4 + 3, 1024));
}

#[tokio::test(start_paused = true)]
async fn when_a_subscriber_is_told_the_state_has_changed_already() {
    let (journal, changes) = (Journal::default(), Journal::default());
    let mut group = Group::new();
    let told = changes.clone();
    group.add_fn("s0", |handle: Handle, shutdown: Shutdown| async move {
        let mut events = handle.events();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Service { name, state } = event {
                    let shown = handle.status().service(&name).unwrap().state();
                    told.write(format!("{name}: {state} -> {shown}"));
                }
            }
            told.write("over");
        });
        shutdown.requested().await;
    });
    // It stays for a while in each state.
    let s1 = [Build, StartLater, Asked].into_iter().fold(journal.probe("s1"), |s1, point| s1.on(point, Take(secs(1))));
    let running = group.build::<1>(s1.spec(|spec| spec.name("s1"))).start().await.unwrap();
    sleep(secs(1)).await;
    assert!(running.stop().await.is_clean());
    changes.until("over").await;
    let states = [State::Building, State::Starting, State::Ready, State::Stopping, State::Gone];
    let of_s1: Vec<_> = changes.take().into_iter().filter(|entry| entry.starts_with("s1")).collect();
    assert_eq!(of_s1, states.map(|state| format!("s1: {state} -> {state}")));
}

#[tokio::test]
async fn a_subscriber_that_comes_when_everything_is_over_is_told_nothing() {
    let running = Journal::default().group(["s1"]).start().await.unwrap();
    let handle = running.handle();
    assert!(running.stop().await.is_clean());
    assert_eq!(in_time(handle.events().recv()).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_code_that_a_service_ends_the_group_with_is_the_exit_code() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.add_fn("s2", |handle: Handle, shutdown: Shutdown| async move {
        sleep(secs(1)).await;
        handle.exit(42);
        handle.exit(7);
        shutdown.requested().await;
    });
    let (report, at) = ended(group.probe(journal.probe("s3"))).await;
    assert_eq!((report.outcome(), report.exit_code(), at), (Outcome::Clean, 42, secs(1)), "the first counts");
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked));
    assert_eq!(journal.take(), then(&["s1 starts", "s3 starts"], stops(["s3", "s1"])));
}

#[tokio::test(start_paused = true)]
async fn when_a_task_fails_after_start_has_returned_the_others_do_not_go_on() {
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context| async move {
        cx.spawn(async { std::future::pending::<()>().await });
        cx.spawn(async {
            sleep(secs(1)).await;
            Err::<(), _>("the second fails")
        });
    });
    let (report, at) = ended(&mut group).await;
    assert_eq!((failures(&report), at), (vec!["`s1` failed: the second fails".to_owned()], secs(1)));
}

#[tokio::test(start_paused = true)]
async fn what_start_fails_with_says_more_than_a_ready_that_went_with_it_whatever_it_has_spawned() {
    let start = |fails: bool| {
        move |cx: Context| async move {
            let _unfired = cx.ready();
            cx.spawn(std::future::pending::<()>());
            if fails { Err("no such table") } else { Ok(()) }
        }
    };
    for (fails, said) in [(true, "no such table"), (false, "its `Ready` was dropped before it was fired")] {
        let mut group = Group::new();
        group.add_fn("s1", start(fails));
        let report = fails_to_start(&mut group).await;
        assert_eq!(failures(&report), [format!("`s1` failed to start: {said}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_start_failed_with_is_told_though_nobody_waits_for_what_it_has_spawned() {
    let start = |cx: Context| async move {
        cx.spawn(std::future::pending::<()>());
        cx.shutdown().requested().await;
        Err::<(), _>("start fails")
    };
    let aborted = "`s1` failed to stop: it has not stopped after 1 s (stop_timeout), so it was aborted";
    for (limit, before) in [(secs(0), &[][..]), (secs(1), &[aborted])] {
        let mut group = Group::new();
        group.add_fn("s1", start).configure("s1", |spec| spec.stop_timeout(limit));
        let (report, _) = started_and_stopped(&mut group).await;
        assert_eq!(failures(&report), [before, &["`s1` failed to stop: start fails"]].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_what_it_has_spawned_is_told_though_the_service_is_aborted() {
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context| async move {
        let shutdown = cx.shutdown();
        cx.spawn(async move {
            shutdown.requested().await;
            Err::<(), _>("the task fails")
        });
        std::future::pending::<()>().await;
    });
    let (report, _) = started_and_stopped(&mut group).await;
    assert_eq!(failures(&report).len(), 2, "{report}");
    assert_eq!(failures(&report)[1], "`s1` failed to stop: the task fails");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_destructor_of_what_it_has_spawned_is_told() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let mut group = Group::new();
    group.add_fn("s1", |cx: Context| async move {
        cx.spawn(async {
            let _panics = PanicsInDrop;
            std::future::pending::<()>().await;
        });
        sleep(secs(1)).await;
        Err::<(), _>("start fails")
    });
    listen();
    let (report, _) = ended(&mut group).await;
    let (told, logged) = (failures(&report), logged_at(Level::ERROR));
    for told in [&told, &logged[..2]] {
        let [first, second] = told else { panic!("{told:#?}") };
        assert!(first.ends_with("`s1` failed: start fails"), "{told:#?}");
        assert!(second.contains("`s1` failed: panicked: in drop"), "{told:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_code_of_the_service_that_the_group_is_there_for_is_the_exit_code() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    group.add_fn("job", |handle: Handle| async move {
        sleep(secs(1)).await;
        handle.exit(42);
    });
    group.configure("job", |spec| spec.role(Role::Main));
    let (report, _) = ended(&mut group).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 42));
    assert_eq!(journal.take(), then(&["s1 starts"], stops(["s1"])));
}

/// Runs until it is asked to stop, and holds a value that is dropped with it.
struct Holds {
    _held: Arc<()>,
}

impl Service for Holds {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_that_comes_when_every_service_is_gone_changes_nothing() {
    let held = Arc::new(());
    let left = Arc::downgrade(&held);
    let running = Group::new().add(Holds { _held: held }).start().await.unwrap();
    let handle = running.handle();
    // Wakes itself in every poll, so that it sees the end of the service before the group does.
    let looks = tokio::spawn(poll_fn(move |task| {
        if left.strong_count() == 0 {
            handle.exit(42);
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }));
    let report = in_time(running.stop()).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 0));
    looks.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_code_counts_also_while_the_group_starts() {
    let journal = Journal::default();
    let mut group = Group::new();
    let starting = start_aside(group.probe(journal.probe("s1").on(StartLater, Hang)));
    journal.until("s1 starts").await;
    journal.handle().exit(42);
    let report = in_time(starting).await.unwrap().unwrap_err().into_report();
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 42));
}

#[tokio::test(start_paused = true)]
async fn an_exit_code_hides_no_failure() {
    for (act, outcome, code) in
        [(Fail, Outcome::RunFailed, 1), (Panic, Outcome::RunFailed, 1), (Hang, Outcome::UncleanStop, 3)]
    {
        for point in [Asked, Stop] {
            let journal = Journal::default();
            let running = Group::new().probe(journal.probe("s1").on(point, act)).start().await.unwrap();
            running.handle().exit(42);
            let report = in_time(running.wait()).await;
            assert_eq!((report.outcome(), report.exit_code()), (outcome, code));
        }
    }
}

/// A value that only one of two groups has.
struct OnlyInOne;

#[tokio::test(start_paused = true)]
async fn p8_two_groups_in_one_process_do_not_see_one_another() {
    let (one, two) = (Journal::default(), Journal::default());
    let first = one.group(["s1", "s2"]).provide(OnlyInOne).provide(1_u8).start().await.unwrap();
    let second = two.group(["s1", "s2"]).provide(2_u8).start().await.unwrap();
    assert_eq!((*first.get::<u8>().unwrap(), *second.get::<u8>().unwrap()), (1, 2));
    assert!(first.get::<OnlyInOne>().is_some() && second.get::<OnlyInOne>().is_none());

    let mut events = second.handle().events();
    first.handle().exit(42);
    let report = in_time(first.wait()).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::Clean, 42));
    assert_eq!(one.take(), then(&["s1 starts", "s2 starts"], stops(["s2", "s1"])));
    assert_eq!(two.take(), ["s1 starts", "s2 starts"]);
    assert!(second.handle().status().is_ready() && !second.handle().is_stopping());

    second.handle().stop();
    assert_eq!(in_time(events.recv()).await, Some(Event::GroupStopping(StopReason::Asked)), "its first event");
    assert_eq!(in_time(second.wait()).await.exit_code(), 0);
    assert_eq!(two.take(), stops(["s2", "s1"]));
}

#[tokio::test(start_paused = true)]
async fn p8_a_group_goes_on_when_another_fails() {
    let (one, two) = (Journal::default(), Journal::default());
    let mut failing = Group::new();
    failing.add_fn("s1", |_: Shutdown| child(Fail));
    let second = two.group(["s1"]).start().await.unwrap();
    let (report, _) = ended(failing.probe(one.probe("s2"))).await;
    assert_eq!(report.outcome(), Outcome::RunFailed);
    let status = second.handle().status();
    assert!(status.is_ready() && !status.is_degraded());
    let report = second.stop().await;
    assert!(report.is_clean() && report.failures().is_empty(), "{report}");
}

#[tokio::test]
async fn a_group_runs_once() {
    let journal = Journal::default();
    let mut group = journal.group(["s1"]);
    let running = group.start().await.unwrap();
    journal.take();
    for _ in 0..2 {
        let report = fails_to_start(&mut group).await;
        assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78), "while it runs");
    }
    assert!(running.stop().await.is_clean());
    assert_eq!(journal.take(), stops(["s1"]));
    let report = in_time(group.run()).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78), "when it is over");
    assert!(report.to_string().contains("run or started already"), "{report}");
    assert!(group.order().is_err());
    let (report, _) = started_and_stopped(group.probe(journal.probe("s2"))).await;
    assert!(report.is_clean(), "it can be filled again: {report}");
    assert_eq!(journal.take(), then(&["s2 starts"], stops(["s2"])));
}
