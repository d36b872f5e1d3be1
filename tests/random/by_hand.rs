//! Random groups whose services are stopped, started and restarted by hand, many at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use group::{BoxError, Context, Group, Handle, Restart, Role, Schedule, Service, Spec, State};
use test_support::{Dice, in_time};
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::number;

const SCENARIOS: u64 = 1000;

/// The number of services, at most.
const MOST: usize = 6;

/// Adds a service of each number.
const ADD: [fn(&mut Group); MOST] = [add::<0>, add::<1>, add::<2>, add::<3>, add::<4>, add::<5>];

fn add<const ID: usize>(group: &mut Group) {
    group.add_type::<Piece<ID>>();
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Built,
    Ready,
    Stops,
    Dropped,
}

/// What all services of one scenario do, and have done.
struct Stage {
    dice: Mutex<Dice>,
    /// This many of a hundred steps go wrong.
    trouble: u64,
    entries: Mutex<Vec<(usize, What)>>,
    lives: [AtomicUsize; MOST],
}

impl Stage {
    fn write(&self, who: usize, what: What) {
        self.entries.lock().unwrap().push((who, what));
    }

    async fn takes_a_while(&self) {
        let takes = self.dice.lock().unwrap().pick(&[0, 0, 1, 7, 40]);
        sleep(Duration::from_millis(takes)).await;
    }

    fn goes_wrong(&self) -> bool {
        self.dice.lock().unwrap().chance(self.trouble)
    }
}

/// One service, with a new value in each life.
struct Piece<const ID: usize>(Arc<Stage>);

impl<const ID: usize> Service for Piece<ID> {
    fn spec() -> Spec {
        Spec::new(name(ID))
    }

