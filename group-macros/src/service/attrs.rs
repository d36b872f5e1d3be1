//! Attributes in a `#[service]` block: which of them are the macro's own, and what the others say.

use proc_macro2::Ident;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The attributes that make a method a route. Each is also the name of axum's function.
pub(super) const ROUTES: &[&str] = &["get", "post", "put", "delete", "patch", "head", "options", "any"];

/// The attributes that make a method a ticker.
const TICKERS: &[&str] = &["every", "cron"];

const LAYER: &str = "layer";

/// Returns true for an attribute that the compiler must not see.
pub(super) fn is_own(attr: &Attribute) -> bool {
    attr.path().get_ident().is_some_and(|word| is_own_word(&word.to_string())) || is_service(attr)
}

/// Returns true for the name of a route, a ticker or a layer.
pub(super) fn is_own_word(word: &str) -> bool {
    ROUTES.contains(&word) || TICKERS.contains(&word) || word == LAYER
}

/// The verb of a route's attribute: `get`, `post` and so on.
pub(super) fn route_verb(attr: &Attribute) -> Option<&Ident> {
    attr.path().get_ident().filter(|verb| ROUTES.contains(&verb.to_string().as_str()))
}

pub(super) fn is_route(attr: &Attribute) -> bool {
    route_verb(attr).is_some()
}

pub(super) fn is_ticker(attr: &Attribute) -> bool {
    TICKERS.iter().any(|word| attr.path().is_ident(word))
}

pub(super) fn is_layer(attr: &Attribute) -> bool {
    attr.path().is_ident(LAYER)
}

/// `#[service]`, `#[group::service]`.
pub(super) fn is_service(attr: &Attribute) -> bool {
    let path = attr.path();
    path.is_ident("service")
        || (path.segments.len() == 2 && path.segments[0].ident == "group" && path.segments[1].ident == "service")
}

/// The conditions under which an item exists.
pub(super) fn cfgs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
}

/// The text of the doc comments, as Markdown.
pub(super) fn docs(attrs: &[Attribute]) -> String {
    let text = |attr: &Attribute| match &attr.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<String> = attrs.iter().filter_map(text).collect();
    let lines = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
