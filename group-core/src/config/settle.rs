//! Reads a user's type, and reads it again in another way where serde takes a value for what it is not.
//!
//! The text of a variable has no type. Where serde buffers it (`flatten`, `untagged`), it does not say which one it wants,
//! so the text is guessed to be TOML: `12345` is a number, although a password was wanted. And two names of one field
//! (`alias`) are one key for the user, and two for serde.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;

use serde::de::DeserializeOwned;

use crate::base::syntax::duration;
use crate::base::text::DURATION;
use crate::config::read::{Reader, Unknown};
use crate::config::settings::Settings;
use crate::config::value::{Kind, Source};
use crate::config::wrong::{What, Wrong, noting};

/// Reads a type.
///
/// # Errors
///
/// If a value is bad or missing, however it is taken.
pub(crate) fn read<T: DeserializeOwned>(settings: &Settings, unknown: &RefCell<Unknown>) -> Result<T, Wrong> {
    let first = Attempt::<T>::of(settings);
    let mut settings = Cow::Borrowed(settings);
    let mut last: Option<Attempt<T>> = None;
    while let Some((other, next)) = last.as_ref().unwrap_or(&first).improved(&settings) {
        (settings, last) = (Cow::Owned(other), Some(next));
    }
    // Other ways that help nothing in the end are not taken.
    let best = match last {
        Some(last) if last.mistakes() < first.mistakes() => last,
        _ => first,
    };
    unknown.borrow_mut().extend(best.unknown);
    best.result
}

/// The outcome of one reading.
struct Attempt<T> {
    result: Result<T, Wrong>,
    found: Vec<What>,
    unknown: Unknown,
}

impl<T: DeserializeOwned> Attempt<T> {
    fn of(settings: &Settings) -> Self {
        let unknown = RefCell::default();
        let (result, found) = noting(|| T::deserialize(Reader::new(settings, &unknown)));
        Self { result, found, unknown: unknown.into_inner() }
    }

    /// Takes one value in another way, so that there are fewer mistakes. If no way does that, takes one with which there
    /// are as many, because nothing is read behind the first mistake.
    fn improved(&self, settings: &Settings) -> Option<(Settings, Self)> {
        let mut equal = None;
        let texts = self.other_kinds(settings).into_iter().map(|(path, kind)| {
            let mut other = settings.clone();
            other.put(&path, Some(kind));
            other
        });
        for other in self.with_one_name(settings).into_iter().chain(texts) {
            let next = Self::of(&other);
            let is_worse = match (&self.result, &next.result) {
                (Err(_), Ok(_)) => false,
                (Ok(_), Err(_)) => true,
                _ => next.texts() > self.texts(),
            };
            match next.mistakes().cmp(&self.mistakes()) {
                Ordering::Less if !is_worse => return Some((other, next)),
                Ordering::Equal if !is_worse => drop(equal.get_or_insert((other, next))),
                _ => {}
            }
        }
        equal
    }

    /// The number of mistakes. A missing value does not count: it may be optional.
    fn mistakes(&self) -> usize {
        self.found.iter().filter(|what| !matches!(what, What::Missing(_))).count()
    }

    /// The mistakes of which text is the cause.
    fn texts(&self) -> usize {
        self.found.iter().filter(|what| matches!(what, What::Is { found: "text", .. })).count()
    }

    /// The texts that could be of another kind, if that may mend a mistake.
    fn other_kinds(&self, settings: &Settings) -> Vec<(Vec<String>, Kind)> {
        let is = |wanted: &dyn Fn(&str, &str) -> bool| {
            self.found.iter().any(|what| matches!(what, What::Is { found, expected } if wanted(found, expected)))
        };
        let wants_duration = is(&|_, expected| expected == DURATION);
        let mut other = Vec::new();
        for (path, value) in settings.table.entries() {
            let (Kind::Untyped(text) | Kind::String(text)) = &value.kind else { continue };
            let guess = value.guess(text).words();
            if matches!(value.kind, Kind::Untyped(_)) && guess != "text" && is(&|found, _| found == guess) {
                other.push((path, Kind::String(text.clone())));
            } else if let Ok(duration) = duration(text)
                && wants_duration
            {
                other.push((path, Kind::of_duration(duration)));
            }
        }
        other
    }

    /// The settings in which the environment's name of a field is that of the file, if those are two.
    fn with_one_name(&self, settings: &Settings) -> Option<Settings> {
        let is_twice = |found: &[What]| found.iter().any(|what| matches!(what, What::Twice(_)));
        if !is_twice(&self.found) {
            return None;
        }
        let without = |path: &[String]| {
            let mut other = settings.clone();
            other.put(path, None);
            other
        };
        // A field is set once if one of its names is removed, or all of the table around them.
        let mut names = settings.table.entries();
        names.retain(|(path, _)| !is_twice(&Self::of(&without(path)).found));
        let depth = names.iter().map(|(path, _)| path.len()).max()?;
        names.retain(|(path, _)| path.len() == depth);
        names.sort_by_key(|(_, value)| matches!(value.source, Source::Variable(_)));
        let [(in_file, below), (variable, above)] = &names[..] else { return None };
        if !matches!((&below.source, &above.source), (Source::File(..), Source::Variable(_))) {
            return None;
        }
        let mut other = without(variable);
        other.put(in_file, Some((*below).clone().under((*above).clone()).kind));
        Some(other)
    }
}
