//! Where the connections of a server are served.

/// Where the connections of an HTTP or gRPC service are served. See [`Spec::serve`](crate::Spec::serve).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Serving {
    /// On the runtime of the group, with everything else: each of its threads runs whichever task is ready.
    #[default]
    Shared,
    /// On every processor, each with a listener and a runtime of its own: a connection stays on the thread that has
    /// accepted it.
    PerCore,
}

impl Serving {
    /// The word that settings and `#[service]` have for it.
    ///
    /// ```
    /// use group::Serving;
    ///
    /// assert_eq!(Serving::from_word("per-core"), Some(Serving::PerCore));
    /// assert_eq!(Serving::PerCore.word(), "per-core");
    /// ```
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::PerCore => "per-core",
        }
    }

    /// The one that this word means: `shared` or `per-core`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Shared, Self::PerCore].into_iter().find(|serve| serve.word() == word)
    }
}
