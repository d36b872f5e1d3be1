//! Pieces of a service's code: calls of the user's methods, and conditions.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, Meta, Type};

use super::attrs::cfgs;
use super::signature::takes_arc;
use crate::block::Method;
use crate::code;

/// The service as the method takes it. Expects `this`.
pub(super) fn this(method: &Method) -> TokenStream {
    if takes_arc(method) { quote!(__g::Clone::clone(&this)) } else { quote!(&this) }
}

/// The function that makes a `Result` of what the method returns.
pub(super) fn outcome(method: &Method) -> TokenStream {
    let output = output(method);
    quote!(<#output as __g::ServiceResult>::into_result)
}

/// The type that the method returns.
pub(super) fn output(method: &Method) -> TokenStream {
    code::output(&method.sig.output)
}

/// The type of the only parameter. Where the method returns the same type, it is that type's tokens: so a wrong type
/// is reported once.
pub(super) fn input(method: &Method) -> TokenStream {
    let output = output(method);
    let param = method.params().next().map(ToTokens::to_token_stream);
    param.filter(|param| param.to_string() != output.to_string()).unwrap_or(output)
}

/// `.await`, for an `async fn`.
pub(super) fn wait(method: &Method) -> Option<TokenStream> {
    method.is_async().then(|| quote_spanned!(method.sig.ident.span()=> .await))
}

/// Takes a parameter. Expects `cx`. The call goes through the type's own tokens, so that rustc underlines all of it.
pub(super) fn take(ty: &Type) -> TokenStream {
    quote!(<#ty as __g::FromContext>::from_context(&cx)?)
}

/// What `start` and the hooks may take for granted of the service. If it is not so, rustc reports that once, at the
/// type.
pub(super) fn when_shared() -> TokenStream {
    quote!(where for<'shared> Self: __g::Send + __g::Sync,)
}

/// The type of a function that returns a future. rustc reports the future at the tokens at both ends of the type.
pub(super) fn returned(at: Span, output: &TokenStream) -> TokenStream {
    let (opaque, open, close) = (quote_spanned!(at=> impl), quote_spanned!(at=> <), quote_spanned!(at=> >));
    quote!(-> #opaque __g::Future #open Output = #output #close)
}

/// A future. rustc reports it at `async move`, too.
pub(super) fn async_move(at: Span, body: &TokenStream) -> TokenStream {
    let words = quote_spanned!(at=> async move);
    quote!(#words { #body })
}

/// Names for the method's parameters.
pub(super) fn param_names(method: &Method) -> Vec<Ident> {
    (0..method.params().count()).map(|nth| format_ident!("param{nth}")).collect()
}

/// Calls the user's `start`. Expects `this` and `cx`.
pub(super) fn call_start(method: &Method) -> TokenStream {
    let name = &method.sig.ident;
    let (outcome, this, names) = (outcome(method), this(method), param_names(method));
    let params = method.params().map(take);
    let call = if method.is_async() {
        quote!(#outcome(Self::#name(#this, #(#names),*).await))
    } else {
        quote!(__g::on_thread(&cx, move || #outcome(Self::#name(#this, #(#names),*))).await)
    };
    // The parameters are taken before the call: a `Ready` must hold readiness back before a thread runs, and the
    // future must not keep what only makes a parameter.
    quote!(#(let #names = #params;)* #call)
}

/// The condition under which none of these methods exists: nothing for no methods.
pub(super) fn unless_any(methods: &[&Method]) -> TokenStream {
    if methods.is_empty() {
        return TokenStream::new();
    }
    let any = any(methods);
    quote!(#[cfg(not(#any))])
}

/// The condition under which one of these methods exists.
pub(super) fn if_any(methods: &[&Method]) -> TokenStream {
    let any = any(methods);
    quote!(#[cfg(#any)])
}

fn any(methods: &[&Method]) -> TokenStream {
    let conditions = methods.iter().map(|method| {
        let all = cfgs(&method.attrs).map(condition);
        quote!(all(#(#all),*))
    });
    quote!(any(#(#conditions),*))
}

/// The tokens between the parentheses of `#[cfg(…)]`.
fn condition(attr: &Attribute) -> TokenStream {
    match &attr.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    }
}
