//! Attributes that are nearly the macro's own. They are told here, and kept from rustc, which would
//! tell of them again.

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Token};

use super::model::ROUTES;
use crate::block::{Block, Item};
use crate::errors::Errors;
use crate::syntax::{self, nearest};

/// The macro's own attributes that are no routes.
const OTHERS: &[&str] = &["every", "cron", "layer"];

pub(super) fn check(block: &Block, errors: &mut Errors) {
    let of_items = block.items.iter().flat_map(|item| match item {
        Item::Method(method) => method.attrs.as_slice(),
        Item::Other(attrs, _) => attrs,
        Item::Macro(_) | Item::Unknown(_) => &[],
    });
    for attr in block.attrs.iter().chain(of_items) {
        if let Some(message) = meant(attr) {
            errors.at(attr.path(), message);
        }
    }
}

/// What to write instead, if it is one.
pub(super) fn meant(attr: &Attribute) -> Option<String> {
    conditional(attr).or_else(|| of_the_crate(attr)).or_else(|| misspelt(attr))
}

/// `#[cfg_attr(unix, get("/"))]`.
fn conditional(attr: &Attribute) -> Option<String> {
    if !attr.path().is_ident("cfg_attr") {
        return None;
    }
    let all = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut words = all.iter().skip(1).filter_map(|meta| meta.path().get_ident()).map(ToString::to_string);
    let own = words.find(|word| is_own(word))?;
    Some(format!("`#[{own}]` is read before `cfg_attr` is decided: put `#[cfg(…)]` beside it, on a method of its own"))
}

/// `#[group::get("/")]`.
fn of_the_crate(attr: &Attribute) -> Option<String> {
    let segments = &attr.path().segments;
    let word = segments.last()?.ident.to_string();
    let is_it = segments.len() == 2 && segments[0].ident == "group" && is_own(&word);
    is_it.then(|| format!("write `#[{word}(…)]`: `#[service]` reads it, and `group` has none"))
}

/// `#[gett("/")]`. What else is in it must fit, for it may be the attribute of somebody else.
fn misspelt(attr: &Attribute) -> Option<String> {
    let word = attr.path().get_ident()?.to_string();
    if is_own(&word) {
        return None;
    }
    let text = first_string(attr)?;
    let is_route = text.starts_with('/');
    if is_route && word == "route" {
        return Some(format!("a route says its method: write `#[get({text:?})]`, or `#[any({text:?})]`"));
    }
    let near = if is_route {
        nearest(&word, ROUTES.iter().copied())
    } else if syntax::duration(&text).is_ok() {
        nearest(&word, ["every"])
    } else {
        nearest(&word, ["cron"]).filter(|_| text.split_whitespace().count() >= 5)
    };
    near.map(|near| format!("did you mean `{near}`?"))
}

fn is_own(word: &str) -> bool {
    ROUTES.contains(&word) || OTHERS.contains(&word)
}

/// The first string between its parentheses.
fn first_string(attr: &Attribute) -> Option<String> {
    let Meta::List(list) = &attr.meta else { return None };
    let string = |token: TokenTree| syn::parse2::<LitStr>(TokenStream::from(token)).ok();
    list.tokens.clone().into_iter().find_map(string).map(|text| text.value())
}
