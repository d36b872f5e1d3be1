//! What a file and the environment say, as one tree in which every value knows where it stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::base::syntax::nearest;

pub(crate) type Table = BTreeMap<String, Value>;

#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) source: Source,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// From a variable, which does not say what type it is of.
    Untyped(String),
    String(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Array(Vec<Value>),
    Table(Table),
    /// Whatever is asked for: it stands in for what is wrong or missing, to find what else is.
    Anything,
}

/// Where a value stands.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(Arc<str>, usize),
    Variable(String),
    /// Nothing says it.
    Nowhere,
}

impl Source {
    /// What a message is about: a key at its place, or a variable.
    pub(crate) fn of(&self, key: &str) -> String {
        match self {
            Self::File(file, line) => format!("{file}:{line}: `{key}`"),
            Self::Variable(name) => name.clone(),
            Self::Nowhere => format!("`{key}`"),
        }
    }

    /// For a key that nobody knows.
    pub(crate) fn means_nothing(&self, full: &str, key: &str, known: &[&str]) -> String {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of `{}`", known.join("`, `")),
        };
        format!("{} means nothing here: {hint}", self.of(full))
    }
}

/// Reads a file's text.
///
/// # Errors
///
/// Where it is no TOML.
pub(crate) fn parse(text: &str, file: &Arc<str>) -> Result<Table, String> {
    let file = Text { text, file };
    match DeTable::parse(text) {
        Ok(table) => Ok(file.table(table.into_inner())),
        Err(error) => {
            let line = file.line(&error.span().unwrap_or_default());
            Err(format!("{}:{line}: {}", file.file, error.message()))
        }
    }
}

struct Text<'a> {
    text: &'a str,
    file: &'a Arc<str>,
}

impl Text<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// Each value stands where its key does.
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

/// For every field of what is wrong or missing as a whole.
pub(crate) static ANYTHING: Value = Value { kind: Kind::Anything, source: Source::Nowhere };

/// A table that nobody wrote.
impl Default for Value {
    fn default() -> Self {
        Self { kind: Kind::Table(Table::new()), source: Source::Nowhere }
    }
}

impl Value {
    /// The value of a variable.
    pub(crate) fn of_variable(name: &str, text: &str) -> Self {
        Self { kind: Kind::Untyped(text.to_owned()), source: Source::Variable(name.to_owned()) }
    }

    /// What the text of a variable is where no type says: TOML if it can be, else a string.
    pub(crate) fn guess(&self, text: &str) -> Self {
        let file = Arc::default();
        let kind = match DeValue::parse(text) {
            Ok(value) => Text { text, file: &file }.value(value.into_inner(), &(0..0)).kind,
            Err(_) => Kind::String(text.to_owned()),
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

    /// For a value that is none of what a key of the group itself can be.
    pub(crate) fn is_not(&self, key: &str, expected: &str) -> String {
        let found = match (&self.kind, self.word()) {
            (_, Some(word)) => format!("`{word}`"),
            (Kind::Array(_), None) => "an array".to_owned(),
            _ => "a table".to_owned(),
        };
        format!("{} is {found}: expected {expected}", self.source.of(key))
    }

    /// The text of one word: what the keys of the group itself are read from.
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

/// Lays the value of a variable over what is there: the last key is its own, the others lead to it.
///
/// # Errors
///
/// When another variable has a value on the way to it.
pub(crate) fn lay_over(table: &mut Table, keys: &[&str], value: Value) -> Result<(), String> {
    let Some((key, rest)) = keys.split_first() else { return Ok(()) };
    let key = table.keys().find(|known| is_same(known, key)).map_or_else(|| key.to_lowercase(), Clone::clone);
    if rest.is_empty() {
        table.insert(key, value);
        return Ok(());
    }
    // Where nobody else has said anything of it, it stands in this variable.
    let inner = table.entry(key).or_insert_with(|| Value { source: value.source.clone(), ..Value::default() });
    if let (Kind::Untyped(_), Source::Variable(outer)) = (&inner.kind, &inner.source) {
        let name = value.source.of("");
        return Err(format!("{name} is inside of {outer}, which has a value of its own: set one of them"));
    }
    if !matches!(inner.kind, Kind::Table(_)) {
        *inner = Value { source: value.source.clone(), ..Value::default() };
    }
    match &mut inner.kind {
        Kind::Table(table) => lay_over(table, rest, value),
        _ => Ok(()),
    }
}

/// Whether a variable can mean this key: it knows neither case nor hyphens.
pub(crate) fn is_same(key: &str, in_variable: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    letters(key) == letters(in_variable)
}
