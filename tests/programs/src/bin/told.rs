//! A group that is as the environment says, for a service manager that is told of it: how long `db` takes to start
//! (`START`), whether it reloads (`RELOAD`), after what time the program stops itself (`END`), and how long `db` takes to
//! stop (`STOP`), in milliseconds. With `FAIL`, nothing is started; `BODY` is how long the body of `main` blocks its thread.
//! On SIGUSR2, `web` blocks the only thread.

use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use group::{BoxError, Context, Group, Role, Service, Shutdown};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

struct Database {
    stop: Duration,
}

impl Service for Database {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let (ready, shutdown) = (cx.ready(), cx.shutdown());
        tokio::select! {
            () = shutdown.requested() => return Ok(()),
            () = sleep(time("START").unwrap_or_default()) => ready.fire(),
        }
        shutdown.requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        sleep(self.stop).await;
        Ok(())
    }
}

struct Settings {
    is_good: bool,
}

impl Service for Settings {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn reload(&self) -> Result<(), BoxError> {
        if self.is_good { Ok(()) } else { Err("line 3 is no good\nREADY=1".into()) }
    }
}

/// Says what a child process sees of the service manager.
async fn child() -> Result<(), BoxError> {
    let script = "echo child: ${NOTIFY_SOCKET:-nothing} ${WATCHDOG_USEC:-nothing} ${WATCHDOG_PID:-nothing}";
    let status = Command::new("sh").args(["-c", script]).status().await?;
    if status.success() { Ok(()) } else { Err("it cannot speak".into()) }
}

async fn web(shutdown: Shutdown) -> Result<(), BoxError> {
    let mut blocks = signal(SignalKind::user_defined2())?;
    tokio::select! {
        () = shutdown.requested() => {}
        _ = blocks.recv() => thread::sleep(Duration::from_secs(20)),
    }
    Ok(())
}

fn time(variable: &str) -> Option<Duration> {
    Some(Duration::from_millis(env::var(variable).ok()?.parse().ok()?))
}

#[group::main(worker_threads = 1)]
async fn main(group: &mut Group) -> Result<(), BoxError> {
    if env::var_os("FAIL").is_some() {
        return Err("there is no license".into());
    }
    thread::sleep(time("BODY").unwrap_or_default());
    group.add_fn("child", child).configure("child", |spec| spec.role(Role::Once));
    group.add_as("db", Database { stop: time("STOP").unwrap_or_default() });
    if let Ok(way) = env::var("RELOAD") {
        group.add_as("settings", Settings { is_good: way == "good" });
    }
    if let Some(end) = time("END") {
        group.add_fn("end", async move |cx: Context| {
            sleep(end).await;
            cx.handle().stop();
        });
    }
    group.add_fn("web", web);
    Ok(())
}
