//! The pings that a service manager waits for.
//!
//! Each ping is a task of its own in the group's runtime, so that there is none when every thread of that is blocked. The
//! thread that asks for them is another one: it sees that a ping is late, and says so before the manager ends the process.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::running::handle::Handle;
use crate::running::one_life::OneLife;
use crate::systemd::socket::NotifySocket;
use crate::systemd::words::line;

/// Pings, twice in each interval, for as long as this is polled.
pub(super) async fn ping(group: &Handle, runtime: &runtime::Handle, socket: &Arc<NotifySocket>, interval: Duration) {
    loop {
        let begun = Instant::now();
        let (asked, through) = (group.clone(), Arc::clone(socket));
        let mut ping = runtime.spawn(async move {
            if asked.status().is_live() {
                through.deliver(&[NotifyState::Watchdog]).await;
            }
        });
        // The last ping was half an interval ago. An error is the end of the runtime.
        let late = begun + interval * 2 / 5;
        if timeout_at(late, &mut ping).await.is_err() {
            give_up(group, socket).await;
            let _ = ping.await;
        }
        sleep_until(begun + interval / 2).await;
    }
}

/// Has the manager end the process, which it would do very soon, and say why: systemd logs the status with that.
async fn give_up(group: &Handle, socket: &NotifySocket) {
    let services = OneLife::all(&group.shared);
    let polled = services.iter().map(OneLife::member).filter(|member| member.is_polled());
    let holders: Vec<String> = polled.map(|member| format!("`{}`", member.spec.get_name())).collect();
    let holders = if holders.is_empty() { "no service".to_owned() } else { holders.join(", ") };
    let status = line(&format!("Blocked: no thread of the runtime is free; {holders} runs on one"));
    socket.deliver(&[NotifyState::Status(&status), NotifyState::WatchdogTrigger]).await;
}
