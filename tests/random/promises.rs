//! Checks the history of one group against the promises of `docs/design.md`, section 4.

use std::time::Duration;

use group::{Ending, Event, Outcome, Role, Schedule, State, StopReason};

use crate::play::{Failed, History, Told, ToldOf, id};
use crate::probe::{Entry, Reload, What};
use crate::scenario::{Again, Hears, How, Life, Spawner};

/// Each way in which this history breaks a promise, with the name of the promise.
pub(crate) fn broken(history: &History) -> Vec<String> {
    let seen = Seen::new(history);
    let mut broken = Vec::new();
    // In real time, two tasks do not see one event at the same moment.
    let is_judged = |promise| !history.scenario.blocks || !["reload", "patient"].contains(&promise);
    for (promise, holds) in PROMISES.into_iter().filter(|(promise, _)| is_judged(*promise)) {
        let mut complaints = Vec::new();
        holds(&seen, &mut complaints);
        broken.extend(complaints.into_iter().map(|complaint| format!("{promise}: {complaint}")));
    }
    broken
}

type Complaints = Vec<String>;
type Holds = fn(&Seen, &mut Complaints);

const PROMISES: [(&str, Holds); 16] = [
    ("order at start", order_at_start),
    ("order at stop", order_at_stop),
    ("exactly once", exactly_once),
    ("told as it can hear it", told_as_it_can_hear_it),
    ("all or nothing", all_or_nothing),
    ("bounded", bounded),
    ("patient", patient),
    ("no service eats another's reserve", no_service_eats_anothers_reserve),
    ("nothing lost in silence", nothing_lost_in_silence),
    ("nothing invented", nothing_invented),
    ("the exit code tells a crash from a clean stop", the_outcome_is_that_of_the_first_cause),
    ("a task of a hook is waited for", a_task_of_a_hook_is_waited_for),
    ("restarts are limited", restarts_are_limited),
    ("reload", reload),
    ("no leak", no_leak),
    ("events", events),
];

/// Timers count whole milliseconds, and round up.
const TICK: Duration = Duration::from_millis(1);

/// A history, and what follows from it.
struct Seen<'a> {
    history: &'a History,
    /// When the group began to stop, and when services are no longer stopped in turn.
    stopping: Duration,
    deadline: Duration,
    /// The services as the report orders them, each at its place in the scenario.
    order: Vec<usize>,
    /// The sidecars, and the services that they need, directly or not: these come first.
    first_ones: Vec<usize>,
}

/// Returns the sidecars, and the services that they need.
fn first_ones(services: &[Life]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open: Vec<usize> = (0..services.len()).filter(|&who| services[who].role == Role::Sidecar).collect();
    while let Some(who) = open.pop() {
        if !found.contains(&who) {
            found.push(who);
            open.extend(services[who].after.iter().map(|need| need.on));
        }
    }
    found
}

impl<'a> Seen<'a> {
    fn new(history: &'a History) -> Self {
        let told = history.events.iter().find(|(_, event)| matches!(event, Event::GroupStopping(_)));
        let stopping = told.map_or(history.asked.unwrap_or(history.ended), |&(at, _)| at);
        let order = history.report.iter().flat_map(|report| &report.services).map(|service| service.who);
        let (deadline, first_ones) =
            (stopping + deadline(history.scenario.stop_timeout), first_ones(&history.scenario.services));
        Self { history, stopping, deadline, order: order.collect(), first_ones }
    }

    fn lives(&self) -> impl Iterator<Item = (usize, &'a Life)> {
        self.history.scenario.services.iter().enumerate()
    }

