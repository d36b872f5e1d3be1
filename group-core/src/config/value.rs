//! The values of a file and of the environment, as one tree in which every value knows its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Unexpected;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::base::syntax::nearest;
use crate::config::words;

pub(crate) type Table = BTreeMap<String, Value>;

#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) source: Source,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The text of a variable, which has no type.
    Untyped(String),
    String(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Array(Vec<Value>),
    Table(Table),
    /// A value of any type that is asked for. It stands in for one that is bad or missing, so that the other mistakes
    /// are found, too.
    Anything,
}

impl Kind {
    /// The table that serde reads a duration from.
    pub(crate) fn of_duration(duration: Duration) -> Self {
        let parts = [("secs", i128::from(duration.as_secs())), ("nanos", i128::from(duration.subsec_nanos()))];
        let part = |(key, number): (&str, i128)| {
            (key.to_owned(), Value { kind: Self::Integer(number), source: Source::Nowhere })
        };
        Self::Table(parts.into_iter().map(part).collect())
    }
}

/// The place of a value.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// This line of this file.
    File(Arc<str>, usize),
    /// The variable of this name.
    Variable(String),
    /// No place: nothing sets it.
    Nowhere,
}

impl Source {
    pub(crate) fn is_variable(&self) -> bool {
        matches!(self, Self::Variable(_))
    }

    /// The subject of a message: a key with its place, or a variable.
    pub(crate) fn of(&self, key: &str) -> String {
        match self {
            Self::File(file, line) => format!("{file}:{line}: `{key}`"),
            Self::Variable(name) => name.clone(),
            Self::Nowhere => format!("`{key}`"),
        }
    }

    /// The message about an unknown key.
    pub(crate) fn unknown(&self, full: &str, key: &str, known: &[&str]) -> String {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of `{}`", known.join("`, `")),
        };
        format!("{}: {hint}", self.unknown_key(full))
    }

    /// The message about an unknown key, without a hint.
    pub(crate) fn unknown_key(&self, full: &str) -> String {
        match self {
            Self::File(file, line) => format!("{file}:{line}: unknown key `{full}`"),
            Self::Variable(name) => format!("unknown variable {name}"),
            Self::Nowhere => format!("unknown key `{full}`"),
        }
    }
}

/// Reads the text of a file.
///
/// # Errors
///
/// Returns the line and the mistake, if the text is not TOML.
pub(crate) fn parse(text: &str, file: &Arc<str>) -> Result<Table, String> {
    let document = Document { text, file };
    match DeTable::parse(text) {
        Ok(table) => Ok(document.table(table.into_inner())),
        Err(error) => {
            let line = document.line(&error.span().unwrap_or_default());
            Err(format!("{file}:{line}: {}", error.message()))
        }
    }
}

/// A TOML text and the name of the file that it comes from.
struct Document<'a> {
    text: &'a str,
    file: &'a Arc<str>,
}

impl Document<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// The place of each value is that of its key.
    fn table(&self, table: DeTable<'_>) -> Table {
        let value = |(key, value): (Spanned<_>, Spanned<_>)| {
            let value = self.value(value.into_inner(), &key.span());
            (String::from(key.into_inner()), value)
        };
        table.into_iter().map(value).collect()
    }

    fn array(&self, values: DeArray<'_>) -> Vec<Value> {
        let value = |value: Spanned<DeValue<'_>>| {
            let span = value.span();
            self.value(value.into_inner(), &span)
        };
        values.into_iter().map(value).collect()
    }

    fn value(&self, value: DeValue<'_>, span: &Range<usize>) -> Value {
        let kind = match value {
            DeValue::String(text) => Kind::String(text.into_owned()),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Kind::Integer(number),
                Err(_) => Kind::String(number.to_string()),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Kind::Float(number),
                Err(_) => Kind::String(number.to_string()),
            },
            DeValue::Boolean(value) => Kind::Boolean(value),
            DeValue::Datetime(time) => Kind::String(time.to_string()),
            DeValue::Array(values) => Kind::Array(self.array(values)),
            DeValue::Table(table) => Kind::Table(self.table(table)),
        };
        Value { kind, source: Source::File(Arc::clone(self.file), self.line(span)) }
    }
}

/// The value of each field of a struct that is itself [`Kind::Anything`].
pub(crate) static ANYTHING: Value = Value { kind: Kind::Anything, source: Source::Nowhere };

/// An empty table that nothing sets.
impl Default for Value {
    fn default() -> Self {
        Self { kind: Kind::Table(Table::new()), source: Source::Nowhere }
    }
}

impl Value {
    /// The value of an environment variable.
    pub(crate) fn of_variable(name: &str, text: &str) -> Self {
        Self { kind: Kind::Untyped(text.to_owned()), source: Source::Variable(name.to_owned()) }
    }

    /// The value of a variable's text, where the type that is read does not decide: TOML if it parses, else a string.
    pub(crate) fn guess(&self, text: &str) -> Self {
        let file = Arc::default();
        let kind = match DeValue::parse(text).map(Spanned::into_inner) {
            // Its text may have another form than its time.
            Ok(DeValue::Datetime(_)) | Err(_) => Kind::String(text.to_owned()),
            Ok(value) => Document { text, file: &file }.value(value, &(0..0)).kind,
        };
        let mut value = Self { kind, source: Source::Nowhere };
        value.stand_at(&self.source);
        value
    }

    fn stand_at(&mut self, source: &Source) {
        self.source = source.clone();
        match &mut self.kind {
            Kind::Array(values) => values.iter_mut().for_each(|value| value.stand_at(source)),
            Kind::Table(table) => table.values_mut().for_each(|value| value.stand_at(source)),
            _ => {}
        }
    }

