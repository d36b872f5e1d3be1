//! A `main` without macros, which goes on after the group: for ever, if the first argument is
//! `lingers`. If it is `blocks`, its service does not end; if it is `without signals`, the group is
//! started, and not run.

use std::process::ExitCode;

use group::{Group, Shutdown};

#[tokio::main]
async fn main() -> ExitCode {
    let way = std::env::args().nth(1).unwrap_or_default();
    let (blocks, lingers) = (way == "blocks", way == "lingers");
    let mut group = Group::new();
    group.add_fn("only", async move |shutdown: Shutdown| {
        println!("ready");
        shutdown.requested().await;
        if blocks {
            loop {
                std::thread::park();
            }
        }
    });
    let report =
        if way == "without signals" { group.start().await.expect("it starts").wait().await } else { group.run().await };
    println!("{report}");
    if lingers {
        std::future::pending::<()>().await;
    }
    ExitCode::from(123)
}