    fn life(&self, who: usize) -> &'a Life {
        &self.history.scenario.services[who]
    }

    fn is_strict(&self) -> bool {
        self.history.scenario.schedule == Schedule::Strict
    }

    /// The entries of this service, each with its place in the history.
    fn of(&self, who: usize) -> impl Iterator<Item = (usize, &'a Entry)> {
        self.history.entries.iter().enumerate().filter(move |(_, entry)| entry.who == who)
    }

    fn first(&self, who: usize, is: impl Fn(&What) -> bool) -> Option<(usize, &'a Entry)> {
        self.of(who).find(|(_, entry)| is(&entry.what))
    }

    fn count(&self, who: usize, what: &What) -> usize {
        self.of(who).filter(|(_, entry)| entry.what == *what).count()
    }

    /// When the service's own code ran first.
    fn begins(&self, who: usize) -> Option<(usize, &'a Entry)> {
        self.first(who, |what| matches!(what, What::Builds | What::Starts))
    }

    fn is_built(&self, who: usize) -> bool {
        let built = if self.life(who).build.is_some() { What::Built } else { What::Starts };
        self.count(who, &built) > 0
    }

    fn told(&self, who: usize) -> Option<&'a ToldOf> {
        self.history.report.as_ref()?.services.iter().find(|told| told.who == who)
    }

    fn failures(&self) -> &'a [Failed] {
        self.history.report.as_ref().map_or(&[], |report| &report.failures)
    }

    /// Each new state of each service, with its place among the events.
    fn states(&self) -> impl Iterator<Item = (usize, usize, State)> {
        self.history.events.iter().enumerate().filter_map(|(at, (_, event))| match event {
            Event::Service { name, state } => Some((at, id(name), *state)),
            _ => None,
        })
    }

    /// The place among the events at which this service was first in one of these states.
    fn state(&self, who: usize, states: &[State]) -> Option<usize> {
        self.states().find(|&(_, it, state)| it == who && states.contains(&state)).map(|(at, ..)| at)
    }

    fn group(&self, is: impl Fn(&Event) -> bool) -> Option<usize> {
        self.history.events.iter().position(|(_, event)| is(event))
    }

    /// True if the group was seen from before it began to stop.
    fn is_whole(&self) -> bool {
        !self.history.events.is_empty() && !self.history.late
    }

    /// The services that this one comes after, and whether it requires them.
    fn needs(&self, who: usize) -> Vec<(usize, bool)> {
        let mut needs: Vec<_> = self.life(who).after.iter().map(|need| (need.on, need.required)).collect();
        if self.is_strict() {
            let earlier = self.order.iter().take_while(|&&it| it != who);
            needs.extend(earlier.map(|&it| (it, false)));
        }
        if !self.first_ones.contains(&who) {
            let sidecars = self.lives().filter(|(_, life)| life.role == Role::Sidecar);
            needs.extend(sidecars.map(|(it, _)| (it, false)));
        }
        needs
    }

    /// The services that come after this one.
    fn holders(&self, who: usize) -> Vec<usize> {
        self.lives().map(|(it, _)| it).filter(|&it| self.needs(it).iter().any(|&(on, _)| on == who)).collect()
    }

    /// The number of services in the longest chain.
    fn chain(&self) -> usize {
        let mut lengths = vec![0; self.order.len()];
        for &who in &self.order {
            lengths[who] = self.needs(who).iter().map(|&(on, _)| lengths[on]).max().unwrap_or(0) + 1;
        }
        lengths.into_iter().max().unwrap_or(1)
    }
}

/// The time from the request to stop until services are no longer stopped in turn: the whole time
/// less that for the last grace, for aborts and for the exit.
fn deadline(total: Duration) -> Duration {
    total.saturating_sub(last_grace(total)).saturating_sub(2 * abort(total))
}

fn last_grace(total: Duration) -> Duration {
    (total / 10).min(Duration::from_secs(2))
}

fn abort(total: Duration) -> Duration {
    (total / 20).min(Duration::from_millis(50))
}

/// Promise 1: a service is built only when every service that it requires is ready, and every
/// optional one has become ready or failed.
fn order_at_start(seen: &Seen, complaints: &mut Complaints) {
    for (who, _) in seen.lives() {
        let Some((begins, entry)) = seen.begins(who) else { continue };
        let needs = seen.needs(who);
        for &(need, required) in &needs {
            if seen.life(need).takes_ready && required && seen.life(need).role != Role::Once {
                let ready = seen.first(need, |what| *what == What::Ready);
                if ready.is_none_or(|(ready, _)| ready > begins) {
                    complaints.push(format!("s{who} begins at {:?} before s{need} has fired its `Ready`", entry.at));
                }
            }
            if seen.life(need).role == Role::Once && required {
                let done = seen.first(need, |what| *what == What::Returns);
                if done.is_none_or(|(done, _)| done > begins) {
                    complaints.push(format!("s{who} begins at {:?} before s{need} is done", entry.at));
                }
            }
        }
        match seen.state(who, &[State::Building]) {
            Some(building) => settled_before(seen, who, building, &needs, complaints),
            // It was launched before any service could watch the events.
            None if seen.is_whole() && !needs.is_empty() => complaints.push(format!("s{who} begins without an event")),
            None => {}
        }
    }
}

