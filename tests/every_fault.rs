//! `testing::every_fault`, on groups that keep every promise, and on groups that do not.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use group::{BoxError, Context, Group, Ready, Role, Schedule, Service, Shutdown, Spec, service, testing};
use tokio::io::AsyncReadExt as _;

async fn polite(shutdown: Shutdown) {
    shutdown.requested().await;
}

/// One of everything.
fn shop() -> Group {
    #[derive(Default)]
    struct Database;

    #[service(register = false)]
    impl Database {
        async fn start(&self, ready: Ready, shutdown: Shutdown) {
            ready.fire();
            shutdown.requested().await;
        }

        async fn stop(&self) {}
    }

    struct Api {
        database: Arc<Database>,
    }

    #[service(register = false, http = "127.0.0.1:0")]
    impl Api {
        fn new(database: Arc<Database>) -> Self {
            Self { database }
        }

        #[get("/")]
        async fn index(&self) -> String {
            format!("{} hold the database", Arc::strong_count(&self.database))
        }
    }

    let mut group = Group::new();
    group
        .add_type::<Api>()
        .add_type::<Database>()
        .add_fn("migration", async |_: Arc<Database>| {})
        .configure("migration", |spec| spec.role(Role::Once))
        .add_fn("ticker", polite)
        .add_fn("deaf", async || std::future::pending::<()>().await)
        .configure("ticker", |spec| spec.critical(false));
    group
}

#[test]
fn a_group_keeps_every_promise_under_every_fault_in_both_schedules() {
    for schedule in [Schedule::Strict, Schedule::Graph] {
        let tried = testing::every_fault(|| {
            let mut group = shop();
            group.schedule(schedule);
            group
        });
        let tried = tried.unwrap();
        assert_eq!((tried.services, tried.runs), (5, 1 + 5 * 15));
    }
}

#[test]
fn a_service_that_does_not_stop_when_another_fails_is_found() {
    /// Waits for the end of the group before it stops, and the group waits for it.
    struct Trusting;

    impl Service for Trusting {
        async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
            cx.shutdown().requested().await;
            let mut events = cx.handle().events();
            while events.recv().await.is_some() {}
            Ok(())
        }
    }

    let broken = testing::every_fault(|| {
        let mut group = Group::new();
        group.add(Trusting).configure("trusting", |spec| spec.stop_timeout(Duration::from_secs(1)));
        group
    });
    let broken = broken.unwrap_err().to_string();
    assert!(broken.starts_with("without any fault: the group does not end cleanly"), "{broken}");
}

#[test]
fn a_service_that_fails_because_another_does_is_found() {
    let broken = testing::every_fault(|| {
        let mut group = Group::new();
        group.add_fn("leader", polite).configure("leader", |spec: Spec| spec.critical(false));
        group.add_fn("follower", async |cx: Context, shutdown: Shutdown| {
            let mut events = cx.handle().events();
            let leader_is_lost = async {
                while let Some(event) = events.recv().await {
                    if matches!(event, group::Event::Service { state: group::State::Failed, .. }) {
                        break;
                    }
                }
            };
            tokio::select! {
                () = shutdown.requested() => Ok(()),
                () = leader_is_lost => Err("my leader is lost"),
            }
        });
        group
    });
    let broken = broken.unwrap_err();
    assert_eq!(broken.what, "`follower` failed, too");
    assert_eq!(broken.injection.expect("a fault was injected").service, "leader");
}

const LIMIT: Duration = Duration::from_millis(200);

/// A service that asks a database over a real socket, with a limit. The database takes a moment to answer.
fn with_a_database() -> Group {
    let mut group = Group::new();
    group
        .add_fn("client", async move |ready: Ready, shutdown: Shutdown| {
            let database = std::net::TcpListener::bind("127.0.0.1:0")?;
            let address = database.local_addr()?;
            let answers = std::thread::spawn(move || {
                let (mut client, _) = database.accept()?;
                std::thread::sleep(Duration::from_millis(5));
                client.write_all(&[3])
            });
            let asks = async { tokio::net::TcpStream::connect(address).await?.read_u8().await };
            tokio::time::timeout(Duration::from_secs(5), asks).await??;
            answers.join().expect("it does not panic")?;
            ready.fire();
            shutdown.requested().await;
            Ok::<_, std::io::Error>(())
        })
        .configure("client", |spec| spec.start_timeout(LIMIT).stop_timeout(LIMIT));
    group
}

#[test]
fn a_group_with_a_real_socket_is_tried_in_real_time() {
    let broken = testing::every_fault(with_a_database).unwrap_err().to_string();
    assert!(broken.starts_with("without any fault: the group does not end cleanly"), "{broken}");
    assert!(broken.contains("use `testing::every_fault_in_real_time`"), "{broken}");
    let tried = testing::every_fault_in_real_time(with_a_database, Duration::from_millis(10)).unwrap();
    assert_eq!((tried.services, tried.runs), (1, 16));
}

#[test]
fn a_group_that_does_not_start_is_asked_to_stop_by_its_limits_only() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let watched = || {
        let (mut group, ran) = (Group::new(), Arc::clone(&ran));
        group.add_fn("watch", async move |cx: Context, shutdown: Shutdown| {
            let began = Instant::now();
            cx.handle().stopping().await;
            ran.lock().unwrap().push(began.elapsed());
            shutdown.requested().await;
        });
        group.add_fn("service", polite);
        for name in ["watch", "service"] {
            group.configure(name, |spec| spec.start_timeout(LIMIT).stop_timeout(LIMIT));
        }
        group
    };
    testing::every_fault_in_real_time(watched, Duration::from_millis(10)).unwrap();
    // A hang of `service` in `new`, and one in `start`.
    assert!(ran.lock().unwrap().iter().filter(|ran| **ran >= LIMIT).count() >= 2);
}

#[test]
fn a_broken_promise_is_found_in_real_time_too() {
    let broken = testing::every_fault_in_real_time(
        || {
            let mut group = Group::new();
            group.add_fn("fails", async |_: Shutdown| {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Err::<(), _>("it rains")
            });
            group
        },
        Duration::from_secs(5),
    );
    let broken = broken.unwrap_err();
    assert_eq!((&*broken.what, broken.injection.is_none()), ("the group does not end cleanly", true));
    assert!(!broken.to_string().contains("real_time"), "{broken}");
}
