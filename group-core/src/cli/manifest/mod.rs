//! The answer to `--manifest`: files that agree with the group, for whoever runs the program.

mod compose;
mod dockerfile;
pub(super) mod kind;
mod kubernetes;
mod process;
mod systemd;
mod text;

use crate::cli::chosen::Chosen;
use crate::cli::manifest::kind::Kind;
use crate::group::Group;
use crate::group::order::printed;
use crate::record::report::Report;

impl Group {
    /// Prints on stdout the files of this kind. Mistakes are logged, as those of a start are.
    pub(super) fn print_manifest(&self, kind: Kind, chosen: &Chosen) -> Report {
        let processes = match process::all(self, kind, chosen) {
            Ok(processes) => processes,
            Err(report) => return report,
        };
        printed(&match kind {
            Kind::Systemd => systemd::units(&processes),
            Kind::Kubernetes => kubernetes::manifest(&processes),
            Kind::Compose => compose::file(&processes),
            Kind::Dockerfile => dockerfile::file(&processes),
        })
    }
}