    /// The message about a value that one of the group's own keys cannot have.
    pub(crate) fn is_not(&self, key: &str, expected: &str) -> String {
        format!("{} is {}: expected {expected}", self.source.of(key), self.words())
    }

    /// The words for its type.
    pub(crate) fn words(&self) -> &'static str {
        words::found(self.unexpected())
    }

    /// serde's view of its type.
    pub(crate) fn unexpected(&self) -> Unexpected<'_> {
        match &self.kind {
            Kind::Untyped(text) | Kind::String(text) => Unexpected::Str(text),
            Kind::Integer(_) | Kind::Anything => Unexpected::Signed(0),
            Kind::Float(number) => Unexpected::Float(*number),
            Kind::Boolean(value) => Unexpected::Bool(*value),
            Kind::Array(_) => Unexpected::Seq,
            Kind::Table(_) => Unexpected::Map,
        }
    }

    /// All values in a table and in the tables inside of it, with the keys that lead to them.
    pub(crate) fn entries(&self) -> Vec<(Vec<String>, &Self)> {
        let Kind::Table(table) = &self.kind else { return Vec::new() };
        let mut all = Vec::new();
        for (key, value) in table {
            all.push((vec![key.clone()], value));
            for (mut path, inner) in value.entries() {
                path.insert(0, key.clone());
                all.push((path, inner));
            }
        }
        all
    }

    /// Takes the words of this value out of the words of a user's type: it may be a secret.
    pub(crate) fn hide_in(&self, message: String) -> String {
        match &self.kind {
            Kind::Array(values) => values.iter().fold(message, |message, value| value.hide_in(message)),
            Kind::Table(table) => table.values().fold(message, |message, value| value.hide_in(message)),
            Kind::Boolean(_) | Kind::Anything => message,
            _ => {
                let word = self.word().unwrap_or_default();
                without_word(&without_word(&message, &word), &word.escape_debug().to_string())
            }
        }
    }

    /// Lays another value over it: of two tables, each key.
    pub(crate) fn under(mut self, above: Self) -> Self {
        match (&mut self.kind, above.kind) {
            (Kind::Table(below), Kind::Table(above)) => {
                for (key, value) in above {
                    let key = below.keys().find(|known| is_same(known, &key)).unwrap_or(&key).clone();
                    let value = match below.remove(&key) {
                        Some(inner) => inner.under(value),
                        None => value,
                    };
                    below.insert(key, value);
                }
                self
            }
            (_, kind) => Self { kind, source: above.source },
        }
    }

    /// The texts of a list, if all of its values are texts.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        let Kind::Array(values) = &self.kind else { return None };
        let text = |value: &Self| match &value.kind {
            Kind::String(text) => Some(text.clone()),
            _ => None,
        };
        values.iter().map(text).collect()
    }

    /// The text of a value that is neither an array nor a table: the group's own keys are read from it.
    pub(crate) fn word(&self) -> Option<String> {
        match &self.kind {
            Kind::Untyped(text) | Kind::String(text) => Some(text.clone()),
            Kind::Integer(number) => Some(number.to_string()),
            Kind::Float(number) => Some(number.to_string()),
            Kind::Boolean(value) => Some(value.to_string()),
            Kind::Array(_) | Kind::Table(_) | Kind::Anything => None,
        }
    }
}

/// Puts the value of a variable into the table, in place of the file's. The last key is its own, the others lead to
/// it.
///
/// # Errors
///
/// Returns an error if another variable sets one of the tables on the way to it.
pub(crate) fn lay_over(table: &mut Table, keys: &[&str], value: Value) -> Result<(), String> {
    let Some((key, rest)) = keys.split_first() else { return Ok(()) };
    let key = table.keys().find(|known| is_same(known, key)).map_or_else(|| key.to_lowercase(), Clone::clone);
    if rest.is_empty() {
        table.insert(key, value);
        return Ok(());
    }
    // A table that did not exist has the place of this variable.
    let inner = table.entry(key).or_insert_with(|| Value { source: value.source.clone(), ..Value::default() });
    if let (Kind::Untyped(_), Source::Variable(outer)) = (&inner.kind, &inner.source) {
        let name = value.source.of("");
        return Err(format!("{name} sets a part of {outer}, which is set as a whole: set only one of them"));
    }
    if !matches!(inner.kind, Kind::Table(_)) {
        *inner = Value { source: value.source.clone(), ..Value::default() };
    }
    match &mut inner.kind {
        Kind::Table(table) => lay_over(table, rest, value),
        _ => Ok(()),
    }
}

/// Returns true if a variable can mean this key: in a variable, case and hyphens do not count.
pub(crate) fn is_same(key: &str, in_variable: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    letters(key) == letters(in_variable)
}

/// Puts `…` in the place of a word.
fn without_word(text: &str, word: &str) -> String {
    let mut parts = text.split(word).peekable();
    let mut without = parts.next().unwrap_or_default().to_owned();
    let is_inside = |before: Option<char>, after: Option<char>| {
        let goes_on = |of_word: Option<char>, beside: Option<char>| {
            [of_word, beside].into_iter().flatten().filter(|letter| letter.is_alphanumeric()).count() == 2
        };
        goes_on(word.chars().next(), before) || goes_on(word.chars().last(), after)
    };
    for part in parts {
        let is_part = is_inside(without.chars().last(), part.chars().next());
        without.push_str(if is_part { word } else { "…" });
        without.push_str(part);
    }
    without
}
