//! One service's part of the settings.

use std::sync::Arc;

use crate::config::value::Value;

/// The file that is read if it is there.
pub(crate) const USUAL_FILE: &str = "group.toml";

/// One service's part of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The service's name.
    name: String,
    pub(crate) table: Value,
    /// The keys in it that are for the group.
    pub(crate) own: Vec<&'static str>,
    pub(crate) origin: Origin,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) file: Option<Arc<str>>,
    /// Whether the environment is looked at, too.
    pub(crate) environment: bool,
}

impl Settings {
    pub(crate) fn new(name: &str, table: Value, own: Vec<&'static str>, origin: &Origin) -> Self {
        Self { name: name.to_owned(), table, own, origin: origin.clone() }
    }

    /// The whole key: `services.mailer.port`.
    pub(crate) fn key(&self, path: &[String]) -> String {
        ["services", &self.name].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
    }

    /// What to say of a key that is missing.
    pub(crate) fn nobody_says(&self, variable: &str) -> String {
        match (&self.origin.file, self.origin.environment) {
            (Some(file), true) => format!("neither {file} nor the variable {variable} says it"),
            (None, true) => {
                format!("there is no {USUAL_FILE}, and the variable {variable} is not set")
            }
            (Some(file), false) => format!("{file} does not say it"),
            (None, false) => {
                format!(
                    "there is no configuration: give one, as with `Group::config_file`, or `run` the group, which reads {USUAL_FILE} and the environment"
                )
            }
        }
    }
}

/// The variable that sets a key: `GROUP_MAILER__PORT` for `services.mailer.port`.
pub(crate) fn variable_of(key: &str) -> String {
    let key = key.strip_prefix("services.").unwrap_or(key);
    format!("GROUP_{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}
