//! Histories that break a promise must be caught; otherwise random scenarios prove nothing.

use std::time::Duration;

use group::{Ending, Event, Outcome, Role, Schedule, State};

use crate::play::{History, play};
use crate::probe::{Entry, What};
use crate::promises::broken;
use crate::scenario::{Act, Ask, Hears, How, Life, Need, Scenario, Step, When};

/// A chain of three, of which the last needs the first two, runs until it is asked to stop.
fn chain(schedule: Schedule) -> Scenario {
    let steady = Life { takes_ready: true, stop: Some(Step::NOTHING), build: Some(Step::NOTHING), ..Life::PLAIN };
    let after = |needs: &[usize]| needs.iter().map(|&on| Need { on, required: true }).collect();
    Scenario {
        blocks: false,
        schedule,
        stop_timeout: Duration::from_secs(10),
        ask: Ask { how: How::Stop, when: When { at: Duration::from_secs(5), yields: 0 } },
        again: None,
        reloads: Vec::new(),
        services: vec![
            steady.clone(),
            Life { after: after(&[0]), ..steady.clone() },
            Life { after: after(&[0, 1]), ..steady },
        ],
    }
}

/// A history that keeps every promise.
fn good(scenario: &Scenario) -> History {
    let history = play(scenario).expect("it has an end");
    assert_eq!(broken(&history), [""; 0], "{history}");
    history
}

/// Falsifies a history, and expects that the check of this promise complains.
#[track_caller]
fn catches(scenario: &Scenario, promise: &str, falsify: impl FnOnce(&mut History)) {
    let mut history = good(scenario);
    falsify(&mut history);
    let complaints = broken(&history);
    assert!(complaints.iter().any(|complaint| complaint.starts_with(promise)), "{promise}: {complaints:?}");
}

fn place(history: &History, who: usize, what: &What) -> usize {
    let is = |entry: &Entry| entry.who == who && entry.what == *what;
    history.entries.iter().position(is).expect("it happened")
}

fn event(history: &History, name: &str, new: State) -> usize {
    let is = |event: &Event| matches!(event, Event::Service { name: who, state } if who == name && *state == new);
    history.events.iter().position(|(_, event)| is(event)).expect("it was told")
}

/// Moves the first entry to just before the second.
fn earlier(history: &mut History, first: &(usize, What), second: &(usize, What)) {
    let entry = history.entries.remove(place(history, first.0, &first.1));
    let at = place(history, second.0, &second.1);
    history.entries.insert(at, entry);
}

fn earlier_event(history: &mut History, first: (&str, State), second: (&str, State)) {
    let told = history.events.remove(event(history, first.0, first.1));
    let at = event(history, second.0, second.1);
    history.events.insert(at, told);
}

const BOTH: [Schedule; 2] = [Schedule::Strict, Schedule::Graph];

#[test]
fn a_service_that_is_built_too_early_is_caught() {
    for schedule in BOTH {
        catches(&chain(schedule), "order at start", |it| earlier(it, &(2, What::Builds), &(1, What::Ready)));
        let building = ("s2", State::Building);
        catches(&chain(schedule), "order at start", |it| earlier_event(it, building, ("s1", State::Ready)));
    }
}

#[test]
fn two_that_start_at_once_although_the_schedule_is_strict_are_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.services.iter_mut().for_each(|life| life.after.clear());
    let falsify = |it: &mut History| earlier_event(it, ("s2", State::Building), ("s1", State::Ready));
    catches(&scenario, "order at start", falsify);
    scenario.schedule = Schedule::Graph;
    good(&scenario);
}

#[test]
fn a_service_that_is_stopped_too_early_is_caught() {
    for schedule in BOTH {
        catches(&chain(schedule), "order at stop", |it| earlier(it, &(0, What::Asked), &(2, What::Dropped)));
        let stopping = ("s0", State::Stopping);
        catches(&chain(schedule), "order at stop", |it| earlier_event(it, stopping, ("s1", State::Gone)));
    }
}

