//! A service with a runtime of its own, and the parts of a service's end that may block. Real threads, and so real time.

use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use group::{BoxError, Context, Group, Outcome, OwnRuntime, Service, Serving, Shutdown, Spec, service};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::spawn_blocking;

use crate::support::in_time;

fn name_of_thread() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// The threads of this process, by the names that the system has for them.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(|task| name(task.ok()?)).map(|name| name.trim_end().to_owned()).collect()
}

/// Blocks its thread, in `start`, until it is let go.
struct Blocks {
    begins: Sender<()>,
    ends: Mutex<Receiver<()>>,
}

impl Blocks {
    fn new() -> (Self, Receiver<()>, Sender<()>) {
        let ((begins, begun), (end, ends)) = (channel(), channel());
        (Self { begins, ends: Mutex::new(ends) }, begun, end)
    }
}

impl Service for Blocks {
    fn spec() -> Spec {
        Spec::of::<Self>().runtime(OwnRuntime::new().worker_threads(1))
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        self.begins.send(())?;
        // An error is the end of the test.
        let _ended = self.ends.lock().unwrap().recv();
        cx.shutdown().requested().await;
        Ok(())
    }
}

/// A group runs on one thread, and one of its services blocks its own.
#[tokio::test]
async fn a_service_that_blocks_its_own_runtime_disturbs_no_other() {
    let (blocks, begun, end) = Blocks::new();
    let mut group = Group::new();
    group.add(blocks).add_fn("other", |shutdown: Shutdown| async move { shutdown.requested().await });
    let running = in_time(group.start()).await.unwrap();
    begun.recv().unwrap();
    let handle = running.handle();
    // Everything else goes on.
    in_time(handle.stop_service("other")).await.unwrap();
    in_time(handle.start_service("other")).await.expect_err("a function runs once");
    drop(end);
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_service_that_blocks_its_own_runtime_for_ever_is_given_up() {
    let (blocks, begun, _end) = Blocks::new();
    let mut group = Group::new();
    group.add(blocks).configure("blocks", |spec| spec.stop_timeout(Duration::from_millis(50)));
    let running = in_time(group.start()).await.unwrap();
    begun.recv().unwrap();
    let report = in_time(running.stop()).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
    assert!(report.to_string().contains("thread"), "{report}");
}

/// Tells on which threads its code runs.
#[derive(Default)]
struct Everywhere(Mutex<BTreeSet<String>>);

impl Everywhere {
    fn note(&self) {
        self.0.lock().unwrap().insert(name_of_thread());
    }
}

static SEEN_AT_THE_END: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

#[service(register = false, runtime = "own", worker_threads = 2, http = "127.0.0.1:0")]
impl Everywhere {
    fn new() -> Self {
        let this = Self::default();
        this.note();
        this
    }

    async fn start(self: Arc<Self>, cx: Context) {
        self.note();
        let this = Arc::clone(&self);
        spawn_blocking(move || this.note()).await.unwrap();
        let this = Arc::clone(&self);
        cx.spawn(async move { this.note() });
        let this = Arc::clone(&self);
        tokio::spawn(async move { this.note() }).await.unwrap();
        cx.shutdown().requested().await;
        self.note();
    }

    #[get("/")]
    async fn route(&self, cx: Context) -> String {
        self.note();
        let (answer, answered) = tokio::sync::oneshot::channel();
        cx.spawn_job(async move { answer.send(name_of_thread()).unwrap() });
        answered.await.unwrap()
    }

    #[every("10ms")]
    async fn tick(&self) {
        self.note();
    }

    async fn health(&self) {
        self.note();
    }

    async fn reload(&self) {
        self.note();
    }

    async fn stop(&self) {
        self.note();
        SEEN_AT_THE_END.lock().unwrap().clone_from(&self.0.lock().unwrap());
    }
}

#[tokio::test]
async fn all_code_of_the_service_runs_on_its_runtime() {
    let mut group = Group::new();
    group.add_type::<Everywhere>();
    let running = in_time(group.start()).await.unwrap();
    let addr = running.local_addr("everywhere").unwrap();
    let job = in_time(async { reqwest::get(format!("http://{addr}/")).await.unwrap().text().await.unwrap() }).await;
    assert_eq!(job, "everywhere");
    let handle = running.handle();
    in_time(handle.health()).await;
    in_time(handle.reload()).await.unwrap();
    // From elsewhere, too.
    let service = running.get::<Everywhere>().unwrap();
    assert_eq!(*service.0.lock().unwrap(), BTreeSet::from(["everywhere".to_owned()]));
    drop(service);
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(*SEEN_AT_THE_END.lock().unwrap(), BTreeSet::from(["everywhere".to_owned()]));
}

struct Lasting;

#[service(register = false, runtime = "own", worker_threads = 3)]
impl Lasting {
    fn new() -> Self {
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_runtime_lives_as_long_as_the_service() {
    let workers = || threads().iter().filter(|name| *name == "lasting").count();
    let mut group = Group::new();
    group.add_type::<Lasting>();
    let running = in_time(group.start()).await.unwrap();
    let handle = running.handle();
    let until = async |number| {
        while workers() != number {
            tokio::task::yield_now().await;
        }
    };
    in_time(until(3)).await;
    in_time(handle.stop_service("lasting")).await.unwrap();
    in_time(until(0)).await;
    in_time(handle.start_service("lasting")).await.unwrap();
    in_time(until(3)).await;
    assert!(in_time(running.stop()).await.is_clean());
    in_time(until(0)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_threads_are_pinned_to_the_processors_that_are_asked_for() {
    // As `cpuset(7)` writes lists.
    let allowed = || {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap().to_owned()
    };
    let first: usize = allowed().split(['-', ',']).next().unwrap().parse().unwrap();
    let (tell, told) = channel();
    let mut group = Group::new();
    group.add_fn("pinned", move |shutdown: Shutdown| async move {
        tell.send(allowed()).unwrap();
        let tell_too = tell.clone();
        spawn_blocking(move || tell_too.send(allowed()).unwrap()).await.unwrap();
        shutdown.requested().await;
    });
    group.configure("pinned", |spec| spec.runtime(OwnRuntime::new().cpus([first])));
    let running = in_time(group.start()).await.unwrap();
    let told: Vec<String> = (0..2).map(|_| told.recv().unwrap()).collect();
    assert_eq!(told, [first.to_string(), first.to_string()]);
    assert!(in_time(running.stop()).await.is_clean());
}

#[tokio::test]
async fn what_a_runtime_cannot_be_is_refused_before_anything_starts() {
    for (runtime, serve, expected) in [
        (
            OwnRuntime::new().worker_threads(0),
            None,
            "`x` cannot run without threads: expected at least 1 (`worker_threads`)",
        ),
        (
            OwnRuntime::new(),
            Some(Serving::PerCore),
            "`x` is served by its own runtime, so not by every processor: remove `serve`, or its own runtime",
        ),
        #[cfg(target_os = "linux")]
        (
            OwnRuntime::new().cpus([60_000]),
            None,
            "`x` cannot be pinned to the processors [60000]: this process may not use the processor 60000",
        ),
    ] {
        let mut group = Group::new();
        group.add_fn("x", async || {}).configure("x", |spec| {
            let spec = spec.runtime(runtime);
            if let Some(serve) = serve { spec.serve(serve) } else { spec }
        });
        let report = group.run().await;
        assert_eq!(report.exit_code(), 78);
        assert!(report.to_string().contains(expected), "{report}");
    }
}

#[tokio::test]
async fn settings_change_the_runtime_of_a_service_that_has_one() {
    let thread_of = async |toml: &str| {
        let mut group = Group::new();
        let (tell, told) = tokio::sync::oneshot::channel();
        group.add_fn("worker", async move || tell.send(name_of_thread()).unwrap());
        group.configure("worker", |spec| spec.runtime(OwnRuntime::new()));
        group.config_str(format!("[services.worker]\n{toml}"));
        let report = in_time(group.run()).await;
        told.await.map_err(|_| report)
    };
    assert_eq!(thread_of("runtime = \"own\"\nworker_threads = 1\ncpus = \"0\"").await.unwrap(), "worker");
    assert_ne!(thread_of("runtime = \"shared\"").await.unwrap(), "worker");
    for (toml, expected) in [
        ("runtime = \"mine\"", "expected `own` or `shared`"),
        ("worker_threads = 0", "expected a number of at least 1"),
        ("cpus = \"3-1\"", "expected processors, as in `0-3,8`"),
        ("runtime = \"shared\"\ncpus = \"0\"", "expected nothing, because the service has no runtime of its own"),
    ] {
        let report = thread_of(toml).await.unwrap_err();
        assert_eq!(report.exit_code(), 78);
        assert!(report.to_string().contains(expected), "{report}");
    }
}

struct Plain {
    asks: Sender<()>,
    answered: Mutex<Receiver<()>>,
}

#[service(register = false)]
impl Plain {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    fn stop(&self) {
        self.asks.send(()).unwrap();
        self.answered.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
        // As clients without async do.
        Handle::current().block_on(tokio::task::yield_now());
    }
}

/// All other tasks are on the one thread of the runtime.
#[tokio::test]
async fn a_plain_stop_may_block() {
    let ((asks, asked), (answer, answered)) = (channel(), channel());
    let mut group = Group::new();
    group.add(Plain { asks, answered: Mutex::new(answered) });
    let running = in_time(group.start()).await.unwrap();
    let task = tokio::spawn(async move {
        while asked.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        answer.send(()).unwrap();
    });
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    task.await.unwrap();
}

#[tokio::test]
async fn a_plain_stop_that_blocks_for_ever_is_given_up() {
    let ((asks, _asked), (_answer, answered)) = (channel(), channel());
    let mut group = Group::new();
    group.add(Plain { asks, answered: Mutex::new(answered) });
    group.configure("plain", |spec| spec.stop_timeout(Duration::from_millis(50)));
    let running = in_time(group.start()).await.unwrap();
    let report = in_time(running.stop()).await;
    assert_eq!(report.outcome(), Outcome::UncleanStop, "{report}");
}

#[tokio::test]
async fn a_plain_stop_that_panics_has_failed() {
    struct Panics;

    #[service(register = false)]
    impl Panics {
        async fn start(&self, shutdown: Shutdown) {
            shutdown.requested().await;
        }

        fn stop(&self) {
            panic!("in a plain stop");
        }
    }

    let mut group = Group::new();
    group.add(Panics);
    let report = in_time(in_time(group.start()).await.unwrap().stop()).await;
    assert!(report.to_string().contains("in a plain stop"), "{report}");
}

/// tokio panics when such a value is dropped on a thread that runs tasks.
struct Pool {
    _runtime: Runtime,
    /// Set when it was dropped, all of it.
    dropped: Option<Sender<String>>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.dropped.take().unwrap().send(name_of_thread()).unwrap();
    }
}

fn pool(blocking_drop: bool) -> (Group, Receiver<String>) {
    let (dropped, has_dropped) = channel();
    let mut group = Group::new();
    group.add(Pool { _runtime: Builder::new_current_thread().build().unwrap(), dropped: Some(dropped) });
    group.configure("pool", |spec| spec.blocking_drop(blocking_drop));
    (group, has_dropped)
}

#[service(register = false)]
impl Pool {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

#[tokio::test]
async fn a_service_may_block_when_it_is_dropped_if_it_says_so() {
    let (mut group, dropped) = pool(true);
    let running = in_time(group.start()).await.unwrap();
    let report = in_time(running.stop()).await;
    assert!(report.is_clean(), "{report}");
    // It was dropped before the report was there.
    assert_ne!(dropped.try_recv().unwrap(), name_of_thread());
    let (mut group, _dropped) = pool(false);
    let running = in_time(group.start()).await.unwrap();
    let report = in_time(running.stop()).await;
    assert!(report.to_string().contains("Cannot drop a runtime"), "{report}");
}
