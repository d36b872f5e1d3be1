//! `continuo`. It registers components by type, and many of one type as instances of one component.

use std::sync::Arc;

use async_trait::async_trait;
use continuo::{
    Component, HasRegistry, Registry, Result, RunContext, Runnable, RunnableInstance, Runtime, SharedState,
};
use tokio_util::sync::CancellationToken;

use super::Gate;
use crate::stopwatch::Stopwatch;

#[derive(Clone)]
struct State(Arc<Inner>);

struct Inner {
    shutdown: CancellationToken,
    registry: Registry<State>,
    gate: Gate,
}

impl SharedState for State {
    fn shutdown_token(&self) -> CancellationToken {
        self.0.shutdown.clone()
    }
}

impl HasRegistry for State {
    fn registry_ref(&self) -> &Registry<Self> {
        &self.0.registry
    }
}

struct Waiters(Vec<(Arc<str>, Arc<Waiter>)>);

impl Component<State> for Waiters {
    type Deps = ();

    fn name(&self) -> &'static str {
        "waiters"
    }

    fn runnables(self: Arc<Self>) -> Vec<RunnableInstance<State>> {
        let instance = |(name, waiter): &(Arc<str>, Arc<Waiter>)| {
            RunnableInstance::new(Arc::clone(name), Arc::clone(waiter) as Arc<dyn Runnable<State>>)
        };
        self.0.iter().map(instance).collect()
    }
}

/// With a field, as what has no size has no address that tells one from another.
struct Waiter(#[expect(dead_code, reason = "it is there to be different")] usize);

#[async_trait]
impl Runnable<State> for Waiter {
    async fn run(self: Arc<Self>, (): (), state: State, context: RunContext) -> Result<()> {
        state.0.gate.arrive();
        context.cancelled().await;
        Ok(())
    }
}

pub(super) async fn run(n: usize, mut watch: Stopwatch) -> Stopwatch {
    let state =
        State(Arc::new(Inner { shutdown: CancellationToken::new(), registry: Registry::new(), gate: Gate::new(n) }));
    let waiters = (0..n).map(|service| (format!("service-{service}").into(), Arc::new(Waiter(service))));
    assert!(state.registry_ref().register(Arc::new(Waiters(waiters.collect()))).is_ok(), "it is registered once");
    watch.declared();
    let running = tokio::spawn(Runtime::default().run(state.clone()));
    state.0.gate.all_arrived().await;
    watch.started();
    state.initiate_shutdown();
    let finalized = running.await.expect("it did not panic");
    watch.stopped();
    assert!(finalized.is_ok(), "it ended cleanly");
    watch
}
