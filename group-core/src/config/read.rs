//! Reads a user's type from the tree. Every mistake is reported with its place; a mistake in several places is
//! reported for each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::{de, forward_to_deserialize_any};

use crate::base::syntax::nearest;
use crate::base::text::did_you_mean;
use crate::config::settings::{Settings, variable_of};
use crate::config::value::{ANYTHING, Kind, Source, Table, Value, is_same};

/// Tries to read a type.
pub(crate) type Check = fn(Reader<'_>) -> Result<(), Wrong>;

/// The unknown keys: no type that was read has a field for them.
pub(crate) type Unknown = BTreeMap<String, Meaningless>;

/// An unknown key.
#[derive(Debug)]
pub(crate) struct Meaningless {
    pub(crate) message: String,
    /// The path of the known key that was probably meant.
    pub(crate) meant: Option<Vec<String>>,
}

/// A value on its way to a user's type.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    settings: &'a Settings,
    value: &'a Value,
    /// The keys that lead to it, below the service's own table.
    path: Vec<String>,
    unknown: &'a RefCell<Unknown>,
}

/// The reason why a value is not one of the user's type.
#[derive(Debug)]
pub(crate) struct Wrong {
    what: What,
    /// The keys that lead to the value, and the whole message. Set once the place is known.
    place: Option<(Vec<String>, String)>,
}

#[derive(Debug)]
enum What {
    Is { found: String, expected: String },
    Missing(&'static str),
    Other(String),
}

impl<'a> Reader<'a> {
    pub(crate) fn new(settings: &'a Settings, unknown: &'a RefCell<Unknown>) -> Self {
        Self { settings, value: &settings.table, path: Vec::new(), unknown }
    }

    fn at(&self, key: &str, value: &'a Value) -> Self {
        Self { value, path: self.path_to(key), ..*self }
    }

    fn path_to(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        path
    }

    /// The same place, with the value that its text was found to mean.
    fn meaning<'b>(&'b self, value: &'b Value) -> Reader<'b> {
        Reader { value, path: self.path.clone(), ..*self }
    }

    /// Gives all the values of an array to a visitor. A value that the visitor leaves is an error: one too many.
    fn visit_all<'de, V: Visitor<'de>>(&self, values: &'a [Value], visitor: V) -> Result<V::Value, Wrong> {
        let items = values.iter().map(|value| Self { value, path: self.path.clone(), ..*self });
        let mut items = SeqDeserializer::new(items);
        let taken = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(taken)
    }

