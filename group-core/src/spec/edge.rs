//! The declaration that one service comes after another, by type or by name.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;

use crate::spec::name::Name;

/// The declaration that a service comes after another one.
#[derive(Clone, Debug)]
pub(crate) struct After {
    pub(crate) target: Target,
    pub(crate) optional: bool,
}

/// The other service: its type, with the type's name, or its own name.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Type(TypeId, &'static str),
    Name(Name),
}

impl Target {
    /// The name of the service as text; for a type, the name that the type gives.
    pub(crate) fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Type(..) => self.name().as_str().to_owned().into(),
            Self::Name(name) => name.as_str().into(),
        }
    }

    /// The name of the service; for a type, the name that the type gives.
    pub(crate) fn name(&self) -> Name {
        match self {
            Self::Type(_, type_name) => Name::of_type(type_name),
            Self::Name(name) => name.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}
