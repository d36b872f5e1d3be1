//! Groups on several threads at once: no news may be missed while another thread runs the driver.

use std::thread;
use std::time::Duration;

use group::{Context, Group, Handle, Outcome, Ready, Report, Schedule, Shutdown};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::timeout;

use test_support::Dice;

/// These take a few seconds.
const GROUPS: u64 = 1000;

/// The group notices missed news when it looks at the clock, after five seconds; this is shorter.
const MISSED: Duration = Duration::from_secs(4);

async fn polite(shutdown: Shutdown) {
    shutdown.requested().await;
}

async fn elsewhere(shutdown: Shutdown) {
    let waits = tokio::spawn(async move { shutdown.requested().await });
    waits.await.expect("it does not panic");
}

async fn ready_later(shutdown: Shutdown, ready: Ready) {
    tokio::spawn(async move {
        yield_now().await;
        ready.fire();
    });
    shutdown.requested().await;
}

async fn parent(cx: Context) {
    let shutdown = cx.shutdown();
    for _ in 0..3 {
        let shutdown = shutdown.clone();
        cx.spawn(async move { shutdown.requested().await });
    }
    yield_now().await;
    shutdown.requested().await;
}

async fn hasty(shutdown: Shutdown, handle: Handle) {
    handle.stop();
    shutdown.requested().await;
}

async fn deaf() {
    std::future::pending::<()>().await;
}

fn random(dice: &mut Dice) -> Group {
    let mut group = Group::new();
    group.schedule(dice.pick(&[Schedule::Strict, Schedule::Graph]));
    let of_parents = dice.chance(30);
    for service in 0..=dice.below(30) {
        let name = format!("s{service}");
        match dice.below(60) {
            _ if of_parents => group.add_fn(name, parent),
            0 => group.add_fn(name, hasty),
            1 => group.add_fn(name, async || Err::<(), _>("it is broken")),
            2..10 => group.add_fn(name, parent),
            10..20 => group.add_fn(name, ready_later),
            20..30 => group.add_fn(name, elsewhere),
            30..35 => group.add_fn(name, yield_now),
            35..40 => group.add_fn(name, deaf),
            _ => group.add_fn(name, polite),
        };
    }
    group
}

/// Stops it from here, from another thread, or by a drop.
async fn started_and_stopped(mut group: Group, from: u64) -> Report {
    match (group.start().await, from) {
        (Err(error), _) => error.into_report(),
        (Ok(running), 0) => running.stop().await,
        (Ok(running), 1) => {
            let handle = running.handle();
            thread::spawn(move || handle.stop());
            running.wait().await
        }
        (Ok(running), _) => {
            let handle = running.handle();
            drop(running);
            handle.wait().await
        }
    }
}

#[test]
fn on_several_threads_nobody_is_missed() {
    for workers in [1, 2, 4] {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("can be built");
        for seed in 0..GROUPS {
            let mut dice = Dice::new(seed);
            let (group, from) = (random(&mut dice), dice.below(3));
            let over = async move { timeout(MISSED, tokio::spawn(started_and_stopped(group, from))).await };
            let over = runtime.block_on(over).unwrap_or_else(|_| panic!("seed {seed}, {workers} workers: it hangs"));
            let report = over.expect("it does not panic");
            assert_ne!(report.outcome(), Outcome::UncleanStop, "seed {seed}, {workers} workers: {report}");
        }
    }
}