#[test]
fn an_order_of_stops_that_is_not_the_reverse_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.services.iter_mut().for_each(|life| life.after.clear());
    let falsify = |it: &mut History| earlier_event(it, ("s0", State::Stopping), ("s1", State::Stopping));
    catches(&scenario, "order at stop: the order of stops", falsify);
}

#[test]
fn a_stop_that_is_missing_or_comes_twice_is_caught() {
    let scenario = chain(Schedule::Graph);
    for what in [What::Stops, What::Dropped] {
        catches(&scenario, "exactly once", |it| drop(it.entries.remove(place(it, 1, &what))));
        catches(&scenario, "exactly once", |it| {
            let again = it.entries[place(it, 1, &what)].clone();
            it.entries.push(again);
        });
    }
}

#[test]
fn a_stop_of_what_was_never_built_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.services[1].build = Some(Step { then: Act::Fail, ..Step::NOTHING });
    let stops = Entry { at: Duration::ZERO, who: 2, what: What::Stops };
    catches(&scenario, "exactly once", |it| it.entries.push(stops));
}

#[test]
fn a_hook_that_runs_while_start_does_is_caught() {
    let scenario = chain(Schedule::Strict);
    catches(&scenario, "told as it can hear it", |it| earlier(it, &(1, What::Stops), &(1, What::StartOver)));
    let mut spawns = scenario.clone();
    spawns.services[1].child = Some(Step::NOTHING);
    catches(&spawns, "told as it can hear it", |it| earlier(it, &(1, What::Stops), &(1, What::ChildOver)));
    catches(&spawns, "exactly once", |it| earlier(it, &(1, What::Dropped), &(1, What::ChildOver)));
    let mut deaf = scenario;
    deaf.services[1].hears = Hears::No;
    good(&deaf);
}

#[test]
fn what_is_built_although_the_group_stops_is_caught() {
    let scenario = chain(Schedule::Strict);
    catches(&scenario, "all or nothing", |it| {
        let at = event(it, "s2", State::Building);
        let told = it.events.remove(at);
        it.events.push(told);
    });
    catches(&scenario, "all or nothing", |it| it.came_up = Some(false));
}

#[test]
fn a_late_end_is_caught() {
    let scenario = chain(Schedule::Strict);
    catches(&scenario, "bounded: it ended", |it| it.ended += Duration::from_millis(10_001));
    catches(&scenario, "bounded: s1 was asked", |it| {
        let told = it.report.as_mut().and_then(|report| report.services[1].gone.as_mut());
        *told.expect("it is gone") += Duration::from_millis(10_100);
    });
}

#[test]
fn a_service_that_loses_its_share_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.services[1].stop = Some(Step { then: Act::Hang, ..Step::NOTHING });
    catches(&scenario, "no service eats another's reserve", |it| {
        let told = &mut it.report.as_mut().expect("it has one").services[1];
        assert_eq!(told.ending, Ending::Aborted);
        told.gone = told.stop_asked.map(|asked| asked + Duration::from_millis(100));
    });
}

#[test]
fn a_failure_that_is_lost_or_invented_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.services[1].run = Step { then: Act::Fail, ..Step::NOTHING };
    catches(&scenario, "nothing lost in silence", |it| it.report.as_mut().expect("it has one").failures.clear());
    catches(&scenario, "nothing invented", |it| {
        it.report.as_mut().expect("it has one").failures[0].words = "something else".to_owned();
    });
    let mut returns = chain(Schedule::Strict);
    returns.services[1].run = Step { then: Act::Return, ..Step::NOTHING };
    (returns.services[1].role, returns.services[1].critical) = (Role::Daemon, false);
    returns.services[2].after.clear();
    catches(&returns, "nothing lost in silence", |it| it.report.as_mut().expect("it has one").failures.clear());
}

