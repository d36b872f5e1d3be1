//! Building blocks of a `start`: tickers at a fixed interval and by cron expression, consumers of messages, heartbeats.

#[cfg(feature = "cron")]
pub(crate) mod cron;
pub(crate) mod every;
pub(crate) mod heartbeat;
pub(crate) mod messages;
pub(crate) mod ticker;
#[cfg(feature = "cron")]
pub(crate) mod timetable;
#[cfg(all(test, feature = "cron"))]
mod timetable_test;
