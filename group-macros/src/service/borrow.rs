//! Borrows in a route's signature. rustc reports them too, but with names that the user never wrote.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type, TypeReference};

use super::signature::{takes_reference, unwrapped};
use crate::block::Method;
use crate::errors::Errors;

/// Types that answer with the value inside them.
const TRANSPARENT: &[&str] = &["Result", "Html"];

pub(super) fn check(method: &Method, errors: &mut Errors) {
    for param in method.params().filter(|param| borrows(param)) {
        errors
            .at(param, "a route owns what it takes, as `String` in place of `&str`: it cannot borrow from the request");
    }
    if let Some(reference) = method.output().filter(|_| takes_reference(method)).and_then(borrowed) {
        let message = "a route's answer outlives the call, so it cannot borrow from the service: \
                       return a value, such as `String`";
        errors.at(reference, message);
    }
}

/// The reference in an answer that would have to outlive the call. Inside a `Json`, for example, a borrow is
/// allowed: it is serialized within the call.
fn borrowed(answer: &Type) -> Option<&TypeReference> {
    match unwrapped(answer) {
        Type::Reference(reference) => {
            let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
            (!is_static).then_some(reference)
        }
        Type::Tuple(tuple) => tuple.elems.iter().find_map(borrowed),
        Type::Path(path) => {
            let last = path.path.segments.last().filter(|last| TRANSPARENT.iter().any(|name| last.ident == name))?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => borrowed(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Returns true if the type has a lifetime or a reference that is not `'static`.
fn borrows(ty: &Type) -> bool {
    let tokens = without_calls(ty.to_token_stream());
    // The lifetimes of `for<'a> Fn(&'a str)` are declared by the type itself.
    if tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "for")) {
        return false;
    }
    let is_punct = |token: &TokenTree, mark: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark);
    tokens.windows(2).any(|pair| match &pair[1] {
        TokenTree::Ident(name) if is_punct(&pair[0], '\'') => name != "static",
        next => is_punct(&pair[0], '&') && !is_punct(next, '\''),
    })
}

/// Every token but the parameters of function types: `dyn Fn(&str)` borrows nothing.
fn without_calls(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let is_call =
                    group.delimiter() == Delimiter::Parenthesis && matches!(all.last(), Some(TokenTree::Ident(_)));
                if !is_call {
                    all.extend(without_calls(group.stream()));
                }
            }
            token => all.push(token),
        }
    }
    all
}