#[test]
fn an_exit_code_that_hides_a_failure_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.services[1].run = Step { takes: Duration::from_secs(1), then: Act::Panic, ..Step::NOTHING };
    catches(&scenario, "the exit code", |it| {
        let report = it.report.as_mut().expect("it has one");
        assert_eq!((report.outcome, report.exit_code), (Outcome::RunFailed, 1));
        (report.outcome, report.exit_code) = (Outcome::Clean, 0);
    });
    catches(&scenario, "the exit code", |it| {
        let report = it.report.as_mut().expect("it has one");
        (report.outcome, report.exit_code) = (Outcome::StartFailed, 2);
    });
}

#[test]
fn a_start_that_is_given_up_too_early_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    let asks = Step { extends: Duration::from_secs(3), then: Act::Hang, ..Step::NOTHING };
    (scenario.services[1].start, scenario.services[1].start_timeout) = (asks, Duration::from_secs(2));
    catches(&scenario, "patient", |it| {
        let failed = event(it, "s1", State::Failed);
        it.events[failed].0 = Duration::from_millis(2900);
    });
}

#[test]
fn a_reload_that_is_missing_or_out_of_turn_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.reloads = vec![When { at: Duration::from_secs(2), yields: 0 }];
    scenario.services.iter_mut().for_each(|life| life.reload = Some(Step::NOTHING));
    scenario.services[1].reload = Some(Step { then: Act::Fail, ..Step::NOTHING });
    catches(&scenario, "reload", |it| it.entries.retain(|entry| entry.who != 2 || entry.what != What::Reloads));
    catches(&scenario, "reload", |it| earlier(it, &(1, What::Reloads), &(0, What::Reloads)));
    catches(&scenario, "reload", |it| earlier(it, &(1, What::Reloads), &(0, What::ReloadOver)));
    catches(&scenario, "reload", |it| earlier(it, &(2, What::Reloads), &(2, What::Ready)));
    catches(&scenario, "reload", |it| it.scenario.reloads.clear());
    catches(&scenario, "reload", |it| it.reloads[0].over = Duration::from_secs(6));
    catches(&scenario, "reload", |it| it.reloads[0].failed[0].1 = "something else".to_owned());
    catches(&scenario, "nothing lost in silence", |it| it.report.as_mut().expect("it has one").failures.clear());
    catches(&scenario, "nothing invented", |it| it.report.as_mut().expect("it has one").failures[0].fatal = true);
    catches(&scenario, "events", |it| it.events.retain(|(_, event)| *event != Event::GroupReloading));
}

#[test]
fn a_code_that_nobody_asked_for_is_caught() {
    let mut scenario = chain(Schedule::Strict);
    scenario.ask.how = How::Exit(7);
    catches(&scenario, "the exit code", |it| it.report.as_mut().expect("it has one").exit_code = 0);
}

#[test]
fn what_is_left_behind_is_caught() {
    let scenario = chain(Schedule::Graph);
    catches(&scenario, "no leak", |it| it.tasks_at_end = 1);
    catches(&scenario, "no leak", |it| it.entries_at_end -= 1);
    catches(&scenario, "no leak", |it| {
        let value = it.entries.pop().expect("it was dropped last");
        it.entries.insert(0, value);
    });
}

#[test]
fn events_that_make_no_life_are_caught() {
    let scenario = chain(Schedule::Graph);
    catches(&scenario, "events", |it| drop(it.events.pop()));
    catches(&scenario, "events", |it| drop(it.events.remove(event(it, "s1", State::Gone))));
    catches(&scenario, "events", |it| drop(it.events.remove(event(it, "s1", State::Starting))));
    catches(&scenario, "events", |it| {
        let ready = it.events.iter().position(|(_, event)| *event == Event::GroupReady).expect("it came up");
        let told = it.events.remove(ready);
        it.events.insert(it.events.len() - 1, told);
    });
}
