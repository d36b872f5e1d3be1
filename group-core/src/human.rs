//! What a person has written: a duration, and a name that is nearly right.
//!
//! The macros have this file, too: `group-macros/src/human.rs` is a link to it, which a package replaces
//! with what it leads to.

use std::time::Duration;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The units of time, and how many nanoseconds each has. A year has 365.25 days, a month 30.44.
const UNITS: &[(&[&str], u128)] = &[
    (&["ns", "nsec", "nanos"], 1),
    (&["us", "µs", "usec"], 1000),
    (&["ms", "msec", "millis"], 1_000_000),
    (&["s", "sec", "secs", "second", "seconds"], NANOS_PER_SECOND),
    (&["m", "min", "mins", "minute", "minutes"], 60 * NANOS_PER_SECOND),
    (&["h", "hr", "hrs", "hour", "hours"], 3600 * NANOS_PER_SECOND),
    (&["d", "day", "days"], 86_400 * NANOS_PER_SECOND),
    (&["w", "wk", "wks", "week", "weeks"], 7 * 86_400 * NANOS_PER_SECOND),
    (&["M", "month", "months"], 2_630_016 * NANOS_PER_SECOND),
    (&["y", "yr", "yrs", "year", "years"], 31_557_600 * NANOS_PER_SECOND),
];

/// A duration: `10s`, `1m 30s`, `1.5 hours`; `0` needs no unit.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("nothing is there".to_owned());
    } else if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split(rest, |letter| letter.is_ascii_digit() || letter == '.');
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        if number.is_empty() {
            return Err(format!("`{rest}` does not begin with a number"));
        } else if unit.is_empty() {
            return Err(format!("`{number}` has no unit"));
        }
        sum = sum.checked_add(span(number, unit)?).ok_or_else(|| format!("`{text}` is too long"))?;
        rest = after.trim_start();
    }
    Ok(sum)
}

/// What such letters it begins with, and the rest.
fn split(text: &str, is_of_it: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !is_of_it(letter)).unwrap_or(text.len()))
}

fn span(number: &str, unit: &str) -> Result<Duration, String> {
    let Some((_, nanos)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
        let units: Vec<&str> = UNITS.iter().filter_map(|(names, _)| names.first().copied()).collect();
        return Err(format!("`{unit}` is none of the units `{}`", units.join("`, `")));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let nanos_of = |digits: &str| digits.parse::<u64>().ok().map(|number| u128::from(number) * nanos);
    let parts = u32::try_from(fraction.len()).ok().and_then(|digits| 10_u128.checked_pow(digits));
    let (Some(whole), Some(fraction), Some(parts)) = (nanos_of(whole), nanos_of(fraction), parts) else {
        return Err(format!("`{number}` is no number, or has too many digits"));
    };
    if fraction % parts > 0 {
        return Err(format!("`{number}{unit}` is not a whole number of nanoseconds"));
    }
    let nanos = whole + fraction / parts;
    match (u64::try_from(nanos / NANOS_PER_SECOND), u32::try_from(nanos % NANOS_PER_SECOND)) {
        (Ok(seconds), Ok(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(format!("`{number}{unit}` is too long")),
    }
}

/// The known name that looks most like this one, if any looks like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|candidate| (similarity(name, candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > 0.8).then_some(best.1)
}

/// That of Jaro and Winkler: from 0 to 1, more where words that are alike begin with the same letters.
fn similarity(a: &str, b: &str) -> f64 {
    let [a, b] = [a, b].map(|word| word.chars().collect::<Vec<_>>());
    if a == b {
        return 1.0;
    }
    // Letters match if they are not too far from one another.
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; b.len()];
    let mut of_a = Vec::new();
    for (at, letter) in a.iter().enumerate() {
        let mut near = at.saturating_sub(reach)..b.len().min(at + reach + 1);
        if let Some(found) = near.find(|&other| !taken[other] && b[other] == *letter) {
            taken[found] = true;
            of_a.push(letter);
        }
    }
    if of_a.is_empty() {
        return 0.0;
    }
    let of_b = b.iter().zip(&taken).filter_map(|(letter, taken)| taken.then_some(letter));
    let moved = of_a.iter().zip(of_b).filter(|(a, b)| **a != *b).count() / 2;
    let prefix = a.iter().zip(&b).take(4).take_while(|(a, b)| a == b).count();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let matching = count(of_a.len());
    let jaro = (matching / count(a.len()) + matching / count(b.len()) + (matching - count(moved)) / matching) / 3.0;
    if jaro > 0.7 { jaro + 0.1 * count(prefix) * (1.0 - jaro) } else { jaro }
}
