//! A reload gives services the settings that the file has now, or leaves everything as it was.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use group::{BoxError, Config, Context, Group, NewSettings, ReloadError, Running, Service, Shutdown, Spec, service};
use serde::Deserialize;
use test_support::{Journal, in_time};
use tokio::sync::Notify;

#[derive(Clone, Debug, Deserialize)]
struct Limits {
    rate: u32,
    #[serde(default)]
    is_refused: bool,
}

/// Takes its settings in every way, and starts again when it is told to.
struct Mailer {
    journal: Arc<Journal>,
    fails: Arc<Notify>,
    limits: Mutex<Limits>,
}

#[service(register = false, restart(on_failure, backoff = "1ms..1ms"))]
impl Mailer {
    fn new(Config(limits): Config<Limits>, journal: Arc<Journal>, fails: Arc<Notify>) -> Self {
        journal.write(format!("new {}", limits.rate));
        Self { journal, fails, limits: Mutex::new(limits) }
    }

    async fn start(&self, limits: Config<Limits>, shutdown: Shutdown) -> Result<(), &str> {
        self.journal.write(format!("start {}", limits.rate));
        tokio::select! {
            () = shutdown.requested() => Ok(()),
            () = self.fails.notified() => Err("as it was told"),
        }
    }

    async fn reload(&self, Config(limits): Config<Limits>) -> Result<(), &str> {
        if limits.is_refused {
            return Err("no such rate");
        }
        self.journal.write(format!("reload {} -> {}", self.limits.lock().unwrap().rate, limits.rate));
        *self.limits.lock().unwrap() = limits;
        Ok(())
    }
}

/// Reloads something else than its settings.
struct Keeper(Arc<Journal>);

#[service(register = false)]
impl Keeper {
    fn new(journal: Arc<Journal>) -> Self {
        Self(journal)
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    fn reload(&self) {
        self.0.write("keeper reloads");
    }
}

/// A running group, and the file that it reads.
struct Reconfigured {
    running: Running,
    file: PathBuf,
    journal: Arc<Journal>,
    fails: Arc<Notify>,
}

impl Reconfigured {
    async fn start(test: &str) -> Self {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.toml"));
        std::fs::write(&file, "services.mailer.rate = 1").unwrap();
        let (journal, fails) = (Arc::new(Journal::default()), Arc::new(Notify::new()));
        let mut group = Group::new();
        group.provide(Arc::clone(&journal)).provide(Arc::clone(&fails));
        let running = group.add_type::<Mailer>().add_type::<Keeper>().config_file(&file).start().await.unwrap();
        assert_eq!(journal.take(), ["new 1", "start 1"]);
        Self { running, file, journal, fails }
    }

    /// Writes the file, and reloads.
    async fn reload(&self, toml: &str) -> Result<(), ReloadError> {
        std::fs::write(&self.file, toml).unwrap();
        in_time(self.running.handle().reload()).await
    }

    /// Starts the mailer again. Returns what it writes then.
    async fn start_again(&self) -> Vec<String> {
        self.fails.notify_one();
        self.journal.until_len(1).await;
        self.journal.take()
    }