fn settled_before(seen: &Seen, who: usize, building: usize, needs: &[(usize, bool)], complaints: &mut Complaints) {
    for &(need, required) in needs {
        let settled: &[State] = if required { &[State::Ready] } else { &[State::Ready, State::Failed] };
        if seen.state(need, settled).is_none_or(|settled| settled > building) {
            complaints.push(format!("s{who} is built before s{need} is settled"));
        }
        let last = seen.states().filter(|&(at, it, _)| it == need && at < building).last();
        if required && last.is_some_and(|(.., state)| !matches!(state, State::Ready | State::Completed)) {
            complaints.push(format!("s{who} is built while s{need}, which it needs, is {}", last.unwrap().2));
        }
    }
}

/// Promise 1: a service is stopped only when all that need it have finished stopping. When no time
/// is left for turns, all are told at once.
fn order_at_stop(seen: &Seen, complaints: &mut Complaints) {
    for (who, _) in seen.lives() {
        let asked = seen.first(who, |what| matches!(what, What::Asked | What::Stops));
        let told = seen.state(who, &[State::Stopping]);
        for holder in seen.holders(who).into_iter().filter(|&holder| seen.begins(holder).is_some()) {
            let dropped = seen.first(holder, |what| *what == What::Dropped).map(|(at, _)| at);
            if let Some((asked, entry)) = asked.filter(|(_, entry)| entry.at < seen.deadline)
                && seen.is_built(holder)
                && dropped.is_none_or(|dropped| dropped > asked)
            {
                complaints.push(format!("s{who} stops at {:?} before s{holder} is dropped", entry.at));
            }
            if let Some(told) = told.filter(|&told| seen.history.events[told].0 < seen.deadline)
                && seen.state(holder, &[State::Gone]).is_none_or(|gone| gone > told)
            {
                complaints.push(format!("s{who} is asked to stop before s{holder} is gone"));
            }
        }
    }
    let place = |who: usize| seen.order.iter().position(|&it| it == who);
    let stops: Vec<usize> =
        seen.states().filter(|&(.., state)| state == State::Stopping).map(|(_, who, _)| who).collect();
    if seen.is_strict() && !stops.is_sorted_by(|&a, &b| place(a) > place(b)) {
        complaints
            .push(format!("the order of stops {stops:?} is not the reverse of the order of starts {:?}", seen.order));
    }
}

/// Promise 2: what was built is stopped once and dropped once; what was not is never stopped.
fn exactly_once(seen: &Seen, complaints: &mut Complaints) {
    for (who, life) in seen.lives() {
        let (built, stops) = (seen.is_built(who), seen.count(who, &What::Stops));
        let aborted = seen.told(who).is_some_and(|told| matches!(told.ending, Ending::Aborted | Ending::Abandoned));
        // A service without time to stop is only dropped.
        let has_time = life.stop_timeout.is_none_or(|limit| !limit.is_zero());
        let least = usize::from(built && has_time && life.stop.is_some() && !aborted);
        if stops < least || stops > usize::from(built && has_time) {
            complaints.push(format!("the hook of s{who} ran {stops} times (built: {built}, aborted: {aborted})"));
        }
        // A service that was added as a value exists, even if its turn never came.
        let (there, dropped) = (built || life.build.is_none(), seen.count(who, &What::Dropped));
        if dropped != usize::from(there) {
            complaints.push(format!("s{who} was dropped {dropped} times (there: {there})"));
        }
        if seen.count(who, &What::Builds) > 1 {
            complaints.push(format!("s{who} was built twice"));
        }
        let after = seen.of(who).skip_while(|(_, entry)| entry.what != What::Dropped).skip(1);
        for (_, entry) in after.filter(|(_, entry)| !matches!(entry.what, What::Fault(_))) {
            complaints.push(format!("s{who} still does {:?} after it was dropped", entry.what));
        }
        if let Some(told) = seen.told(who).filter(|told| told.built != built) {
            complaints.push(format!("s{who} was built: {built}, and the report says {told:?}"));
        }
        let ending = seen.told(who).filter(|_| !aborted);
        if let Some(told) = ending.filter(|told| (told.ending == Ending::NeverBuilt) == built) {
            complaints.push(format!("s{who} was built: {built}, and the report says {:?}", told.ending));
        }
    }
}

