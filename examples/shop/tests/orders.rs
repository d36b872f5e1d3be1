//! Orders come in a stream while the shop is stopped, and killed, again and again: whatever it said yes
//! to is packed in the end, and once.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use support::{Mosquitto, ask, database, order, shop, until};
use tokio::task::JoinSet;

const CUSTOMERS: usize = 8;

/// How often the shop is stopped: `RUNS=100` is more.
fn runs() -> usize {
    std::env::var("RUNS").map_or(20, |runs| runs.parse().expect("RUNS is a number"))
}

/// What the customers know.
#[derive(Default)]
struct Known {
    asked: Mutex<Vec<String>>,
    promised: Mutex<Vec<String>>,
}

impl Known {
    fn promised(&self) -> usize {
        self.promised.lock().expect("nobody panics").len()
    }
}

/// Orders one pot of tea after the other, until the shop answers no more.
async fn customer(shop: String, known: Arc<Known>, next: Arc<AtomicUsize>) {
    let client = reqwest::Client::new();
    loop {
        let id = format!("order-{}", next.fetch_add(1, Ordering::Relaxed));
        known.asked.lock().expect("nobody panics").push(id.clone());
        match order(&client, &shop, &id, r#"{"item": "tea", "pieces": 2}"#).await {
            Ok(StatusCode::ACCEPTED) => known.promised.lock().expect("nobody panics").push(id),
            Ok(status) => panic!("{id}: {status}"),
            Err(_) => return,
        }
    }
}

/// Returns how many orders were left for a next start, over all.
async fn stopped_again_and_again(folder: &Path, env: &[(&str, &str)]) -> i64 {
    let known = Arc::new(Known::default());
    let next = Arc::new(AtomicUsize::new(0));
    let mut left = 0;
    for run in 0..runs() {
        // Never after the same number of orders, and one in three times without a warning.
        let enough = known.promised() + 1 + run * 7 % 40;
        let signal = if run % 3 == 2 { "KILL" } else { "TERM" };
        let mut shop = shop(folder, env);
        let address = shop.opens();
        let customer = || customer(address.clone(), Arc::clone(&known), Arc::clone(&next));
        let customers: JoinSet<()> = (0..CUSTOMERS).map(|_| customer()).collect();
        tokio::task::spawn_blocking({
            let known = Arc::clone(&known);
            move || until("enough is ordered", || known.promised() >= enough)
        })
        .await
        .expect("they order");
        shop.program.signal(signal);
        let ended = tokio::task::spawn_blocking(|| shop.program.end()).await.expect("it ends");
        customers.join_all().await;
        let expected = if signal == "KILL" { (None, Some(9)) } else { (Some(0), None) };
        assert_eq!((ended.code, ended.signal), expected, "{ended:#?}");
        left += ask(&database(folder), "SELECT count(*) FROM outbox");
    }
    let mut shop = shop(folder, env);
    shop.opens();
    until("all is packed", || ask(&database(folder), "SELECT count(*) FROM outbox") == 0);
    shop.program.signal("TERM");
    assert_eq!(shop.program.end().code, Some(0));
    check(folder, &known);
    left
}

/// What was promised is packed; nothing is that was not asked for; and each took its pieces once.
fn check(folder: &Path, known: &Known) {
    let database = database(folder);
    let mut packed = database.prepare("SELECT id FROM orders ORDER BY id").expect("there are orders");
    let packed: Vec<String> =
        packed.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("they have ids");
    let mut asked = known.asked.lock().expect("nobody panics").clone();
    asked.sort_unstable();
    let promised = known.promised.lock().expect("nobody panics");
    let lost: Vec<_> = promised.iter().filter(|id| packed.binary_search(id).is_err()).collect();
    assert_eq!(lost, [""; 0], "of {} that were promised", promised.len());
    let unasked: Vec<_> = packed.iter().filter(|id| asked.binary_search(id).is_err()).collect();
    assert_eq!(unasked, [""; 0]);
    let gone = ask(&database, "SELECT 100000 - pieces FROM stock WHERE item = 'tea'");
    assert_eq!(gone, 2 * i64::try_from(packed.len()).expect("are few"), "each took two pieces, once");
    println!("{} promised, {} packed", promised.len(), packed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_is_packed_once_with_the_broker_inside() {
    let folder = tempfile::tempdir().expect("there is room");
    let left = stopped_again_and_again(folder.path(), &[]).await;
    assert!(left > 0, "no stop left anything for the next start");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_is_packed_once_with_mosquitto() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let folder = tempfile::tempdir().expect("there is room");
    let left = stopped_again_and_again(folder.path(), &[("BROKER_URL", &mosquitto.url())]).await;
    assert!(left > 0, "no stop left anything for the next start");
}

/// It was one in five starts after a kill that hung, with a little more than 100 messages.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_in_the_broker_does_not_hold_the_start_up() {
    const BACKLOG: i64 = 500;
    let Some(mosquitto) = Mosquitto::start() else { return };
    let folder = tempfile::tempdir().expect("there is room");
    let url = mosquitto.url();
    let env = [("BROKER_URL", url.as_str())];
    // From now on the broker keeps what comes for it.
    let mut first = shop(folder.path(), &env);
    first.opens();
    first.program.signal("TERM");
    assert_eq!(first.program.end().code, Some(0));
    let message = |id| format!(r#"{{"id": "order-{id}", "item": "tea", "pieces": 2, "price": 700}}"#);
    mosquitto.has(&(0..BACKLOG).map(message).collect::<Vec<_>>()).await;
    let mut second = shop(folder.path(), &env);
    second.opens();
    until("all is packed", || ask(&database(folder.path()), "SELECT count(*) FROM orders") == BACKLOG);
    second.program.signal("TERM");
    assert_eq!(second.program.end().code, Some(0));
}
