//! Services that reload. With the argument `bad`, the reload of the first one fails; with `slow`, it waits for SIGUSR1.

use std::env;

use group::{BoxError, Context, Group, Service, Shutdown};

struct Settings {
    name: &'static str,
    way: Option<String>,
}

impl Service for Settings {
    async fn start(self: std::sync::Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn reload(&self) -> Result<(), BoxError> {
        #[cfg(unix)]
        let mut goes_on = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1())?;
        println!("{} reloads", self.name);
        match self.way.as_deref() {
            Some("bad") => return Err("the new settings are no good".into()),
            #[cfg(unix)]
            Some("slow") => drop(goes_on.recv().await),
            _ => {}
        }
        Ok(())
    }
}

#[group::main(cli = false)]
async fn main(group: &mut Group) {
    group
        .add_as("first", Settings { name: "first", way: env::args().nth(1) })
        .add_as("second", Settings { name: "second", way: None })
        .add_fn("last", async |shutdown: Shutdown| shutdown.requested().await);
}
