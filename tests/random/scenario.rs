//! A random group, and everything that will happen to it.

use std::fmt;
use std::time::Duration;

use group::{Restart, Role, Schedule, Spec};

use test_support::Dice;

/// A group, all that its services do, and when it is asked to stop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    /// True if it is played in real time, on one worker thread, which the services block now and then.
    pub(crate) blocks: bool,
    pub(crate) schedule: Schedule,
    pub(crate) stop_timeout: Duration,
    pub(crate) ask: Ask,
    /// Another request to stop, this long after the group began to stop, for whatever reason.
    pub(crate) again: Option<(How, When)>,
    /// When it is asked to reload.
    pub(crate) reloads: Vec<When>,
    /// In the order of their declaration.
    pub(crate) services: Vec<Life>,
}

/// The request to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) how: How,
    pub(crate) when: When,
}

/// This long after the group began, and this many turns of the scheduler later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct When {
    pub(crate) at: Duration,
    pub(crate) yields: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// With [`group::Handle::stop`].
    Stop,
    /// With [`group::Handle::exit`], and this code.
    Exit(u8),
    /// By dropping the running group, or the future that starts it.
    Drop,
}

/// One service, from how the group is to treat it to how it ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Life {
    pub(crate) after: Vec<Need>,
    pub(crate) role: Role,
    pub(crate) critical: bool,
    pub(crate) restart: Again,
    pub(crate) start_timeout: Duration,
    pub(crate) stop_timeout: Option<Duration>,
    /// `None`: the group is given a value, and builds nothing.
    pub(crate) build: Option<Step>,
    pub(crate) hears: Hears,
    /// `None`: it has no hook.
    pub(crate) stop: Option<Step>,
    /// True if `start` takes a `Ready`, which it fires after `start`.
    pub(crate) takes_ready: bool,
    pub(crate) start: Step,
    pub(crate) run: Step,
    /// From the moment at which it is asked to stop.
    pub(crate) asked: Step,
    /// The task that each `start` spawns; it takes a `Shutdown` if `start` does. `None`: it spawns nothing.
    pub(crate) child: Option<Step>,
    /// A task that one of its hooks spawns beside the child, and that takes no `Shutdown`.
    pub(crate) nested: Option<(Spawner, Step)>,
    /// `None`: it cannot reload.
    pub(crate) reload: Option<Step>,
    /// Only this many starts go wrong; later ones run until they are stopped.
    pub(crate) faulty_starts: u32,
    pub(crate) drop_panics: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Need {
    /// The place in [`Scenario::services`].
    pub(crate) on: usize,
    pub(crate) required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Again {
    Never,
    /// After a failure, as these limits allow.
    OnFailure(Limits),
    Always(Limits),
}

/// The limits of restarts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) max: usize,
    /// The wait before a restart.
    wait: Duration,
    /// A service that was ready for this long is stable, and its restarts are forgotten.
    pub(crate) within: Duration,
}

/// True if `start` takes a `Shutdown`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hears {
    Yes,
    /// It takes one, and never looks at it.
    Ignores,
    No,
}

/// The hook that spawns the nested task of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spawner {
    Build,
    Start,
    /// The task that `start` has spawned.
    Child,
    Reload,
    Stop,
    Drop,
}

/// A stretch of a life: it takes some time, then something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The time that it asks for at its beginning, if any, and if `start` takes a `Shutdown`.
    pub(crate) extends: Duration,
    pub(crate) yields: u64,
    /// It blocks its thread for so long.
    pub(crate) blocks: Duration,
    pub(crate) takes: Duration,
    pub(crate) then: Act,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    /// What comes next.
    Go,
    /// `start` returns `Ok`.
    Return,
    /// The `Ready` is dropped unfired, and `start` goes on.
    DropReady,
    Hang,
    Fail,
    Panic,
}

impl Step {
    pub(crate) const NOTHING: Self =
        Self { extends: Duration::ZERO, yields: 0, blocks: Duration::ZERO, takes: Duration::ZERO, then: Act::Go };
}

impl Life {
    /// It runs until it is asked to stop, and does so at once.
    pub(crate) const PLAIN: Self = Self {
        after: Vec::new(),
        role: Role::Task,
        critical: true,
        restart: Again::Never,
        start_timeout: Duration::from_secs(60),
        stop_timeout: None,
        build: None,
        hears: Hears::Yes,
        stop: None,
        takes_ready: false,
        start: Step::NOTHING,
        run: Step::NOTHING,
        asked: Step::NOTHING,
        child: None,
        nested: None,
        reload: None,
        faulty_starts: u32::MAX,
        drop_panics: false,
    };

