//! Services that live as their [`Life`] says, and write down what happens to them.

use std::future::pending;
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use group::{
    Absent, BoxError, Context, Event, Events, Group, Handle, Ready, ReloadError, Role, Service, Shutdown, Spec,
};
use test_support::Journal;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use crate::play::id;
use crate::scenario::{Act, Hears, How, Life, Scenario, Spawner, Step, When, name};

/// Something that happened to a service, when.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Duration,
    /// The place in [`Scenario::services`].
    pub(crate) who: usize,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Builds,
    Built,
    Starts,
    /// It fired its `Ready`.
    Ready,
    DropsReady,
    /// It heard that it is to stop.
    Asked,
    /// `start` is about to return `Ok`.
    Returns,
    /// `start` is over: it returned, panicked or was dropped.
    StartOver,
    Spawns,
    /// What `start` has spawned is over.
    ChildOver,
    /// A task that a hook has spawned beside the child is about to return `Ok`.
    NestedReturns,
    /// It asks for this much time.
    Extends(Duration),
    Reloads,
    /// `reload` is over: it returned, panicked or was dropped.
    ReloadOver,
    Stops,
    Stopped,
    Dropped,
    /// It is about to fail or panic, with these words.
    Fault(String),
    /// The value that the group was provided with is dropped; no service did it.
    ValueDropped,
}

/// A scenario that is played, and everything that is written down of it.
pub(crate) struct Stage {
    pub(crate) scenario: Scenario,
    begun: Instant,
    pub(crate) journal: Journal<Entry>,
    pub(crate) events: Journal<(Duration, Event)>,
    pub(crate) reloads: Journal<Reload>,
    /// Set when the first service begins.
    pub(crate) witness: OnceLock<Witness>,
}

/// Sees the group from outside.
pub(crate) struct Witness {
    pub(crate) handle: Handle,
    /// True if the group was stopping already when the first service was reached.
    pub(crate) late: bool,
    /// The tasks that write down the events, that ask for reloads, and that ask again for the stop.
    pub(crate) others: Mutex<Vec<JoinHandle<()>>>,
}

/// What came of a request to reload.
#[derive(Clone, Debug)]
pub(crate) struct Reload {
    pub(crate) asked: Duration,
    pub(crate) over: Duration,
    /// True if the group was not stopping.
    pub(crate) was_done: bool,
    /// The failures: of which service, and with which words.
    pub(crate) failed: Vec<(Option<usize>, String)>,
}

impl Stage {
    pub(crate) fn new(scenario: &Scenario) -> Arc<Self> {
        Arc::new(Self {
            scenario: scenario.clone(),
            begun: Instant::now(),
            journal: Journal::default(),
            events: Journal::default(),
            reloads: Journal::default(),
            witness: OnceLock::new(),
        })
    }

    pub(crate) fn group(self: &Arc<Self>) -> Group {
        let mut group = Group::new();
        group.schedule(self.scenario.schedule).stop_timeout(self.scenario.stop_timeout);
        group.provide(Provided(Arc::clone(self)));
        for (id, life) in self.scenario.services.iter().enumerate() {
            if life.build.is_some() {
                ADD_TYPE[id](&mut group);
            } else {
                group.add_as(name(id), Probe::new(self, id));
            }
            group.configure(&name(id), |_| life.spec(id));
        }
        group
    }

    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn write(&self, who: usize, what: What) {
        let at = self.now();
        self.journal.write(Entry { at, who, what });
    }

    /// Only a service can see its group before it is ready.
    fn watch(self: &Arc<Self>, cx: &Context) {
        self.witness.get_or_init(|| {
            let handle = cx.handle();
            let mut others = vec![tokio::spawn(record(handle.events(), self.events.clone(), self.begun))];
            let reload = |&when| tokio::spawn(reload(Arc::clone(self), handle.clone(), when));
            others.extend(self.scenario.reloads.iter().map(reload));
            let again = |(how, after)| tokio::spawn(ask_again(handle.clone(), how, after));
            others.extend(self.scenario.again.map(again));
            Witness { late: handle.is_stopping(), others: Mutex::new(others), handle }
        });
    }

