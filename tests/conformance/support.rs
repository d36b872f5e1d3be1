//! Shared by the cases: a journal, a service that acts from a script, and the log of this thread.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::{Bound, Deref, RangeBounds};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;

use group::axum::{Router, http::StatusCode};
use group::{
    Absent, BoxError, Context, Event, Group, Handle, Report, Role, Running, Schedule, Service, Shutdown, Spec,
    StartError, http,
};
pub(crate) use test_support::{fails_to_start, in_time, until_state};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Both schedules, for what must be true in each.
pub(crate) const SCHEDULES: [Schedule; 2] = [Schedule::Strict, Schedule::Graph];

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What the services of one test did, in order, and the group that they are in.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    entries: test_support::Journal,
    group: Arc<OnceLock<Handle>>,
}

impl Deref for Journal {
    type Target = test_support::Journal;

    fn deref(&self) -> &test_support::Journal {
        &self.entries
    }
}

impl Journal {
    /// A service of this name that writes here.
    pub(crate) fn probe(&self, name: &str) -> Probe {
        Probe {
            name: name.to_owned(),
            journal: self.clone(),
            spec: Spec::new(name.to_owned()),
            script: Vec::new(),
            starts: AtomicUsize::new(0),
            hears: true,
            has_stop: true,
            lives: AtomicBool::new(false),
        }
    }

    /// A group of such services.
    pub(crate) fn group<const N: usize>(&self, names: [&str; N]) -> Group {
        let mut group = Group::new();
        for name in names {
            group.probe(self.probe(name));
        }
        group
    }

    /// Waits until every probe, and all else that can write here, is dropped; then returns what
    /// was written.
    pub(crate) async fn last_words(self) -> Vec<String> {
        let Self { entries, group } = self;
        drop(group);
        entries.last_words().await
    }

    /// The group, once one of its probes has started.
    pub(crate) fn handle(&self) -> Handle {
        self.group.get().expect("a probe has started").clone()
    }
}

/// The entries of services that stop when they are asked to, one after the other.
pub(crate) fn stops<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.iter().flat_map(|name| ["asked", "stops", "dropped"].map(|did| format!("{name} {did}"))).collect()
}

/// Two stretches of a journal, one after the other.
pub(crate) fn then(first: &[&str], rest: Vec<String>) -> Vec<String> {
    first.iter().map(ToString::to_string).chain(rest).collect()
}

/// A moment in a probe's life at which its script may act.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Point {
    /// In `build`, before its first await, and after it.
    Build,
    BuildLater,
    /// In `start`, before its first await.
    Start,
    /// In `start`, after its first await, and before its `Ready` fires. The probe takes a `Ready` if
    /// its script has a line for this point.
    StartLater,
    /// While it runs.
    Run,
    /// In `start`, once it is asked to stop.
    Asked,
    /// In `stop`.
    Stop,
    /// In `health` and in `reload`, which the probe has if its script has a line for them.
    Health,
    Reload,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Take(Duration),
    Fail,
    Panic,
    Hang,
    /// `start` returns `Ok`.
    Return,
}

/// One line of a script: acts at this point while the number of starts so far is in this range.
struct Line {
    starts: (Bound<usize>, Bound<usize>),
    point: Point,
    act: Act,
}

type Flow = ControlFlow<Result<(), BoxError>>;

/// A service that acts from a script, and writes what happens to it into a journal: `starts`,
/// `ready` (if it takes a `Ready`), `reloads` and `reloaded` (if it has a `reload`), `asked`,
/// `stops`, `dropped`. Without a script it runs until it is asked to stop.
pub(crate) struct Probe {
    name: String,
    journal: Journal,
    spec: Spec,
    script: Vec<Line>,
    starts: AtomicUsize,
    hears: bool,
    has_stop: bool,
    lives: AtomicBool,
}

impl Probe {
    /// Adds this act at this point, after those that are there already.
    pub(crate) fn on(self, point: Point, act: Act) -> Self {
        self.on_starts(.., point, act)
    }

    /// The same, but only in these of its starts, of which the first is number 1.
    pub(crate) fn on_starts(mut self, starts: impl RangeBounds<usize>, point: Point, act: Act) -> Self {
        let starts = (starts.start_bound().cloned(), starts.end_bound().cloned());
        self.script.push(Line { starts, point, act });
        self
    }