    /// All its steps.
    pub(crate) fn steps(&mut self) -> impl Iterator<Item = &mut Step> {
        let always = [&mut self.start, &mut self.run, &mut self.asked];
        let others = [&mut self.build, &mut self.stop, &mut self.child, &mut self.reload];
        let nested = self.nested.as_mut().map(|(_, step)| step);
        always.into_iter().chain(others.into_iter().flatten()).chain(nested)
    }

    /// How long it may take to stop.
    pub(crate) fn stop_limit(&self) -> Duration {
        self.stop_timeout.unwrap_or(Duration::from_secs(10))
    }

    pub(crate) fn spec(&self, id: usize) -> Spec {
        let spec = Spec::new(name(id)).role(self.role).critical(self.critical).start_timeout(self.start_timeout);
        let spec = match self.stop_timeout {
            Some(limit) => spec.stop_timeout(limit),
            None => spec,
        };
        self.after.iter().fold(spec.restart(self.restart.policy()), |spec, need| {
            if need.required { spec.after_named(name(need.on)) } else { spec.after_optional_named(name(need.on)) }
        })
    }
}

impl Again {
    fn policy(self) -> Restart {
        let (restart, Limits { max, wait, within }) = match self {
            Self::Never => return Restart::never(),
            Self::OnFailure(limits) => (Restart::on_failure(), limits),
            Self::Always(limits) => (Restart::always(), limits),
        };
        restart.max(max).within(within).backoff(wait, wait)
    }

    pub(crate) fn limits(self) -> Option<Limits> {
        match self {
            Self::Never => None,
            Self::OnFailure(limits) | Self::Always(limits) => Some(limits),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedule, stop_timeout, ask, again, reloads, .. } = self;
        writeln!(f, "{schedule:?}, within {stop_timeout:?}, {ask:?}, again {again:?}, reloads {reloads:?}")?;
        self.services.iter().enumerate().try_for_each(|(id, life)| writeln!(f, "  {}: {life:?}", name(id)))
    }
}

pub(crate) fn name(id: usize) -> String {
    format!("s{id}")
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Everything is over by then, unless a service does not end by itself.
const LATE: Duration = Duration::from_secs(200);

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        // Times of few, of many or of very different lengths, so that they sometimes coincide.
        let scale = dice.pick(&[1, 1, 3, 50, 1000]);
        let trouble = dice.pick(&[0, 4, 12, 40]);
        // A multiple of 20 ms, so that its shares, down to a twentieth, are whole milliseconds.
        let stop_timeout = dice.pick(&[ms(20), ms(60), ms(400), ms(1000), ms(5000), ms(25_000)]);
        Self { stop_timeout, ..Maker { dice, scale, trouble, blocks: false }.scenario() }
    }

    /// A scenario whose services block the only worker thread now and then. Its limits are far away, because the time is
    /// real.
    pub(crate) fn on_one_worker(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let trouble = dice.pick(&[0, 0, 4, 12]);
        let mut scenario = Maker { dice: &mut *dice, scale: 1, trouble, blocks: true }.scenario();
        for life in &mut scenario.services {
            // The longer limit is for a `Once` that does not return; the shorter may pass while the thread is blocked.
            life.start_timeout = dice.pick(&[ms(1000), ms(1000), ms(10)]);
            life.stop_timeout = Life::PLAIN.stop_timeout;
            if life.hears == Hears::Ignores {
                life.hears = Hears::Yes;
            }
        }
        scenario
    }
}

struct Maker<'a> {
    dice: &'a mut Dice,
    scale: u64,
    /// This many of a hundred steps go wrong.
    trouble: u64,
    blocks: bool,
}

