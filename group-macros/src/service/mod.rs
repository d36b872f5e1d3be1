//! `#[service]`: the block is read into a model, the model is checked, and then it is expanded.

mod attrs;
mod borrow;
mod checks;
mod emit;
mod expand;
mod model;
mod nearly;
mod path;
mod routes;
mod signature;
mod ticker;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;

use self::attrs::is_own;
use self::model::Model;
use self::nearly::is_nearly_own;
use crate::block::Block;
use crate::errors::Errors;
use crate::{args, code};

pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let block = match syn::parse2::<Block>(item.clone()) {
        Ok(block) => block,
        Err(error) => {
            match misplaced(item) {
                Some((at, message)) => errors.at(at, message),
                None => errors.push(error),
            }
            let errors = errors.into_tokens();
            return quote!(#item #errors);
        }
    };
    let users = block.without(|attr| is_own(attr) || is_nearly_own(attr));
    let args = args::parse(arguments, model::ARGUMENTS, &mut errors);
    let krate = args.iter().find(|arg| arg.key == "crate").and_then(|arg| errors.keep(arg.path("renamed")));
    if !checks::check_block(&block, &mut errors) {
        let errors = errors.into_tokens();
        return quote!(#users #errors);
    }
    let model = Model::read(&block, &args, &mut errors);
    checks::check(&model, &mut errors);
    let facade = code::facade(krate.as_ref());
    // Despite mistakes the type is a service, so that they do not cause more errors where it is used.
    let service =
        if errors.is_empty() { expand::expand(&model, &facade) } else { expand::expand_dummy(&model, &facade) };
    let errors = errors.into_tokens();
    // The group's rules make a method `async`, give it `&self` and parameters by value, although its body may need
    // none of that.
    quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)]
        #users
        #service
        #errors
    }
}

/// The word that says what the item is, if it is no `impl` block, and the message for it.
fn misplaced(item: &TokenStream) -> Option<(Ident, String)> {
    let words = item.clone().into_iter().filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word),
        _ => None,
    });
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let message = match word.to_string().as_str() {
            "struct" | "enum" | "union" => {
                "`#[service]` goes on the `impl` block that has `start` or routes, not on the type".to_owned()
            }
            "async" | "fn" => "`#[service]` goes on an `impl` block, not on a function".to_owned(),
            "trait" => "`#[service]` goes on an `impl` block, not on a trait".to_owned(),
            "mod" => "`#[service]` goes on an `impl` block, not on a module".to_owned(),
            "pub" | "unsafe" | "extern" => continue,
            "const" if words.peek().is_some_and(|next| next == "fn" || next == "async") => continue,
            "impl" => return None,
            _ => "`#[service]` goes on an `impl` block".to_owned(),
        };
        return Some((word, message));
    }
    None
}
