//! The macros of `service-group`. The facade re-exports and documents them.
//!
//! Each macro goes one way: it parses the tokens (`args`, `block`), reads them into a model, checks the model,
//! and expands it. Mistakes are collected on the way (`errors`) and reported together. The macros emit calls into
//! `group::__private`, and no logic. `tests/rooms.rs` lists the files from the ground up.

use proc_macro::TokenStream;

use self::entry::Kind;

mod args;
mod block;
mod code;
mod cpus;
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
