//! The `start` of a service that serves HTTP or gRPC: its routes, and what runs beside them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Type};

use super::attrs::cfgs;
use super::emit::{call_start, input, output, param_names, this, unless_any, wait, when_shared};
use super::model::{Model, Route};
use super::signature::{mentions_impl, unwrapped};
use super::ticker::Ticker;
use crate::block::Method;

/// The trait's `start`.
pub(super) fn start(model: &Model) -> TokenStream {
    let routes = model.routes.iter().map(route);
    let wrappers = model.router.iter().copied().map(wrapper);
    let layers = (!model.layers.is_empty()).then(|| {
        let layered = layered(&quote!(routes), &model.layers, &quote!(around_all));
        quote!(let routes = #layered;)
    });
    let services = model.grpc.iter().copied().map(grpc_services);
    let starts = model.start.iter().copied().map(users_start);
    let otherwise = unless_any(&model.start);
    let tickers = (!model.tickers.is_empty()).then(|| {
        let tickers = model.tickers.iter().map(Ticker::start);
        quote!(let this = __g::Clone::clone(&self); #(#tickers)*)
    });
    let run = quote! {
        __g::http::run(cx, move |cx| {
            let routes = __g::http::Router::new();
            #(#routes)*
            let routes = __g::http::mounted(&cx, routes)?;
            #(#wrappers)*
            #layers
            #(#services)*
            #(#starts)*
            #otherwise
            let beside = __g::None;
            #tickers
            __g::Result::Ok((routes, beside))
        })
    };
    // Without the feature, rustc reports the user's address.
    let run = quote_spanned!(address(model)=> __g::__http! { #run });
    let when_shared = when_shared();
    quote! {
        fn start(self: __g::Arc<Self>, cx: __g::Context) -> impl __g::Future<Output = __g::Result> #when_shared { #run }
    }
}

/// The place of the address.
fn address(model: &Model) -> Span {
    match (&model.spec.http, &model.spec.http_on) {
        (Some(address), _) => address.span(),
        (None, Some(on)) => on.span(),
        (None, None) => model.grpc.first().map_or_else(Span::call_site, |method| method.sig.ident.span()),
    }
}

/// Passes `routes` through the user's `router`. Expects `self`.
fn wrapper(method: &Method) -> TokenStream {
    let (cfgs, and_cfgs) = (cfgs(&method.attrs), cfgs(&method.attrs));
    let name = &method.sig.ident;
    let (input, output, this) = (input(method), output(method), this(method));
    quote! {
        #(#cfgs)*
        let routes = {
            let this = __g::Clone::clone(&self);
            <#output as __g::http::IsRouter>::into(
                Self::#name(#this, <#input as __g::http::IsRouter>::from(routes))
            )
        };
        #(#and_cfgs)*
        let routes = __g::http::counted(&cx, routes);
    }
}

/// Adds the gRPC services to `routes`. Expects `self` and `cx`.
fn grpc_services(method: &Method) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    quote!(#(#cfgs)* let routes = __g::grpc::beside(&cx, &self, routes)?;)
}

/// The user's `start`, which runs beside the server. Expects `self` and `cx`.
fn users_start(method: &Method) -> TokenStream {
    let (cfgs, at) = (cfgs(&method.attrs), method.sig.ident.span());
    let call = call_start(method);
    // rustc reports a future at the tokens at both of its ends.
    let start = quote_spanned!(at=> async move { #call });
    let nothing = quote_spanned!(at=> ());
    quote! {
        #(#cfgs)*
        let beside = {
            use __g::Pinned as _;
            let this = __g::Clone::clone(&self);
            let cx = __g::Clone::clone(&cx);
            let start: __g::http::Beside = #start.pinned #nothing;
            __g::Some(start)
        };
    }
}

/// Adds one route to `routes`. Expects `self`.
fn route(route: &Route) -> TokenStream {
    let Route { verb, path, method, layers } = route;
    let cfgs = cfgs(&method.attrs);
    let at = method.sig.ident.span();
    let this = method.sig.receiver().map(|_| quote!(let this = __g::Clone::clone(&self);));
    // rustc reports a future at the tokens at both of its ends.
    let (by_value, nothing) = (quote_spanned!(at=> move), quote_spanned!(at=> ()));
    let answer = answer(method);
    let answer = quote_spanned!(at=> async move { #answer });
    let handler = quote! {{
        use __g::Pinned as _;
        #this
        __g::http::#verb(__g::http::route(&cx, #by_value |request: __g::http::Request| #answer.pinned #nothing))
    }};
    let around = if verb == "any" { quote!(around_any) } else { quote!(around) };
    let handler = layered(&handler, layers, &around);
    let path = &path.literal;
    quote! {
        #(#cfgs)*
        let routes = routes.route(#path, #handler);
    }
}

/// Calls the user's method with a request. Expects `this` and `request`.
fn answer(method: &Method) -> TokenStream {
    let (name, at, wait) = (&method.sig.ident, method.sig.ident.span(), wait(method));
    let receiver = method.sig.receiver().map(|_| this(method)).map(|this| quote!(#this,));
    let names = param_names(method);
    let params = take_from_request(method, &names);
    let respond = match method.output() {
        // This type cannot be written here.
        Some(ty) if mentions_impl(ty) || !method.sig.generics.params.is_empty() => quote!(__g::http::respond),
        _ => {
            let output = output(method);
            quote!(<#output as __g::http::IntoResponse>::into_response)
        }
    };
    let arguments = quote!(#receiver #(#names),*);
    // rustc reports an answer at the tokens at both ends of the call.
    let (open, arguments) = (quote_spanned!(at=> <), quote_spanned!(at=> (#arguments)));
    quote!(#params __g::http::Answer::Ok(#respond(#open Self>::#name #arguments #wait)))
}

/// Takes the parameters of a route from `request`: the last one may take the body.
fn take_from_request(method: &Method, names: &[Ident]) -> TokenStream {
    let types: Vec<_> = method.params().collect();
    let (Some((last, parts)), Some((last_name, part_names))) = (types.split_last(), names.split_last()) else {
        return quote!(let _ = request;);
    };
    let take_parts = (!parts.is_empty()).then(|| {
        let take = parts.iter().map(|ty| if is_state(ty) { quote!(part_of_state) } else { quote!(part) });
        quote! {
            let (mut parts, body) = request.into_parts();
            #(let #part_names = __g::http::#take::<#parts>(&mut parts).await?;)*
            let request = __g::http::Request::from_parts(parts, body);
        }
    });
    let take = if is_state(last) { quote!(whole_of_state) } else { quote!(whole) };
    quote! {
        #take_parts
        let #last_name = __g::http::#take::<#last, _>(request).await?;
    }
}

/// Returns true for a type that is probably axum's `State`, which no route can take.
fn is_state(ty: &Type) -> bool {
    let Type::Path(path) = unwrapped(ty) else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "State" && !last.arguments.is_none())
}

/// Puts layers around it, the first one outermost.
fn layered(inner: &TokenStream, layers: &[Expr], around: &TokenStream) -> TokenStream {
    let wrap = |inner, layer| quote!(__g::http::#around(#layer, #inner));
    layers.iter().rev().fold(inner.clone(), wrap)
}
