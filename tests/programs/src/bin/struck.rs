//! A service fails, and a signal comes: `struck child`, `struck before <ms>`, `struck after <ms>`.
//!
//! - `child`: the service runs a child process, and fails when that ends
//! - `before`: it fails that long before the process gets SIGINT
//! - `after`: it fails that long after the process got SIGINT, before it is asked to stop

use std::process::{Command as Blocking, Stdio};
use std::time::Duration;

use group::{BoxError, Shutdown, service};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

#[derive(Default)]
struct Struck;

#[service]
impl Struck {
    async fn start(&self, shutdown: Shutdown) -> Result<(), BoxError> {
        let how: Vec<String> = std::env::args().skip(1).collect();
        let ms = how.get(1).and_then(|ms| ms.parse().ok()).unwrap_or_default();
        let ms = Duration::from_millis(ms);
        match how.first().map(String::as_str) {
            Some("child") => {
                let mut child = Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
                println!("the child runs");
                tokio::select! {
                    biased;
                    () = shutdown.requested() => return Ok(()),
                    status = child.wait() => return Err(format!("the child ended: {}", status?).into()),
                }
            }
            Some("before") => {
                // It runs already, and only waits to be told, so that the signal comes when it should.
                let kill = format!("read now; kill -INT {}", std::process::id());
                let shell = Blocking::new("sh").args(["-c", &kill]).stdin(Stdio::piped()).spawn()?;
                sleep(Duration::from_millis(300)).await;
                std::thread::spawn(move || {
                    std::thread::sleep(ms);
                    drop(shell.stdin);
                });
            }
            _ => {
                let mut interrupted = signal(SignalKind::interrupt())?;
                println!("it runs");
                interrupted.recv().await;
                sleep(ms).await;
            }
        }
        Err("struck".into())
    }
}

/// Takes its time to stop, and is stopped first.
#[derive(Default)]
struct Late;

#[service(after(Struck))]
impl Late {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
        if std::env::args().nth(1).as_deref() != Some("child") {
            sleep(Duration::from_millis(700)).await;
        }
    }
}

#[group::main(cli = false)]
async fn main() {}
