//! The macros of `service-group`. They are documented where they are re-exported: in the facade.
//!
//! Each goes the same way: `parse` the tokens, check them into a model while gathering every
//! mistake, `expand` the model. They emit calls into `group::__private`, and no logic.

use proc_macro::TokenStream;

use self::entry::Kind;

mod args;
mod block;
mod code;
mod entry;
mod errors;
mod service;
mod syntax;

/// Turns an `impl` block into a service. See `group::service`.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(args.into(), &item.into()).into()
}

/// Turns `async fn main` into the program's entry point. See `group::main`.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Kind::Main, args.into(), &item.into()).into()
}

/// Turns an `async fn` into a test with a group. See `group::test`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Kind::Test, args.into(), &item.into()).into()
}

#[cfg(test)]
mod expansion_test;
#[cfg(test)]
mod fuzz_test;