    async fn stop(self) {
        let report = self.running.stop().await;
        assert!(report.is_clean(), "{report}");
    }
}

#[tokio::test]
async fn a_reload_gives_the_settings_that_the_file_has_now() {
    let group = Reconfigured::start("gives").await;
    group.reload("services.mailer.rate = 2").await.unwrap();
    assert_eq!(group.journal.take(), ["reload 1 -> 2", "keeper reloads"]);
    group.reload("services.mailer.rate = 3\nlog.level = 'debug'").await.unwrap();
    assert_eq!(group.journal.take(), ["reload 2 -> 3", "keeper reloads"]);
    assert_eq!(group.start_again().await, ["start 3"]);
    group.stop().await;
}

#[tokio::test]
async fn mistakes_in_the_file_leave_everything_as_it_was() {
    let group = Reconfigured::start("mistakes").await;
    let place = |line: u8| format!("{}:{line}: ", group.file.display());
    for (toml, mistake) in [
        ("services.mailer.rate = = 2", place(1)),
        ("services.mailer.rate = 'x'", place(1) + "`services.mailer.rate` is text: expected a whole number from 0 to"),
        ("[services.mailer]\nrate = 2\nrat = 3", place(3) + "unknown key `services.mailer.rat`: did you mean `rate`?"),
        ("services.mailer.is_refused = false", "`services.mailer.rate` is missing".to_owned()),
        ("services.mailer.rate = 2\ngroup.stop_timeout = 3", place(2) + "`group.stop_timeout` is a whole number"),
        ("services.mailer.rate = 2\n[services.keper]", place(2) + "`services.keper` is for a service that is not"),
    ] {
        let error = group.reload(toml).await.unwrap_err();
        let ReloadError::Settings(settings) = &error else { panic!("{error}") };
        let said: Vec<&str> = settings.mistakes().collect();
        assert!(said.len() == 1 && said[0].starts_with(&mistake), "{said:?}");
        assert_eq!(error.to_string(), format!("nothing was reloaded: {}", said[0]));
    }
    std::fs::remove_file(&group.file).unwrap();
    assert!(in_time(group.running.handle().reload()).await.is_err(), "there is no file");
    assert_eq!(group.journal.take(), [""; 0], "nothing was reloaded");
    assert!(group.running.handle().status().is_ready());
    assert_eq!(group.start_again().await, ["start 1"]);
    group.reload("services.mailer.rate = 2").await.unwrap();
    assert_eq!(group.journal.take(), ["reload 1 -> 2", "keeper reloads"]);
    let report = group.running.stop().await;
    let told: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(told.iter().filter(|told| told.starts_with("nothing was reloaded: ")).count(), 7, "{report}");
    assert_eq!(report.exit_code(), 0, "{report}");
}

#[tokio::test]
async fn a_service_that_refuses_its_new_settings_keeps_the_old_ones() {
    let group = Reconfigured::start("refused").await;
    let error = group.reload("[services.mailer]\nrate = 2\nis_refused = true").await.unwrap_err();
    assert_eq!(error.to_string(), "`mailer` failed to reload: no such rate");
    assert_eq!(group.journal.take(), ["keeper reloads"]);
    assert_eq!(group.start_again().await, ["start 1"]);
    group.stop().await;
}

/// By hand.
struct Worker(Journal);

impl Service for Worker {
    fn spec() -> Spec {
        Spec::of::<Self>().reloads_with::<Limits>()
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn reload_with(&self, settings: NewSettings) -> Result<(), BoxError> {
        let limits: Limits = settings.read()?;
        self.0.write(format!("reload {}", limits.rate));
        Ok(())
    }
}

#[tokio::test]
async fn by_hand_a_service_takes_its_new_settings_too() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("by_hand.toml");
    std::fs::write(&file, "services.worker.rate = 1").unwrap();
    let journal = Journal::default();
    let running = Group::new().add(Worker(journal.clone())).config_file(&file).start().await.unwrap();
    std::fs::write(&file, "services.worker.rate = 2").unwrap();
    in_time(running.handle().reload()).await.unwrap();
    assert_eq!(journal.take(), ["reload 2"]);
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn what_reload_takes_is_tried_before_anything_is_built() {
    let mut group = Group::new();
    let error =
        group.add(Worker(Journal::default())).config_str("services.worker.rate = 'x'").start().await.unwrap_err();
    assert_eq!(error.report().exit_code(), 78, "{error}");
}

#[tokio::test]
async fn where_no_reload_takes_settings_the_file_is_not_read_again() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("not_read.toml");
    std::fs::write(&file, "").unwrap();
    let journal = Journal::default();
    let mut group = Group::new();
    let running = group.add(Keeper(Arc::new(journal.clone()))).config_file(&file).start().await.unwrap();
    std::fs::write(&file, "= no TOML").unwrap();
    in_time(running.handle().reload()).await.unwrap();
    assert_eq!(journal.take(), ["keeper reloads"]);
    assert!(running.stop().await.is_clean());
}