/// Section 4: `start` and the tasks that it spawned are over before the hook runs, if `start` takes a `Shutdown`.
fn told_as_it_can_hear_it(seen: &Seen, complaints: &mut Complaints) {
    for (who, life) in seen.lives() {
        let Some((stops, _)) = seen.first(who, |what| *what == What::Stops) else { continue };
        let over = seen.first(who, |what| *what == What::StartOver);
        if life.hears != Hears::No && over.is_none_or(|(over, _)| over > stops) {
            complaints.push(format!("the hook of s{who} runs although its `start` is not over"));
        }
        let runs = |what: &What| seen.of(who).filter(|(at, entry)| *at < stops && entry.what == *what).count();
        if life.hears != Hears::No && runs(&What::Spawns) > runs(&What::ChildOver) {
            complaints.push(format!("the hook of s{who} runs although what it has spawned is not over"));
        }
        let last = seen.of(who).filter(|(_, entry)| entry.what == What::StartOver).last();
        let dropped = seen.first(who, |what| *what == What::Dropped);
        if let (Some((over, _)), Some((dropped, _))) = (last, dropped)
            && over > dropped
        {
            complaints.push(format!("s{who} is dropped although its `start` is not over"));
        }
    }
}

/// Promise 3: a group that stops builds nothing any more, and a group is up only when all its services are.
fn all_or_nothing(seen: &Seen, complaints: &mut Complaints) {
    let stopping = seen.group(|event| matches!(event, Event::GroupStopping(_)));
    let ready = seen.group(|event| *event == Event::GroupReady);
    for (at, who, state) in seen.states() {
        if state == State::Building && stopping.is_some_and(|stopping| stopping < at) {
            complaints.push(format!("s{who} is built although the group stops"));
        }
    }
    for (who, _) in seen.lives() {
        if let Some((_, entry)) = seen.begins(who).filter(|(_, entry)| entry.at > seen.stopping) {
            complaints.push(format!("s{who} begins at {:?}, after the group began to stop", entry.at));
        }
        if let Some(ready) = ready
            && seen.state(who, &[State::Ready, State::Failed]).is_none_or(|settled| settled > ready)
        {
            complaints.push(format!("the group is ready before s{who} is settled"));
        }
    }
    if let Some(came_up) = seen.history.came_up.filter(|_| seen.is_whole())
        && came_up != ready.is_some()
    {
        complaints.push(format!("the start ended well: {came_up}, and the group was ready: {}", ready.is_some()));
    }
}

/// Promise 4: everything is over within the budget, and each service within its own limit.
fn bounded(seen: &Seen, complaints: &mut Complaints) {
    let total = seen.history.scenario.stop_timeout;
    if seen.history.ended > seen.stopping + total {
        complaints
            .push(format!("it ended at {:?}: asked at {:?}, within {total:?}", seen.history.ended, seen.stopping));
    }
    for told in seen.history.report.iter().flat_map(|report| &report.services) {
        // Nothing here blocks its thread.
        if told.ending == Ending::Abandoned {
            complaints.push(format!("s{} vanishes when it is aborted, and was abandoned", told.who));
        }
        let (Some(asked), Some(gone)) = (told.stop_asked, told.gone) else { continue };
        let limit = seen.life(told.who).stop_limit();
        let since = seen.of(told.who).map(|(_, entry)| entry).filter(|entry| entry.at >= asked);
        let until = if asked < seen.deadline {
            extended(asked.saturating_add(limit).saturating_add(TICK), since).saturating_add(abort(total))
        } else {
            seen.stopping + total
        };
        if gone > until {
            complaints.push(format!("s{} was asked at {asked:?} and is gone at {gone:?}, within {limit:?}", told.who));
        }
    }
}

/// The deadline of a service, moved by its requests for more time. A request at the last moment may be too late.
fn extended<'a>(until: Duration, entries: impl Iterator<Item = &'a Entry>) -> Duration {
    entries.fold(until, |until, entry| match entry.what {
        What::Extends(by) if entry.at < until => until.max(entry.at.saturating_add(by)),
        _ => until,
    })
}

/// Promise 3: a start is given up only after its limit, and after the time that the service asked for.
fn patient(seen: &Seen, complaints: &mut Complaints) {
    for failed in seen.failures().iter().filter(|failed| failed.words.starts_with("it is not ready after")) {
        let Some(who) = failed.who else { continue };
        // The build counts as part of the first start.
        let last = seen.of(who).filter(|(_, entry)| entry.what == What::Starts).last();
        let starts = if seen.count(who, &What::Starts) > 1 { last } else { seen.begins(who) };
        let Some((from, starts)) = starts else { continue };
        let Some(gives_up) = seen.state(who, &[State::Failed]) else { continue };
        let gives_up = seen.history.events[gives_up].0;
        let asks = seen.of(who).filter(|&(at, entry)| at >= from && entry.at <= gives_up).map(|(_, entry)| entry);
        let until = extended(starts.at.saturating_add(seen.life(who).start_timeout), asks);
        if gives_up < until {
            complaints.push(format!("s{who} is given up at {gives_up:?}, and had until {until:?}"));
        }
    }
}

