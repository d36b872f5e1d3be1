//! The choices of a command line, without clap.

#[cfg(feature = "config")]
use std::path::PathBuf;

use crate::cli::manifest::kind::Kind;
use crate::group::order::Form;

/// A question about a group that is not to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Check,
    Plan(Form),
    Manifest(Kind),
}

/// The services and the settings that are chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    /// A list for each `--only`.
    pub(super) only: Vec<Vec<String>>,
    pub(super) without: Vec<String>,
    #[cfg(feature = "config")]
    pub(super) config: Option<PathBuf>,
    #[cfg(feature = "admin")]
    pub(super) admin: Option<String>,
    /// The filter of the log.
    pub(super) log: Option<String>,
}
