//! Two instances of a component of `continuo`, told at once. It listens for no signal.

use std::sync::Arc;

use async_trait::async_trait;
use benches::servers::{addresses, serve, terminated};
use continuo::{
    Component, HasRegistry, Registry, Result, RunContext, Runnable, RunnableInstance, Runtime, SharedState,
};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct State(Arc<Inner>);

struct Inner {
    shutdown: CancellationToken,
    registry: Registry<State>,
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

struct Servers([Arc<Server>; 2]);

impl Component<State> for Servers {
    type Deps = ();

    fn name(&self) -> &'static str {
        "servers"
    }

    fn runnables(self: Arc<Self>) -> Vec<RunnableInstance<State>> {
        let instance = |server: &Arc<Server>| {
            RunnableInstance::new(server.0.as_str(), Arc::clone(server) as Arc<dyn Runnable<State>>)
        };
        self.0.iter().map(instance).collect()
    }
}

struct Server(String);

#[async_trait]
impl Runnable<State> for Server {
    async fn run(self: Arc<Self>, (): (), _: State, context: RunContext) -> Result<()> {
        Ok(serve(&self.0, context.cancellation_token().cancelled_owned()).await?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let state = State(Arc::new(Inner { shutdown: CancellationToken::new(), registry: Registry::new() }));
    let servers = addresses().map(|address| Arc::new(Server(address)));
    state.registry_ref().register(Arc::new(Servers(servers)))?;
    tokio::spawn({
        let state = state.clone();
        async move {
            terminated().await;
            state.initiate_shutdown();
        }
    });
    Runtime::default().run(state).await.map(drop)
}
