//! Runs a driver whose own runtime cannot, because every thread of it is blocked: its timers would never elapse, and a
//! `start` that blocks the only thread would have no limit.
//!
//! # Protocol
//!
//! The watch thread looks at the driver every [`LOOK`] while a timer is awaited; in a group that only runs, none is, and
//! the thread sleeps until the driver aims its alarm again ([`Shared::aimed`]). If the same timer is due at two looks,
//! the driver's task had all the time between them to serve it, and has not. The time between the looks has really
//! passed, so a process that was suspended does not count as blocked.
//!
//! The driver is then taken up as by the task of a service. It is run in a thread of its own, because it logs, and a log
//! that is not read would make the watch thread deaf.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

use crate::base::clock::Moment;
use crate::engine::driver::{Driver, Mailbox};
use crate::running::shared::Shared;

/// The time between two looks. A runtime that is only busy serves a timer within it.
const LOOK: Duration = Duration::from_millis(500);

/// Looks after the driver of a group for as long as it is polled.
pub(super) async fn stand_in(inbox: &Arc<Mailbox>, shared: &Shared) {
    loop {
        shared.aimed.notified().await;
        let mut late_before = None;
        loop {
            sleep(LOOK).await;
            // While a thread runs it, it is not blocked there for our sake.
            let Some(due) = inbox.look(Driver::due) else { continue };
            let Some(due) = due else { break };
            let late = (due <= Moment::now(shared.begun)).then_some(due);
            if late.is_some() && late == late_before {
                run_aside(Arc::clone(inbox));
            }
            late_before = late;
        }
    }
}

/// Runs what is due, in a thread of its own. If there can be no more threads, a later look tries again.
fn run_aside(inbox: Arc<Mailbox>) {
    let run = move || {
        if let Some(driver) = inbox.take_up_now() {
            driver.run_due(&inbox);
        }
    };
    let _ = thread::Builder::new().name("group-stand-in".to_owned()).spawn(run);
}
