//! The times of a cron expression in a time zone, also when its clocks change.

use croner::errors::CronError;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::base::error::BoxError;
use crate::spec::cron::Cron;

/// The times that match an expression, in its time zone.
pub(crate) struct Timetable {
    cron: Cron,
    /// Asked only for times of the calendar. What they are in the time zone is decided here: croner takes lists and ranges
    /// for intervals, and gives up in a long gap.
    pattern: croner::Cron,
    tz: TimeZone,
}

impl Timetable {
    /// Reads a cron expression and finds its time zone.
    ///
    /// # Errors
    ///
    /// If the expression is invalid, or if this machine does not know the time zone.
    pub(crate) fn of(cron: &Cron) -> Result<Self, BoxError> {
        let Cron { expression, tz } = cron;
        let pattern = expression.parse().map_err(|reason| {
            format!(
                "`{expression}` is no cron expression ({}): \
                 expected `minute hour day month weekday`, as in `0 3 * * *`",
                words(&reason)
            )
        })?;
        let tz = TimeZone::get(tz).map_err(|_| {
            format!("this machine knows no time zone `{tz}`: expected a name as in `Europe/Berlin`, or `UTC`")
        })?;
        Ok(Self { cron: cron.clone(), pattern, tz })
    }

    /// Checks that there is a time after now.
    ///
    /// # Errors
    ///
    /// If there is none, or if it cannot be found.
    pub(crate) fn check(&self) -> Result<(), BoxError> {
        match self.after(Timestamp::now())? {
            Some(_) => Ok(()),
            None => Err(format!("`{}` never comes", self.cron.expression).into()),
        }
    }

    /// Returns the first time after a moment, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be found.
    pub(crate) fn after(&self, moment: Timestamp) -> Result<Option<Timestamp>, BoxError> {
        let found = if self.is_interval() { self.next_as_time_passes(moment) } else { self.next_of_the_day(moment) };
        match found {
            Ok(next) => Ok(Some(next)),
            Err(Unfound::Cron(CronError::TimeSearchLimitExceeded)) => Ok(None),
            Err(Unfound::Cron(reason)) => Err(self.lost(moment, &words(&reason))),
            Err(Unfound::Clock(reason)) => Err(self.lost(moment, &reason.to_string())),
        }
    }

    fn lost(&self, moment: Timestamp, reason: &str) -> BoxError {
        format!("the first time of `{}` after {moment} cannot be found: {reason}", self.cron).into()
    }

    /// Returns true if the second, the minute or the hour has a `*`. Otherwise the expression lists times of the day.
    fn is_interval(&self) -> bool {
        let pattern = &self.pattern.pattern;
        [&pattern.seconds, &pattern.minutes, &pattern.hours].iter().any(|field| field.from_wildcard)
    }

    /// The next time of the day, each of which comes once: at the end of the gap if the clock skips it, and the first time
    /// if the clock shows it twice.
    fn next_of_the_day(&self, moment: Timestamp) -> Result<Timestamp, Unfound> {
        let mut shown = self.tz.to_datetime(moment);
        loop {
            shown = self.pattern.find_next_occurrence(&shown, false)?;
            let first = self.first_moment(shown)?;
            // While the clock shows times again, those that it shows next have been.
            if first > moment {
                return Ok(first);
            }
        }
    }

    /// The first moment at which the clock shows this time, or a later one.
    fn first_moment(&self, shown: DateTime) -> Result<Timestamp, Unfound> {
        let ambiguous = self.tz.to_ambiguous_timestamp(shown);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { before, .. } => {
                let as_before = before.to_timestamp(shown)?;
                let last = self.tz.preceding(as_before + SignedDuration::from_nanos(1)).next();
                Ok(last.map_or(as_before, |change| change.timestamp()))
            }
            AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. } => Ok(ambiguous.earlier()?),
        }
    }

    /// The next moment at which the clock shows a time that matches, however it is changed before.
    fn next_as_time_passes(&self, moment: Timestamp) -> Result<Timestamp, Unfound> {
        let (mut from, mut inclusive) = (moment, false);
        loop {
            let offset = self.tz.to_offset(from);
            let shown = self.pattern.find_next_occurrence(&offset.to_datetime(from), inclusive)?;
            let next = offset.to_timestamp(shown)?;
            match self.tz.following(from).next() {
                Some(change) if change.timestamp() <= next => (from, inclusive) = (change.timestamp(), true),
                _ => return Ok(next),
            }
        }
    }
}

/// Why a time cannot be found.
enum Unfound {
    Cron(CronError),
    Clock(jiff::Error),
}

impl From<CronError> for Unfound {
    fn from(reason: CronError) -> Self {
        Self::Cron(reason)
    }
}

impl From<jiff::Error> for Unfound {
    fn from(reason: jiff::Error) -> Self {
        Self::Clock(reason)
    }
}

/// croner's words, as a part of a sentence.
fn words(reason: &CronError) -> String {
    reason.to_string().trim_end_matches('.').to_owned()
}