    /// Waits for this moment.
    pub(crate) async fn comes(&self, when: When) {
        sleep_until(self.begun + when.at).await;
        for _ in 0..when.yields {
            yield_now().await;
        }
    }
}

/// Asks for the stop while the group does stop.
async fn ask_again(handle: Handle, how: How, after: When) {
    handle.stopping().await;
    let over = handle.clone();
    tokio::select! {
        biased;
        _ = over.wait() => return,
        () = sleep(after.at) => {}
    }
    for _ in 0..after.yields {
        yield_now().await;
    }
    how.ask(&handle);
}

async fn reload(stage: Arc<Stage>, handle: Handle, when: When) {
    tokio::select! {
        biased;
        () = handle.stopping() => return,
        () = stage.comes(when) => {}
    }
    let asked = stage.now();
    let result = handle.reload().await;
    let failed = match &result {
        Err(ReloadError::Failed(failed)) => failed.as_slice(),
        _ => &[],
    };
    let failed = failed.iter().map(|failure| (failure.service().map(id), failure.error().to_string())).collect();
    let was_done = !matches!(result, Err(ReloadError::Stopping));
    stage.reloads.write(Reload { asked, over: stage.now(), was_done, failed });
}

async fn record(mut events: Events, into: Journal<(Duration, Event)>, begun: Instant) {
    while let Some(event) = events.recv().await {
        into.write((begun.elapsed(), event));
    }
}

/// The value that the group is provided with.
struct Provided(Arc<Stage>);

impl Drop for Provided {
    fn drop(&mut self) {
        self.0.write(usize::MAX, What::ValueDropped);
    }
}

/// One service, from its construction to its drop.
struct Probe {
    stage: Arc<Stage>,
    id: usize,
    starts: AtomicU32,
    reloads: AtomicU32,
    /// Used to ask for more time.
    extends: OnceLock<Shutdown>,
    /// Used to spawn outside of `start`.
    cx: OnceLock<Context>,
    /// Notified when its hook has run. A `start` without a `Shutdown` waits for this.
    released: Notify,
}

type Flow = ControlFlow<Result<(), BoxError>>;

impl Probe {
    fn new(stage: &Arc<Stage>, id: usize) -> Self {
        let (starts, reloads) = (AtomicU32::new(0), AtomicU32::new(0));
        let (extends, cx) = (OnceLock::new(), OnceLock::new());
        Self { stage: Arc::clone(stage), id, starts, reloads, extends, cx, released: Notify::new() }
    }

    fn life(&self) -> &Life {
        &self.stage.scenario.services[self.id]
    }

    fn write(&self, what: What) {
        self.stage.write(self.id, what);
    }

    async fn starting(&self, cx: &Context) -> Flow {
        let life = self.life();
        self.spawn(Spawner::Start);
        let ready = life.takes_ready.then(|| cx.ready());
        let shutdown = (life.hears != Hears::No).then(|| cx.shutdown());
        if life.hears != Hears::No {
            self.extends.get_or_init(|| cx.shutdown());
        }
        if let Some(step) = life.child {
            let place = format!("child ({})", self.starts.load(Ordering::Relaxed));
            let child = child(Over::spawned(&self.stage, self.id), place, self.of_this_run(step), shutdown.clone());
            let nested = self.nested(Spawner::Child);
            cx.spawn(async move {
                nested.inspect(Nested::spawn);
                child.await
            });
        }
        let asked = async {
            match (&shutdown, life.hears) {
                (Some(shutdown), Hears::Yes) => shutdown.requested().await,
                (None, Hears::No) => self.released.notified().await,
                _ => pending().await,
            }
        };
        tokio::select! {
            biased;
            flow = self.running(ready) => flow,
            () = asked => {
                self.write(What::Asked);
                self.pass("asked", life.asked).await
            }
        }
    }

    fn spawn(&self, spawner: Spawner) {
        self.nested(spawner).inspect(Nested::spawn);
    }

