//! A group as it would start, without starting it.

use crate::group::Group;
use crate::group::assemble::{Assembly, assembled};
use crate::group::declaration::Declaration;
use crate::record::report::Report;

/// A group with all its settings, in order.
pub(crate) struct Planned {
    /// Without the services, which are in the assembly.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only the command line asks for settings"))]
    pub(crate) declared: Declaration,
    pub(crate) assembly: Assembly,
}

impl Group {
    /// Plans the group. No code of a service runs, and the group stays as it is.
    ///
    /// # Errors
    ///
    /// If its setup is invalid, or if it was run or started already.
    pub(crate) fn planned(&self) -> Result<Planned, Report> {
        self.planned_as(|_| {})
    }

    /// As [`planned`](Self::planned), with a change that comes before its settings.
    pub(crate) fn planned_as(&self, change: impl FnOnce(&mut Declaration)) -> Result<Planned, Report> {
        self.check_not_run()?;
        let mut declared = self.declared.without_factories();
        change(&mut declared);
        declared.settle(self.environment.as_ref());
        let (services, mistakes) = (std::mem::take(&mut declared.services), std::mem::take(&mut declared.mistakes));
        let assembly = assembled(services, &declared.provided, declared.schedule, mistakes)?;
        Ok(Planned { declared, assembly })
    }
}
