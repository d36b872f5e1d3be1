//! A `main` without macros, which goes on after the group.

use std::process::ExitCode;

use group::{Group, Shutdown};

#[tokio::main]
async fn main() -> ExitCode {
    let report = Group::new()
        .add_fn("only", async |shutdown: Shutdown| {
            println!("ready");
            shutdown.requested().await;
        })
        .run()
        .await;
    println!("{report}");
    ExitCode::from(123)
}