    fn entries<'de>(
        &self,
        entries: impl Iterator<Item = (&'a str, &'a Value)>,
    ) -> MapDeserializer<'de, impl Iterator<Item = (&'a str, Self)>, Wrong> {
        MapDeserializer::new(entries.map(|(key, value)| (key, self.at(key, value))))
    }

    /// The entries for a map: all but the service's own keys, such as `stop_timeout`.
    fn all<'b>(&self, table: &'b Table) -> impl Iterator<Item = (&'b str, &'b Value)> {
        let own = if self.path.is_empty() { &self.settings.own[..] } else { &[] };
        table.iter().map(|(key, value)| (&**key, value)).filter(|(key, _)| !own.contains(key))
    }

    /// The entries for a struct: those for which it has a field. The others are noted as unknown.
    fn known<'b>(&self, table: &'b Table, fields: &'static [&'static str]) -> Vec<(&'b str, &'b Value)>
    where
        'static: 'b,
    {
        let mut known = Vec::with_capacity(table.len());
        for (key, value) in table {
            let is_field = |field: &&&str| match value.source {
                Source::Variable(_) => is_same(field, key),
                Source::File(..) | Source::Nowhere => **field == key,
            };
            match fields.iter().find(is_field) {
                Some(field) => known.push((*field, value)),
                None => self.note_unknown(key, value, fields),
            }
        }
        known
    }

    /// Notes a key that is not one of these fields, unless it is one of the service's own.
    pub(crate) fn note_unknown(&self, key: &str, value: &Value, fields: &[&str]) {
        let own = if self.path.is_empty() { &self.settings.own[..] } else { &[] };
        if own.contains(&key) {
            return;
        }
        let own = own.iter().filter(|own| !fields.contains(own));
        let known: Vec<&str> = fields.iter().chain(own).copied().collect();
        let full = self.settings.key(&self.path_to(key));
        let message = value.source.unknown(&full, key, &known);
        let meant = nearest(key, known.iter().copied()).map(|near| self.path_to(near));
        self.unknown.borrow_mut().insert(full, Meaningless { message, meant });
    }

    /// The whole key of this place: `services.mailer.port`.
    fn key(&self) -> String {
        self.settings.key(&self.path)
    }

    fn wrong(&self, what: What) -> Wrong {
        let subject = self.value.source.of(&self.key());
        let path = match &what {
            What::Missing(field) => self.path_to(field),
            What::Is { .. } | What::Other(_) => self.path.clone(),
        };
        let message = match &what {
            What::Is { found, expected } => format!("{subject} is {found}: expected {expected}"),
            What::Missing(_) => {
                let key = self.settings.key(&path);
                format!("`{key}` is missing: {}", self.settings.why_missing(&variable_of(&key)))
            }
            What::Other(message) => format!("{subject}: {message}"),
        };
        Wrong { what, place: Some((path, message)) }
    }

    /// Adds the place to an error that has none yet.
    fn placed<T>(&self, result: Result<T, Wrong>) -> Result<T, Wrong> {
        result.map_err(|wrong| if wrong.place.is_none() { self.wrong(wrong.what) } else { wrong })
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let result = match &self.value.kind {
            Kind::Untyped(text) => return self.meaning(&self.value.guess(text)).deserialize_any(visitor),
            Kind::String(text) => visitor.visit_str(text),
            Kind::Integer(number) => visit_integer(*number, visitor),
            Kind::Float(number) => visitor.visit_f64(*number),
            Kind::Boolean(value) => visitor.visit_bool(*value),
            Kind::Array(values) => self.visit_all(values, visitor),
            Kind::Table(table) => visitor.visit_map(self.entries(self.all(table))),
            // A number, because every other kind of value is asked for by a method of its own. Not zero, which a
            // type could refuse.
            Kind::Anything => visitor.visit_u64(1),
        };
        self.placed(result)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value.kind {
            Kind::Anything => visitor.visit_bool(true),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value.kind {
            Kind::Anything => self.visit_all(&[], visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value.kind {
            Kind::Anything => visitor.visit_map(self.entries(std::iter::empty())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.value.kind {
            // Not guessed: a string may look like a number.
            Kind::Untyped(text) => self.placed(visitor.visit_str(text)),
            Kind::Anything => self.placed(visitor.visit_str("1")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value.kind {
            Kind::Anything => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.value.kind {
            Kind::Untyped(text) => self.meaning(&self.value.guess(text)).deserialize_struct(name, fields, visitor),
            Kind::Table(table) => self.placed(visitor.visit_map(self.entries(self.known(table, fields).into_iter()))),
            Kind::Anything => {
                let all = fields.iter().map(|field| (*field, &ANYTHING));
                self.placed(visitor.visit_map(self.entries(all)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let result = match &self.value.kind {
            Kind::String(variant) => visitor.visit_enum((**variant).into_deserializer()),
            Kind::Untyped(variant) if variants.contains(&&**variant) => {
                visitor.visit_enum((**variant).into_deserializer())
            }
            Kind::Untyped(text) => {
                return self.meaning(&self.value.guess(text)).deserialize_enum(name, variants, visitor);
            }
            Kind::Table(table) => visitor.visit_enum(MapAccessDeserializer::new(self.entries(self.all(table)))),
            Kind::Anything => visitor.visit_enum(variants.first().copied().unwrap_or_default().into_deserializer()),
            _ => return self.deserialize_any(visitor),
        };
        self.placed(result)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct tuple tuple_struct
        ignored_any
    }
}

impl IntoDeserializer<'_, Wrong> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn visit_integer<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, Wrong> {
    if let Ok(number) = i64::try_from(number) {
        visitor.visit_i64(number)
    } else if let Ok(number) = u64::try_from(number) {
        visitor.visit_u64(number)
    } else {
        visitor.visit_i128(number)
    }
}

impl Wrong {
    fn new(what: What) -> Self {
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
        Self::new(What::Is { found: words(found), expected: expected.to_string() })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(variant, expected.iter().copied());
        let expected = format!("one of `{}`{hint}", expected.join("`, `"));
        Self::new(What::Is { found: words(Unexpected::Str(variant)), expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(What::Missing(field))
    }
}

/// A value in the words of a TOML file.
fn words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) => format!("`{text:?}`"),
        Unexpected::Unsigned(number) => format!("`{number}`"),
        Unexpected::Signed(number) => format!("`{number}`"),
        Unexpected::Float(number) => format!("`{number}`"),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, &self.what) {
            (Some((_, message)), _) | (None, What::Other(message)) => f.write_str(message),
            (None, What::Is { found, expected }) => write!(f, "it is {found}: expected {expected}"),
            (None, What::Missing(field)) => write!(f, "`{field}` is missing"),
        }
    }
}

impl std::error::Error for Wrong {}