    /// Starts after these services.
    pub(crate) fn after<const N: usize>(self, names: [&'static str; N]) -> Self {
        self.spec(|spec| names.into_iter().fold(spec, Spec::after_named))
    }

    pub(crate) fn spec(mut self, change: impl FnOnce(Spec) -> Spec) -> Self {
        self.spec = change(self.spec.clone());
        self
    }

    /// Its `start` takes no `Shutdown`.
    pub(crate) fn deaf(mut self) -> Self {
        self.hears = false;
        self
    }

    /// It has no `stop`.
    pub(crate) fn without_stop(mut self) -> Self {
        self.has_stop = false;
        self
    }

    fn write(&self, what: &str) {
        self.journal.write(format!("{} {what}", self.name));
    }

    fn has_at(&self, here: Point) -> bool {
        self.script.iter().any(|line| line.point == here)
    }

    async fn pass(&self, here: Point) -> Flow {
        let starts = self.starts.load(Ordering::Relaxed);
        for line in self.script.iter().filter(|line| line.point == here && line.starts.contains(&starts)) {
            match line.act {
                Act::Take(time) => tokio::time::sleep(time).await,
                Act::Hang => std::future::pending().await,
                Act::Return => return Break(Ok(())),
                Act::Fail => return Break(Err(format!("{} fails in {here:?}", self.name).into())),
                Act::Panic => panic!("{} panics in {here:?}", self.name),
            }
        }
        Continue(())
    }

    async fn building(&self) -> Flow {
        self.write("builds");
        self.pass(Point::Build).await?;
        tokio::task::yield_now().await;
        self.pass(Point::BuildLater).await
    }

    async fn starting(&self, cx: Context) -> Flow {
        self.lives.store(true, Ordering::Relaxed);
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.journal.group.get_or_init(|| cx.handle());
        self.write("starts");
        let shutdown = self.hears.then(|| cx.shutdown());
        let asked = async {
            match &shutdown {
                Some(shutdown) => shutdown.requested().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            flow = self.running(&cx) => flow,
            () = asked => {
                self.write("asked");
                self.pass(Point::Asked).await
            }
        }
    }

    async fn running(&self, cx: &Context) -> Flow {
        let ready = self.has_at(Point::StartLater).then(|| cx.ready());
        self.pass(Point::Start).await?;
        tokio::task::yield_now().await;
        if let Some(ready) = ready {
            self.pass(Point::StartLater).await?;
            self.write("ready");
            ready.fire();
        }
        self.pass(Point::Run).await?;
        std::future::pending().await
    }

    async fn stopping(&self) -> Flow {
        if !self.has_stop {
            return Break(Err(Absent.into()));
        }
        self.write("stops");
        self.pass(Point::Stop).await
    }

    async fn reloading(&self) -> Flow {
        if !self.has_at(Point::Reload) {
            return Break(Err(Absent.into()));
        }
        self.write("reloads");
        self.pass(Point::Reload).await?;
        self.write("reloaded");
        Continue(())
    }

    async fn examined(&self) -> Flow {
        if !self.has_at(Point::Health) {
            return Break(Err(Absent.into()));
        }
        self.pass(Point::Health).await
    }
}

fn result(flow: Flow) -> Result<(), BoxError> {
    flow.break_value().unwrap_or(Ok(()))
}

impl Service for Probe {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        result(self.starting(cx).await)
    }

    async fn stop(&self) -> Result<(), BoxError> {
        result(self.stopping().await)
    }

    async fn health(&self) -> Result<(), BoxError> {
        result(self.examined().await)
    }

    async fn reload(&self) -> Result<(), BoxError> {
        result(self.reloading().await)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if *self.lives.get_mut() {
            self.write("dropped");
        }
    }
}

/// A probe that the group builds: it also writes `builds` and `built`. A group can have one of each
/// number.
pub(crate) struct Built<const NUMBER: usize>(Probe);

struct Unbuilt<const NUMBER: usize>(Mutex<Option<Probe>>);

impl<const NUMBER: usize> Built<NUMBER> {
    fn unbuilt_name() -> String {
        format!("unbuilt-{NUMBER}")
    }
}

impl<const NUMBER: usize> Service for Built<NUMBER> {
    fn spec() -> Spec {
        Spec::new(Self::unbuilt_name())
    }

    async fn build(cx: Context) -> Result<Self, BoxError> {
        let unbuilt = cx.get::<Unbuilt<NUMBER>>().expect("it was provided");
        let probe = unbuilt.0.lock().unwrap().take().expect("a service is built once");
        result(probe.building().await)?;
        probe.write("built");
        probe.lives.store(true, Ordering::Relaxed);
        Ok(Self(probe))
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        result(self.0.starting(cx).await)
    }

    async fn stop(&self) -> Result<(), BoxError> {
        result(self.0.stopping().await)
    }
}

/// A group that takes probes.
pub(crate) trait Stage {
    /// Adds a probe that is built already.
    fn probe(&mut self, probe: Probe) -> &mut Self;

    /// Adds a probe that the group builds.
    fn build<const NUMBER: usize>(&mut self, probe: Probe) -> &mut Self;

    /// Adds a `main`, which returns after this time, so that the group ends.
    fn lasts(&mut self, time: Duration) -> &mut Self;
}

impl Stage for Group {
    fn probe(&mut self, probe: Probe) -> &mut Self {
        let (name, spec) = (probe.name.clone(), probe.spec.clone());
        self.add_as(&name, probe).configure(&name, |_| spec)
    }

    fn build<const NUMBER: usize>(&mut self, probe: Probe) -> &mut Self {
        let spec = probe.spec.clone();
        self.provide(Unbuilt::<NUMBER>(Mutex::new(Some(probe))))
            .add_type::<Built<NUMBER>>()
            .configure(&Built::<NUMBER>::unbuilt_name(), |_| spec)
    }

