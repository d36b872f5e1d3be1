//! `group`. Each service has a name and limits, and the report tells of each; that is in what is measured.

use std::sync::Arc;

use group::{BoxError, Context, Group, Schedule, Service, Shutdown, service};

use crate::stopwatch::Stopwatch;

/// Functions, as in `Group::add_fn`.
pub(super) async fn functions(n: usize, watch: Stopwatch, schedule: Schedule) -> Stopwatch {
    let mut group = Group::new();
    for service in 0..n {
        group.add_fn(name(service), |shutdown: Shutdown| async move { shutdown.requested().await });
    }
    measure(group, watch, schedule).await
}

struct ByHand;

impl Service for ByHand {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }
}

/// Values of a type that implements `Service` by hand.
pub(super) async fn by_hand(n: usize, watch: Stopwatch, schedule: Schedule) -> Stopwatch {
    let mut group = Group::new();
    for service in 0..n {
        group.add_as(name(service), ByHand);
    }
    measure(group, watch, schedule).await
}

struct ByMacro;

#[service(register = false)]
impl ByMacro {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

/// Values of a type of which `#[service]` made a service. A hundred thousand types, each registered, would be a
/// hundred thousand times this code; what the group does with a service is the same.
pub(super) async fn by_macro(n: usize, watch: Stopwatch, schedule: Schedule) -> Stopwatch {
    let mut group = Group::new();
    for service in 0..n {
        group.add_as(name(service), ByMacro);
    }
    measure(group, watch, schedule).await
}

async fn measure(mut group: Group, mut watch: Stopwatch, schedule: Schedule) -> Stopwatch {
    watch.declared();
    let running = group.schedule(schedule).start().await.expect("it starts");
    watch.started();
    let report = running.stop().await;
    watch.stopped();
    assert!(report.is_clean(), "{}", report.summary());
    watch
}

/// What every service that has a name is called.
fn name(service: usize) -> String {
    format!("service-{service}")
}
