//! Services that log more than can be read, on every thread.

use std::time::Duration;

use group::Group;

async fn shout() {
    println!("ready");
    tokio::task::yield_now().await;
    loop {
        eprintln!("{}", "all is well. ".repeat(1000));
    }
}

#[group::main(worker_threads = 2)]
async fn main(group: &mut Group) {
    group.stop_timeout(Duration::from_millis(500));
    for name in ["first", "second"] {
        group.add_fn(name, shout);
    }
}