    async fn build(cx: Context) -> Result<Self, BoxError> {
        let stage = cx.get::<Stage>().expect("it is provided");
        stage.takes_a_while().await;
        // In its first life, so that the group comes up.
        if stage.lives[ID].fetch_add(1, Ordering::Relaxed) > 0 && stage.goes_wrong() {
            return Err("it cannot be built".into());
        }
        stage.write(ID, What::Built);
        Ok(Self(stage))
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let (ready, shutdown) = (cx.ready(), cx.shutdown());
        let works = async {
            self.0.takes_a_while().await;
            self.0.write(ID, What::Ready);
            ready.fire();
            sleep(Duration::from_millis(100)).await;
            if self.0.goes_wrong() {
                return Err("it fails".into());
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            failed = works => failed,
            () = shutdown.requested() => {
                self.0.takes_a_while().await;
                Ok(())
            }
        }
    }

    async fn stop(&self) -> Result<(), BoxError> {
        self.0.write(ID, What::Stops);
        self.0.takes_a_while().await;
        if self.0.goes_wrong() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

impl<const ID: usize> Drop for Piece<ID> {
    fn drop(&mut self) {
        self.0.write(ID, What::Dropped);
    }
}

fn name(id: usize) -> String {
    format!("s{id}")
}

/// The edges of a group: from a service to one that it comes after, and whether it requires that.
type Edges = Vec<(usize, usize, bool)>;

fn group(dice: &mut Dice, stage: Stage, services: usize) -> (Group, Edges) {
    let mut group = Group::new();
    group.schedule(dice.pick(&[Schedule::Strict, Schedule::Graph])).stop_timeout(Duration::from_secs(600));
    group.provide(stage);
    let (mut edges, density) = (Edges::new(), dice.pick(&[10, 40, 80]));
    for (from, add) in ADD.into_iter().enumerate().take(services) {
        add(&mut group);
        let edge = |to| dice.chance(density).then(|| (from, to, dice.chance(70)));
        let own: Edges = (0..from).filter_map(edge).collect();
        let (role, critical) = (dice.pick(&[Role::Task, Role::Daemon]), dice.chance(60));
        let restart = dice.pick(&[Restart::never(), Restart::on_failure().max(2)]);
        group.configure(&name(from), |spec| {
            let spec = spec.role(role).critical(critical).restart(restart).stop_timeout(Duration::from_millis(500));
            own.iter().fold(spec, |spec, &(_, to, required)| {
                if required { spec.after_named(name(to)) } else { spec.after_optional_named(name(to)) }
            })
        });
        edges.extend(own);
    }
    (group, edges)
}

async fn ask(handle: Handle, at: Duration, what: u64, service: usize) {
    sleep(at).await;
    let service = name(service);
    // Whatever comes of it: there is an answer.
    let _came = match what {
        0 => handle.stop_service(&service).await,
        1 => handle.start_service(&service).await,
        _ => handle.restart_service(&service).await,
    };
}

/// Every service is built only when all that it comes after is there, and nothing that comes after it; each of its lives is
/// stopped once, when nothing that comes after it is there, and is dropped before the next one begins.
fn check(entries: &[(usize, What)], edges: &Edges) {
    let comes_after = |who: usize, other: usize| {
        let mut open = vec![who];
        while let Some(next) = open.pop() {
            let needs = edges.iter().filter(|edge| edge.0 == next).map(|edge| edge.1);
            open.extend(needs);
            if next == other && next != who {
                return true;
            }
        }
        false
    };
    let (mut there, mut ready, mut stops) = ([false; MOST], [false; MOST], [0; MOST]);
    for (at, &(who, what)) in entries.iter().enumerate() {
        let held_by = (0..MOST).find(|&other| there[other] && comes_after(other, who));
        match what {
            What::Built => {
                assert!(!there[who], "s{who} is built beside itself, at {at}");
                assert_eq!(held_by, None, "s{who} is built beside what comes after it, at {at}");
                let lacks = edges.iter().find(|edge| edge.0 == who && edge.2 && !ready[edge.1]);
                assert_eq!(lacks, None, "s{who} is built without what it needs, at {at}");
                (there[who], stops[who]) = (true, 0);
            }
            What::Ready => ready[who] = true,
            What::Stops => {
                assert_eq!(held_by, None, "s{who} is stopped before what comes after it, at {at}");
                stops[who] += 1;
            }
            What::Dropped => {
                assert_eq!(stops[who], 1, "s{who} is stopped {} times, at {at}", stops[who]);
                (there[who], ready[who]) = (false, false);
            }
        }
    }
    assert_eq!(there, [false; MOST], "something is left");
}

async fn play(seed: u64) -> usize {
    let dice = &mut Dice::new(seed);
    let services = 1 + usize::try_from(dice.below(MOST as u64)).expect("it is small");
    let trouble = dice.pick(&[0, 0, 10, 30]);
    let stage = Stage {
        dice: Mutex::new(Dice::new(seed + 1)),
        trouble,
        entries: Mutex::default(),
        lives: std::array::from_fn(|_| AtomicUsize::new(0)),
    };
    let (mut group, edges) = group(dice, stage, services);
    let Ok(running) = group.start().await else { return 0 };
    let (handle, stage) = (running.handle(), running.get::<Stage>().expect("it is provided"));
    let window = dice.pick(&[1, 50, 500]);
    let asks: Vec<_> = (0..dice.below(12))
        .map(|_| {
            let at = Duration::from_millis(dice.below(window));
            let service = usize::try_from(dice.below(services as u64)).expect("it is small");
            tokio::spawn(ask(handle.clone(), at, dice.below(4), service))
        })
        .collect();
    let ends_early = dice.chance(50);
    if ends_early {
        sleep(Duration::from_millis(dice.below(2 * window))).await;
        handle.stop();
    }
    for asked in asks {
        asked.await.expect("it does not panic");
    }
    if !ends_early && trouble == 0 {
        let states: Vec<State> = handle.status().services().iter().map(group::ServiceStatus::state).collect();
        assert!(states.iter().all(|state| matches!(state, State::Ready | State::Stopped)), "{states:?}");
    }
    let report = running.stop().await;
    let failed = report.failures().iter().any(|failure| failure.service().is_none());
    assert!(!failed, "{report}");
    let entries = std::mem::take(&mut *stage.entries.lock().unwrap());
    check(&entries, &edges);
    entries.iter().filter(|(_, what)| *what == What::Built).count().saturating_sub(services)
}

#[test]
fn random_groups_that_are_controlled_by_hand_keep_their_order() {
    let seed = number("GROUP_SEED");
    let scenarios = number("GROUP_SCENARIOS").unwrap_or(if seed.is_some() { 1 } else { SCENARIOS });
    let mut lives = 0;
    for seed in (seed.unwrap_or(0)..).take(usize::try_from(scenarios).expect("it is a number")) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(in_time(play(seed)))));
        lives += played.unwrap_or_else(|panic| {
            println!("this was seed {seed}");
            std::panic::resume_unwind(panic)
        });
    }
    println!("{scenarios} groups, {lives} lives begun by hand");
    assert!(scenarios < SCENARIOS || lives > 1000, "it tries too little: {lives}");
}