    fn lasts(&mut self, time: Duration) -> &mut Self {
        self.add_fn("main", move || sleep(time)).configure("main", |spec| spec.role(Role::Main))
    }
}

/// Adds a service, `witness`, that writes the events of the group into this journal from its own start
/// on: `s1 is ready`, `group stops: ..`, and so on, but nothing about itself.
pub(crate) fn witness(group: &mut Group, told: &Journal) {
    let told = told.clone();
    group.add_fn("witness", |handle: Handle, shutdown: Shutdown| async move {
        let mut events = handle.events();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Service { name, .. } if name == "witness" => {}
                    Event::Service { name, state } => told.write(format!("{name} is {state}")),
                    Event::GroupReady => told.write("group is ready"),
                    Event::GroupStopping(cause) => told.write(format!("group stops: {cause}")),
                    Event::GroupStopped => told.write("group has stopped"),
                    other => told.write(format!("{other:?}")),
                }
            }
        });
        shutdown.requested().await;
    });
}

/// Starts a group in a task of its own.
pub(crate) fn start_aside(group: &mut Group) -> JoinHandle<Result<Running, StartError>> {
    tokio::spawn(group.start())
}

/// Runs the group until it ends by itself. Returns its report, and how long it ran.
pub(crate) async fn ended(group: &mut Group) -> (Report, Duration) {
    let begun = Instant::now();
    let report = in_time(async { group.start().await.expect("the group starts").wait().await }).await;
    (report, begun.elapsed())
}

/// Starts the group and stops it. Returns its report, and how long the stop took.
pub(crate) async fn started_and_stopped(group: &mut Group) -> (Report, Duration) {
    let running = in_time(group.start()).await.expect("the group starts");
    let asked = Instant::now();
    (in_time(running.stop()).await, asked.elapsed())
}

/// Each failure of a report in one line, as [`without_line`].
pub(crate) fn failures(report: &Report) -> Vec<String> {
    report.failures().iter().map(|failure| without_line(&failure.to_string())).collect()
}

/// What holds a probe back that never fires its `Ready`.
pub(crate) const NOT_FIRED: &str = "its `Ready` of tests/conformance/support.rs was not fired";

/// The text without the number of the line on which a probe takes its `Ready`.
pub(crate) fn without_line(text: &str) -> String {
    match text.split_once("support.rs:") {
        Some((before, after)) => {
            format!("{before}support.rs{}", after.trim_start_matches(|one: char| one.is_ascii_digit()))
        }
        None => text.to_owned(),
    }
}

/// A group with one HTTP service, `web`, on a free port.
pub(crate) fn web(routes: Router) -> Group {
    let mut group = Group::new();
    group.add_fn("web", |cx: Context| async move { http::serve(&cx, "127.0.0.1:0", routes).await });
    group
}

/// The body of the answer to a GET.
pub(crate) async fn text_at(addr: SocketAddr, path: &'static str) -> String {
    let response = reqwest::get(format!("http://{addr}{path}")).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.expect("a whole answer")
}

/// A function to call with each line that is logged.
type OnLine = Rc<dyn Fn(&str)>;

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static CAUSES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static ON_LINE: RefCell<Option<OnLine>> = const { RefCell::new(None) };
}

/// Collects what is logged on this thread. A test must call this before anything else.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    // One for the whole process: a subscriber per thread misses an event if another thread has
    // passed its callsite before.
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).expect("nobody else listens"));
    LOG.take();
    CAUSES.take();
}

/// From now on, calls this function when a line that contains `what` is logged on this thread.
pub(crate) fn when_told(what: &'static str, does: fn()) {
    on_line(move |line| {
        if line.contains(what) {
            does();
        }
    });
}

/// From now on, calls this function with each line that is logged on this thread, as a subscriber is.
pub(crate) fn on_line(does: impl Fn(&str) + 'static) {
    ON_LINE.set(Some(Rc::new(does)));
}

/// The lines that were logged since [`listen`], each as `LEVEL message`.
pub(crate) fn logged() -> Vec<String> {
    LOG.with_borrow(Clone::clone)
}

/// The same, but only of one level.
pub(crate) fn logged_at(level: tracing::Level) -> Vec<String> {
    logged().into_iter().filter(|line| line.starts_with(level.as_str())).collect()
}

/// The field `cause` of the lines that were logged since [`listen`], where there is one.
pub(crate) fn logged_causes() -> Vec<String> {
    CAUSES.with_borrow(Clone::clone)
}

struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "group"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut |field: &tracing::field::Field, value: &dyn fmt::Debug| {
            if field.name() == "message" {
                let _ = write!(line, " {value:?}");
            } else if field.name() == "cause" {
                CAUSES.with_borrow_mut(|causes| causes.push(format!("{value:?}")));
            }
        });
        if let Some(does) = ON_LINE.with_borrow(Clone::clone) {
            does(&line);
        }
        LOG.with_borrow_mut(|lines| lines.push(line));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}
