//! A `main` without macros, which goes on after the group: for ever, if the first argument is
//! `lingers`, or for a second, with `cleans up`. With `blocks` its service does not end; with `without signals` the
//! group is started, not run; with `again and again` a hundred groups run, and the threads that remain are counted.

use std::process::ExitCode;

use group::{Group, Shutdown};

/// The main thread, two workers, and the watcher of signals, which lingers after its group.
const ALL: usize = 4;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("this is Linux").count()
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let way = std::env::args().nth(1).unwrap_or_default();
    if way == "again and again" {
        for _ in 0..100 {
            assert!(Group::new().add_fn("only", async || {}).run().await.is_clean());
        }
        // Threads that are told to end do so once the system schedules them.
        while threads() > ALL {
            tokio::task::yield_now().await;
        }
        println!("{ALL} threads at most");
        return ExitCode::SUCCESS;
    }
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
    if way == "cleans up" {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        println!("cleaned up");
    }
    if lingers {
        std::future::pending::<()>().await;
    }
    ExitCode::from(123)
}
