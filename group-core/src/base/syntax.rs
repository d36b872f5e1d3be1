//! The syntax of durations, names, addresses and prefixes in code and settings; and the known word that is nearest
//! to a misspelt one.
//!
//! The macros share this file: `group-macros/src/syntax.rs` is a link to it. A package contains a copy.

use std::time::Duration;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The units of time, each with its nanoseconds. A year has 365.25 days, a month 30.44.
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

/// Reads a duration: `10s`, `1m 30s`, `1.5 hours`; `0` needs no unit.
///
/// # Errors
///
/// Returns the mistake in it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".to_owned());
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

/// Splits the text at the first letter that is not accepted.
fn split(text: &str, is_accepted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !is_accepted(letter)).unwrap_or(text.len()))
}

/// Reads one number with its unit.
fn span(number: &str, unit: &str) -> Result<Duration, String> {
    let Some((_, nanos)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
        let units: Vec<&str> = UNITS.iter().filter_map(|(names, _)| names.first().copied()).collect();
        return Err(format!("`{unit}` is not one of the units `{}`", units.join("`, `")));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let nanos_of = |digits: &str| digits.parse::<u64>().ok().map(|number| u128::from(number) * nanos);
    let parts = u32::try_from(fraction.len()).ok().and_then(|digits| 10_u128.checked_pow(digits));
    let (Some(whole), Some(fraction), Some(parts)) = (nanos_of(whole), nanos_of(fraction), parts) else {
        return Err(format!("`{number}` is not a number, or has too many digits"));
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

/// Returns true if a service may have this name.
pub(crate) fn is_name(text: &str) -> bool {
    let is_allowed = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// The kind of an address on which a service can listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `host:port`.
    HostPort,
    /// `unix:/path`.
    Unix,
    /// `fd:name` or `fd:0`: a listener that the process inherits.
    HandedOver,
}

/// The reason why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAddress {
    /// `host:70000`: the port is a number, but too large.
    PortTooLarge,
    /// Anything else.
    Unknown,
}

/// Reads an address. It does not look the host up.
///
/// # Errors
///
/// Returns the reason why the text is not an address.
pub(crate) fn address(text: &str) -> Result<Address, NoAddress> {
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.starts_with('/') { Ok(Address::Unix) } else { Err(NoAddress::Unknown) };
    }
    if let Some(name) = text.strip_prefix("fd:") {
        return if name.is_empty() { Err(NoAddress::Unknown) } else { Ok(Address::HandedOver) };
    }
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Ok(Address::HostPort),
        Some((host, port)) if is_host(host) && is_number(port) => Err(NoAddress::PortTooLarge),
        _ => Err(NoAddress::Unknown),
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.contains(|letter: char| letter == '/' || letter == '@' || letter.is_whitespace())
}

/// Returns true for a path under which routes can be mounted, such as `/api`: it does not end with a slash, and
/// has no parameter that takes the rest of a path.
pub(crate) fn is_prefix(text: &str) -> bool {
    let is_segment = |segment: &str| !segment.is_empty() && !segment.starts_with("{*");
    text.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment))
}

/// Returns true if one letter is wrong, missing or too many, or if two neighbours are swapped.
pub(crate) fn is_slip(word: &str, meant: &str) -> bool {
    let (word, meant): (Vec<char>, Vec<char>) = (word.chars().collect(), meant.chars().collect());
    let same = |pair: &(&char, &char)| pair.0 == pair.1;
    let prefix = word.iter().zip(&meant).take_while(same).count();
    let (word, meant) = (&word[prefix..], &meant[prefix..]);
    let suffix = word.iter().rev().zip(meant.iter().rev()).take_while(same).count();
    match (&word[..word.len() - suffix], &meant[..meant.len() - suffix]) {
        ([] | [_], [_]) | ([_], []) => true,
        ([a, b], [c, d]) => (a, b) == (d, c),
        _ => false,
    }
}

/// Returns the known word that is most similar to this one, if one is similar enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|candidate| (similarity(word, candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > 0.8).then_some(best.1)
}

/// The Jaro-Winkler similarity, from 0 to 1: it is higher for similar words that begin with the same letters.
fn similarity(a: &str, b: &str) -> f64 {
    let [a, b] = [a, b].map(|word| word.chars().collect::<Vec<_>>());
    if a == b {
        return 1.0;
    }
    // Equal letters match if their positions differ by at most this much.
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; b.len()];
    let mut matched = Vec::new();
    for (at, letter) in a.iter().enumerate() {
        let mut near = at.saturating_sub(reach)..b.len().min(at + reach + 1);
        if let Some(found) = near.find(|&other| !taken[other] && b[other] == *letter) {
            taken[found] = true;
            matched.push(letter);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let matched_in_b = b.iter().zip(&taken).filter_map(|(letter, taken)| taken.then_some(letter));
    let moved = matched.iter().zip(matched_in_b).filter(|(a, b)| **a != *b).count() / 2;
    let prefix = a.iter().zip(&b).take(4).take_while(|(a, b)| a == b).count();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let matching = count(matched.len());
    let jaro = (matching / count(a.len()) + matching / count(b.len()) + (matching - count(moved)) / matching) / 3.0;
    if jaro > 0.7 { jaro + 0.1 * count(prefix) * (1.0 - jaro) } else { jaro }
}

#[cfg(test)]
mod tests {
    use super::Address;
    use super::NoAddress;
    use super::address;
    use super::is_name;
    use super::is_prefix;

    #[test]
    fn a_name_is_lower_case_letters_digits_hyphens_and_underscores() {
        for good in ["a", "order-queue", "v2_api", "0", "-", "_"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Morning", "order queue", "a.b", "a/b", "gr\u{f6}sse"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_address_is_of_one_of_three_kinds() {
        for (text, kind) in [
            ("127.0.0.1:8080", Address::HostPort),
            ("localhost:0", Address::HostPort),
            ("[::1]:80", Address::HostPort),
            ("0.0.0.0:65535", Address::HostPort),
            ("unix:/run/app.sock", Address::Unix),
            ("fd:web", Address::HandedOver),
            ("fd:0", Address::HandedOver),
        ] {
            assert_eq!(address(text), Ok(kind), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in [
            "",
            "8080",
            "localhost",
            ":8080",
            "localhost:",
            "localhost:http",
            "http://localhost:80",
            "me@localhost:80",
            "local host:80",
            "fd:",
            "unix:",
            "unix:80",
            "unix:app.sock",
        ] {
            assert_eq!(address(text), Err(NoAddress::Unknown), "{text}");
        }
        for text in ["127.0.0.1:65536", "localhost:99999999999999999999"] {
            assert_eq!(address(text), Err(NoAddress::PortTooLarge), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_a_path() {
        for good in ["/api", "/api/v1", "/{tenant}", "/{tenant}/api"] {
            assert!(is_prefix(good), "{good}");
        }
        for bad in ["", "/", "api", "/api/", "//", "/api//v1", "/{*all}"] {
            assert!(!is_prefix(bad), "{bad}");
        }
    }
}
