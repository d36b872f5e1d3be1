//! A `main` without macros, which goes on after the group. With an argument, its service blocks.

use std::process::ExitCode;

use group::{Group, Shutdown};

#[tokio::main]
async fn main() -> ExitCode {
    let blocks = std::env::args().nth(1).is_some();
    let report = Group::new()
        .add_fn("only", async move |shutdown: Shutdown| {
            println!("ready");
            shutdown.requested().await;
            if blocks {
                loop {
                    std::thread::park();
                }
            }
        })
        .run()
        .await;
    println!("{report}");
    ExitCode::from(123)
}
