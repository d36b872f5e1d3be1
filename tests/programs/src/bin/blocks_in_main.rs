//! A `main` without services that blocks its thread; or, with an argument, returns once it has seen a
//! SIGHUP.

use tokio::signal::unix::{SignalKind, signal};

#[group::main(cli = false, stop_timeout = "300ms")]
async fn main() -> std::io::Result<()> {
    if std::env::args().nth(1).is_some() {
        let mut hangup = signal(SignalKind::hangup())?;
        println!("body runs");
        hangup.recv().await;
        return Ok(());
    }
    println!("blocked");
    loop {
        std::thread::park();
    }
}
