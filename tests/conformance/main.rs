//! What a group must do, case by case: each test is one numbered behaviour, seen from outside.
//!
//! The numbers are those of the project's list of conformance cases, one module per section. Where
//! time matters it is tokio's paused clock, so that every duration is exact and no test waits.

mod building;
mod controlling;
mod draining;
mod failing;
mod limits;
mod messages;
mod observing;
mod reloading;
mod reporting;
mod restarting;
mod rollback;
mod scheduling;
mod starting;
mod stop_while_starting;
mod stopping;
mod support;
mod ticking;
mod upgrading;
