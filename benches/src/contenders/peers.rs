//! Libraries that one could use instead, each a few lines. None of them starts a service only when the one before it
//! is ready; that all run is known from the services themselves.

use std::sync::Arc;

use notmad::Mad;
use rs_zero::core::{ServiceGroup, ServiceGroupConfig, ShutdownToken};
use super_visor::{ManagedProc, ShutdownSignal, Supervisor, SupervisorError};
use supervised::{Context, ServiceOutcome, SupervisorBuilder, service_fn};
use task_supervisor::{SupervisedTask, TaskResult};
use tokio_util::sync::CancellationToken;

use super::{Gate, LIMIT};
use crate::stopwatch::Stopwatch;

/// Started at once; told one by one in reverse, each awaited.
pub(super) async fn super_visor(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let gate = Arc::new(Gate::new(n));
    let mut supervisor = Supervisor::new();
    for _ in 0..n {
        let gate = Arc::clone(&gate);
        supervisor.add(|shutdown: ShutdownSignal| {
            super_visor::spawn(async move {
                gate.arrive();
                shutdown.await;
                Ok::<_, SupervisorError>(())
            })
        });
    }
    watch.declared();
    let token = CancellationToken::new();
    let running = tokio::spawn(Box::new(supervisor).run_proc(ShutdownSignal::new(token.clone())));
    gate.all_arrived().await;
    watch.started();
    token.cancel();
    running.await.expect("it did not panic").expect("it ended cleanly");
    watch.stopped();
    watch
}

/// Started at once; every service is a stage of its own, and the stages are told one by one, each awaited.
pub(super) async fn notmad(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let (gate, token) = (Arc::new(Gate::new(n)), CancellationToken::new());
    let mut mad = Mad::builder();
    mad.signals(false).shutdown_on(token.clone()).cancellation(Some(LIMIT));
    for _ in 0..n {
        let gate = Arc::clone(&gate);
        mad.add_fn(move |shutdown: CancellationToken| {
            let gate = Arc::clone(&gate);
            async move {
                gate.arrive();
                shutdown.cancelled().await;
                Ok(())
            }
        });
    }
    watch.declared();
    let running = tokio::spawn(async move { mad.run().await });
    gate.all_arrived().await;
    watch.started();
    token.cancel();
    running.await.expect("it did not panic").expect("it ended cleanly");
    watch.stopped();
    watch
}

/// Started at once, told at once.
pub(super) async fn rs_zero(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let gate = Arc::new(Gate::new(n));
    let config = ServiceGroupConfig { shutdown_timeout: LIMIT, ..ServiceGroupConfig::default() };
    let mut services = ServiceGroup::with_config(config);
    for service in 0..n {
        let gate = Arc::clone(&gate);
        services.add_fn(format!("service-{service}"), move |shutdown: ShutdownToken| {
            let gate = Arc::clone(&gate);
            async move {
                gate.arrive();
                shutdown.cancelled().await;
                Ok(())
            }
        });
    }
    watch.declared();
    let handle = services.handle();
    let running = tokio::spawn(services.start_with_shutdown(std::future::pending()));
    gate.all_arrived().await;
    watch.started();
    handle.stop();
    running.await.expect("it did not panic").expect("it ended cleanly");
    watch.stopped();
    watch
}

#[derive(Clone)]
struct Waiter(Arc<Gate>);

impl SupervisedTask for Waiter {
    async fn run(self, shutdown: CancellationToken) -> TaskResult {
        self.0.arrive();
        shutdown.cancelled().await;
        Ok(())
    }
}

/// Started at once, told at once.
pub(super) async fn task_supervisor(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let gate = Arc::new(Gate::new(n));
    let mut supervisor = task_supervisor::SupervisorBuilder::new().with_stop_timeout(LIMIT);
    for service in 0..n {
        supervisor = supervisor.with_task(&format!("service-{service}"), Waiter(Arc::clone(&gate)));
    }
    watch.declared();
    let running = supervisor.spawn();
    gate.all_arrived().await;
    watch.started();
    running.shutdown().await.expect("it ended cleanly");
    watch.stopped();
    watch
}

/// Started at once, told at once; one more service takes in the request to stop, as its documentation says. Names are
/// `&'static str`, so all have the same.
pub(super) async fn supervised(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let (gate, token) = (Arc::new(Gate::new(n)), CancellationToken::new());
    let mut builder = SupervisorBuilder::new(()).shutdown_timeout(LIMIT);
    for _ in 0..n {
        let gate = Arc::clone(&gate);
        builder = builder.add(service_fn("service", move |cx: Context<()>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.arrive();
                cx.token().cancelled().await;
            }
        }));
    }
    let external = token.clone();
    let supervisor = builder.add(service_fn("shutdown", move |_: Context<()>| {
        let token = external.clone();
        async move {
            token.cancelled().await;
            ServiceOutcome::requested_shutdown()
        }
    }));
    watch.declared();
    let running = tokio::spawn(supervisor.build().run());
    gate.all_arrived().await;
    watch.started();
    token.cancel();
    running.await.expect("it did not panic").expect("it ended cleanly");
    watch.stopped();
    watch
}
