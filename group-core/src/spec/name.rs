//! The names of services.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The length in bytes of the longest name that is stored without an allocation.
const SHORT: usize = 22;

/// A service's name. Each service has two copies of it, one of them in the report; most are short, and allocate
/// nothing.
#[derive(Clone)]
pub(crate) struct Name(Repr);

/// The storage of a name.
#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<str>),
}

impl Name {
    /// The name that a type gives: `order-queue` for `app::mail::OrderQueue`, `cache-u8` for `app::Cache<u8>`.
    pub(crate) fn of_type(type_name: &str) -> Self {
        let mut bytes = [0; SHORT];
        let length = kebab_case(type_name, &mut bytes);
        match u8::try_from(length) {
            Ok(length) if usize::from(length) <= SHORT => Self(Repr::Short { length, bytes }),
            _ => {
                let mut long = vec![0; length];
                kebab_case(type_name, &mut long);
                Self(Repr::Long(String::from_utf8_lossy(&long).into()))
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            // The bytes are always UTF-8: they come from a `str`.
            Repr::Short { .. } => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Repr::Long(text) => text,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Static(text) => text.as_bytes(),
            Repr::Short { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Long(text) => text.as_bytes(),
        }
    }
}

impl From<Cow<'static, str>> for Name {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self(Repr::Static(text)),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(text.as_bytes());
                Self(Repr::Short { length, bytes })
            }
            _ => Self(Repr::Long(text.into())),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the name of a type in kebab-case into `room`, as far as it fits, and returns its whole length.
fn kebab_case(type_name: &str, room: &mut [u8]) -> usize {
    let letters = type_name.as_bytes();
    let (mut length, mut path) = (0, 0);
    let mut push = |length: &mut usize, letter| {
        if let Some(free) = room.get_mut(*length) {
            *free = letter;
        }
        *length += 1;
    };
    for (at, &letter) in letters.iter().enumerate() {
        match letter {
            // Braces are part of a path: the path of a type in an async function is `{{closure}}::Morning`.
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'{' | b'}' | 0x80.. => push(&mut length, letter),
            b'A'..=b'Z' => {
                let begins_word = match letters.get(at.wrapping_sub(1)) {
                    Some(b'A'..=b'Z') => letters.get(at + 1).is_some_and(u8::is_ascii_lowercase),
                    Some(b'a'..=b'z' | b'0'..=b'9' | 0x80..) => true,
                    _ => false,
                };
                if begins_word {
                    push(&mut length, b'-');
                }
                push(&mut length, letter.to_ascii_lowercase());
            }
            // Only the last segment of a path counts.
            b':' => length = path,
            _ if length > path => {
                push(&mut length, b'-');
                path = length;
            }
            _ => {}
        }
    }
    // The last path may end with a hyphen.
    if length == path { length.saturating_sub(1) } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_in_kebab_case() {
        for (type_name, name) in [
            ("app::Morning", "morning"),
            ("OrderQueue", "order-queue"),
            ("app::HTTPGateway", "http-gateway"),
            ("app::V2Api", "v2-api"),
            ("app::Cache<u8>", "cache-u8"),
            ("app::Pair<std::string::String, app::Big<u8>>", "pair-string-big-u8"),
            ("app::Shards<4>", "shards-4"),
            ("app::main::{{closure}}::Local<app::run::{{closure}}::Key>", "local-key"),
            ("app::Snake_Case", "snake_case"),
            ("app::Größe", "größe"),
            ("app::AtTheEndOfEveryQuarter", "at-the-end-of-every-quarter"),
            ("app::ÄtTheEndOfEveryQuarter", "Ät-the-end-of-every-quarter"),
        ] {
            assert_eq!(Name::of_type(type_name).as_str(), name);
        }
    }

    #[test]
    fn it_is_what_it_was_made_of() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let text = "ü-".repeat(length).chars().take(length).collect::<String>();
            let fixed: &'static str = text.clone().leak();
            let names =
                [Name::from(text.clone()), Name::from(Cow::Borrowed(fixed)), Name::from(Cow::Owned(text.clone()))];
            for name in &names {
                assert_eq!(
                    (name.as_str(), name.to_string(), format!("{name:?}")),
                    (&*text, text.clone(), format!("{text:?}"))
                );
                assert!(names.iter().all(|other| other == name));
            }
        }
    }

    #[test]
    fn it_is_as_large_as_a_string() {
        assert_eq!(size_of::<Name>(), size_of::<String>());
    }
}
