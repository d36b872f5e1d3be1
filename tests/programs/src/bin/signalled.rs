//! Two services that take their time to start and to stop, and print what happens to them. With the argument `reloads`,
//! the first one has a `reload`.

use std::sync::Arc;
use std::time::Duration;

use group::{BoxError, Context, Group, Service};
use tokio::time::sleep;

const TO_START: Duration = Duration::from_millis(100);
const TO_STOP: Duration = Duration::from_secs(2);

struct Slow(&'static str);

impl Service for Slow {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let (ready, shutdown) = (cx.ready(), cx.shutdown());
        println!("{} starts", self.0);
        tokio::select! {
            () = sleep(TO_START) => ready.fire(),
            () = shutdown.requested() => {}
        }
        shutdown.requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        println!("{} stops", self.0);
        sleep(TO_STOP).await;
        println!("{} stopped", self.0);
        Ok(())
    }
}

/// A service with a `reload` never stops because of SIGHUP.
struct Reloads(Arc<Slow>);

impl Service for Reloads {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        Arc::clone(&self.0).start(cx).await
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.0.stop().await
    }

    async fn reload(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

#[group::main(cli = false)]
async fn main(group: &mut Group) {
    let first = Slow("first");
    if std::env::args().nth(1).is_some_and(|way| way == "reloads") {
        group.add_as("first", Reloads(Arc::new(first)));
    } else {
        group.add_as("first", first);
    }
    group.add_as("second", Slow("second"));
}
