//! `tokio-graceful-shutdown`.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};
use tokio_util::sync::CancellationToken;

use super::{Gate, LIMIT};
use crate::stopwatch::Stopwatch;

/// As its first example: subsystems below one that starts them; told at once.
pub(super) async fn plain(n: usize, watch: Stopwatch) -> Stopwatch {
    let gate = Arc::new(Gate::new(n));
    let arrived = Arc::clone(&gate);
    let top = async move |top: &mut SubsystemHandle| {
        for service in 0..n {
            let gate = Arc::clone(&arrived);
            let subsystem = async move |subsystem: &mut SubsystemHandle| {
                gate.arrive();
                subsystem.on_shutdown_requested().await;
                Ok::<_, Infallible>(())
            };
            top.start(SubsystemBuilder::new(format!("service-{service}"), subsystem));
        }
    };
    measure(&gate, watch, |token| Toplevel::new_with_shutdown_token(top, token)).await
}

/// As its example of an orchestrated order: detached subsystems, which the one above them stops one by one. It has no
/// readiness, so the services say themselves when they are.
pub(super) async fn ordered(n: usize, watch: Stopwatch) -> Stopwatch {
    let gate = Arc::new(Gate::new(1));
    let all_started = Arc::clone(&gate);
    let top = async move |top: &mut SubsystemHandle| {
        let mut started = Vec::with_capacity(n);
        for service in 0..n {
            let (ready, is_ready) = oneshot::channel();
            let subsystem = async move |subsystem: &mut SubsystemHandle| {
                ready.send(()).expect("the one above waits");
                subsystem.on_shutdown_requested().await;
                Ok::<_, Infallible>(())
            };
            let name = format!("service-{service}");
            started.push(top.start(SubsystemBuilder::new(name, subsystem).detached()));
            is_ready.await.expect("it was not dropped");
        }
        all_started.arrive();
        top.on_shutdown_requested().await;
        while let Some(service) = started.pop() {
            service.initiate_shutdown();
            service.join().await.expect("it did not fail");
        }
    };
    measure(&gate, watch, |token| Toplevel::new_with_shutdown_token(top, token)).await
}

async fn measure(gate: &Gate, mut watch: Stopwatch, top: impl FnOnce(CancellationToken) -> Toplevel) -> Stopwatch {
    let token = CancellationToken::new();
    let running = tokio::spawn(top(token.clone()).handle_shutdown_requests(LIMIT));
    gate.all_arrived().await;
    watch.started();
    token.cancel();
    running.await.expect("it did not panic").expect("it ended cleanly");
    watch.stopped();
    watch
}
