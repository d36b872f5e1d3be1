//! Methods that are done again and again: `#[every("30s")]`, `#[cron("0 3 * * *")]`.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Meta};

use super::expand::{outcome, this, wait};
use super::model::{cfgs, check_callable, check_receiver, check_result, route_method};
use crate::args;
use crate::block::{Block, Method};
use crate::duration;
use crate::errors::Errors;
use crate::syntax;

const EVERY: &str = "expected a duration, as in `#[every(\"30s\")]` or `#[every(\"1m 30s\")]`";

const CRON: &str = "expected a cron expression, as in `#[cron(\"0 3 * * *\")]`";

/// The methods that the group calls by their names.
pub(super) const CALLED: &[&str] = &["new", "start", "stop", "health", "reload", "router", "grpc"];

/// A method that is done again and again.
pub(super) struct Ticker<'a> {
    when: When,
    method: &'a Method,
}

enum When {
    Every(Duration),
    Cron(Cron),
}

struct Cron {
    expression: LitStr,
    tz: Option<LitStr>,
}

/// Whether an attribute makes its method a ticker.
pub(super) fn is_ticker(attr: &Attribute) -> bool {
    attr.path().is_ident("every") || attr.path().is_ident("cron")
}

/// Every ticker in the block.
pub(super) fn read<'a>(block: &'a Block, errors: &mut Errors) -> Vec<Ticker<'a>> {
    let mut tickers = Vec::new();
    for method in block.methods() {
        let mut attrs = method.attrs.iter().filter(|attr| is_ticker(attr));
        let Some(attr) = attrs.next() else { continue };
        check(method, errors);
        for second in attrs {
            let message = "a method ticks by one clock: write a second method that calls this one";
            errors.at(second, message);
        }
        let when = if attr.path().is_ident("every") { period(attr, errors) } else { cron(attr, errors) };
        tickers.extend(when.map(|when| Ticker { when, method }));
    }
    tickers
}

fn check(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    if CALLED.contains(&name.unraw().to_string().as_str()) {
        return errors.at(name, format!("`{name}` has a time of its own: a ticker needs another name"));
    }
    for attr in method.attrs.iter().filter(|attr| route_method(attr).is_some()) {
        errors.at(attr, format!("`{name}` ticks, so it cannot answer requests too"));
    }
    check_receiver(method, errors);
    check_callable(method, errors);
    check_result(method, "`()` or `Result<(), E>`", errors);
    for param in method.params() {
        errors.at(param, format!("`{name}` takes nothing but `&self`: what it needs, `new` can take"));
    }
}

/// `#[every("30s")]`.
fn period(attr: &Attribute, errors: &mut Errors) -> Option<When> {
    let text = match &attr.meta {
        Meta::List(list) => list.parse_args::<LitStr>().ok(),
        _ => None,
    };
    let Some(text) = text else {
        errors.at(attr, EVERY);
        return None;
    };
    match syntax::duration(&text.value()) {
        Ok(period) if !period.is_zero() => return Some(When::Every(period)),
        Ok(_) => errors.at(&text, "a ticker needs a period that is longer than zero"),
        Err(wrong) => errors.at(&text, format!("{EVERY}; {wrong}")),
    }
    None
}

/// `#[cron("0 3 * * *", tz = "Europe/Berlin")]`. Whether the expression is one is not known here.
fn cron(attr: &Attribute, errors: &mut Errors) -> Option<When> {
    let mut tokens = match &attr.meta {
        Meta::List(list) => list.tokens.clone().into_iter(),
        _ => TokenStream::new().into_iter(),
    };
    let expression = tokens.next().and_then(|token| syn::parse2::<LitStr>(token.into()).ok());
    let comma = tokens.next();
    let is_comma = |token: TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let (Some(expression), true) = (expression, comma.is_none_or(is_comma)) else {
        errors.at(attr, CRON);
        return None;
    };
    let mut tz = None;
    for arg in args::parse(tokens.collect(), &["tz"], errors) {
        tz = errors.keep(arg.string("Europe/Berlin"));
    }
    Some(When::Cron(Cron { expression, tz }))
}

impl Ticker<'_> {
    /// Adds to `spec` what must be known before anything is built.
    pub(super) fn spec(&self) -> Option<TokenStream> {
        let When::Cron(cron) = &self.when else { return None };
        let cfgs = cfgs(&self.method.attrs);
        let value = cron.value();
        // A mistake in it is told with the place of this call: that of the expression.
        let at = cron.expression.span();
        let call = quote_spanned!(at=> spec.cron(#value));
        // Without the feature, what rustc has to say it says of the expression.
        let call = quote_spanned!(at=> __g::__cron!(#call));
        Some(quote!(#(#cfgs)* let spec = #call;))
    }

    /// Starts it. It expects `this` and `cx`.
    pub(super) fn start(&self) -> TokenStream {
        let cfgs = cfgs(&self.method.attrs);
        let name = &self.method.sig.ident;
        let method = name.unraw().to_string();
        let (outcome, this, wait) = (outcome(self.method), this(self.method), wait(self.method));
        let (call, when) = match &self.when {
            When::Every(period) => (quote!(every), duration(*period)),
            When::Cron(cron) => (quote!(cron), cron.value()),
        };
        // What rustc has to say of the future, it says of the tokens at both ends.
        let tick = quote!(#outcome(Self::#name(#this) #wait));
        let (tick, nothing) = (quote_spanned!(name.span()=> async move { #tick }), quote_spanned!(name.span()=> ()));
        quote! {
            #(#cfgs)*
            __g::#call(&cx, #method, #when, {
                use __g::Pinned as _;
                let this = __g::Clone::clone(&this);
                move || {
                    let this = __g::Clone::clone(&this);
                    #tick.pinned #nothing
                }
            });
        }
    }
}

impl Cron {
    fn value(&self) -> TokenStream {
        let expression = &self.expression;
        let tz = self.tz.as_ref().map(|tz| quote!(.tz(#tz)));
        quote!(__g::Cron::new(#expression) #tz)
    }
}
