//! The time of day, as a log shows it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_OF_DAY: u64 = 24 * 60 * 60;

/// A time in UTC, as text by RFC 3339: `2026-11-30T16:05:10.123Z`. A clock that is set before 1970 shows the first moment
/// of that year.
pub(crate) struct TimeOfDay(pub(crate) SystemTime);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_1970 = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since_1970.as_secs() / SECONDS_OF_DAY, since_1970.as_secs() % SECONDS_OF_DAY);
        let (year, month, day) = date(days);
        let (hour, minute, second, ms) = (second / 3600, second / 60 % 60, second % 60, since_1970.subsec_millis());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// The date that is so many days after 1970-01-01, in the Gregorian calendar. The year is counted from March, so that the
/// leap day is its last: Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let since_march_of_0 = days + 719_468;
    let (era, day_of_era) = (since_march_of_0 / 146_097, since_march_of_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use fastrand::Rng;

    use super::*;

    #[test]
    fn it_is_what_humantime_writes() {
        let rng = &mut Rng::with_seed(17);
        let leap_day = 951_782_400;
        let known = [0, leap_day - 1, leap_day, leap_day + SECONDS_OF_DAY];
        // Until the year 9999.
        let random: Vec<u64> = (0..100_000).map(|_| rng.u64(..253_402_300_800)).collect();
        for second in known.into_iter().chain(random) {
            let at = UNIX_EPOCH + Duration::from_millis(second * 1000 + rng.u64(..1000));
            assert_eq!(TimeOfDay(at).to_string(), humantime::format_rfc3339_millis(at).to_string());
        }
    }
}