impl Maker<'_> {
    fn scenario(mut self) -> Scenario {
        Scenario {
            blocks: self.blocks,
            schedule: self.dice.pick(&[Schedule::Strict, Schedule::Graph]),
            stop_timeout: ms(25_000),
            ask: self.ask(),
            again: self.asks_again(),
            reloads: self.reloads(),
            services: self.services(),
        }
    }

    fn ask(&mut self) -> Ask {
        let how = self.dice.pick(&[How::Stop, How::Stop, How::Exit(7), How::Drop]);
        Ask { how, when: self.when() }
    }

    fn asks_again(&mut self) -> Option<(How, When)> {
        let how = self.dice.pick(&[None, None, Some(How::Stop), Some(How::Exit(9))])?;
        Some((how, self.when()))
    }

    fn reloads(&mut self) -> Vec<When> {
        let number = self.dice.pick(&[0, 0, 1, 3]);
        (0..number).map(|_| self.when()).collect()
    }

    fn when(&mut self) -> When {
        let at = match self.dice.below(8) {
            0 | 1 => Duration::ZERO,
            2..5 => self.time(40),
            5 | 6 => self.time(400),
            _ if self.blocks => self.time(100),
            _ => LATE,
        };
        When { at, yields: self.dice.below(30) }
    }

    fn time(&mut self, most: u64) -> Duration {
        ms(self.dice.below(most + 1) * self.scale)
    }

    fn services(&mut self) -> Vec<Life> {
        let number = usize::try_from(self.dice.below(13)).expect("it is small");
        let density = self.dice.pick(&[0, 10, 30, 70]);
        // Edges lead from left to right here, so there is no cycle; the order of declaration is shuffled.
        let mut ranks: Vec<usize> = (0..number).collect();
        self.dice.shuffle(&mut ranks);
        let mut services: Vec<Life> = (0..number).map(|_| self.life()).collect();
        for (rank, &id) in ranks.iter().enumerate() {
            for &on in &ranks[..rank] {
                if self.dice.chance(density) {
                    let required = self.dice.chance(70);
                    services[id].after.push(Need { on, required });
                }
            }
        }
        beside_sidecars(&mut services);
        services
    }

    fn life(&mut self) -> Life {
        let role = self.dice.pick(&[Role::Task, Role::Task, Role::Daemon, Role::Once, Role::Main, Role::Sidecar]);
        let (restart, faulty_starts) = self.again(role);
        let takes_ready = self.dice.chance(60);
        Life {
            after: Vec::new(),
            role,
            critical: self.dice.chance(75),
            restart,
            start_timeout: self.limit().unwrap_or(Life::PLAIN.start_timeout).max(ms(1)),
            stop_timeout: self.limit(),
            build: self.dice.chance(50).then(|| self.step(&[Act::Fail, Act::Panic, Act::Hang])),
            hears: self.dice.pick(&[Hears::Yes, Hears::Yes, Hears::Yes, Hears::No, Hears::Ignores]),
            stop: self.dice.chance(60).then(|| self.step(&[Act::Fail, Act::Panic, Act::Hang])),
            takes_ready,
            // Without a `Ready` there is none to drop, and it goes on.
            start: self.step(&[Act::Fail, Act::Panic, Act::Hang, Act::Return, Act::DropReady]),
            run: self.run(role),
            asked: self.step(&[Act::Fail, Act::Panic, Act::Hang]),
            child: self.dice.chance(20).then(|| self.step(&[Act::Fail, Act::Panic, Act::Hang, Act::Return])),
            nested: self.nested(),
            reload: self.dice.chance(40).then(|| self.step(&[Act::Fail, Act::Panic, Act::Hang])),
            faulty_starts,
            drop_panics: self.dice.chance(self.trouble / 4),
        }
    }

    /// A `Once` and a `Main` cannot always be started again. A wait has a random part, which would decide the
    /// order of two events at one moment. A wait of a nanosecond has none, and the clock rounds it up to a
    /// millisecond. With a window as short as that, a wait is beyond it; there a service that failed for ever could be
    /// restarted for ever, so it does not. Returns the number of faulty starts, too.
    fn again(&mut self, role: Role) -> (Again, u32) {
        let max = usize::try_from(self.dice.below(4)).expect("it is small");
        let wait = self.dice.pick(&[Duration::ZERO, Duration::from_nanos(1)]);
        let faulty_starts = self.dice.pick(&[1, 2, u32::MAX]);
        let limits = Limits { max, wait, within: Duration::from_secs(60) };
        match self.dice.below(8) {
            0 | 1 => (Again::OnFailure(limits), faulty_starts),
            2 | 3 => (Again::OnFailure(Limits { within: Duration::from_nanos(1), ..limits }), faulty_starts.min(4)),
            4 if !matches!(role, Role::Once | Role::Main) => (Again::Always(limits), faulty_starts),
            _ => (Again::Never, faulty_starts),
        }
    }

    fn nested(&mut self) -> Option<(Spawner, Step)> {
        if self.dice.chance(50) {
            return None;
        }
        let hooks = [Spawner::Build, Spawner::Start, Spawner::Child, Spawner::Reload, Spawner::Stop, Spawner::Drop];
        let spawner = self.dice.pick(&hooks);
        Some((spawner, self.step(&[Act::Fail, Act::Panic, Act::Hang])))
    }

    fn limit(&mut self) -> Option<Duration> {
        match self.dice.below(10) {
            0..5 => None,
            5 => Some(Duration::MAX),
            6 => Some(ms(self.dice.below(2))),
            _ => Some(self.time(30)),
        }
    }

    fn step(&mut self, faults: &[Act]) -> Step {
        let takes = if self.dice.chance(50) { Duration::ZERO } else { self.time(12) };
        let blocks = if self.blocks && self.dice.chance(30) { self.time(12) } else { Duration::ZERO };
        let then = if self.dice.chance(self.trouble) { self.dice.pick(faults) } else { Act::Go };
        // A service that hangs would be waited for until its limit.
        let then = if self.blocks && then == Act::Hang { Act::Go } else { then };
        let extends = if self.dice.chance(10) { self.time(30) } else { Duration::ZERO };
        Step { extends, yields: self.dice.pick(&[0, 0, 1, 3]), blocks, takes, then }
    }

    /// The proper behaviour of a service of this role, with some trouble.
    fn run(&mut self, role: Role) -> Step {
        let step = self.step(&[Act::Fail, Act::Panic, Act::Return]);
        let returns = match role {
            Role::Once => 95,
            Role::Daemon | Role::Sidecar => 0,
            _ => 50,
        };
        let takes = step.takes * self.dice.pick(&[1, 1, 20]);
        if step.then == Act::Go && self.dice.chance(returns) {
            return Step { takes, then: Act::Return, ..step };
        }
        Step { takes, ..step }
    }
}

