//! The group's own settings.

use std::time::Duration;

use crate::base::text::{Took, duration};
use crate::group::declaration::Declaration;
#[cfg(feature = "config")]
use crate::group::declaration::File;
use crate::group::environment;
use crate::lifecycle::budget::Budget;
use crate::lifecycle::plan::Schedule;
use crate::record::report_file::ReportFile;
use crate::spec::GROUP_STOP_TIMEOUT;
#[cfg(feature = "admin")]
use crate::spec::is_address;
use crate::spec::serve::Serving;

/// The variable with the file that the report goes to.
#[cfg(feature = "serde")]
pub(crate) const REPORT_VARIABLE: &str = "GROUP_REPORT_TO";

/// The settings that a file and the environment can change, named like the method: `GROUP_STOP_TIMEOUT`.
pub(crate) const SETTINGS: &[&str] = &[
    #[cfg(feature = "admin")]
    "admin",
    "drain_delay",
    "drain_quiet",
    #[cfg(feature = "serde")]
    "report_to",
    "schedule",
    "serve",
    "stop_timeout",
];

impl Declaration {
    /// Puts `path` before the names of the services, which are inside of another one. Warns of settings that only an outermost
    /// group has.
    pub(super) fn put_inside(&mut self, path: &str) {
        for service in &mut self.services {
            service.spec.put_inside(path);
        }
        let unused = [
            ("drain_delay", !self.drain_delay.is_zero()),
            ("drain_quiet", self.drain_quiet.is_some()),
            #[cfg(feature = "serde")]
            ("report_to", self.report_file.path().is_some()),
            #[cfg(feature = "admin")]
            ("admin", self.admin.is_some()),
            #[cfg(feature = "config")]
            ("config", !matches!(self.config, File::Usual)),
        ];
        for (key, _) in unused.into_iter().filter(|(_, is_set)| *is_set) {
            let name = path.trim_end_matches('/');
            tracing::warn!(target: "group", service = name, "`{name}` sets {key}, which only the outermost group has: it is not used");
        }
    }

    /// Returns the time to stop, as far as it is known before the configuration file is read.
    pub(crate) fn stop_limit(&self) -> Duration {
        let environment = environment::read();
        let value = environment.get("GROUP_STOP_TIMEOUT").and_then(|value| value.to_str());
        value.and_then(|value| duration(value).ok()).or(self.stop_timeout).unwrap_or(GROUP_STOP_TIMEOUT)
    }

    /// Returns the file that the report goes to, as far as it is known before the configuration file is read.
    #[cfg(feature = "serde")]
    pub(crate) fn report_file(&self) -> ReportFile {
        let environment = environment::read();
        let path = environment.get(REPORT_VARIABLE).filter(|path| !path.is_empty());
        path.map_or_else(|| self.report_file.clone(), |path| ReportFile::at(path.into()))
    }

    #[cfg(not(feature = "serde"))]
    pub(crate) fn report_file(&self) -> ReportFile {
        self.report_file.clone()
    }

    /// Returns true if this variable sets something of the group or of a service.
    #[cfg(feature = "cli")]
    pub(crate) fn is_set_by(&self, variable: &str) -> bool {
        let key = variable.trim_start_matches("GROUP_").to_lowercase();
        let is_read = |key: &str| cfg!(feature = "config") || cfg!(feature = "grpc") && key == "REMOTE";
        SETTINGS.contains(&&*key) || self.owner_of(variable).is_some_and(|(_, key)| is_read(key))
    }

    /// Refuses a delay that would leave no time to stop.
    pub(super) fn check_drain_delay(&mut self) {
        let limit = self.stop_timeout.unwrap_or(GROUP_STOP_TIMEOUT);
        if !self.drain_delay.is_zero() && Budget::new(limit, self.drain_delay, 1).turns().is_zero() {
            let (delay, limit) = (Took(self.drain_delay), Took(limit));
            self.mistakes.push(
                format!("drain_delay is {delay}, and stop_timeout, which includes it, is only {limit}: no time is left to stop")
                    .into(),
            );
        }
    }

    /// Sets one of [`SETTINGS`].
    ///
    /// # Errors
    ///
    /// With the text of what was expected.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            #[cfg(feature = "admin")]
            "admin" => {
                if value != "off" && !is_address(value) {
                    return Err("`host:port`, as in `127.0.0.1:9900`, or `off`".to_owned());
                }
                self.admin = (value != "off").then(|| value.to_owned());
            }
            "drain_delay" => self.drain_delay = duration(value)?,
            "drain_quiet" => self.drain_quiet = Some(duration(value)?),
            #[cfg(feature = "serde")]
            "report_to" if value.is_empty() => return Err("the path of a file".to_owned()),
            #[cfg(feature = "serde")]
            "report_to" => self.report_file = ReportFile::at(value.into()),
            "stop_timeout" => self.stop_timeout = Some(duration(value)?),
            "serve" => self.serve = Serving::from_word(value).ok_or("`shared` or `per-core`")?,
            "schedule" => {
                self.schedule = match value {
                    "strict" => Schedule::Strict,
                    "graph" => Schedule::Graph,
                    _ => return Err("`strict` or `graph`".to_owned()),
                }
            }
            _ => {}
        }
        Ok(())
    }
}
