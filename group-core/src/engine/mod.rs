//! The parts that run a group: its driver, the tasks of its services, the thread outside of the runtime.

mod alarm;
pub(crate) mod driver;
mod inbox;
mod life;
mod requests;
mod signals;
mod stand_in;
mod start;
mod stop_signals;
mod timers;
pub(crate) mod watch;
