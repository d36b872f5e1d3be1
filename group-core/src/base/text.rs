//! Values as text for a person: durations, counts, signals.

use std::fmt;
use std::time::Duration;

use crate::base::syntax;
use crate::base::syntax::nearest;

/// A limit as text; `none` for [`Duration::MAX`].
pub(crate) struct Limit(pub(crate) Duration);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Duration::MAX { f.write_str("none") } else { Took(self.0).fmt(f) }
    }
}

/// A duration as a number for machines: milliseconds, with three decimals.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// A duration as text, rounded for a person: `0.4 ms`, `12 ms`, `1.5 s`, `2m 5s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took(pub(crate) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.0;
        let ms = took.as_secs_f64() * 1000.0;
        if ms < 9.95 {
            write!(f, "{ms:.1} ms")
        } else if ms < 999.5 {
            write!(f, "{ms:.0} ms")
        } else if took < Duration::from_secs(60) {
            let seconds = format!("{:.1}", took.as_secs_f64());
            write!(f, "{} s", seconds.trim_end_matches(".0"))
        } else {
            write!(f, "{}", in_units(took.as_secs()))
        }
    }
}

/// Seconds in the syntax of settings: `2m 5s`.
fn in_units(mut seconds: u64) -> String {
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if seconds >= length {
            parts.push(format!("{}{unit}", seconds / length));
            seconds %= length;
        }
    }
    parts.join(" ")
}

/// A number with its noun: `1 service`, `2 services`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Returns ``; did you mean `x`?`` for the known name that is most like this one, and nothing if none is like it.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Returns true if a name was probably meant to be this one. Nobody counts `_`, and short names are too much alike to
/// tell.
pub(crate) fn is_slip(name: &str, meant: &str) -> bool {
    let [name, meant] = [name, meant].map(|text| text.replace('_', ""));
    name == meant || name.len().max(meant.len()) > 3 && syntax::is_slip(&name, &meant)
}

/// The form of a duration, for messages.
pub(crate) const DURATION: &str = "a duration with its unit, as in `10s` or `1m 30s`";

/// Reads a duration from settings.
///
/// # Errors
///
/// Returns what was expected, to stand behind "expected", without the text, which may be a secret in the wrong place.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    syntax::duration(text).map_err(|_| DURATION.to_owned())
}