/// Promise 4: each service that is aborted had its own limit, or at least its equal share of half
/// of the time.
fn no_service_eats_anothers_reserve(seen: &Seen, complaints: &mut Complaints) {
    let total = seen.history.scenario.stop_timeout;
    let chain = u32::try_from(seen.chain()).expect("it is short");
    let share = deadline(total) / 2 / chain;
    for told in seen.history.report.iter().flat_map(|report| &report.services) {
        let (Ending::Aborted, Some(asked), Some(gone)) = (told.ending, told.stop_asked, told.gone) else { continue };
        let had = gone.saturating_sub(asked);
        // Each turn before may have ended a tick late.
        if had + TICK * chain < share.min(seen.life(told.who).stop_limit()) {
            complaints.push(format!("s{} was aborted after {had:?}, and its share is {share:?}", told.who));
        }
    }
}

/// Promise 6: what goes wrong in a service is in the report, once, and in the service's own words.
fn nothing_lost_in_silence(seen: &Seen, complaints: &mut Complaints) {
    for entry in &seen.history.entries {
        let What::Fault(words) = &entry.what else { continue };
        let said =
            seen.failures().iter().filter(|failed| failed.who == Some(entry.who) && failed.words.contains(words));
        if said.count() != 1 && seen.history.report.is_some() {
            complaints.push(format!("`{words}` is not once in the report"));
        }
    }
    for (who, life) in seen.lives() {
        let blamed = seen.failures().iter().any(|failed| failed.who == Some(who));
        let turn = seen.told(who).and_then(|told| told.stop_asked);
        let before_its_turn = |entry: &Entry| turn.is_none_or(|turn| entry.at < turn);
        // If `start` returns at the same moment, its result is reported, not the `Ready` that was dropped with it.
        let returns = |at| seen.of(who).any(|(_, entry)| entry.at == at && entry.what == What::StartOver);
        let spawns = life.child.is_some() || life.nested.is_some();
        let fails = |entry: &Entry| match entry.what {
            // In real time, the moments of one poll differ.
            What::DropsReady => !seen.history.scenario.blocks && !returns(entry.at),
            // A task that it spawned may run on.
            What::Returns => matches!(life.role, Role::Daemon | Role::Sidecar) && !spawns,
            _ => false,
        };
        if seen.of(who).any(|(_, entry)| fails(entry) && before_its_turn(entry)) && !blamed {
            complaints.push(format!("s{who} ended as it must not, and the report does not say so"));
        }
    }
    for told in seen.history.report.iter().flat_map(|report| &report.services) {
        if told.ending == Ending::Aborted && the_cause(seen).is_none() {
            complaints.push(format!("s{} was aborted, and nobody is told", told.who));
        }
    }
}

fn the_cause<'a>(seen: &Seen<'a>) -> Option<&'a Failed> {
    seen.failures().iter().find(|failed| failed.fatal)
}

/// Parts of messages that the group words itself.
const OWN_WORDS: [&str; 9] = [
    "it ended before it was ready",
    "ended unexpectedly: it should run until it is stopped",
    "a service that it needs has failed",
    "its `Ready` was dropped before it was fired",
    "(start_timeout)",
    NOT_RELOADED,
    STOPPED_LATE,
    DEADLINE,
    "blocks its thread",
];
const NOT_RELOADED: &str = "it has not reloaded after";
const STOPPED_LATE: &str = "(stop_timeout), so it was aborted";
const DEADLINE: &str = "the time to stop is almost up";

