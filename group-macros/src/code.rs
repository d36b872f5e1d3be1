//! Pieces of code that more than one macro emits.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Path, ReturnType, Type};

/// The path of the facade: the value of `crate = …`, or `::group`.
pub(crate) fn facade(krate: Option<&Path>) -> TokenStream {
    krate.map_or_else(|| quote!(::group), ToTokens::to_token_stream)
}

pub(crate) fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(__g::Duration::new(#seconds, #nanos))
}

/// Where connections are served, by the word for it, one of [`SERVE`](crate::args::SERVE).
pub(crate) fn serving(word: &str) -> TokenStream {
    if word == "per-core" { quote!(__g::Serving::PerCore) } else { quote!(__g::Serving::Shared) }
}

/// The type that a function returns.
pub(crate) fn output(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(()),
        // `!` cannot be written as a type here.
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => quote!(__g::Never),
        ReturnType::Type(_, ty) => quote!(#ty),
    }
}