/// The name of a signal: `SIGTERM` for 15.
pub(crate) fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        3 => "SIGQUIT".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastrand::Rng;

    use super::{Took, is_slip, millis};

    use crate::base::syntax;
    use crate::base::syntax::nearest;

    const RANDOM: usize = 200_000;

    #[test]
    fn durations_read_well() {
        for (micros, text) in [
            (0, "0.0 ms"),
            (412, "0.4 ms"),
            (12_345, "12 ms"),
            (999_900, "1 s"),
            (1_500_000, "1.5 s"),
            (25_000_000, "25 s"),
            (125_000_000, "2m 5s"),
            (86_400_000_000, "1d"),
            (93_784_000_000, "1d 2h 3m 4s"),
        ] {
            assert_eq!(Took(Duration::from_micros(micros)).to_string(), text);
        }
    }

    #[test]
    fn a_duration_is_a_number_of_milliseconds() {
        for (nanos, ms) in [(0, 0.0), (412_499, 0.412), (1_000_000, 1.0), (1_234_567_890, 1234.568)] {
            assert!((millis(Duration::from_nanos(nanos)) - ms).abs() < f64::EPSILON, "{nanos}");
        }
    }

    #[test]
    fn a_slip_is_of_one_letter() {
        for name in ["mailer", "mail_er", "mailr", "mailler", "maimer", "mialer", "amiler"] {
            assert!(is_slip(name, "mailer"), "{name}");
        }
        for name in ["", "mail", "mailbox", "reliam", "mimaler"] {
            assert!(!is_slip(name, "mailer"), "{name}");
        }
        assert!(!is_slip("b", "a") && !is_slip("app", "api") && is_slip("a", "a"));
    }

    const NUMBERS: &[&str] =
        &["0", "1", "7", "10", "90", "365", "18446744073709551615", ".", ".5", ".25", ".000", " ", " ", "  ", "\t"];

    const UNITS: &[&str] = &[
        "ns", "nsec", "nanos", "us", "µs", "usec", "ms", "msec", "millis", "s", "sec", "secs", "second", "seconds",
        "m", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d", "day", "days", "w", "wk",
        "wks", "week", "weeks", "M", "month", "months", "y", "yr", "yrs", "year", "years", "x", "S", "é", "-", "+",
        ",", "_",
    ];

    fn random_text(rng: &mut Rng, pieces: &[&str]) -> String {
        (0..rng.usize(1..9)).map(|_| pieces[rng.usize(..pieces.len())]).collect()
    }

    fn random_span(rng: &mut Rng) -> String {
        format!("{}{} ", rng.u16(..), UNITS[rng.usize(..UNITS.len())])
    }

    /// There are two differences: `humantime` reads a number with a space in it, and refuses some numbers that overflow
    /// in its own, less exact arithmetic.
    #[test]
    fn durations_are_read_as_humantime_does() {
        let rng = &mut Rng::with_seed(11);
        let (mut read, mut refused) = (0, 0);
        for _ in 0..RANDOM {
            let spans = |rng: &mut Rng| (0..rng.usize(1..4)).map(|_| random_span(rng)).collect();
            let text: String = if rng.bool() { random_text(rng, &[NUMBERS, UNITS].concat()) } else { spans(rng) };
            match (syntax::duration(&text), humantime::parse_duration(text.trim())) {
                (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text:?}"),
                (Ok(_), Err(theirs)) => assert_eq!(theirs, humantime::DurationError::NumberOverflow, "{text:?}"),
                (Err(ours), Ok(_)) => assert!(has_spaced_number(&text), "{text:?}: {ours}"),
                (Err(_), Err(_)) => {}
            }
            if syntax::duration(&text).is_ok() { read += 1 } else { refused += 1 }
        }
        assert!(read > 10_000 && refused > 10_000, "{read} {refused}");
    }

    fn has_spaced_number(text: &str) -> bool {
        let is_of_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let words: Vec<&str> = text.split_whitespace().collect();
        words.windows(2).any(|pair| pair[0].ends_with(is_of_number) && pair[1].starts_with(is_of_number))
    }

    #[test]
    fn what_is_wrong_with_a_duration_is_said() {
        for (text, wrong) in [
            ("", "it is empty"),
            ("10", "`10` has no unit"),
            ("5m 30", "`30` has no unit"),
            ("ten", "`ten` does not begin with a number"),
            ("-1s", "`-1s` does not begin with a number"),
            ("1m, 30s", "`, 30s` does not begin with a number"),
            ("5 parsecs", "`parsecs` is not one of the units `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`, `M`, `y`"),
            ("1.2.3s", "`1.2.3` is not a number, or has too many digits"),
            ("0.5ns", "`0.5ns` is not a whole number of nanoseconds"),
            ("18446744073709551615y", "`18446744073709551615y` is too long"),
            ("18446744073709551615s 1s", "`18446744073709551615s 1s` is too long"),
        ] {
            assert_eq!(syntax::duration(text), Err(wrong.to_owned()));
        }
    }

    #[test]
    fn names_are_as_near_as_strsim_says() {
        const PIECES: &[&str] = &["a", "b", "c", "é", "_", "stop", "start", "time", "out"];
        let rng = &mut Rng::with_seed(13);
        let mut found = 0;
        for _ in 0..RANDOM {
            let [name, one, other] = [(); 3].map(|()| random_text(rng, PIECES));
            let scored = [&*one, &*other].map(|known| (strsim::jaro_winkler(&name, known), known));
            let best = scored.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(score, _)| *score > 0.8);
            assert_eq!(nearest(&name, [&*one, &*other]), best.map(|(_, known)| known), "{name} {one} {other}");
            found += usize::from(best.is_some());
        }
        assert!(found > 10_000, "{found}");
    }

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["database", "cache", "api"];
        assert_eq!(nearest("databse", names), Some("database"));
        assert_eq!(nearest("zookeeper", names), None);
    }
}