    /// The task that this hook is to spawn, if it is.
    fn nested(&self, spawner: Spawner) -> Option<Nested> {
        let nested = Nested::of(&self.stage, self.id, spawner, self.cx.get()?)?;
        let (starts, reloads) = (self.starts.load(Ordering::Relaxed), self.reloads.load(Ordering::Relaxed));
        let place = format!("{} ({starts}, {reloads})", nested.place);
        Some(Nested { place, step: self.of_this_run(nested.step), ..nested })
    }

    /// A task has faults in the same runs of `start` as that has: otherwise a service could be restarted for ever.
    fn of_this_run(&self, step: Step) -> Step {
        let is_faulty = self.starts.load(Ordering::Relaxed) <= self.life().faulty_starts;
        if is_faulty { step } else { Step { then: Act::Go, ..step } }
    }

    async fn running(&self, mut ready: Option<Ready>) -> Flow {
        let life = self.life();
        if self.starts.load(Ordering::Relaxed) <= life.faulty_starts {
            self.pass("start", life.start).await?;
            if life.start.then == Act::DropReady && ready.take().is_some() {
                self.write(What::DropsReady);
            }
        }
        if let Some(ready) = &ready {
            self.write(What::Ready);
            ready.fire();
        }
        // A `Once` must return before others can start, also when it is started again. For a service that must not return, that
        // is one of its faults.
        let may_return = !matches!(life.role, Role::Daemon | Role::Sidecar) && life.run.then == Act::Return;
        if self.starts.load(Ordering::Relaxed) <= life.faulty_starts || may_return {
            self.pass("run", life.run).await?;
        }
        pending().await
    }

    async fn pass(&self, place: &str, step: Step) -> Flow {
        if let Some(shutdown) = self.extends.get().filter(|_| !step.extends.is_zero()) {
            self.write(What::Extends(step.extends));
            shutdown.extend(step.extends);
        }
        let times = if place == "reload" { &self.reloads } else { &self.starts };
        pass(&self.stage, self.id, &format!("{place} ({})", times.load(Ordering::Relaxed)), step).await
    }
}

async fn pass(stage: &Stage, id: usize, place: &str, step: Step) -> Flow {
    for _ in 0..step.yields {
        yield_now().await;
    }
    if !step.blocks.is_zero() {
        thread::sleep(step.blocks);
    }
    if !step.takes.is_zero() {
        sleep(step.takes).await;
    }
    let fault = |does: &str| {
        let words = format!("{} {does} in {place}", name(id));
        stage.write(id, What::Fault(words.clone()));
        words
    };
    match step.then {
        Act::Go | Act::DropReady => Continue(()),
        Act::Return => Break(Ok(())),
        Act::Hang => pending().await,
        Act::Fail => Break(Err(fault("fails").into())),
        Act::Panic => panic_quietly(fault("panics")),
    }
}

/// Past the panic hook, which would print thousands of backtraces.
fn panic_quietly(words: String) -> ! {
    resume_unwind(Box::new(words))
}

