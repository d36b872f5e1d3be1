//! Reads a user's type from the tree. Every mistake is reported with its place; a mistake in several places is
//! reported for each.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::base::syntax::{duration, nearest};
use crate::config::settings::{Settings, variable_of};
use crate::config::value::{ANYTHING, Kind, Source, Table, Value, is_same};
use crate::config::words;
use crate::config::wrong::{What, Wrong};

/// Tries to read a type.
pub(crate) type Check = fn(&Settings, &RefCell<Unknown>) -> Result<(), Wrong>;

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

    /// Gives entries to a visitor. What is wrong with one of them is reported there, also by a type that reads it and then
    /// refuses it.
    fn visit_entries<'de, V: Visitor<'de>>(
        &self,
        entries: impl Iterator<Item = (&'a str, &'a Value)>,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let last = Cell::new(None);
        let each = entries.inspect(|entry| last.set(Some(*entry)));
        let end = std::iter::from_fn(|| {
            last.set(None);
            None
        });
        let result = visitor.visit_map(self.entries(each.chain(end)));
        match (last.get(), &result) {
            (Some((key, value)), Err(Wrong { what: What::Is { .. } | What::Other(_), .. })) => {
                self.at(key, value).placed(result)
            }
            _ => self.placed(result),
        }
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
        let (path, message) = match &what {
            What::Missing(field) => {
                let path = self.path_to(field);
                let key = self.settings.key(&path);
                let message = format!("`{key}` is missing: {}", self.settings.why_missing(&variable_of(&key)));
                (path, message)
            }
            What::Is { found, expected } => {
                let (path, subject) = self.culprit(found);
                let expected = match expected {
                    Cow::Borrowed(ours) => (*ours).to_owned(),
                    Cow::Owned(theirs) => self.value.hide_in(theirs.clone()),
                };
                (path, format!("{subject} is {found}: expected {expected}"))
            }
            What::Other(words) => {
                let subject = self.value.source.of(&self.key());
                (self.path.clone(), format!("{subject}: {}", self.value.hide_in(words.clone())))
            }
            What::Long { .. } | What::Twice(_) => {
                (self.path.clone(), format!("{}: {what}", self.value.source.of(&self.key())))
            }
        };
        Wrong { what, place: Some((path, message)) }
    }

    /// The value that is of this type: this one, or, if serde has buffered a table, one in it. If there are several,
    /// nobody knows which one it is.
    fn culprit(&self, found: &str) -> (Vec<String>, String) {
        let subject = self.value.source.of(&self.key());
        let is_it =
            |value: &Value| words::found(value.unexpected()) == found || words::refused(value.unexpected()) == found;
        if !matches!(self.value.kind, Kind::Table(_) | Kind::Array(_)) || is_it(self.value) {
            return (self.path.clone(), subject);
        }
        match &self.value.entries().into_iter().filter(|(_, value)| is_it(value)).collect::<Vec<_>>()[..] {
            [(path, value)] => {
                let path = [&self.path[..], path].concat();
                let subject = value.source.of(&self.settings.key(&path));
                (path, subject)
            }
            _ => (self.path.clone(), format!("a value in {subject}")),
        }
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
            Kind::Table(table) => self.visit_entries(self.all(table), visitor),
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
            Kind::Anything => self.visit_entries(std::iter::empty(), visitor),
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
        if (name, fields) == ("Duration", &["secs", "nanos"])
            && let Kind::Untyped(text) | Kind::String(text) = &self.value.kind
            && let Ok(duration) = duration(text)
        {
            let table = Value { kind: Kind::of_duration(duration), source: self.value.source.clone() };
            return self.meaning(&table).deserialize_struct(name, fields, visitor);
        }
        match &self.value.kind {
            Kind::Untyped(text) => self.meaning(&self.value.guess(text)).deserialize_struct(name, fields, visitor),
            Kind::Table(table) => self.visit_entries(self.known(table, fields).into_iter(), visitor),
            Kind::Anything => self.visit_entries(fields.iter().map(|field| (*field, &ANYTHING)), visitor),
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
