//! Small pieces of text that a person reads.

use std::fmt;
use std::time::Duration;

/// A duration, as exact as a person wants it: `0.4 ms`, `12 ms`, `1.5 s`, `2m 5s`.
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
            write!(f, "{}", humantime::format_duration(Duration::from_secs(took.as_secs())))
        }
    }
}

/// `1 service`, `2 services`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A duration, as a person writes it.
///
/// # Errors
///
/// What was expected.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "a duration, as in `10s` or `1m 30s`")
}

/// `SIGTERM` for 15.
pub(crate) fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        3 => "SIGQUIT".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

/// The candidate that looks most like `name`, if any looks like it at all.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > 0.8).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::{Took, nearest};
    use std::time::Duration;

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
        ] {
            assert_eq!(Took(Duration::from_micros(micros)).to_string(), text);
        }
    }

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["database", "cache", "api"];
        assert_eq!(nearest("databse", names.into_iter()), Some("database"));
        assert_eq!(nearest("zookeeper", names.into_iter()), None);
    }
}
