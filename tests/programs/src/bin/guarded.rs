//! A program whose log goes to the file `LOG`, through a thread, whose guard is kept in the group. Its first argument says
//! how it ends.

use std::env;
use std::fs::File;
use std::sync::mpsc;
use std::time::Duration;

use group::{BoxError, Group, Ready, Report, Shutdown};
use tracing_appender::non_blocking;

/// Writes its name to stdout when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{} dropped", self.0);
    }
}

/// Needs the runtime when it is dropped, as an exporter of telemetry may.
struct Exporter;

impl Drop for Exporter {
    fn drop(&mut self) {
        let (sent, is_sent) = mpsc::channel();
        tokio::spawn(async move { sent.send("telemetry") });
        println!("{} sent", is_sent.recv().expect("the runtime goes on"));
    }
}

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("the disk is full");
    }
}

struct Hangs;

impl Drop for Hangs {
    fn drop(&mut self) {
        println!("hangs");
        block();
    }
}

fn block() -> ! {
    loop {
        std::thread::park();
    }
}

/// Sets the group up, and keeps the guard of the log last, so that it is dropped first.
fn set_up(group: &mut Group, way: &str) -> Result<(), BoxError> {
    group.keep(Says("first")).keep(Exporter).keep(Says("last")).stop_timeout(Duration::from_millis(500));
    match way {
        "start-failed" => drop(group.add_fn("db", async |_: Ready| Err::<(), _>("no route"))),
        "invalid" => drop(group.add_fn("db", async || ()).configure("bd", |spec| spec)),
        "guard-panics" => drop(group.keep(Panics)),
        "guard-hangs" => drop(group.keep(Hangs)),
        "blocked" => drop(group.add_fn("blocker", async |shutdown: Shutdown| {
            shutdown.requested().await;
            block();
        })),
        _ => {}
    }
    group.add_fn("worker", async |shutdown: Shutdown| {
        println!("works");
        shutdown.requested().await;
    });
    let (writer, guard) = non_blocking(File::create(env::var("LOG")?)?);
    tracing_subscriber::fmt().with_ansi(false).with_writer(writer).init();
    group.keep(guard);
    if way == "body-failed" { Err("there is no license".into()) } else { Ok(()) }
}

#[tokio::main(flavor = "current_thread")]
async fn by_hand(way: &str) -> Result<Report, BoxError> {
    let mut group = Group::new();
    set_up(&mut group, way)?;
    if way == "run" {
        return Ok(group.run().await);
    }
    match group.start().await {
        Ok(running) => Ok(running.stop().await),
        Err(error) => Ok(error.into_report()),
    }
}

mod with_macro {
    use super::{BoxError, Group, set_up};

    #[group::main(cli = false, worker_threads = 1)]
    pub(super) async fn main(group: &mut Group) -> Result<(), BoxError> {
        set_up(group, &std::env::args().nth(1).unwrap_or_default())
    }
}

fn main() -> Result<std::process::ExitCode, BoxError> {
    let way = env::args().nth(1).unwrap_or_default();
    match env::args().nth(2).as_deref() {
        Some("by-hand") => Ok(by_hand(&way)?.exit_code().into()),
        _ => Ok(with_macro::main()),
    }
}
