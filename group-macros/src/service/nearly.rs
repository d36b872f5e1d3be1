//! Attributes and methods that are nearly the macro's own. Such attributes are reported here and removed from the
//! block, or rustc would report them again.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Token};

use super::attrs::{ROUTES, is_own, is_own_word};
use crate::block::{Block, Item, Method};
use crate::errors::Errors;
use crate::syntax::{self, nearest};

/// The methods that the group calls by name.
pub(super) const CALLED: &[&str] = &["new", "start", "stop", "health", "reload", "router", "grpc"];

pub(super) fn check(block: &Block, errors: &mut Errors) {
    let of_items = block.items.iter().flat_map(|item| match item {
        Item::Method(method) => method.attrs.as_slice(),
        Item::Other(attrs, _) => attrs,
        Item::Macro(_) | Item::Unknown(_) => &[],
    });
    for attr in block.attrs.iter().chain(of_items) {
        if let Some(message) = mistake(attr) {
            errors.at(attr.path(), message);
        }
    }
    for method in block.methods() {
        if let Some(called) = meant(method, block) {
            let message = format!(
                "did you mean `{called}`? the group does not call this method\n\
                 help: if only your own code calls it, move it to an `impl` block without `#[service]`"
            );
            errors.at(&method.sig.ident, message);
        }
    }
}

/// Returns true for an attribute that was probably meant as one of the macro's own.
pub(super) fn is_nearly_own(attr: &Attribute) -> bool {
    mistake(attr).is_some()
}

/// What to write instead.
fn mistake(attr: &Attribute) -> Option<String> {
    conditional(attr).or_else(|| qualified(attr)).or_else(|| misspelt(attr))
}

/// `#[cfg_attr(unix, get("/"))]`.
fn conditional(attr: &Attribute) -> Option<String> {
    if !attr.path().is_ident("cfg_attr") {
        return None;
    }
    let all = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut words = all.iter().skip(1).filter_map(|meta| meta.path().get_ident()).map(ToString::to_string);
    let own = words.find(|word| is_own_word(word))?;
    Some(format!("`#[{own}]` cannot be in `cfg_attr`: put `#[cfg(…)]` beside it, on a method of its own"))
}

/// `#[group::get("/")]`.
fn qualified(attr: &Attribute) -> Option<String> {
    let segments = &attr.path().segments;
    let word = segments.last()?.ident.to_string();
    let is_it = segments.len() == 2 && segments[0].ident == "group" && is_own_word(&word);
    is_it.then(|| format!("write `#[{word}(…)]`: it belongs to `#[service]`, and is not in `group`"))
}

/// `#[gett("/")]`. Its text must fit too, because another macro may have an attribute of this name.
fn misspelt(attr: &Attribute) -> Option<String> {
    let word = attr.path().get_ident()?.to_string();
    if is_own_word(&word) {
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

/// The first string between the attribute's parentheses.
fn first_string(attr: &Attribute) -> Option<String> {
    let Meta::List(list) = &attr.meta else { return None };
    let string = |token: TokenTree| syn::parse2::<LitStr>(TokenStream::from(token)).ok();
    list.tokens.clone().into_iter().find_map(string).map(|text| text.value())
}

/// The method of the group's that this one was probably meant to be: the block has none of that name, and this name is
/// one slip away from it.
fn meant(method: &Method, block: &Block) -> Option<&'static str> {
    let is_used = method.attrs.iter().any(|attr| is_own(attr) || is_nearly_own(attr));
    let name = method.sig.ident.unraw().to_string();
    // A name with an underscore is deliberate.
    if is_used || name.starts_with('_') || CALLED.contains(&&*name) {
        return None;
    }
    let has = |called: &str| block.methods().any(|method| method.sig.ident.unraw() == called);
    // Only `new` has no receiver.
    let fits = |called: &str| called != "new" || method.sig.receiver().is_none();
    CALLED.iter().copied().find(|called| syntax::is_slip(&name, called) && fits(called) && !has(called))
}
