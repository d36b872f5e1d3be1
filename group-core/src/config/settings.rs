//! The settings of one service.

use std::sync::Arc;

use crate::config::value::{Kind, Value, is_same};

/// The name of the file that is read by default, if it exists.
pub(crate) const USUAL_FILE: &str = "group.toml";

/// The part of the configuration that is about one service, or about the program itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The keys that lead to it: `services.mailer`, `log`.
    place: String,
    pub(crate) table: Value,
    /// The keys in the table that are for the group, such as `stop_timeout`.
    pub(crate) own: Vec<&'static str>,
    pub(crate) origin: Origin,
}

/// The sources of a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) file: Option<Arc<str>>,
    /// True if the environment was read, too.
    pub(crate) environment: bool,
}

impl Settings {
    pub(crate) fn new(place: String, table: Value, own: Vec<&'static str>, origin: &Origin) -> Self {
        Self { place, table, own, origin: origin.clone() }
    }

    /// The whole key: `services.mailer.port`.
    pub(crate) fn key(&self, path: &[String]) -> String {
        std::iter::once(&self.place).chain(path).map(String::as_str).collect::<Vec<_>>().join(".")
    }

    /// Replaces or adds a value, or, with `None`, removes it.
    pub(crate) fn put(&mut self, path: &[String], kind: Option<Kind>) {
        let Some((last, way)) = path.split_last() else { return };
        let mut table = &mut self.table;
        for key in way {
            let Kind::Table(entries) = &mut table.kind else { return };
            let Some(inner) = entries.get_mut(key) else { return };
            table = inner;
        }
        let Kind::Table(entries) = &mut table.kind else { return };
        let key = entries.keys().find(|key| is_same(key, last)).unwrap_or(last).clone();
        match kind {
            Some(kind) => entries.entry(key).or_default().kind = kind,
            None => drop(entries.remove(&key)),
        }
    }

    /// Explains why a key has no value. `variable` is the one that could have set it.
    pub(crate) fn why_missing(&self, variable: &str) -> String {
        match (&self.origin.file, self.origin.environment) {
            (Some(file), true) => format!("neither {file} nor the variable {variable} sets it"),
            (None, true) => {
                format!("there is no {USUAL_FILE}, and the variable {variable} is not set")
            }
            (Some(file), false) => format!("{file} does not set it"),
            (None, false) => {
                format!(
                    "there is no configuration: set one with `Group::config_file`, or call `run`, which reads {USUAL_FILE} and the environment"
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
