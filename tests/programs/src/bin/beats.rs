//! A service with a heartbeat of 400 ms, which it gives every 200 ms; with an argument, only three times.

use std::time::Duration;

use group::{Context, Group};

#[group::main(cli = false)]
async fn main(group: &mut Group) {
    let hangs = std::env::args().nth(1).is_some();
    group.add_fn("beats", async move |cx: Context| {
        let heartbeat = cx.heartbeat(Duration::from_millis(400));
        for _ in 0..3 {
            heartbeat.beat();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("beats");
        if hangs {
            std::future::pending::<()>().await;
        }
        loop {
            heartbeat.beat();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}
