//! The behaviour of a group, case by case: each test is one behaviour, seen from outside, and its
//! name says which.
//!
//! Where time matters, a test uses tokio's paused clock, so that every duration is exact and no
//! test waits.

mod building;
mod calling_back;
mod controlling;
mod cutting;
mod draining;
mod ending;
mod failing;
mod half_closing;
mod jobs;
mod limits;
mod messages;
mod nesting;
mod observing;
mod own_runtime;
mod panicking;
mod per_core;
mod reloading;
mod reporting;
mod restarting;
mod rollback;
mod run_time_control;
mod scheduling;
mod sidecars;
mod silences;
mod spawning;
mod starting;
mod status;
mod stop_while_starting;
mod stopping;
mod support;
mod ticking;
mod upgrading;
mod viewing;