/// Promise 3: the report blames no service for what it did not do, and says whether a failure is fatal.
fn nothing_invented(seen: &Seen, complaints: &mut Complaints) {
    for failed in seen.failures() {
        let own = |what: &What| matches!(what, What::Fault(words) if failed.words.contains(words));
        let happened = failed.who.is_some_and(|who| seen.first(who, own).is_some());
        if !happened && !OWN_WORDS.iter().any(|words| failed.words.contains(words)) {
            complaints.push(format!("nothing is like {failed:?}"));
        }
        let Some(life) = failed.who.map(|who| seen.life(who)) else { continue };
        // Of several failures at once, one is reported as the service's, and the others beside it.
        let is_beside = (life.child.is_some() || life.nested.is_some())
            && seen.failures().iter().filter(|it| it.who == failed.who).count() > 1;
        let is_right = if is_reload(failed) {
            !failed.fatal
        } else {
            failed.fatal == (life.critical || is_limit(failed)) || is_beside && !failed.fatal
        };
        if !is_right && life.restart == Again::Never {
            complaints.push(format!("it is not right how bad this is: {failed:?}"));
        }
    }
    for told in seen.history.report.iter().flat_map(|report| &report.services) {
        let starts = u64::try_from(seen.count(told.who, &What::Starts)).expect("they are few");
        // The last may be due at the moment at which the service is asked to stop.
        if told.restarts != starts.saturating_sub(1) && told.restarts != starts {
            complaints.push(format!("s{} was started {starts} times, and the report says {told:?}", told.who));
        }
        let life = seen.life(told.who);
        let tasks = u64::from(life.child.is_some()) + u64::from(life.nested.is_some());
        let most = (told.restarts + 1) * (tasks + 1);
        let survived = |failed: &&Failed| failed.who == Some(told.who) && !failed.fatal && !is_reload(failed);
        let survived = seen.failures().iter().filter(survived).count();
        if seen.life(told.who).critical && survived as u64 > most {
            complaints.push(format!("s{} survived {survived} failures with {} restarts", told.who, told.restarts));
        }
    }
}

fn is_limit(failed: &Failed) -> bool {
    [STOPPED_LATE, DEADLINE, "blocks its thread"].iter().any(|words| failed.words.contains(words))
}

fn is_reload(failed: &Failed) -> bool {
    failed.words.contains(NOT_RELOADED) || failed.words.contains("in reload")
}

/// Promise 6: the first fatal failure decides, by when it came.
fn the_outcome_is_that_of_the_first_cause(seen: &Seen, complaints: &mut Complaints) {
    let Some(Told { outcome, exit_code, stopped_by, .. }) = &seen.history.report else { return };
    let came_up = seen.group(|event| *event == Event::GroupReady).is_some() || seen.history.came_up == Some(true);
    let turned = matches!(stopped_by, Some(StopReason::Failed(_)));
    let (expected, codes) = match the_cause(seen) {
        None => (Outcome::Clean, clean_codes(seen, stopped_by.as_ref())),
        Some(_) if turned && !came_up => (Outcome::StartFailed, vec![2]),
        Some(failed) if !turned && is_limit(failed) => (Outcome::UncleanStop, vec![3]),
        Some(_) => (Outcome::RunFailed, vec![1]),
    };
    if *outcome != expected || !codes.contains(exit_code) {
        complaints.push(format!("it is {outcome:?} ({exit_code}) and should be {expected:?} ({codes:?})"));
    }
    if let Some(StopReason::Failed(name)) = stopped_by
        && the_cause(seen).is_none_or(|cause| cause.who != Some(id(name)))
    {
        complaints.push(format!("it stopped because {name} failed, and the cause is {:?}", the_cause(seen)));
    }
    let asked = seen.history.asked.is_some_and(|asked| asked <= seen.history.ended);
    if *stopped_by == Some(StopReason::Asked) && !asked {
        complaints.push("it stopped because it was asked to, and nobody asked".to_owned());
    }
}

/// The exit codes that a clean end may have. The first that was asked for counts, and one that was asked for as the group
/// ended may have come too late.
fn clean_codes(seen: &Seen, stopped_by: Option<&StopReason>) -> Vec<u8> {
    let again = match seen.history.scenario.again {
        Some((How::Exit(code), _)) => Some(code),
        _ => None,
    };
    // A group that nobody had seen when the stop was due was dropped, and never asked for a code.
    let asked = seen.history.asked.filter(|_| seen.history.came_up.is_some());
    match (seen.history.scenario.ask.how, asked) {
        (How::Exit(code), Some(_)) if stopped_by == Some(&StopReason::Asked) => vec![code],
        (How::Exit(code), Some(asked)) if asked < seen.history.ended => [code].into_iter().chain(again).collect(),
        (How::Exit(code), Some(_)) => [0, code].into_iter().chain(again).collect(),
        _ => [0].into_iter().chain(again).collect(),
    }
}