/// What a `start` has spawned.
async fn child(over: Over, place: String, step: Step, shutdown: Option<Shutdown>) -> Result<(), BoxError> {
    let Over(stage, id, _) = &over;
    let runs = async {
        match pass(stage, *id, &place, step).await {
            Break(result) => result,
            // With a `Shutdown` it ends when it is asked to, and otherwise by itself.
            Continue(()) if shutdown.is_some() => pending().await,
            Continue(()) => Ok(()),
        }
    };
    let told = async {
        match &shutdown {
            Some(shutdown) => shutdown.requested().await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        result = runs => result,
        () = told => Ok(()),
    }
}

/// Writes down that something of a service is over, when it is dropped.
struct Over(Arc<Stage>, usize, What);

impl Over {
    /// Writes down that a task is spawned, too.
    fn spawned(stage: &Arc<Stage>, id: usize) -> Self {
        stage.write(id, What::Spawns);
        Self(Arc::clone(stage), id, What::ChildOver)
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.0.write(self.1, self.2.clone());
    }
}

/// A task that a hook spawns beside the child of `start`.
struct Nested {
    cx: Context,
    stage: Arc<Stage>,
    id: usize,
    place: String,
    step: Step,
}

impl Nested {
    fn of(stage: &Arc<Stage>, id: usize, spawner: Spawner, cx: &Context) -> Option<Self> {
        let (_, step) = stage.scenario.services[id].nested.filter(|&(by, _)| by == spawner)?;
        Some(Self { cx: cx.clone(), stage: Arc::clone(stage), id, place: format!("task of {spawner:?}"), step })
    }

    fn spawn(&self) {
        let over = Over::spawned(&self.stage, self.id);
        let (stage, id) = (Arc::clone(&self.stage), self.id);
        let child = child(over, self.place.clone(), self.step, None);
        self.cx.spawn(async move {
            let result = child.await;
            if result.is_ok() {
                stage.write(id, What::NestedReturns);
            }
            result
        });
    }
}

impl Service for Probe {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        self.stage.watch(&cx);
        self.cx.get_or_init(|| cx.clone());
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.write(What::Starts);
        let _over = Over(Arc::clone(&self.stage), self.id, What::StartOver);
        let result = self.starting(&cx).await.break_value().unwrap_or(Ok(()));
        if result.is_ok() {
            self.write(What::Returns);
        }
        result
    }

    async fn stop(&self) -> Result<(), BoxError> {
        let Some(step) = self.life().stop else { return Err(Absent.into()) };
        self.write(What::Stops);
        self.spawn(Spawner::Stop);
        let flow = self.pass("stop", step).await;
        self.released.notify_one();
        self.write(What::Stopped);
        flow.break_value().unwrap_or(Ok(()))
    }

    async fn reload(&self) -> Result<(), BoxError> {
        let Some(step) = self.life().reload else { return Err(Absent.into()) };
        self.reloads.fetch_add(1, Ordering::Relaxed);
        self.write(What::Reloads);
        self.spawn(Spawner::Reload);
        let _over = Over(Arc::clone(&self.stage), self.id, What::ReloadOver);
        self.pass("reload", step).await.break_value().unwrap_or(Ok(()))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.spawn(Spawner::Drop);
        self.write(What::Dropped);
        // A second panic on the way out of the first would end the process.
        if self.life().drop_panics && !thread::panicking() {
            let words = format!("{} panics in drop", name(self.id));
            self.write(What::Fault(words.clone()));
            panic_quietly(words);
        }
    }
}

/// A probe that the group builds: one type for each place in a scenario.
struct Built<const ID: usize>(Arc<Probe>);

impl<const ID: usize> Service for Built<ID> {
    fn spec() -> Spec {
        Spec::new(name(ID)).builds_with::<Arc<Provided>>()
    }

    async fn build(cx: Context) -> Result<Self, BoxError> {
        let stage = Arc::clone(&cx.get::<Provided>().expect("it was provided").0);
        stage.watch(&cx);
        stage.write(ID, What::Builds);
        Nested::of(&stage, ID, Spawner::Build, &cx).inspect(Nested::spawn);
        let step = stage.scenario.services[ID].build.expect("it is to be built");
        if let Break(result) = pass(&stage, ID, "build", step).await {
            result?;
        }
        stage.write(ID, What::Built);
        Ok(Self(Arc::new(Probe::new(&stage, ID))))
    }

    fn start(self: Arc<Self>, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send {
        Arc::clone(&self.0).start(cx)
    }

    fn stop(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        self.0.stop()
    }

    fn reload(&self) -> impl Future<Output = Result<(), BoxError>> + Send {
        self.0.reload()
    }
}

type AddType = for<'a> fn(&'a mut Group) -> &'a mut Group;

/// As many as a scenario can have services.
const ADD_TYPE: [AddType; 12] = [
    Group::add_type::<Built<0>>,
    Group::add_type::<Built<1>>,
    Group::add_type::<Built<2>>,
    Group::add_type::<Built<3>>,
    Group::add_type::<Built<4>>,
    Group::add_type::<Built<5>>,
    Group::add_type::<Built<6>>,
    Group::add_type::<Built<7>>,
    Group::add_type::<Built<8>>,
    Group::add_type::<Built<9>>,
    Group::add_type::<Built<10>>,
    Group::add_type::<Built<11>>,
];
