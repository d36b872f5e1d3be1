//! The mistakes in one use of a macro.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Type;

use crate::syntax::nearest;

/// Collects mistakes, so that all of them are reported at once.
#[derive(Default)]
pub(crate) struct Errors {
    all: Option<syn::Error>,
}

impl Errors {
    /// Adds a mistake at these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }

    /// Returns the value, or adds the mistake.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_none()
    }

    /// One `compile_error!` per mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.all.map(|all| all.to_compile_error()).unwrap_or_default()
    }
}

/// The type as a person writes it, without the spaces between tokens.
pub(crate) fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    let spaces = [(" < ", "<"), (" >", ">"), (" ,", ","), (" :: ", "::"), (":: ", "::"), ("& ", "&")];
    spaces.iter().fold(text, |text, (spaced, tight)| text.replace(spaced, tight))
}

/// Keys, and other words for them that are not similar.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("after", &["depends_on", "needs", "requires"]),
    ("http", &["addr", "address", "bind", "listen", "port"]),
    ("stop_timeout", &["timeout"]),
];

/// `; did you mean …?`, or `; expected one of …`.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    let synonym = SYNONYMS.iter().find(|(key, words)| known.contains(key) && words.contains(&word));
    match synonym.map(|(key, _)| *key).or_else(|| nearest(word, known.iter().copied())) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; expected one of `{}`", known.join("`, `")),
    }
}
