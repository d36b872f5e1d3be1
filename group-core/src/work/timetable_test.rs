//! Timetables against an oracle, which knows neither croner nor a walk through time: it makes the set of all moments, day
//! by day.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::{AmbiguousOffset, TimeZone, db};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::spec::cron::Cron;
use crate::work::timetable::Timetable;

/// Lists, ranges and steps, with seconds or without, on some days or on all.
const TIMES_OF_THE_DAY: &[&str] = &[
    "30 2 * * *",
    "30 2,14 * * *",
    "0,30 2 * * *",
    "15 0-3 * * *",
    "0 0,1,23 * * *",
    "10-50/20 1-3/2 * * *",
    "0-59/30 0-23/12 * * *",
    "0,20 45 1-2 * * *",
    "59 23 * * 5,6",
    "30 2 * * 0",
    "0 0 1 * *",
    "@daily",
];

const INTERVALS: &[&str] =
    &["*/30 * * * *", "0,30 * * * *", "0 */2 * * *", "*/20 2 * * *", "*/20 30 0-2 * * *", "15 * * * 0", "@hourly"];

/// Zones of every kind, in a year that shows it: half an hour, two hours, at midnight, before midnight, a lost day, around
/// Ramadan, another standard time, none.
const SAMPLE: &[(&str, i16)] = &[
    ("Europe/Berlin", 2026),
    ("America/New_York", 2026),
    ("America/St_Johns", 2009),
    ("America/Havana", 2025),
    ("America/Nuuk", 2025),
    ("Africa/Cairo", 2010),
    ("Africa/Casablanca", 2024),
    ("Antarctica/Troll", 2023),
    ("Australia/Lord_Howe", 2026),
    ("Pacific/Apia", 2011),
    ("Asia/Pyongyang", 2015),
    ("America/Caracas", 2016),
    ("UTC", 2026),
];

const TWO_DAYS: SignedDuration = SignedDuration::from_hours(48);

/// The values of a field of an expression.
fn values(field: &str, all: RangeInclusive<i8>) -> Vec<i8> {
    let part = |part: &str| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None if range == "*" => (*all.start(), *all.end()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        (first..=last).step_by(step.parse().unwrap()).collect::<Vec<i8>>()
    };
    field.split(',').flat_map(part).collect()
}

/// The values of an expression, field by field.
struct Fields {
    times: Vec<Time>,
    days: Vec<i8>,
    weekdays: Vec<i8>,
}

