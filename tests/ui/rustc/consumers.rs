//! What `for_each` cannot consume, and what its handler and a tick cannot return: one mistake each.

use std::time::Duration;

use futures_util::stream;
use group::{Context, Cron};
use tokio::sync::{broadcast, mpsc};

async fn a_receiver(cx: Context, receiver: mpsc::Receiver<u8>) {
    let _ = cx.for_each(receiver, 16, |_| async {}).await;
}

async fn a_receiver_of_broadcasts(cx: Context, receiver: broadcast::Receiver<u8>) {
    let _ = cx.for_each(receiver, 16, |_message: u8| async { Ok::<_, std::io::Error>(()) }).retry(3).await;
}

async fn a_handler_that_returns_a_number(cx: Context) {
    let _ = cx.for_each(stream::iter([1, 2]), 16, |_| async { 3_u8 }).await;
}

async fn a_handler_that_is_not_async(cx: Context) {
    let _ = cx.for_each(stream::iter([1, 2]), 16, |_| ()).await;
}

async fn ticks_that_return_a_number(cx: Context) {
    let _ = cx.every(Duration::from_secs(1), || async { 3_u8 }).await;
    let _ = cx.cron(Cron::new("@hourly"), || async { 3_u8 }).await;
}

fn main() {}
