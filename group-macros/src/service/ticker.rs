//! Methods that tick: `#[every("30s")]`, `#[cron("0 3 * * *")]`.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Meta};

use super::attrs::{cfgs, is_ticker};
use super::emit::{outcome, this, wait};
use crate::block::{Block, Method};
use crate::errors::Errors;
use crate::{args, code, syntax};

const EVERY: &str = "expected a duration, as in `#[every(\"30s\")]` or `#[every(\"1m 30s\")]`";

const CRON: &str = "expected a cron expression, as in `#[cron(\"0 3 * * *\")]`";

/// A method that ticks.
pub(super) struct Ticker<'a> {
    when: When,
    on_error: Option<String>,
    method: &'a Method,
}

/// The reactions to a run that fails.
const REACTIONS: &[&str] = &["stop", "log", "retry"];

enum When {
    Every(Duration),
    Cron(Cron),
}

struct Cron {
    expression: LitStr,
    tz: Option<LitStr>,
}

/// Reads every ticker in the block.
pub(super) fn read<'a>(block: &'a Block, errors: &mut Errors) -> Vec<Ticker<'a>> {
    let mut tickers = Vec::new();
    for method in block.methods() {
        let Some(attr) = method.attrs.iter().find(|attr| is_ticker(attr)) else { continue };
        let mut on_error = None;
        let when = if attr.path().is_ident("every") {
            read_every(attr, &mut on_error, errors)
        } else {
            read_cron(attr, &mut on_error, errors)
        };
        tickers.extend(when.map(|when| Ticker { when, on_error, method }));
    }
    tickers
}

/// The text that an attribute begins with, and the tokens after its comma.
fn text_and_rest(attr: &Attribute) -> Option<(LitStr, TokenStream)> {
    let Meta::List(list) = &attr.meta else { return None };
    let mut tokens = list.tokens.clone().into_iter();
    let text = syn::parse2(tokens.next()?.into()).ok()?;
    let is_comma = |token: TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    tokens.next().is_none_or(is_comma).then(|| (text, tokens.collect()))
}

/// `#[every("30s", on_error = "log")]`.
fn read_every(attr: &Attribute, on_error: &mut Option<String>, errors: &mut Errors) -> Option<When> {
    let is_text = |rest: &TokenStream| matches!(rest.clone().into_iter().next(), Some(TokenTree::Literal(_)));
    let Some((text, rest)) = text_and_rest(attr).filter(|(_, rest)| !is_text(rest)) else {
        errors.at(attr, EVERY);
        return None;
    };
    for arg in args::parse(rest, &["on_error"], errors) {
        *on_error = errors.keep(arg.word(REACTIONS));
    }
    match syntax::duration(&text.value()) {
        Ok(period) if !period.is_zero() => return Some(When::Every(period)),
        Ok(_) => errors.at(&text, "a ticker needs a period that is longer than zero"),
        Err(wrong) => errors.at(&text, format!("{EVERY}; {wrong}")),
    }
    None
}

/// `#[cron("0 3 * * *", tz = "Europe/Berlin")]`. The group parses the expression, before it builds anything.
fn read_cron(attr: &Attribute, on_error: &mut Option<String>, errors: &mut Errors) -> Option<When> {
    let Some((expression, rest)) = text_and_rest(attr) else {
        errors.at(attr, CRON);
        return None;
    };
    let mut tz = None;
    for arg in args::parse(rest, &["tz", "on_error"], errors) {
        if arg.key == "tz" {
            tz = errors.keep(arg.string("Europe/Berlin"));
        } else {
            *on_error = errors.keep(arg.word(REACTIONS));
        }
    }
    Some(When::Cron(Cron { expression, tz }))
}

impl Ticker<'_> {
    /// Adds its cron expression to `spec`.
    pub(super) fn spec(&self) -> Option<TokenStream> {
        let When::Cron(cron) = &self.when else { return None };
        let cfgs = cfgs(&self.method.attrs);
        let value = cron.value();
        // The group reports a wrong expression with the place of this call: so that is the expression's.
        let at = cron.expression.span();
        let call = quote_spanned!(at=> spec.cron(#value));
        // Without the feature, rustc reports the expression.
        let call = quote_spanned!(at=> __g::__cron!(#call));
        Some(quote!(#(#cfgs)* let spec = #call;))
    }

    /// Starts it. Expects `this` and `cx`.
    pub(super) fn start(&self) -> TokenStream {
        let cfgs = cfgs(&self.method.attrs);
        let name = &self.method.sig.ident;
        let method = name.unraw().to_string();
        let (outcome, this, wait) = (outcome(self.method), this(self.method), wait(self.method));
        let (call, when) = match &self.when {
            When::Every(period) => (quote!(every), code::duration(*period)),
            When::Cron(cron) => (quote!(cron), cron.value()),
        };
        let on_error = match self.on_error.as_deref() {
            Some("log") => quote!(Log),
            Some("retry") => quote!(Retry),
            _ => quote!(Stop),
        };
        // rustc reports a future at the tokens at both of its ends.
        let tick = quote!(#outcome(Self::#name(#this) #wait));
        let (tick, nothing) = (quote_spanned!(name.span()=> async move { #tick }), quote_spanned!(name.span()=> ()));
        quote! {
            #(#cfgs)*
            __g::#call(&cx, #method, #when, __g::FailedRun::#on_error, {
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
