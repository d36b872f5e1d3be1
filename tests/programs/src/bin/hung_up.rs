//! Groups that are not all ready when SIGHUP comes. The first argument says what the group is like.

use std::time::Duration;

use group::{BoxError, Context, Group, Ready, Restart, Service, Shutdown};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Notified when the last service runs.
static ALL_RUN: Notify = Notify::const_new();

/// Has a `reload`, and fails as soon as all services run.
struct Reloads;

impl Service for Reloads {
    async fn start(self: std::sync::Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.ready().fire();
        ALL_RUN.notified().await;
        Err("no route to the settings".into())
    }

    async fn reload(&self) -> Result<(), BoxError> {
        println!("reloads");
        Ok(())
    }
}

async fn until_it_is_over(shutdown: Shutdown) {
    ALL_RUN.notify_one();
    shutdown.requested().await;
}

/// Is never ready.
async fn hangs(_ready: Ready) {
    println!("hangs");
    std::future::pending::<()>().await;
}

#[group::main(cli = false)]
async fn main(group: &mut Group) -> Result<(), BoxError> {
    let way = std::env::args().nth(1).unwrap_or_default();
    match way.as_str() {
        "lost" => {
            group.add(Reloads).configure("reloads", |spec| spec.critical(false));
            group.add_fn("rest", until_it_is_over);
        }
        "waits for a restart" => {
            let hour = Duration::from_secs(3600);
            let restart = Restart::on_failure().backoff(hour, hour);
            group.add(Reloads).configure("reloads", |spec| spec.restart(restart));
            group.add_fn("rest", until_it_is_over);
        }
        "not built" => {
            group.add_fn("hangs", hangs).add(Reloads);
        }
        "hangs" => {
            group.add_fn("hangs", hangs);
        }
        "in main" => {
            let mut hangup = signal(SignalKind::hangup())?;
            println!("body runs");
            hangup.recv().await;
            group.add_fn("rest", until_it_is_over);
        }
        other => return Err(format!("there is no group called {other:?}").into()),
    }
    Ok(())
}
