//! Tells the service manager that has started the process, such as systemd, how the group is. Needs the feature
//! `systemd`, and Linux; elsewhere, `absent.rs` says that there is no service manager.
//!
//! The protocol is that of `sd_notify(3)`: datagrams to the socket that `NOTIFY_SOCKET` names. Nothing here can hurt the
//! group: no send waits, and a message that is lost is sent again or forgotten.
//!
//! - [`manager`] finds the manager in the environment, and tells it of one group.
//! - `follow` goes through the life of a group: the start, the time in which it runs, with its reloads, and the stop.
//! - `watchdog` pings from inside of the group's runtime.
//! - `words` puts the state of a group into one line.
//! - `socket` sends datagrams.

#[cfg(all(feature = "systemd", target_os = "linux"))]
mod follow;
#[cfg_attr(not(all(feature = "systemd", target_os = "linux")), path = "absent.rs")]
pub(crate) mod manager;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod socket;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod watchdog;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod words;
