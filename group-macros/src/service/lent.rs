//! What a route would have to borrow. rustc tells of it, too, but of names that the user never wrote.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReceiverKind, Type, TypeReference};

use super::unwrapped;
use crate::block::Method;
use crate::errors::Errors;

/// What passes an answer on as it is.
const PASS_ON: &[&str] = &["Result", "Html"];

pub(super) fn check(method: &Method, errors: &mut Errors) {
    for param in method.params().filter(|param| borrows(param)) {
        errors
            .at(param, "a route owns what it takes, as `String` in place of `&str`: it cannot borrow from the request");
    }
    let lends = method.sig.receiver().is_some_and(|receiver| matches!(receiver.kind, ReceiverKind::Reference(..)));
    if let Some(reference) = method.output().filter(|_| lends).and_then(lent) {
        let message = "a route's answer outlives the call, so it cannot borrow from the service: \
                       return a value, such as `String`";
        errors.at(reference, message);
    }
}

/// The reference in an answer that is none for it, if there is one. What is put in a `Json`, say, may
/// well borrow.
fn lent(answer: &Type) -> Option<&TypeReference> {
    match unwrapped(answer) {
        Type::Reference(reference) => {
            let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
            (!is_static).then_some(reference)
        }
        Type::Tuple(tuple) => tuple.elems.iter().find_map(lent),
        Type::Path(path) => {
            let last = path.path.segments.last().filter(|last| PASS_ON.iter().any(|name| last.ident == name))?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => lent(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Whether there is a lifetime in it, or a reference, that is not `'static`.
fn borrows(ty: &Type) -> bool {
    let tokens = without_calls(ty.to_token_stream());
    // The lifetimes of `for<'a> Fn(&'a str)` are its own.
    if tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "for")) {
        return false;
    }
    let is_punct = |token: &TokenTree, mark: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark);
    tokens.windows(2).any(|pair| match &pair[1] {
        TokenTree::Ident(name) if is_punct(&pair[0], '\'') => name != "static",
        next => is_punct(&pair[0], '&') && !is_punct(next, '\''),
    })
}

/// Every token but those which a function type takes: `dyn Fn(&str)` borrows nothing.
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
