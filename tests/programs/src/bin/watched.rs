//! A group that a test leads through its life, step by step: a step is taken once there is a file of its name.
//!
//! With `WATCHED_CROWD=300` it has as many services besides, which need no steps.

use std::path::PathBuf;
use std::time::Duration;

use group::axum::{Router, routing::get};
use group::{BoxError, Context, Group, Ready, Restart, Schedule, Shutdown, http};

/// Waits until there is a file of this name, and removes it.
async fn step(name: &str) {
    let file = PathBuf::from(std::env::var_os("WATCHED_STEPS").unwrap_or_default()).join(name);
    while std::fs::remove_file(&file).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn staged(name: &str, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
    let [start, fail, stop] = ["start", "fail", "stop"].map(|what| format!("{what}-{name}"));
    step(&start).await;
    ready.fire();
    tokio::select! {
        () = step(&fail) => Err("<b>the line is dead</b>".into()),
        () = shutdown.requested() => {
            step(&stop).await;
            Ok(())
        }
    }
}

async fn web(cx: Context) -> Result<(), BoxError> {
    let slow = || async {
        step("answer").await;
        "answered"
    };
    http::serve(&cx, "127.0.0.1:0", Router::new().route("/slow", get(slow))).await
}

/// Services in layers of ten, each behind three of the layer before it.
fn crowd(group: &mut Group, services: usize) {
    for id in 0..services {
        group.add_fn(format!("service-{id:03}-of-the-crowd"), |shutdown: Shutdown| async move {
            shutdown.requested().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        });
        let name = |id: usize| format!("service-{id:03}-of-the-crowd");
        if id >= 10 {
            let firsts = [0, 3, 6].map(|step| name(id / 10 * 10 - 10 + (id + step) % 10));
            group.configure(&name(id), |spec| firsts.into_iter().fold(spec, group::Spec::after_named));
        }
    }
}

#[group::main]
async fn main(group: &mut Group) {
    group.admin("127.0.0.1:0").schedule(Schedule::Graph);
    for name in ["database", "cache", "mailer"] {
        group.add_restartable_fn(name, move |ready: Ready, shutdown: Shutdown| staged(name, ready, shutdown));
    }
    let soon = Duration::from_millis(1);
    let often = Restart::on_failure().max(1000).backoff(soon, soon);
    group.configure("cache", |spec| spec.after_named("database").restart(often));
    group.configure("mailer", |spec| spec.after_named("cache"));
    group.add_fn("web", web).configure("web", |spec| spec.http("127.0.0.1:0").after_named("cache"));
    let services = std::env::var("WATCHED_CROWD").ok().and_then(|services| services.parse().ok());
    crowd(group, services.unwrap_or_default());
}
