//! The end, by hand and by time: what a service knows of the time that it has left, the abort, and who ends the group.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use group::{Context, Ending, Group, Handle, Outcome, Ready, Role, Shutdown, StopReason};
use tokio::sync::oneshot;
use tokio::time::{Instant, advance, sleep};

use crate::support::{failures, secs};

/// A service that never ends by itself, and is gone when it is dropped.
async fn deaf(shutdown: Shutdown) {
    shutdown.requested().await;
    pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_knows_how_long_it_has() {
    let mut group = Group::new();
    group
        .add_fn("first", |shutdown: Shutdown| async move {
            shutdown.requested().await;
            // Nobody comes after it, and so it has its own limit.
            assert_eq!(shutdown.remaining(), Some(secs(10)));
        })
        .add_fn("last", |shutdown: Shutdown| async move {
            assert_eq!((shutdown.deadline(), shutdown.remaining()), (None, None));
            shutdown.requested().await;
            assert_eq!(shutdown.deadline(), Some(Instant::now() + secs(4)));
            sleep(secs(1)).await;
            assert_eq!(shutdown.remaining(), Some(secs(3)));
        })
        .configure("last", |spec| spec.stop_timeout(secs(4)));
    let report = group.start().await.unwrap().stop().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_budget_cuts_what_a_service_has() {
    let mut group = Group::new();
    group
        .stop_timeout(secs(10))
        .add_fn("first", |shutdown: Shutdown| async move {
            shutdown.requested().await;
            // The last grace ends 100 ms before the end.
            assert_eq!(shutdown.remaining(), Some(Duration::from_millis(9_900)));
        })
        .configure("first", |spec| spec.stop_timeout(Duration::MAX))
        .add_fn("last", |shutdown: Shutdown| async move {
            shutdown.requested().await;
            // A quarter of the time for turns is kept back for the other one.
            assert_eq!(shutdown.remaining(), Some(Duration::from_millis(6_675)));
        })
        .configure("last", |spec| spec.stop_timeout(Duration::MAX));
    let report = group.start().await.unwrap().stop().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_more_time_sees_it() {
    let mut group = Group::new();
    group
        .add_fn("slow", |shutdown: Shutdown| async move {
            shutdown.requested().await;
            sleep(secs(3)).await;
            shutdown.extend(secs(9));
            tokio::task::yield_now().await;
            assert_eq!(shutdown.remaining(), Some(secs(9)));
            shutdown.extend(secs(1));
            tokio::task::yield_now().await;
            assert_eq!(shutdown.remaining(), Some(secs(9)), "it never shortens");
            shutdown.urgent().await;
            assert_eq!(shutdown.remaining(), Some(secs(3)), "a quarter of twelve");
        })
        .configure("slow", |spec| spec.stop_timeout(secs(4)));
    let report = group.start().await.unwrap().stop().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_request_is_urgent_when_a_quarter_of_the_time_is_left() {
    let mut group = Group::new();
    group
        .add_fn("slow", |shutdown: Shutdown| async move {
            assert!(!shutdown.is_urgent());
            shutdown.requested().await;
            assert!(!shutdown.is_urgent());
            shutdown.urgent().await;
            assert!(shutdown.is_urgent());
            assert_eq!(shutdown.remaining(), Some(secs(1)));
        })
        .configure("slow", |spec| spec.stop_timeout(secs(4)));
    let report = group.start().await.unwrap().stop().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_last_grace_is_urgent() {
    let left = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&left);
    let mut group = Group::new();
    group
        .stop_timeout(secs(20))
        .add_fn("held", move |shutdown: Shutdown| async move {
            shutdown.urgent().await;
            *seen.lock().unwrap() = shutdown.remaining();
        })
        .add_fn("deaf", deaf)
        .configure("deaf", |spec| spec.after_named("held").stop_timeout(Duration::MAX))
        .add_fn("also-deaf", deaf)
        .configure("also-deaf", |spec| spec.stop_timeout(Duration::MAX));
    let report = group.start().await.unwrap().stop().await;
    assert_eq!(report.outcome(), Outcome::UncleanStop);
    assert_eq!(*left.lock().unwrap(), Some(secs(2)), "the whole last grace");
}

#[tokio::test]
async fn a_blocking_start_sees_its_time() {
    let mut group = Group::new();
    group.add(crate::ending::blocking::Blocking);
    let report = group.start().await.unwrap().stop().await;
    assert!(report.is_clean(), "{report}");
}

mod blocking {
    use group::{Shutdown, service};

    pub(super) struct Blocking;

    #[service(register = false, stop_timeout = "4s")]
    impl Blocking {
        fn new() -> Self {
            Self
        }

        fn start(&self, shutdown: Shutdown) {
            shutdown.wait();
            assert!(shutdown.remaining() > Some(std::time::Duration::from_secs(3)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_gives_no_service_its_turn() {
    let mut group = Group::new();
    group.add_fn("first", deaf).add_fn("last", deaf);
    let running = group.start().await.unwrap();
    let begun = Instant::now();
    running.handle().abort();
    let report = running.wait().await;
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::UncleanStop, 3));
    assert_eq!(report.stopped_by(), Some(&StopReason::Asked));
    let said = "the program aborted what was left: `last`, `first`";
    assert_eq!(failures(&report), [said]);
    assert!(report.services().iter().all(|service| service.ending() == Ending::Aborted), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_a_stop_that_takes_long_and_a_start() {
    let running = Group::new().add_fn("deaf", deaf).start().await.unwrap();
    running.handle().stop();
    advance(secs(2)).await;
    running.handle().abort();
    running.handle().abort();
    let report = running.wait().await;
    assert_eq!(failures(&report), ["the program aborted what was left: `deaf`"], "once");

    let mut group = Group::new();
    group.add_fn("connects", |cx: Context, _ready: Ready| async move {
        cx.handle().abort();
        pending::<()>().await;
    });
    let report = group.start().await.unwrap_err().into_report();
    assert_eq!(report.outcome(), Outcome::UncleanStop);
}

#[tokio::test(start_paused = true)]
async fn an_abort_replaces_no_first_cause_and_ends_a_group_with_nothing_left_cleanly() {
    let mut group = Group::new();
    group
        .add_fn("aborts", |shutdown: Shutdown, handle: Handle| async move {
            shutdown.requested().await;
            handle.abort();
            pending::<()>().await;
        })
        .add_fn("fails", |ready: Ready| async move {
            ready.fire();
            tokio::task::yield_now().await;
            Err::<(), _>("no route")
        });
    let report = group.run().await;
    assert_eq!(report.outcome(), Outcome::RunFailed, "{report}");

    let running = Group::new().add_fn("done", async || ()).start().await.unwrap();
    let handle = running.handle();
    let report = running.wait().await;
    handle.abort();
    assert!(report.is_clean(), "{report}");
}

/// A service in this role, that ends when the sender is used.
fn ends(group: &mut Group, name: &str, role: Role) -> oneshot::Sender<()> {
    let (sender, ended) = oneshot::channel::<()>();
    group.add_fn(name, |shutdown: Shutdown| async move {
        tokio::select! {
            _ = ended => {}
            () = shutdown.requested() => {}
        }
    });
    group.configure(name, |spec| spec.role(role));
    sender
}

#[tokio::test(start_paused = true)]
async fn the_first_lead_that_returns_ends_the_group() {
    let mut group = Group::new();
    let _prompt = ends(&mut group, "prompt", Role::Lead);
    let batch = ends(&mut group, "batch", Role::Lead);
    let _main = ends(&mut group, "main", Role::Main);
    let worker = ends(&mut group, "worker", Role::Task);
    let running = group.start().await.unwrap();
    worker.send(()).unwrap();
    advance(secs(1)).await;
    assert!(!running.handle().is_stopping(), "a task ends nothing");
    batch.send(()).unwrap();
    let report = running.wait().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.stopped_by(), Some(&StopReason::Completed));
    assert_eq!(report.service("batch").unwrap().ending(), Ending::Completed);
    assert_eq!(report.service("prompt").unwrap().ending(), Ending::Stopped);
}

#[tokio::test(start_paused = true)]
async fn the_last_main_ends_the_group_beside_a_lead() {
    let mut group = Group::new();
    let _lead = ends(&mut group, "lead", Role::Lead);
    let main = ends(&mut group, "main", Role::Main);
    let running = group.start().await.unwrap();
    main.send(()).unwrap();
    assert_eq!(running.wait().await.stopped_by(), Some(&StopReason::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_lead_that_the_group_can_do_without_ends_nothing_by_failing_unless_it_is_the_last() {
    let fails = |ready: Ready| async move {
        ready.fire();
        tokio::task::yield_now().await;
        Err::<(), _>("no terminal")
    };
    let mut group = Group::new();
    group.add_fn("prompt", fails).configure("prompt", |spec| spec.role(Role::Lead).critical(false));
    let batch = ends(&mut group, "batch", Role::Lead);
    let running = group.start().await.unwrap();
    advance(secs(1)).await;
    assert!(!running.handle().is_stopping());
    batch.send(()).unwrap();
    assert!(running.wait().await.is_clean());

    let mut group = Group::new();
    group.add_fn("prompt", fails).configure("prompt", |spec| spec.role(Role::Lead).critical(false));
    let _worker = ends(&mut group, "worker", Role::Task);
    assert_eq!(group.run().await.stopped_by(), Some(&StopReason::Completed));
}

#[tokio::test]
async fn a_shutdown_without_a_group_does_all_that_one_of_a_service_does() {
    let (shutdown, trigger) = Shutdown::manual();
    let (in_thread, owned, token) = (shutdown.clone(), shutdown.clone().requested_owned(), shutdown.token());
    let thread = std::thread::spawn(move || in_thread.wait());
    let task = tokio::spawn(owned);
    assert!(!shutdown.is_requested() && !token.is_cancelled() && shutdown.deadline().is_none());
    shutdown.extend(secs(60));
    assert_eq!(shutdown.remaining(), None, "no limit runs");
    trigger.request_within(secs(4));
    trigger.request_within(secs(60));
    task.await.unwrap();
    token.cancelled().await;
    thread.join().unwrap();
    assert!(shutdown.is_requested() && !shutdown.is_urgent());
    assert!(shutdown.remaining() <= Some(secs(4)), "the first request counts");
    shutdown.extend(secs(8));
    assert!(shutdown.remaining() > Some(secs(7)));
    trigger.hurry();
    shutdown.urgent().await;
    assert!(shutdown.is_urgent());
}