/// A service that stops as it should is gone only when the tasks are that its hooks have spawned. A `start` that is not
/// ready at the stop is dropped with its tasks, and what a destructor spawns never runs.
fn a_task_of_a_hook_is_waited_for(seen: &Seen, complaints: &mut Complaints) {
    for (who, life) in seen.lives().filter(|(who, _)| seen.count(*who, &What::Stops) > 0) {
        let is_of = |hook| life.nested.is_some_and(|(spawner, _)| spawner == hook);
        let waits = (seen.state(who, &[State::Ready]).is_some() || is_of(Spawner::Stop)) && !is_of(Spawner::Drop);
        let ended_well = seen.told(who).is_some_and(|told| !matches!(told.ending, Ending::Aborted | Ending::Abandoned))
            && seen.failures().iter().all(|failed| failed.who != Some(who));
        let children = if life.child.is_some() { seen.count(who, &What::Starts) } else { 0 };
        let spawned = seen.count(who, &What::Spawns).saturating_sub(children);
        let returned = seen.count(who, &What::NestedReturns);
        if waits && ended_well && returned < spawned {
            complaints
                .push(format!("s{who} is gone, and of {spawned} tasks of its hooks only {returned} have returned"));
        }
    }
}

/// Without a stable period between them, a service is started again only so often, however long it waits in between.
fn restarts_are_limited(seen: &Seen, complaints: &mut Complaints) {
    for (who, life) in seen.lives() {
        let Some(limits) = life.restart.limits() else { continue };
        let (mut in_a_row, mut ready, mut over) = (None, None, None);
        for (_, entry) in seen.of(who) {
            match entry.what {
                What::Starts => {
                    let was_stable = ready.zip(over).is_some_and(|(ready, over)| over >= ready + limits.within);
                    let so_far = in_a_row.filter(|_| !was_stable).map_or(0, |in_a_row: usize| in_a_row + 1);
                    in_a_row = Some(so_far);
                    if so_far > limits.max {
                        complaints.push(format!("s{who} starts at {:?}, restart {so_far} of {limits:?}", entry.at));
                    }
                    // Without a `Ready`, it is ready at once.
                    (ready, over) = ((!life.takes_ready).then_some(entry.at), None);
                }
                What::Ready => ready = Some(entry.at),
                // What it spawned is a part of the run.
                What::StartOver | What::ChildOver => over = Some(entry.at),
                _ => {}
            }
        }
    }
}

/// Services that are ready are reloaded, in start order, one at a time, while the group is up.
fn reload(seen: &Seen, complaints: &mut Complaints) {
    let mut runs: Option<usize> = None;
    let mut last: Option<usize> = None;
    let mut rounds = 0;
    for (at, entry) in seen.history.entries.iter().enumerate() {
        match entry.what {
            What::Reloads => {
                if let Some(other) = runs.replace(entry.who) {
                    complaints.push(format!("s{} reloads while s{other} does", entry.who));
                }
                let place = seen.order.iter().position(|&it| it == entry.who);
                rounds += usize::from(last.is_none() || place <= last);
                last = place;
                if !is_up(seen, at, entry) {
                    complaints.push(format!("s{} reloads at {:?}, and is not ready", entry.who, entry.at));
                }
            }
            What::ReloadOver => runs = None,
            _ => {}
        }
    }
    if rounds > seen.history.scenario.reloads.len() {
        complaints.push(format!("{rounds} rounds of reloads were not asked for"));
    }
    for request in &seen.history.reloads {
        if request.over > seen.stopping {
            complaints.push(format!("the group stops at {:?}, and {request:?}", seen.stopping));
        }
        for (who, words) in &request.failed {
            let failed = |failed: &&Failed| failed.who == *who && failed.words == *words;
            if seen.failures().iter().filter(failed).count() == 0 {
                complaints.push(format!("`{words}` is not in the report"));
            }
        }
        for (who, _) in seen.lives().filter(|(_, life)| life.reload.is_some() && request.was_done) {
            let within = |entry: &Entry| entry.at >= request.asked && entry.at <= request.over;
            let reloads = seen.of(who).any(|(_, entry)| entry.what == What::Reloads && within(entry));
            if !reloads && is_steady(seen, who, request) {
                complaints.push(format!("s{who} was not reloaded by {request:?}"));
            }
        }
    }
}

/// True if the group is up and the service ready, as far as the group can know: it may not have noticed an end
/// in this very moment.
fn is_up(seen: &Seen, at: usize, reloads: &Entry) -> bool {
    let before = |what: What| seen.of(reloads.who).filter(|(place, entry)| *place < at && entry.what == what).last();
    let Some((starts, _)) = before(What::Starts) else { return false };
    let life = seen.life(reloads.who);
    let is_ready = !life.takes_ready || before(What::Ready).is_some_and(|(ready, _)| ready > starts);
    // The tasks that it spawned are part of its life.
    let ended = [What::StartOver, What::ChildOver].map(before);
    let so_far = |what| seen.of(reloads.who).filter(|(place, entry)| *place < at && entry.what == what).count();
    let goes_on = so_far(What::Spawns) > so_far(What::ChildOver);
    let has_ended = ended[0].is_some_and(|(over, _)| over > starts)
        && ended.into_iter().flatten().all(|(_, entry)| entry.at < reloads.at)
        && !goes_on;
    let ready = seen.group(|event| *event == Event::GroupReady).map(|at| seen.history.events[at].0);
    let is_group_up = seen.history.late || ready.is_some_and(|ready| ready <= reloads.at);
    is_group_up && is_ready && !has_ended && reloads.at <= seen.stopping
}

