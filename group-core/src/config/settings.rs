//! One service's part of the configuration: what it is told itself, and what it makes of the rest.

use std::cell::RefCell;
use std::sync::Arc;

use super::read::{Reader, Unknown, Wrong};
use super::value::{Kind, Value, is_same};

/// Reads a type, and says whether it can be.
pub(crate) type Check = fn(Reader<'_>) -> Result<(), Wrong>;

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
            (None, true) => format!("there is no {}, and the variable {variable} is not set", super::USUAL_FILE),
            (Some(file), false) => format!("{file} does not say it"),
            (None, false) => {
                format!(
                    "there is no configuration: give one, as with `Group::config_file`, or `run` the group, which reads {} and the environment",
                    super::USUAL_FILE
                )
            }
        }
    }

    /// Tries what a service takes: nothing may be wrong, missing, or without meaning for all. If its table is
    /// misspelt, that says enough of what is missing.
    pub(crate) fn check(&self, checks: &[Check], is_misspelt: bool, mistakes: &mut Vec<String>) {
        if !matches!(self.table.kind, Kind::Table(_)) {
            mistakes.push(self.table.is_not(&self.key(&[]), "a table"));
            return;
        }
        let mut wrong = Vec::new();
        let mut unknown: Option<Unknown> = None;
        for check in checks {
            let mut by_this = self.try_out(*check, &mut wrong);
            if let Some(by_others) = unknown {
                by_this.retain(|key, _| by_others.contains_key(key));
            }
            unknown = Some(by_this);
        }
        let unknown = unknown.unwrap_or_else(|| self.all_unknown());
        // What is there under a misspelt key is not missing, too.
        let is_there = |path: &[String]| is_misspelt || unknown.values().any(|key| key.meant.as_deref() == Some(path));
        wrong.retain(|wrong: &Wrong| !(wrong.is_missing() && is_there(wrong.path())));
        mistakes.extend(wrong.iter().map(Wrong::to_string));
        mistakes.extend(unknown.into_values().map(|key| key.message));
    }

    /// Puts [`Kind::Anything`] where something is wrong or missing, and tries again, until nothing else is. Where that
    /// is refused, too, what is there is taken away. What nobody has asked for by then is unknown.
    fn try_out(&self, check: Check, all_wrong: &mut Vec<Wrong>) -> Unknown {
        let unknown = RefCell::new(Unknown::new());
        let mut rest = self.clone();
        let mut told: Vec<(Vec<String>, Option<Kind>)> = Vec::new();
        while let Err(wrong) = check(Reader::new(&rest, &unknown)) {
            match told.iter_mut().find(|(path, _)| wrong.path().starts_with(path)) {
                None => {
                    told.push((wrong.path().to_vec(), Some(Kind::Anything)));
                    rest.put(wrong.path(), Some(Kind::Anything));
                    all_wrong.push(wrong);
                }
                Some((path, there @ Some(_))) => {
                    *there = None;
                    rest.put(path, None);
                }
                Some((_, None)) => break,
            }
        }
        unknown.into_inner()
    }

    /// Puts something where a value is or could be, or takes the value away.
    fn put(&mut self, path: &[String], kind: Option<Kind>) {
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

    /// All but the service's own, where it takes no configuration.
    fn all_unknown(&self) -> Unknown {
        let unknown = RefCell::new(Unknown::new());
        let reader = Reader::new(self, &unknown);
        if let Kind::Table(table) = &self.table.kind {
            for (key, value) in table {
                reader.note_unknown(key, value, &[]);
            }
        }
        unknown.into_inner()
    }
}

/// The variable that sets a key: `GROUP_MAILER__PORT` for `services.mailer.port`.
pub(crate) fn variable_of(key: &str) -> String {
    let key = key.strip_prefix("services.").unwrap_or(key);
    format!("GROUP_{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}