impl Fields {
    fn of(expression: &str) -> Self {
        let spelt = match expression {
            "@daily" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let mut fields: Vec<&str> = spelt.split(' ').collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let [seconds, minutes, hours] = [(0, 59), (1, 59), (2, 23)].map(|(at, last)| values(fields[at], 0..=last));
        let mut times = Vec::new();
        for hour in &hours {
            for minute in &minutes {
                times.extend(seconds.iter().map(|second| Time::constant(*hour, *minute, *second, 0)));
            }
        }
        Self { times, days: values(fields[3], 1..=31), weekdays: values(fields[5], 0..=6) }
    }

    fn is_day(&self, date: Date) -> bool {
        self.days.contains(&date.day()) && self.weekdays.contains(&date.weekday().to_sunday_zero_offset())
    }
}

/// The moments at which the clock shows this time, by the rule in the docs of [`Cron`].
fn moments(shown: DateTime, tz: &TimeZone, is_interval: bool) -> Vec<Timestamp> {
    let ambiguous = tz.to_ambiguous_timestamp(shown);
    match (ambiguous.offset(), is_interval) {
        (AmbiguousOffset::Unambiguous { .. }, _) => vec![ambiguous.unambiguous().unwrap()],
        (AmbiguousOffset::Fold { .. }, false) => vec![ambiguous.earlier().unwrap()],
        (AmbiguousOffset::Fold { .. }, true) => vec![ambiguous.earlier().unwrap(), ambiguous.later().unwrap()],
        (AmbiguousOffset::Gap { .. }, true) => vec![],
        (AmbiguousOffset::Gap { .. }, false) => {
            let mut later = shown.with().second(0).build().unwrap();
            while let AmbiguousOffset::Gap { .. } = tz.to_ambiguous_timestamp(later).offset() {
                later = later.checked_add(1.minute()).unwrap();
            }
            moments(later, tz, false)
        }
    }
}

/// All moments of an expression from the first day to the last.
fn oracle(expression: &'static str, tz: &TimeZone, first: Date, last: Date) -> BTreeSet<Timestamp> {
    let fields = Fields::of(expression);
    let is_interval = INTERVALS.contains(&expression);
    let days = first.series(1.day()).take_while(|day| *day <= last).filter(|day| fields.is_day(*day));
    let shown = days.flat_map(|day| fields.times.iter().map(move |time| day.to_datetime(*time)));
    shown.flat_map(|shown| moments(shown, tz, is_interval)).collect()
}

/// Compares a timetable with the oracle, from the first day to the last.
fn compare(expression: &'static str, name: &str, tz: &TimeZone, first: Date, last: Date) {
    let timetable = Timetable::of(&Cron::new(expression).tz(name.to_owned())).unwrap();
    let [begin, end] = [first, last].map(|day| day.to_zoned(tz.clone()).unwrap().timestamp());
    // A moment may belong to a time of the day before.
    let all = oracle(expression, tz, first.checked_sub(TWO_DAYS).unwrap(), last.checked_add(TWO_DAYS).unwrap());
    let mut moment = begin;
    for expected in all.into_iter().filter(|expected| begin < *expected && *expected < end) {
        let found = timetable.after(moment).unwrap();
        assert_eq!(found, Some(expected), "`{expression}` in {name} after {moment}");
        moment = expected;
    }
}

/// The days on which the clocks of a zone change.
fn changes(tz: &TimeZone, first: Date, last: Date) -> Vec<Date> {
    let [first, last] = [first, last].map(|day| day.to_zoned(TimeZone::UTC).unwrap().timestamp());
    let changes = tz.following(first).take_while(|change| change.timestamp() < last);
    changes.map(|change| change.offset().to_datetime(change.timestamp()).date()).collect()
}

#[test]
fn when_clocks_change_the_rule_of_the_docs_holds_for_every_expression() {
    for (name, year) in SAMPLE {
        let tz = TimeZone::get(name).unwrap();
        for change in changes(&tz, date(*year, 1, 1), date(*year, 12, 31)) {
            let (first, last) = (change.checked_sub(TWO_DAYS).unwrap(), change.checked_add(TWO_DAYS).unwrap());
            for expression in [TIMES_OF_THE_DAY, INTERVALS].concat() {
                compare(expression, name, &tz, first, last);
            }
        }
    }
}

#[test]
#[ignore = "takes minutes: run it with --release"]
fn in_every_zone_and_for_twenty_years_the_rule_of_the_docs_holds() {
    let (first, last) = (date(2006, 1, 1), date(2026, 12, 31));
    let mut clocks = BTreeSet::new();
    for name in db().available() {
        let Ok(tz) = TimeZone::get(name.as_str()) else { continue };
        // Many names are of one clock.
        let changes: Vec<String> = tz
            .following(first.to_zoned(TimeZone::UTC).unwrap().timestamp())
            .take_while(|change| change.timestamp() < last.to_zoned(TimeZone::UTC).unwrap().timestamp())
            .map(|change| format!("{} {}", change.timestamp(), change.offset()))
            .collect();
        let begins = first.to_zoned(tz.clone()).unwrap().offset();
        if clocks.insert((begins, changes)) {
            for expression in [TIMES_OF_THE_DAY, INTERVALS].concat() {
                compare(expression, name.as_str(), &tz, first, last);
            }
        }
    }
    println!("{} clocks", clocks.len());
}

fn next(cron: &Cron, after: &str, count: usize) -> Vec<String> {
    let timetable = Timetable::of(cron).unwrap();
    let mut moments = Vec::new();
    let mut moment = after.parse().unwrap();
    for _ in 0..count {
        moment = timetable.after(moment).unwrap().unwrap();
        moments.push(moment.to_string());
    }
    moments
}

#[test]
fn the_time_zone_is_utc_by_default() {
    assert_eq!(next(&Cron::new("0 3 * * *"), "2026-01-01T03:00:00Z", 1), ["2026-01-02T03:00:00Z"]);
    let berlin = Cron::new("0 3 * * *").tz("Europe/Berlin");
    assert_eq!(next(&berlin, "2026-01-01T03:00:00Z", 1), ["2026-01-02T02:00:00Z"]);
}

#[test]
fn when_the_clocks_change_a_time_of_the_day_comes_once() {
    let berlin = Cron::new("30 2 * * *").tz("Europe/Berlin");
    // From 02:00 to 03:00.
    assert_eq!(next(&berlin, "2026-03-28T12:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    // From 03:00 back to 02:00.
    assert_eq!(next(&berlin, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn a_moment_between_two_seconds_is_no_time_of_its_own() {
    let each_second = Cron::new("* * * * * *");
    assert_eq!(next(&each_second, "2026-01-01T03:00:00.25Z", 2), ["2026-01-01T03:00:01Z", "2026-01-01T03:00:02Z"]);
}

#[test]
fn a_day_that_a_zone_skips_ticks_at_its_end() {
    let apia = Cron::new("0 3 30 12 *").tz("Pacific/Apia");
    // 30 December 2011 did not come there.
    assert_eq!(next(&apia, "2011-12-01T00:00:00Z", 2), ["2011-12-30T10:00:00Z", "2012-12-29T13:00:00Z"]);
}

#[test]
fn an_expression_with_a_year_has_a_last_time() {
    let timetable = Timetable::of(&Cron::new("0 0 3 1 1 * 2027")).unwrap();
    let last = timetable.after("2026-01-01T00:00:00Z".parse().unwrap()).unwrap().unwrap();
    assert_eq!(last.to_string(), "2027-01-01T03:00:00Z");
    assert_eq!(timetable.after(last).unwrap(), None);
}
