//! Services that reload; with an argument, the reload of the first one fails.

use group::{BoxError, Context, Group, Service, Shutdown};

struct Settings {
    name: &'static str,
    good: bool,
}

impl Service for Settings {
    async fn start(self: std::sync::Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn reload(&self) -> Result<(), BoxError> {
        println!("{} reloads", self.name);
        if self.good { Ok(()) } else { Err("the new settings are no good".into()) }
    }
}

#[group::main]
async fn main(group: &mut Group) {
    let good = std::env::args().nth(1).is_none();
    group
        .add_as("first", Settings { name: "first", good })
        .add_as("second", Settings { name: "second", good: true })
        .add_fn("last", async |shutdown: Shutdown| shutdown.requested().await);
}