/// True if this service was ready all the while. A service that was given up as too late may still run.
fn is_steady(seen: &Seen, who: usize, request: &Reload) -> bool {
    let ready = if seen.life(who).takes_ready { What::Ready } else { What::Starts };
    let was_ready = seen.first(who, |what| *what == ready).is_some_and(|(_, entry)| entry.at < request.asked);
    let ended = seen.first(who, |what| *what == What::StartOver).is_some_and(|(_, entry)| entry.at <= request.over);
    was_ready && !ended && seen.failures().iter().all(|failed| failed.who != Some(who) || is_reload(failed))
}

/// Promise 8: a group that has ended leaves nothing behind.
fn no_leak(seen: &Seen, complaints: &mut Complaints) {
    let history = seen.history;
    if history.tasks_at_end > 0 {
        complaints.push(format!("{} tasks are alive when the report is there", history.tasks_at_end));
    }
    // Of a group that was dropped unseen there is no end to wait for, but on its own thread.
    let has_ended = history.report.is_some() || !history.scenario.blocks;
    for entry in history.entries.iter().skip(history.entries_at_end).filter(|_| has_ended) {
        complaints.push(format!("after the report: {entry:?}"));
    }
    let value = history.entries.iter().position(|entry| entry.what == What::ValueDropped);
    let last = history.entries.iter().rposition(|entry| entry.what == What::Dropped);
    if value.is_none_or(|value| last.is_some_and(|last| last > value)) {
        complaints.push("what the group was provided with is not dropped after the last service".to_owned());
    }
}

/// The events of a group and of its services come in an order that a life can have.
fn events(seen: &Seen, complaints: &mut Complaints) {
    let events: Vec<&Event> = seen.history.events.iter().map(|(_, event)| event).collect();
    if events.is_empty() {
        return;
    }
    let is_of_group = |event: &&Event| !matches!(event, Event::Service { .. });
    let group: Vec<&Event> = events.iter().copied().filter(is_of_group).collect();
    let (reloads, group): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|event| matches!(event, Event::GroupReloading | Event::GroupReloaded));
    let in_turns = |(at, event): (usize, &&Event)| **event == [Event::GroupReloading, Event::GroupReloaded][at % 2];
    if !reloads.iter().enumerate().all(in_turns) {
        complaints.push(format!("the group's reloads are {reloads:?}"));
    }
    let legal = match group[..] {
        [Event::GroupReady, Event::GroupStopping(_), Event::GroupStopped]
        | [Event::GroupStopping(_), Event::GroupStopped] => true,
        [Event::GroupStopped] => seen.history.late,
        _ => false,
    };
    if !legal || events.last() != Some(&&Event::GroupStopped) {
        complaints.push(format!("the group's events are {group:?}"));
    }
    for (who, _) in seen.lives() {
        let path: Vec<State> = seen.states().filter(|&(_, it, _)| it == who).map(|(.., state)| state).collect();
        let begins = seen.begins(who).is_some();
        let first = path.first().is_none_or(|&first| follows(State::Waiting, first) || follows(State::Building, first));
        let legal = first && path.is_sorted_by(|&from, &to| follows(from, to));
        if !seen.history.late && (!legal || (begins && path.last() != Some(&State::Gone))) {
            complaints.push(format!("the states of s{who} are {path:?}"));
        }
    }
}

/// True if the one state may follow the other.
fn follows(from: State, to: State) -> bool {
    use State::{Building, Completed, Failed, Gone, Ready, Restarting, Starting, Stopping, Waiting};
    match from {
        Waiting => matches!(to, Building | Failed | Gone),
        Building => matches!(to, Starting | Failed | Stopping | Gone),
        Starting => matches!(to, Ready | Restarting | Failed | Stopping),
        Ready => matches!(to, Restarting | Completed | Failed | Stopping),
        Restarting => matches!(to, Starting | Stopping),
        Completed => to == Stopping,
        Failed => matches!(to, Stopping | Gone),
        Stopping => to == Gone,
        _ => false,
    }
}
