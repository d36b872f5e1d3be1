//! The outside view of a group: its status while it runs, its report at the end, the log on stderr.

pub(crate) mod chain;
pub(crate) mod console;
pub(crate) mod counts;
pub(crate) mod event;
#[cfg(feature = "serde")]
mod json;
#[cfg(feature = "metrics")]
pub(crate) mod measures;
pub(crate) mod report;
pub(crate) mod report_file;
#[cfg(all(feature = "metrics", feature = "http"))]
pub(crate) mod requests;
pub(crate) mod service_report;
pub(crate) mod service_status;
mod spans;
pub(crate) mod state;
pub(crate) mod status;
