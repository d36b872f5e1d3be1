//! Tries the settings before anything is built: each type that a service takes is read once, and every mistake is
//! reported.

use std::cell::RefCell;

use serde::de::DeserializeOwned;

use crate::config::read::{Check, Reader, Unknown};
use crate::config::settings::Settings;
use crate::config::settle::read;
use crate::config::value::{Kind, Source, Value, lay_over};
use crate::config::wrong::Wrong;

impl Settings {
    /// Tries every type that a service takes, and adds the mistakes: a value that is bad or missing, and a key that is
    /// unknown to all of them. If the name of the service's table is misspelt, missing values are not reported, too.
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
        // A value under a misspelt key is reported once: not as missing, too.
        let is_there = |path: &[String]| is_misspelt || unknown.values().any(|key| key.meant.as_deref() == Some(path));
        wrong.retain(|wrong: &Wrong| !(wrong.is_missing() && is_there(wrong.path())));
        // Several types may have the same mistake, or one type that is taken twice.
        for message in wrong.iter().map(Wrong::to_string) {
            if !mistakes.contains(&message) {
                mistakes.push(message);
            }
        }
        mistakes.extend(unknown.into_values().map(|key| key.message));
    }

    /// Reads a type, after it was tried.
    ///
    /// # Errors
    ///
    /// With all mistakes.
    pub(crate) fn tried<T: DeserializeOwned>(&self) -> Result<T, Vec<String>> {
        let mut mistakes = Vec::new();
        self.check(&[|settings, unknown| read::<T>(settings, unknown).map(drop)], false, &mut mistakes);
        match read(self, &RefCell::default()) {
            Ok(taken) if mistakes.is_empty() => Ok(taken),
            _ => Err(mistakes),
        }
    }

    /// Reads the type again and again, so that it finds every mistake and not only the first. After each try it puts
    /// [`Kind::Anything`] in the place of the bad or missing value; if that is refused, too, it removes the value.
    /// Returns the keys that no field has asked for by then.
    fn try_out(&self, check: Check, all_wrong: &mut Vec<Wrong>) -> Unknown {
        let unknown = RefCell::new(Unknown::new());
        let mut rest = self.clone();
        let mut reported: Vec<(Vec<String>, Option<Kind>)> = Vec::new();
        while let Err(wrong) = check(&rest, &unknown) {
            match reported.iter_mut().find(|(path, _)| wrong.path().starts_with(path)) {
                None => {
                    reported.push((wrong.path().to_vec(), Some(Kind::Anything)));
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

    /// Returns true if a value under these keys would be read.
    pub(crate) fn has_key(&self, keys: &[String], checks: &[Check]) -> bool {
        if let [key] = keys
            && self.own.contains(&&**key)
        {
            return true;
        }
        let mut with = self.clone();
        let Kind::Table(table) = &mut with.table.kind else { return false };
        let way: Vec<&str> = keys.iter().map(String::as_str).collect();
        let value = Value { kind: Kind::Anything, source: Source::Variable(String::new()) };
        if lay_over(table, &way, value).is_err() {
            return false;
        }
        checks.iter().any(|check| {
            let mut wrong = Vec::new();
            let unknown = with.try_out(*check, &mut wrong);
            let is_refused = wrong.iter().any(|wrong| !wrong.is_missing() && keys.starts_with(wrong.path()));
            !is_refused && (1..=keys.len()).all(|len| !unknown.contains_key(&self.key(&keys[..len])))
        })
    }

    /// All keys but the service's own: for a service that takes no configuration.
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
