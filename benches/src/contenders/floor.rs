//! The cost of tokio itself: no names, no limits, no report, and panics are not told from ends.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Gate;
use crate::stopwatch::Stopwatch;

/// One task and one token for each service. Each is ready before the next starts; they are cancelled and awaited one by
/// one, in reverse.
pub(super) async fn ordered(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let mut services = Vec::with_capacity(n);
    for _ in 0..n {
        let token = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let shutdown = token.clone();
        let task = tokio::spawn(async move {
            ready.send(()).expect("the driver waits");
            shutdown.cancelled().await;
        });
        is_ready.await.expect("it was not dropped");
        services.push((token, task));
    }
    watch.started();
    while let Some((token, task)) = services.pop() {
        token.cancel();
        task.await.expect("it did not panic");
    }
    watch.stopped();
    watch
}

/// One token for all. They are started at once and cancelled at once.
pub(super) async fn unordered(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let (token, gate) = (CancellationToken::new(), Arc::new(Gate::new(n)));
    let mut services = JoinSet::new();
    for _ in 0..n {
        let (shutdown, gate) = (token.clone(), Arc::clone(&gate));
        services.spawn(async move {
            gate.arrive();
            shutdown.cancelled().await;
        });
    }
    gate.all_arrived().await;
    watch.started();
    token.cancel();
    while let Some(ended) = services.join_next().await {
        ended.expect("it did not panic");
    }
    watch.stopped();
    watch
}