/// Scenarios that are a little simpler than one that fails, the simplest first.
pub(crate) fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    let mut found: Vec<Scenario> = (0..scenario.services.len()).map(|id| without(scenario, id)).collect();
    let mut change = |change: &dyn Fn(&mut Scenario)| {
        let mut simpler = scenario.clone();
        change(&mut simpler);
        found.push(simpler);
    };
    change(&|it| it.schedule = Schedule::Strict);
    change(&|it| it.ask = Ask { how: How::Stop, when: When { at: LATE, yields: 0 } });
    change(&|it| it.ask.how = How::Stop);
    change(&|it| it.ask.when.yields = 0);
    change(&|it| it.again = None);
    for reload in 0..scenario.reloads.len() {
        change(&|it| {
            it.reloads.remove(reload);
        });
        change(&|it| it.reloads[reload].yields = 0);
    }
    change(&|it| it.stop_timeout = ms(25_000));
    for id in 0..scenario.services.len() {
        change(&|it| it.services[id] = Life::PLAIN);
        for simplify in SIMPLIFY {
            change(&|it| simplify(&mut it.services[id]));
        }
        for need in 0..scenario.services[id].after.len() {
            change(&|it| {
                it.services[id].after.remove(need);
            });
        }
        for step in 0..scenario.services[id].clone().steps().count() {
            change(&|it| *it.services[id].steps().nth(step).expect("it has so many") = Step::NOTHING);
            change(&|it| it.services[id].steps().nth(step).expect("it has so many").then = Act::Go);
            change(&|it| it.services[id].steps().nth(step).expect("it has so many").takes = Duration::ZERO);
            change(&|it| it.services[id].steps().nth(step).expect("it has so many").yields = 0);
            change(&|it| it.services[id].steps().nth(step).expect("it has so many").blocks = Duration::ZERO);
            change(&|it| it.services[id].steps().nth(step).expect("it has so many").extends = Duration::ZERO);
        }
    }
    found.retain(|simpler| simpler != scenario);
    found
}

const SIMPLIFY: [fn(&mut Life); 13] = [
    |life| life.role = Life::PLAIN.role,
    |life| life.critical = true,
    |life| life.restart = Again::Never,
    |life| life.start_timeout = Life::PLAIN.start_timeout,
    |life| life.stop_timeout = None,
    |life| life.build = None,
    |life| life.hears = Hears::Yes,
    |life| life.stop = None,
    |life| life.child = None,
    |life| life.nested = None,
    |life| life.reload = None,
    |life| life.faulty_starts = u32::MAX,
    |life| (life.takes_ready, life.drop_panics) = (false, false),
];

fn without(scenario: &Scenario, id: usize) -> Scenario {
    let mut simpler = scenario.clone();
    simpler.services.remove(id);
    for life in &mut simpler.services {
        life.after.retain(|need| need.on != id);
        for need in &mut life.after {
            need.on -= usize::from(need.on > id);
        }
    }
    beside_sidecars(&mut simpler.services);
    simpler
}

/// Sidecars alone are no group: then the first is something else.
fn beside_sidecars(services: &mut [Life]) {
    if services.iter().all(|life| life.role == Role::Sidecar)
        && let Some(first) = services.first_mut()
    {
        first.role = Life::PLAIN.role;
    }
}
