//! A group that ends in the way that its first argument names.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use group::{BoxError, Context, Group, Handle, Ready, Restart, Service, Shutdown, Spec, service};

/// Stops as it should, and prints it. It comes first, so it is stopped last.
struct Polite;

impl Service for Polite {
    async fn start(self: std::sync::Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        println!("polite was told");
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        println!("polite stopped");
        Ok(())
    }
}

impl Drop for Polite {
    fn drop(&mut self) {
        println!("polite dropped");
    }
}

/// Fails whenever it is started.
struct Flaky;

impl Service for Flaky {
    async fn start(self: std::sync::Arc<Self>, cx: Context) -> Result<(), BoxError> {
        println!("flaky starts");
        let ready = cx.ready();
        ready.fire();
        tokio::task::yield_now().await;
        Ok(no_route()?)
    }
}

/// Blocks a thread of its own, and does not hear that it is to stop.
#[derive(Default)]
struct OnThread;

#[service(register = false)]
impl OnThread {
    fn start(&self, _: Shutdown) {
        block_for_ever();
    }
}

struct PanicsOnDrop;

impl Service for PanicsOnDrop {
    async fn start(self: std::sync::Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }
}

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("cannot let go");
    }
}

/// Prints when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

#[derive(Debug)]
struct NoRoute(std::io::Error);

impl fmt::Display for NoRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no route to the database")
    }
}

impl Error for NoRoute {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn no_route() -> Result<(), NoRoute> {
    Err(NoRoute(std::io::Error::other("cable unplugged")))
}

/// Starts once the rest of the group is ready, and prints that.
async fn until_all_are_ready(shutdown: Shutdown) {
    println!("all are ready");
    shutdown.requested().await;
}

/// Prints that it was asked to stop, and does not end.
async fn deaf(shutdown: Shutdown) {
    println!("deaf is ready");
    shutdown.requested().await;
    println!("deaf was told");
    std::future::pending::<()>().await;
}

/// Blocks the thread that it runs on, for ever.
fn block_for_ever() -> ! {
    println!("blocked");
    loop {
        std::thread::park();
    }
}

async fn block_every_worker(cx: Context) {
    // Spawned from another thread, because a task that this one spawns may queue on its worker, which gets blocked.
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let _in_runtime = runtime.enter();
        for _ in 1..runtime.metrics().num_workers() {
            cx.spawn(async { block_for_ever() });
        }
    });
    block_for_ever()
}

#[group::main(cli = false)]
async fn main(group: &mut Group) -> Result<(), BoxError> {
    let way = std::env::args().nth(1).unwrap_or_default();
    if way == "empty" {
        return Ok(());
    }
    group.add(Polite).provide(Says("provided value dropped"));
    match way.as_str() {
        "stopped" => {
            tokio::spawn(async {
                let _says = Says("detached task dropped");
                std::future::pending::<()>().await;
            });
            group.add_fn("last", until_all_are_ready);
        }
        "completed" => {
            group.configure("polite", |spec| spec.role(group::Role::Task));
            group.add_fn("only", async || println!("done")).configure("only", |spec| spec.role(group::Role::Main));
        }
        "start-failed" => {
            group.add_fn("database", async |_: Ready| no_route()).add_fn("never", until_all_are_ready);
        }
        "start-panicked" => {
            group.add_fn("database", async |_: Ready| panic!("no route to the database"));
        }
        "run-failed" => {
            group.add_fn("database", async |ready: Ready| {
                ready.fire();
                tokio::task::yield_now().await;
                no_route()
            });
        }
        "run-panicked" => {
            group.add_fn("database", async |ready: Ready| {
                ready.fire();
                tokio::task::yield_now().await;
                panic!("no route to the database");
            });
        }
        "over-limit" => {
            group.add_fn("deaf", deaf).configure("deaf", |spec| spec.stop_timeout(Duration::from_millis(50)));
        }
        "over-deadline" => {
            group.stop_timeout(Duration::from_millis(300));
            group.add_fn("deaf", deaf).configure("deaf", |spec| spec.stop_timeout(Duration::MAX));
        }
        "deaf" => {
            group.add_fn("deaf", deaf);
        }
        "cycle" => {
            group.configure("polite", |spec: Spec| spec.after_named("polite"));
        }
        "blocked" => {
            group.add_fn("last", async |shutdown: Shutdown| {
                println!("all are ready");
                shutdown.requested().await;
                block_for_ever();
            });
        }
        "all-blocked" => {
            group.add_fn("blocker", block_every_worker);
        }
        "exit" => {
            group.add_fn("chooser", async |handle: Handle| handle.exit(42));
        }
        "exit-late" => {
            group.add_fn("chooser", async |handle: Handle| {
                handle.exit(42);
                handle.stopping().await;
                no_route()
            });
        }
        "restarts" => {
            let restart = Restart::on_failure().max(2).backoff(Duration::from_millis(1), Duration::from_millis(1));
            group.add(Flaky).configure("flaky", |spec| spec.restart(restart));
        }
        "thread-blocked" => {
            group.add(OnThread).configure("on-thread", |spec| spec.stop_timeout(Duration::from_millis(50)));
        }
        "drop-panics" => {
            group.add(PanicsOnDrop).add_fn("last", until_all_are_ready);
        }
        "leaks" => {
            tokio::task::spawn_blocking(|| block_for_ever());
            group.add_fn("last", until_all_are_ready);
        }
        "body-runs" => assert!(!group.run().await.is_clean()),
        "body-failed" => no_route()?,
        "body-panicked" => panic!("no route to the database"),
        "body-hangs" => {
            println!("body runs");
            std::future::pending::<()>().await;
        }
        "body-blocks" => block_for_ever(),
        other => return Err(format!("there is no way to end called {other:?}").into()),
    }
    Ok(())
}
