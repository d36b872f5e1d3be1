//! Signatures of methods: what each kind of method may take and return.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericParam, Generics, ReceiverKind, Safety, Type};

use crate::block::Method;
use crate::errors::Errors;

/// `&self`, or `self: Arc<Self>`.
pub(super) fn check_receiver(method: &Method, errors: &mut Errors) {
    if !takes_arc(method) {
        check_reference(method, errors);
    }
}

/// `&self`.
pub(super) fn check_reference(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    let lends = format!("`{name}` must take `&self`: the group owns the service and lends it");
    match method.sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, None) if lifetime.as_ref().is_none_or(|it| it.ident != "static") => {}
            ReceiverKind::Reference(_, _, Some(_)) => errors.at(
                receiver,
                format!(
                    "`{name}` must take `&self`: other methods run while it does, \
                     so put what changes in a `Mutex` or an atomic"
                ),
            ),
            _ => errors.at(receiver, lends),
        },
        _ => errors.at(name, lends),
    }
}

/// `self: Arc<Self>`, because tonic's servers own what they serve; or `&self`.
pub(super) fn check_receiver_of_grpc(method: &Method, errors: &mut Errors) {
    let message = "`grpc` must take `self: Arc<Self>`: the group owns the service and shares it";
    match method.sig.receiver() {
        Some(receiver) if takes_arc(method) || matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        Some(receiver) => errors.at(receiver, message),
        None => errors.at(&method.sig.ident, message),
    }
}

/// As that of any method, or none.
pub(super) fn check_receiver_of_route(method: &Method, errors: &mut Errors) {
    if method.sig.receiver().is_some() {
        check_receiver(method, errors);
    }
}

/// The group can call a method that is neither generic nor unsafe, has Rust's own ABI, and whose parameters have no
/// conditions.
pub(super) fn check_callable(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    let message = format!("`{name}` cannot be generic: the group cannot choose its types");
    let generics = &method.sig.generics;
    if generics.params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_))) {
        errors.at(InBrackets(generics), &message);
    }
    for param in method.params().filter(|param| mentions_impl(param)) {
        errors.at(param, &message);
    }
    if let Some(attr) = method.sig.inputs.iter().flat_map(param_attrs).find(|attr| is_condition(attr)) {
        let message = format!(
            "`#[cfg]` cannot be on a parameter of `{name}`: put it on the method, and write a method for each case"
        );
        errors.at(attr, message);
    }
    if let Safety::Unsafe(word) = &method.sig.safety {
        errors.at(word, format!("`{name}` cannot be `unsafe`: the group calls it and cannot promise anything"));
    }
    if let Some(abi) = &method.sig.abi {
        let message = format!(
            "`{name}` cannot be `extern`: the group calls it from Rust, and catches a panic that another ABI would not let pass"
        );
        errors.at(abi, message);
    }
}

fn param_attrs(param: &FnArg) -> &[Attribute] {
    match param {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(param) => &param.attrs,
    }
}

fn is_condition(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr")
}

/// The group must be able to name the type that the method returns.
pub(super) fn check_result(method: &Method, expected: &str, errors: &mut Errors) {
    let name = &method.sig.ident;
    let Some(output) = method.output() else { return };
    if mentions_impl(output) {
        let message = format!("`{name}` must name what it returns: {expected}; for `impl Future`, write `async fn`");
        errors.at(output, message);
    } else if mentions(output, "Future") || mentions(output, "BoxFuture") {
        errors.at(output, format!("`{name}` returns {expected}: instead of a future in a box, write `async fn`"));
    }
}

/// `self: Arc<Self>`.
pub(super) fn takes_arc(method: &Method) -> bool {
    let Some(ReceiverKind::Typed(_, ty)) = method.sig.receiver().map(|receiver| &receiver.kind) else { return false };
    let Type::Path(path) = unwrapped(ty) else { return false };
    let last = path.path.segments.last().map(|last| last.to_token_stream().to_string());
    last.is_some_and(|last| last == "Arc < Self >")
}

/// `&self`, `&mut self`.
pub(super) fn takes_reference(method: &Method) -> bool {
    method.sig.receiver().is_some_and(|receiver| matches!(receiver.kind, ReceiverKind::Reference(..)))
}

/// `fn router(&self, routes: Router) -> Router`: not `async`, one parameter, and a type that can be named.
pub(super) fn takes_and_returns_one(method: &Method) -> bool {
    !method.is_async() && method.params().count() == 1 && method.output().is_some_and(|ty| !mentions_impl(ty))
}

/// Returns true if there is an `impl Trait` in the type.
pub(super) fn mentions_impl(ty: &Type) -> bool {
    mentions(ty, "impl")
}

fn mentions(ty: &Type, word: &str) -> bool {
    flat(ty.to_token_stream()).iter().any(|token| matches!(token, TokenTree::Ident(ident) if ident == word))
}

/// Every token, those inside brackets too.
pub(super) fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let inside = |token| match token {
        TokenTree::Group(group) => flat(group.stream()),
        token => vec![token],
    };
    tokens.into_iter().flat_map(inside).collect()
}

/// The type without the invisible brackets that `macro_rules!` puts around it.
pub(super) fn unwrapped(mut ty: &Type) -> &Type {
    loop {
        match ty {
            Type::Group(group) => ty = &group.elem,
            Type::Paren(paren) => ty = &paren.elem,
            _ => return ty,
        }
    }
}

/// Generic parameters, with their brackets.
pub(super) struct InBrackets<'a>(pub(super) &'a Generics);

impl ToTokens for InBrackets<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.lt_token.to_tokens(tokens);
        self.0.params.to_tokens(tokens);
        self.0.gt_token.to_tokens(tokens);
    }
}
