//! What a `start` is often made of: something at a fixed interval, at certain times, for each message, with a heartbeat.

#[cfg(feature = "cron")]
pub(crate) mod cron;
pub(crate) mod every;
pub(crate) mod heartbeat;
pub(crate) mod messages;
