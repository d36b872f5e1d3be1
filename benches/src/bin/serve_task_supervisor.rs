//! Two tasks of `task-supervisor`, told at once. It listens for no signal.

use benches::servers::{addresses, serve, terminated};
use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorError, TaskResult};

#[derive(Clone)]
struct Server(String);

impl SupervisedTask for Server {
    async fn run(self, shutdown: CancellationToken) -> TaskResult {
        Ok(serve(&self.0, shutdown.cancelled_owned()).await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), SupervisorError> {
    let [first, second] = addresses();
    let running =
        SupervisorBuilder::new().with_task("first", Server(first)).with_task("second", Server(second)).spawn();
    terminated().await;
    running.shutdown().await
}
