//! `#[service]`.

mod expand;
mod lent;
mod model;
mod nearly;
mod path;
mod ticker;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, Type};

use self::model::Model;
use crate::args::{self, facade};
use crate::block::Block;
use crate::errors::Errors;

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
    let users = block.without(|attr| is_own(attr) || nearly::meant(attr).is_some());
    let arguments = args::parse(arguments, model::ARGUMENTS, &mut errors);
    let krate = arguments.iter().find(|arg| arg.key == "crate").and_then(|arg| errors.keep(arg.path("renamed")));
    let facade = facade(krate.as_ref());
    let Some(model) = Model::check(&block, &arguments, &mut errors) else {
        let errors = errors.into_tokens();
        return quote!(#users #errors);
    };
    // Where something is wrong, the type is a service all the same, so that one mistake does not
    // cause others elsewhere.
    let service = if errors.is_empty() { model.expand(&facade) } else { model.expand_dummy(&facade) };
    let errors = errors.into_tokens();
    // A method is `async`, has `&self` and takes its parameters by value because the group wants it
    // so, whatever it needs today.
    quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)]
        #users
        #service
        #errors
    }
}

/// The attributes that are not the compiler's to see.
fn is_own(attr: &Attribute) -> bool {
    model::route_method(attr).is_some() || model::is_layer(attr) || ticker::is_ticker(attr) || is_service(attr)
}

/// `#[service]`, `#[group::service]`.
fn is_service(attr: &Attribute) -> bool {
    let path = attr.path();
    path.is_ident("service")
        || (path.segments.len() == 2 && path.segments[0].ident == "group" && path.segments[1].ident == "service")
}

/// What the attribute was put on, when it is no `impl` block.
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

/// Types from `macro_rules!` arrive wrapped.
fn unwrapped(mut ty: &Type) -> &Type {
    loop {
        match ty {
            Type::Group(group) => ty = &group.elem,
            Type::Paren(paren) => ty = &paren.elem,
            _ => return ty,
        }
    }
}
