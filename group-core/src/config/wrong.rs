//! The mistakes in values. No message has the value itself: it may be a secret.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de;
use serde::de::{Expected, Unexpected};

use crate::base::text::{count, did_you_mean};
use crate::config::words;

/// The reason why a value is not one of the user's type.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) what: What,
    /// The keys that lead to the value, and the whole message. Set once the place is known.
    pub(crate) place: Option<(Vec<String>, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The words for the value, and for what was expected.
    Is {
        found: &'static str,
        expected: Cow<'static, str>,
    },
    /// A list of another length than was expected.
    Long {
        found: usize,
        expected: Cow<'static, str>,
    },
    Missing(&'static str),
    /// Two keys are names of this field.
    Twice(&'static str),
    /// The words of the user's type.
    Other(String),
}

thread_local! {
    /// The mistakes in the reading that runs on this thread. serde drops some of them without a word: with
    /// `flatten`, an `Option` is `None` if its value cannot be read.
    static FOUND: RefCell<Vec<What>> = const { RefCell::new(Vec::new()) };
}

/// Reads, and also returns every mistake that was found on the way, even if the reading succeeds.
pub(crate) fn noting<T>(read: impl FnOnce() -> T) -> (T, Vec<What>) {
    FOUND.take();
    (read(), FOUND.take())
}

impl Wrong {
    fn new(what: What) -> Self {
        FOUND.with_borrow_mut(|found| found.push(what.clone()));
        Self { what, place: None }
    }

    /// The keys that lead to the bad value, or to the place of the missing one.
    pub(crate) fn path(&self) -> &[String] {
        self.place.as_ref().map_or(&[], |(path, _)| path)
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.what, What::Missing(_))
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = words::expected(&expected.to_string());
        Self::new(What::Is { found: words::found(found), expected })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = words::expected(&expected.to_string());
        Self::new(What::Is { found: words::refused(found), expected })
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        let expected = words::expected(&expected.to_string());
        Self::new(What::Long { found, expected })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(variant, expected.iter().copied());
        let expected = format!("one of `{}`{hint}", expected.join("`, `")).into();
        Self::new(What::Is { found: words::refused(Unexpected::Str(variant)), expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(What::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(What::Twice(field))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is { found, expected } => write!(f, "it is {found}: expected {expected}"),
            Self::Long { found, expected } => write!(f, "it has {}: expected {expected}", count(*found, "value")),
            Self::Missing(field) => write!(f, "`{field}` is missing"),
            Self::Twice(field) => write!(f, "`{field}` is set twice, under two of its names: set only one"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((_, message)) => f.write_str(message),
            None => self.what.fmt(f),
        }
    }
}

impl std::error::Error for Wrong {}

/// The mistakes in settings, each with its place: the line of the file, or the variable. No message has a value, which may
/// be a secret. Needs the feature `config`.
#[derive(Clone, Debug)]
pub struct SettingsError(pub(crate) Vec<String>);

impl SettingsError {
    /// Returns the message of each mistake.
    pub fn mistakes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for SettingsError {}
