//! The words for types: serde's are those of Rust.

use std::borrow::Cow;

use serde::de::Unexpected;

use crate::base::text::DURATION;

/// serde's words for types, and ours.
const TYPES: &[(&str, &str)] = &[
    ("a boolean", "`true` or `false`"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number that is not negative"),
    ("u128", "a whole number that is not negative"),
    ("usize", "a whole number that is not negative"),
    ("i8", "a whole number from -128 to 127"),
    ("i16", "a whole number from -32768 to 32767"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("i64", "a whole number"),
    ("i128", "a whole number"),
    ("isize", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a character", "one character"),
    ("a string", "text"),
    ("a borrowed string", "text"),
    ("path string", "a path"),
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("struct Duration", DURATION),
];

/// The words for what was expected. They are owned if they may be those of the user's type.
pub(crate) fn expected(serde: &str) -> Cow<'static, str> {
    if let Some((_, ours)) = TYPES.iter().find(|(theirs, _)| *theirs == serde) {
        return (*ours).into();
    }
    let size = serde.strip_prefix("a tuple of size ").or(serde.strip_prefix("an array of length "));
    let size = size.or(serde.strip_suffix(" elements in sequence")).or(serde.strip_suffix(" element in sequence"));
    match (size, serde.strip_prefix("a nonzero ")) {
        (Some(size), _) => format!("a list of {size}").into(),
        (None, Some(number)) => format!("{}, but not 0", expected(number)).into(),
        (None, None) if serde.starts_with("tuple struct ") => "a list".into(),
        (None, None) if serde.starts_with("struct ") => "a table".into(),
        (None, None) => serde.to_owned().into(),
    }
}

/// The words for the type of a value.
pub(crate) fn found(value: Unexpected<'_>) -> &'static str {
    match value {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a decimal number",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else",
    }
}

/// The words for a value that has the right type, and is refused.
pub(crate) fn refused(value: Unexpected<'_>) -> &'static str {
    match value {
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "out of range",
        other => found(other),
    }
}
