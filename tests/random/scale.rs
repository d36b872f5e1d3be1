//! Many services. No test may look at real time, so what is counted is work.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use group::{BoxError, Context, Event, Group, Schedule, Service};

/// What all services of one group did together.
#[derive(Debug, Default)]
struct Work {
    starts: AtomicUsize,
    polls: AtomicUsize,
    stops: AtomicUsize,
    drops: AtomicUsize,
}

struct One(Arc<Work>);

impl Service for One {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        self.0.starts.fetch_add(1, Relaxed);
        let shutdown = cx.shutdown();
        let mut asked = pin!(shutdown.requested());
        std::future::poll_fn(|task| {
            self.0.polls.fetch_add(1, Relaxed);
            asked.as_mut().poll(task)
        })
        .await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.0.stops.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Relaxed);
    }
}

/// How often each service was polled in its `start`, and the group's events of its stop.
async fn work(services: usize, schedule: Schedule) -> (usize, usize) {
    let work = Arc::new(Work::default());
    let mut group = Group::new();
    for service in 0..services {
        group.add_as(format!("s{service}"), One(Arc::clone(&work)));
    }
    let running = group.schedule(schedule).start().await.expect("it starts");
    let mut events = running.handle().events();
    let report = running.stop().await;
    assert!(report.is_clean(), "{}", report.summary());
    for count in [&work.starts, &work.stops, &work.drops] {
        assert_eq!(count.load(Relaxed), services, "{services} services, {schedule:?}: {work:?}");
    }
    let mut told = 0;
    while let Some(event) = events.recv().await {
        told += if let Event::Missed(missed) = event { usize::try_from(missed).unwrap() } else { 1 };
    }
    (work.polls.load(Relaxed), told)
}

#[tokio::test]
async fn start_and_stop_are_linear() {
    for schedule in [Schedule::Strict, Schedule::Graph] {
        for services in [1000, 10_000] {
            let (polls, told) = work(services, schedule).await;
            assert_eq!(polls, 2 * services, "each is polled when it starts and when it is asked to stop");
            assert_eq!(told, 2 * services + 2, "each is stopping, then gone; so is the group");
        }
    }
}
