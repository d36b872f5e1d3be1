//! The messages of a consumer, also when it stops. Paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use group::axum::{Router, routing::get};
use group::{BoxError, Context, Ending, Group, Messages, OnError, Outcome, Permanent, Report, Running, Schedule};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::support::{in_time, listen, logged, millis, secs, text_at, web};

/// A count that a test can wait for.
#[derive(Clone, Default)]
struct Count(Arc<watch::Sender<usize>>);

impl Count {
    fn one_more(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    async fn is(&self, count: usize) {
        in_time(self.0.subscribe().wait_for(|&now| now == count)).await.unwrap();
    }
}

/// A stream that yields this many messages at once, and then stays open without any more.
fn messages(count: usize) -> impl Stream<Item = usize> + Send {
    stream::iter(0..count).chain(stream::pending())
}

/// A group with one service, `orders`, which consumes messages with this function.
fn orders<F, Fut>(consume: F) -> Group
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Messages, BoxError>> + Send,
{
    let mut group = Group::new();
    group.add_fn("orders", |cx: Context| async { consume(cx).await.map(drop) });
    group
}

async fn started(mut group: Group) -> Running {
    group.start().await.unwrap()
}

/// Stops the group, and says how long that took.
async fn stopped(running: Running) -> (Report, Duration) {
    let asked = Instant::now();
    let report = in_time(running.stop()).await;
    (report, asked.elapsed())
}

/// How many of its messages `orders` finished, failed and abandoned.
fn counts(report: &Report) -> (u64, u64, u64) {
    let messages = report.service("orders").unwrap().messages().expect("it took messages");
    (messages.finished(), messages.failed(), messages.abandoned())
}

fn was_logged(words: &str) -> bool {
    logged().iter().any(|line| line.contains(words))
}

#[tokio::test(start_paused = true)]
async fn what_is_in_hand_is_finished_and_nothing_more_is_taken() {
    let begun = Count::default();
    let probe = begun.clone();
    let consume = |cx: Context| async move {
        let handler = |_| {
            probe.one_more();
            sleep(secs(3))
        };
        Ok(cx.for_each(messages(1000), 16, handler).await?)
    };
    let running = started(orders(consume)).await;
    begun.is(16).await;
    let (report, took) = stopped(running).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((counts(&report), took), ((16, 0, 0), secs(3)));
    assert!(report.to_string().contains("stopped in 3 s; 16 messages finished"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn two_consumers_drain_in_the_time_of_one() {
    let begun = Count::default();
    let mut group = Group::new();
    for name in ["orders", "mails"] {
        let probe = begun.clone();
        group.add_fn(name, |cx: Context| async move {
            let handler = |_| {
                probe.one_more();
                sleep(secs(3))
            };
            cx.for_each(messages(1), 16, handler).await.map(drop)
        });
    }
    group.schedule(Schedule::Graph);
    let running = started(group).await;
    begun.is(2).await;
    let (report, took) = stopped(running).await;
    assert_eq!((counts(&report), took), ((1, 0, 0), secs(3)), "{report}");
}

/// Real sockets, and so real time. Neither may finish before both are draining.
#[tokio::test]
async fn a_server_and_a_consumer_drain_at_the_same_time() {
    let (begun, may_end) = (Count::default(), Count::default());
    let hold = {
        let (begun, may_end) = (begun.clone(), may_end.clone());
        move || {
            let (begun, may_end) = (begun.clone(), may_end.clone());
            async move {
                begun.one_more();
                may_end.is(1).await;
                "done"
            }
        }
    };
    let asked = Count::default();
    let (hold_message, told) = (hold.clone(), asked.clone());
    let mut group = web(Router::new().route("/held", get(hold)));
    group.schedule(Schedule::Graph).add_fn("orders", |cx: Context| async move {
        let listening = async {
            cx.shutdown().requested().await;
            told.one_more();
        };
        let handler = |_| async {
            hold_message().await;
        };
        tokio::join!(listening, cx.for_each(messages(1), 16, handler)).1.map(drop)
    });
    let running = started(group).await;
    let addr = running.local_addr("web").unwrap();
    let request = tokio::spawn(text_at(addr, "/held"));
    begun.is(2).await;
    running.handle().stop();
    asked.is(1).await;
    in_time(async { while TcpStream::connect(addr).await.is_ok() {} }).await;
    may_end.one_more();
    let report = in_time(running.wait()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((counts(&report), in_time(request).await.unwrap().as_str()), ((1, 0, 0), "done"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_consumer_ends_at_once() {
    let consume = |cx: Context| async move { Ok(cx.for_each(messages(0), 16, |_| async {}).await?) };
    let (report, took) = stopped(started(orders(consume)).await).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_spawned_from_a_handler_is_waited_for_like_a_message() {
    let (begun, done) = (Count::default(), Count::default());
    let (probe, end) = (begun.clone(), done.clone());
    let mut group = Group::new();
    group.add_fn("orders", |cx: Context| async move {
        let handler = |_| async {
            let end = end.clone();
            cx.spawn(async move {
                sleep(secs(3)).await;
                end.one_more();
            });
            probe.one_more();
        };
        cx.for_each(messages(1), 16, handler).await.map(drop)
    });
    let running = started(group).await;
    begun.is(1).await;
    let (report, took) = stopped(running).await;
    assert_eq!((took, report.is_clean()), (secs(3), true), "{report}");
    done.is(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_still_in_hand_at_the_limit_is_abandoned_and_counted() {
    let begun = Count::default();
    let probe = begun.clone();
    let consume = |cx: Context| async move {
        let handler = |message| {
            probe.one_more();
            sleep(if message < 2 { secs(1) } else { secs(100) })
        };
        Ok(cx.for_each(messages(5), 16, handler).await?)
    };
    let mut group = orders(consume);
    group.configure("orders", |spec| spec.stop_timeout(secs(2)));
    listen();
    let running = started(group).await;
    begun.is(5).await;
    let (report, took) = stopped(running).await;
    assert_eq!(report.service("orders").unwrap().ending(), Ending::Aborted);
    assert_eq!((counts(&report), took), ((2, 0, 3), secs(2)));
    let words = "2 messages finished, 3 abandoned";
    assert!(report.to_string().contains(words), "{report}");
    assert!(was_logged(words), "{:#?}", logged());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_the_end_of_the_drain() {
    let report =
        in_time(orders(|cx| async move { Ok(cx.for_each(stream::iter(0..40), 3, |_| sleep(secs(1))).await?) }).run())
            .await;
    assert_eq!(report.service("orders").unwrap().ending(), Ending::Completed);
    assert_eq!(counts(&report), (40, 0, 0));
    // 40 messages, 3 at a time.
    assert_eq!(report.ended_at(), secs(14));
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_is_logged_and_counted_and_the_next_message_is_taken() {
    listen();
    let consume = |cx: Context| async move {
        let handler = |message| async move {
            match message {
                1 => Err("no such order"),
                2 => panic!("no such table"),
                _ => Ok(()),
            }
        };
        Ok(cx.for_each(stream::iter(0..10), 1, handler).await?)
    };
    let report = in_time(orders(consume).run()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(counts(&report), (8, 2, 0));
    for words in
        ["a message of orders failed: no such order", "a message of orders failed: panicked: no such table, at "]
    {
        assert!(was_logged(words), "{:#?}", logged());
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_can_stop_the_drain_when_the_others_in_hand_are_finished() {
    let consume = |cx: Context| async move {
        let handler = |message| async move {
            sleep(secs(message)).await;
            if message == 2 { Err("disk full") } else { Ok(()) }
        };
        Ok(cx.for_each(stream::iter(1..10), 4, handler).on_error(OnError::Stop).await?)
    };
    let report = in_time(orders(consume).run()).await;
    assert_eq!(report.outcome(), Outcome::RunFailed);
    assert_eq!(report.cause().unwrap().to_string(), "`orders` failed: a message failed");
    assert_eq!(std::error::Error::source(report.cause().unwrap()).unwrap().to_string(), "disk full");
    // The fifth was taken when the first was done, after 1 s.
    assert_eq!((counts(&report), report.ended_at()), ((4, 1, 0), secs(6)));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_tried_again_with_a_backoff() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tries);
    let consume = |cx: Context| async move {
        let handler = |_| async { if counter.fetch_add(1, Ordering::Relaxed) < 3 { Err("locked") } else { Ok(()) } };
        let drain = cx.for_each(stream::iter([0]), 1, handler);
        Ok(drain.retry(3).backoff(millis(100), secs(30)).on_error(OnError::Stop).await?)
    };
    let report = in_time(orders(consume).run()).await;
    assert_eq!((counts(&report), tries.load(Ordering::Relaxed)), ((1, 0, 0), 4), "{report}");
    // 100, 200 and 400 ms, each shortened by up to a half.
    assert!((millis(350)..=millis(703)).contains(&report.ended_at()), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_message_fails_when_its_retries_are_used_up_or_would_be_vain() {
    let consume = |cx: Context| async move {
        let handler = |message| async move {
            Err::<(), BoxError>(if message == 0 { Permanent::new("no such order").into() } else { "locked".into() })
        };
        Ok(cx.for_each(stream::iter([0, 1]), 2, handler).retry(3).await?)
    };
    listen();
    let report = in_time(orders(consume).run()).await;
    assert_eq!(counts(&report), (0, 2, 0));
    assert_eq!(logged().iter().filter(|line| line.contains("retrying in")).count(), 3, "{:#?}", logged());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_to_be_tried_again_is_abandoned_at_the_stop() {
    let tried = Count::default();
    let probe = tried.clone();
    let consume = |cx: Context| async move {
        let handler = |_| async {
            probe.one_more();
            Err("locked")
        };
        Ok(cx.for_each(messages(1), 16, handler).retry(usize::MAX).backoff(secs(60), secs(60)).await?)
    };
    let running = started(orders(consume)).await;
    tried.is(1).await;
    let (report, took) = stopped(running).await;
    assert_eq!((counts(&report), took), ((0, 0, 1), Duration::ZERO));
}

#[tokio::test]
async fn messages_that_never_stop_coming_do_not_keep_the_thread() {
    let consume = |cx: Context| async move { Ok(cx.for_each(stream::repeat(()), 16, |()| async {}).await?) };
    let (report, _) = stopped(started(orders(consume)).await).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_still_holds_at_the_stop_is_told() {
    let taken = Count::default();
    let counted = taken.clone();
    let group = orders(|cx| async move {
        let handler = |_| {
            counted.one_more();
            sleep(secs(1))
        };
        // The queue knows how many it holds, as the channels of tokio and futures do.
        Ok(cx.for_each(messages(10), 3, handler).await?)
    });
    let running = started(group).await;
    taken.is(3).await;
    let (report, _) = stopped(running).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(counts(&report), (3, 0, 0));
    let told = report.service("orders").unwrap().messages().unwrap();
    assert_eq!((told.left(), told.to_string()), (7, "3 messages finished, 7 left in the queue".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_or_never_does_holds_nothing() {
    let (report, _) =
        stopped(started(orders(|cx| async move { Ok(cx.for_each(messages(2), 8, |_| async {}).await?) })).await).await;
    assert_eq!(report.service("orders").unwrap().messages().unwrap().left(), 0);
    let endless = orders(|cx| async move { Ok(cx.for_each(stream::repeat(()), 1, |()| sleep(secs(1))).await?) });
    let (report, _) = stopped(started(endless).await).await;
    assert_eq!(report.service("orders").unwrap().messages().unwrap().left(), 0);
}
