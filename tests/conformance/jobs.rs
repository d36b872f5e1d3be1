//! Jobs: tasks that handlers leave behind. They end before `stop` closes what they use.

use std::future::pending;
use std::sync::Arc;

use group::axum::{Router, routing::get};
use group::{BoxError, Context, Ending, Group, Outcome, Service, http, service};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::support::{Journal, failures, millis, secs, text_at};

/// A service whose jobs write into a journal, and whose `stop` does.
struct Mailer {
    journal: Journal,
}

impl Service for Mailer {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        for letter in 1..=2 {
            let journal = self.journal.clone();
            cx.spawn_job(async move {
                sleep(secs(letter)).await;
                journal.write(format!("letter {letter} is sent"));
            });
        }
        cx.shutdown().requested().await;
        self.journal.write("start ends");
        Ok(())
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.journal.write("stops");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_end_after_start_and_before_stop() {
    let journal = Journal::default();
    let running = Group::new().add(Mailer { journal: journal.clone() }).start().await.unwrap();
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.take(), ["start ends", "letter 1 is sent", "letter 2 is sent", "stops"]);
    let jobs = report.service("mailer").unwrap().jobs().unwrap();
    assert_eq!((jobs.finished(), jobs.failed(), jobs.cut()), (2, 0, 0));
    assert!(report.to_string().contains("stopped in 2 s; 2 jobs finished"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_left_at_the_limit_is_cut_and_counted() {
    let mut group = Group::new();
    group.add_fn("mailer", |cx: Context| async move {
        cx.spawn_job(pending::<()>());
        cx.spawn_job(async {});
        cx.shutdown().requested().await;
    });
    group.configure("mailer", |spec| spec.stop_timeout(secs(2)));
    let report = group.start().await.unwrap().stop().await;
    let mailer = report.service("mailer").unwrap();
    assert_eq!((report.outcome(), mailer.ending()), (Outcome::UncleanStop, Ending::Aborted));
    assert_eq!(mailer.jobs().unwrap().to_string(), "1 job finished, 1 cut");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_is_a_failure_that_the_service_survives() {
    let mut group = Group::new();
    group.add_fn("mailer", |cx: Context| async move {
        cx.spawn_job(async { Err::<(), _>("no such host") });
        cx.spawn_job(async { panic!("no paper") });
        cx.shutdown().requested().await;
    });
    let running = group.start().await.unwrap();
    sleep(millis(1)).await;
    assert!(!running.handle().is_stopping());
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    let said = failures(&report);
    assert_eq!(said[0], "`mailer` failed: in a job");
    assert!(report.to_string().contains("survived: `mailer` failed: in a job: no such host"), "{report}");
    assert!(report.to_string().contains("in a job: panicked: no paper, at tests/conformance/jobs.rs"), "{report}");
    assert_eq!(report.service("mailer").unwrap().jobs().unwrap().failed(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_outlives_a_start_that_fails_and_runs_again() {
    let journal = Journal::default();
    let left = journal.clone();
    let mut group = Group::new();
    group
        .add_restartable_fn("mailer", move |cx: Context| {
            let left = left.clone();
            async move {
                if cx.handle().status().service("mailer").unwrap().restarts() > 0 {
                    cx.shutdown().requested().await;
                    return Ok(());
                }
                cx.ready().fire();
                cx.spawn_job(async move {
                    sleep(secs(20)).await;
                    left.write("sent");
                });
                tokio::task::yield_now().await;
                Err("no route")
            }
        })
        .configure("mailer", |spec| spec.restart(group::Restart::on_failure()).stop_timeout(secs(100)));
    let running = group.start().await.unwrap();
    sleep(secs(10)).await;
    let report = running.stop().await;
    assert_eq!((report.outcome(), journal.take()), (Outcome::Clean, vec!["sent".to_owned()]), "{report}");
}

/// Answers at once, and leaves the rest of the work to a job.
struct Orders {
    open: Arc<Semaphore>,
    journal: Journal,
}

#[service(http = "127.0.0.1:0", register = false)]
impl Orders {
    fn new() -> Self {
        Self { open: Arc::new(Semaphore::new(0)), journal: Journal::default() }
    }

    #[get("/order")]
    async fn order(&self, cx: Context) -> String {
        let (open, journal, name) = (Arc::clone(&self.open), self.journal.clone(), cx.name().to_owned());
        cx.spawn_job(async move {
            let _turn = open.acquire().await;
            journal.write("sent");
        });
        format!("{name} has it")
    }

    async fn stop(&self) {
        self.journal.write("stops");
    }
}

#[tokio::test]
async fn a_handler_leaves_a_job_behind() {
    let orders = Orders::new();
    let (open, journal) = (Arc::clone(&orders.open), orders.journal.clone());
    let running = Group::new().add(orders).start().await.unwrap();
    let address = running.local_addr("orders").unwrap();
    assert_eq!(text_at(address, "/order").await, "orders has it");
    let handle = running.handle();
    let stopping = tokio::spawn(running.stop());
    handle.stopping().await;
    open.add_permits(1);
    let report = stopping.await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.take(), ["sent", "stops"]);
}

/// A service that is mounted on another one.
#[derive(Default)]
struct Guest;

#[service(http = Host, register = false)]
impl Guest {
    #[get("/guest")]
    async fn guest(&self, cx: Context) -> String {
        cx.name().to_owned()
    }
}

#[derive(Default)]
struct Host;

#[service(http = "127.0.0.1:0", register = false)]
impl Host {}

#[tokio::test]
async fn a_handler_has_the_context_of_its_own_service() {
    let running = Group::new().add(Host).add(Guest).start().await.unwrap();
    let address = running.local_addr("host").unwrap();
    assert_eq!(text_at(address, "/guest").await, "guest");
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn a_handler_of_a_server_by_hand_has_the_context_of_the_service_that_serves() {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move {
        let routes = Router::new().route("/", get(async |cx: Context| cx.name().to_owned()));
        http::serve(&cx, "127.0.0.1:0", routes).await
    });
    let running = group.start().await.unwrap();
    assert_eq!(text_at(running.local_addr("web").unwrap(), "/").await, "web");
    assert!(running.stop().await.is_clean());
}
