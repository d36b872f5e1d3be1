//! The limits of a server, with their defaults. Each is documented at its setter in `server.rs`.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(super) header_read_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) half_close_timeout: Duration,
    pub(super) max_header_size: usize,
    pub(super) max_connections: usize,
    pub(super) write_timeout: Duration,
    pub(super) linger: Duration,
    pub(super) close_spread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(65 * 60),
            half_close_timeout: Duration::from_secs(5),
            max_header_size: 64 * 1024,
            max_connections: 10_000,
            write_timeout: Duration::from_secs(60),
            linger: Duration::from_millis(200),
            close_spread: Duration::ZERO,
        }
    }
}
