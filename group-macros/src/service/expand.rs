//! From the model to code: calls into `group::__private`, and no logic.
//!
//! Tokens that the user wrote keep their spans, so that rustc points at them and an editor finds each of them once.
//! Generated tokens have the attribute's span, unless a comment says otherwise.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned as _;

use super::attrs::{cfgs, docs};
use super::emit::{
    async_move, call_start, if_any, input, outcome, output, returned, take, unless_any, wait, when_shared,
};
use super::model::{Model, Restart, Route, Spec, layers_of};
use super::routes;
use super::signature::takes_reference;
use super::ticker::Ticker;
use crate::block::Method;
use crate::code::{duration, serving};

pub(super) fn expand(model: &Model, facade: &TokenStream) -> TokenStream {
    let (spec, build, start, hooks) = (spec(model), build(model), start(model), hooks(model));
    let (serve, register) = (serve(model, call_grpc), register(model));
    let (after, read) = after(model).unzip();
    let read = read.filter(|_| !model.is_generic());
    let methods = quote! {
        #after
        fn spec() -> __g::Spec { #spec }
        #build
        #start
        #hooks
    };
    wrap(model, facade, &methods, &quote!(#read #serve #register))
}

/// A service that never runs, for a block with mistakes: so they do not cause more errors where the type is used.
pub(super) fn expand_dummy(model: &Model, facade: &TokenStream) -> TokenStream {
    let when_shared = when_shared();
    let start = quote! {
        async fn start(self: __g::Arc<Self>, _: __g::Context) -> __g::Result #when_shared {
            __g::core::unreachable!()
        }
    };
    wrap(model, facade, &start, &serve(model, |_| quote!(__g::core::unreachable!())))
}

fn wrap(model: &Model, facade: &TokenStream, methods: &TokenStream, others: &TokenStream) -> TokenStream {
    let cfgs = cfgs(&model.block.attrs);
    let (impl_generics, _, _) = model.block.generics.split_for_impl();
    let (self_ty, where_clause) = (&model.block.self_ty, where_clause(model));
    quote! {
        #(#cfgs)*
        #[allow(deprecated, unreachable_code)]
        const _: () = {
            use #facade::__private as __g;
            #[automatically_derived]
            impl #impl_generics __g::Service for #self_ty #where_clause {
                #methods
            }
            #others
        };
    }
}

/// The code that names a generic type must show that the type can be shared.
fn where_clause(model: &Model) -> TokenStream {
    if !model.is_generic() {
        return model.block.generics.where_clause.to_token_stream();
    }
    let predicates = model.block.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    quote!(where #(#predicates,)* Self: __g::Send + __g::Sync + 'static,)
}

/// A constant that names the same constant of each service that this one starts after, and the code that reads it.
/// In a cycle no such constant has a value, and rustc reports that. It does so at the tokens at both ends of a
/// constant: so they have the places of the user's types.
fn after(model: &Model) -> Option<(TokenStream, TokenStream)> {
    let types: Vec<_> = model.spec.after.iter().map(|(ty, _)| ty).collect();
    let tokens = quote!(#(#types)*).into_iter();
    let (first, last) = (tokens.clone().next()?.span(), tokens.last()?.span());
    let (word, unit, end) = (quote_spanned!(first=> const), quote_spanned!(last=> ()), quote_spanned!(last=> ;));
    let self_ty = &model.block.self_ty;
    Some((
        quote!(#word __AFTER: #unit = { #(let () = <#types as __g::Mentioned>::AFTER;)* } #end),
        quote!(#word _: #unit = <#self_ty as __g::Service>::__AFTER #end),
    ))
}

/// The body of the trait's `spec`.
fn spec(model: &Model) -> TokenStream {
    let options = options(model);
    let edges = model.spec.after.iter().map(|(ty, optional)| {
        let after = if *optional { quote!(optional) } else { quote!(after) };
        quote!(let spec = <#ty as __g::Mentioned>::#after(spec);)
    });
    let mount = model.spec.http_on.iter().map(|ty| quote!(let spec = <#ty as __g::Mentioned>::http_on(spec);));
    let serves_others = model.serves_others().then(|| quote!(let spec = __g::serves_others(spec);));
    // The constant of a generic type has a value only once the type has its parameters.
    let in_order = model.is_generic().then(|| quote!(let () = <Self as __g::Service>::__AFTER;));
    let start_needs = model.start.iter().map(|method| needs(method, &quote!(starts_with)));
    let build_needs = model.new.iter().map(|method| needs(method, &quote!(builds_with)));
    let reloads = model.reload.iter().filter(|method| method.params().count() > 0).map(|method| {
        let (cfgs, params) = (cfgs(&method.attrs), method.params());
        quote!(#(#cfgs)* let spec = { #(let spec = <#params as __g::TakenByReload>::declare(spec);)* spec };)
    });
    let routes = (!model.routes.is_empty()).then(|| {
        let routes = model.routes.iter().map(listed);
        quote!(let spec = __g::routes(spec, &[#(#routes),*]);)
    });
    let crons = model.tickers.iter().filter_map(Ticker::spec);
    // rustc reports a type that it is not at the type.
    let views = model.spec.provides.iter().map(|ty| {
        let at = ty.span();
        quote_spanned!(at=> let spec = spec.provides::<Self, #ty>(|this| this);)
    });
    // A plain `fn` may block.
    let plain_stops = model.stop.iter().filter(|method| !method.is_async());
    let blocking_stops = plain_stops.map(|method| {
        let cfgs = cfgs(&method.attrs);
        quote!(#(#cfgs)* let spec = spec.blocking_stop(true);)
    });
    quote! {
        #in_order
        let spec = __g::Spec::of::<Self>();
        #(#mount)*
        let spec = spec #options;
        #(#views)*
        #serves_others
        #(#edges)*
        #(#start_needs)*
        #(#build_needs)*
        #(#reloads)*
        #routes
        #(#crons)*
        #(#blocking_stops)*
        spec
    }
}

/// The arguments that are methods of `Spec`.
fn options(model: &Model) -> TokenStream {
    let Spec { role, critical, restart, start_timeout, stop_timeout, .. } = &model.spec;
    let about = docs(&model.block.attrs);
    let about = (!about.is_empty()).then(|| quote!(.about(#about)));
    let name = model.spec.name.as_ref().map(|name| quote!(.name(#name)));
    let http = model.spec.http.as_ref().map(|address| quote!(.http(#address)));
    let prefix = model.spec.prefix.as_ref().map(|prefix| quote!(.prefix(#prefix)));
    let grpc = match &model.spec.grpc {
        Some(address) => Some(quote!(.grpc(#address))),
        None => model.grpc.first().map(|_| quote!(.serves_grpc())),
    };
    let serve = model.spec.serve.as_deref().map(serving).map(|serving| quote!(.serve(#serving)));
    let runtime = model.has_own_runtime().then(|| own_runtime(model));
    let blocking_drop = model.spec.blocking_drop.map(|blocks| quote!(.blocking_drop(#blocks)));
    let role = role.as_ref().map(|role| format_ident!("{}", capitalised(role)));
    let role = role.map(|role| quote!(.role(__g::Role::#role)));
    let critical = critical.map(|critical| quote!(.critical(#critical)));
    let restart = restart.as_ref().map(self::restart).map(|restart| quote!(.restart(#restart)));
    let start_timeout = start_timeout.map(duration).map(|limit| quote!(.start_timeout(#limit)));
    let stop_timeout = stop_timeout.map(duration).map(|limit| quote!(.stop_timeout(#limit)));
    quote! {
        #about #name #http #prefix #grpc #serve #runtime #role #critical #restart #start_timeout #stop_timeout
        #blocking_drop
    }
}

fn own_runtime(model: &Model) -> TokenStream {
    let worker_threads = model.spec.worker_threads.map(|number| quote!(.worker_threads(#number)));
    // Without the feature, rustc reports the user's word.
    let cpus = model.key("cpus").zip(model.spec.cpus.as_ref());
    let cpus = cpus.map(|(key, cpus)| quote_spanned!(key.span()=> .cpus([#(#cpus),*])));
    quote!(.runtime(__g::OwnRuntime::new() #worker_threads #cpus))
}

fn restart(restart: &Restart) -> TokenStream {
    let when = format_ident!("{}", restart.when);
    let max = restart.max.map(|max| quote!(.max(#max)));
    let within = restart.within.map(duration).map(|within| quote!(.within(#within)));
    let backoff = restart.backoff.map(|(shortest, longest)| {
        let (shortest, longest) = (duration(shortest), duration(longest));
        quote!(.backoff(#shortest, #longest))
    });
    quote!(__g::Restart::#when() #max #within #backoff)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Notes in `spec` the needs of the method's parameters.
fn needs(method: &Method, with: &TokenStream) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let params = method.params();
    quote! {
        #(#cfgs)*
        let spec = { #(let spec = __g::#with(spec, <#params as __g::FromContext>::needs);)* spec };
    }
}

/// A route as the spec lists it, with the place where the user declared it.
fn listed(route: &Route) -> TokenStream {
    let cfgs = cfgs(&route.method.attrs);
    let verb = route.verb.to_string().to_uppercase();
    let docs = docs(&route.method.attrs);
    let doc = (!docs.is_empty()).then(|| quote!(.doc(#docs)));
    let path = &route.path.literal;
    let new = quote_spanned!(route.verb.span()=> __g::Route::new(#verb, #path));
    quote!(#(#cfgs)* #new #doc)
}

/// The trait's `build`: the user's `new`, or `Default`.
fn build(model: &Model) -> TokenStream {
    let (self_ty, when_shared) = (&model.block.self_ty, when_shared());
    let variants = model.new.iter().map(|method| {
        let (cfgs, name) = (cfgs(&method.attrs), &method.sig.ident);
        let params = method.params().map(take);
        let (output, wait) = (output(method), wait(method));
        let call = quote!(<#output as __g::Made<Self>>::into_result(Self::#name(#(#params),*) #wait));
        let (returned, body) = (returned(name.span(), &quote!(__g::Result<Self>)), async_move(name.span(), &call));
        quote!(#(#cfgs)* fn build(cx: __g::Context) #returned #when_shared { #body })
    });
    let otherwise = unless_any(&model.new);
    let default = if model.register {
        quote!(__g::ready(<#self_ty as __g::ByDefault>::by_default()))
    } else {
        // `Default` is not required, because the service may be added as a value.
        quote!({
            #[allow(unused_imports)]
            use __g::{ByDefaultIfCan as _, OrElseNot as _};
            __g::ready((&__g::Maker::<#self_ty>::new()).make())
        })
    };
    quote! {
        #(#variants)*
        #otherwise
        fn build(_: __g::Context) -> impl __g::Future<Output = __g::Result<Self>> #when_shared { #default }
    }
}

/// The trait's `start`.
fn start(model: &Model) -> TokenStream {
    if model.spec.http.is_some() || model.spec.http_on.is_some() || !model.grpc.is_empty() {
        return routes::start(model);
    }
    let tickers: TokenStream = model.tickers.iter().map(Ticker::start).collect();
    let start = |at: Span, call: &TokenStream| {
        let (returned, body) = (returned(at, &quote!(__g::Result)), async_move(at, &quote!(#tickers #call)));
        let when_shared = when_shared();
        // It is renamed outside of the future, which would otherwise store it twice.
        quote!(fn start(self: __g::Arc<Self>, cx: __g::Context) #returned #when_shared { let this = self; #body })
    };
    let variants = model.start.iter().map(|method| {
        let cfgs = cfgs(&method.attrs);
        let start = start(method.sig.ident.span(), &call_start(method));
        quote!(#(#cfgs)* #start)
    });
    let otherwise = (!model.tickers.is_empty()).then(|| {
        let condition = unless_any(&model.start);
        let start = start(Span::call_site(), &quote!(__g::only_ticks(&cx).await));
        quote!(#condition #start)
    });
    quote!(#(#variants)* #otherwise)
}

/// The trait's `stop`, `health` and `reload`.
fn hooks(model: &Model) -> TokenStream {
    let variants = model.hooks().map(|method| {
        let cfgs = cfgs(&method.attrs);
        let (name, at) = (&method.sig.ident, method.sig.ident.span());
        // The user may have written `r#stop`.
        let hook = format_ident!("{}", name.unraw());
        if method.params().count() > 0 {
            return reload_with(method);
        }
        let (returned, outcome) = (returned(at, &quote!(__g::Result)), outcome(method));
        let body = if method.is_async() {
            quote!(__g::awaited(Self::#name(self), #outcome))
        } else {
            quote!(__g::ready(#outcome(Self::#name(self))))
        };
        let when_shared = when_shared();
        quote!(#(#cfgs)* fn #hook(&self) #returned #when_shared { #body })
    });
    quote!(#(#variants)*)
}

/// The trait's `reload_with`, of a `reload` that takes settings.
fn reload_with(method: &Method) -> TokenStream {
    let (cfgs, name, at) = (cfgs(&method.attrs), &method.sig.ident, method.sig.ident.span());
    let params = method.params().map(|ty| quote!(<#ty as __g::TakenByReload>::take(&settings)?));
    let (outcome, wait) = (outcome(method), wait(method));
    let call = quote!(#outcome(Self::#name(self, #(#params),*) #wait));
    let (returned, body) = (returned(at, &quote!(__g::Result)), async_move(at, &call));
    let when_shared = when_shared();
    quote!(#(#cfgs)* fn reload_with(&self, settings: __g::NewSettings) #returned #when_shared { #body })
}

/// The trait of a service that answers gRPC calls.
fn serve(model: &Model, body: impl Fn(&Method) -> TokenStream) -> TokenStream {
    let Some(first) = model.grpc.first() else { return TokenStream::new() };
    let (impl_generics, _, _) = model.block.generics.split_for_impl();
    let (self_ty, where_clause) = (&model.block.self_ty, where_clause(model));
    let condition = if_any(&model.grpc);
    let variants = model.grpc.iter().map(|method| {
        let (cfgs, body) = (cfgs(&method.attrs), body(method));
        quote! {
            #(#cfgs)*
            fn grpc(self: __g::Arc<Self>, services: __g::grpc::Routes) -> __g::grpc::Routes { #body }
        }
    });
    let code = quote! {
        #condition
        #[automatically_derived]
        impl #impl_generics __g::grpc::Serve for #self_ty #where_clause {
            #(#variants)*
        }
    };
    // Without the feature, rustc reports the user's method.
    quote_spanned!(first.sig.ident.span()=> __g::__grpc! { #code })
}

/// Calls the user's `grpc`. Expects `self` and `services`.
fn call_grpc(method: &Method) -> TokenStream {
    let name = &method.sig.ident;
    let (input, output) = (input(method), output(method));
    let this = if takes_reference(method) { quote!(&self) } else { quote!(self) };
    let services = quote! {
        <#output as __g::grpc::Services>::into(
            Self::#name(#this, <#input as __g::grpc::Services>::from(services))
        )
    };
    // The first one is the outermost in `Routes`, as it is here.
    let layers = layers_of(method);
    layers.iter().fold(services, |services, layer| quote!(__g::http::around_grpc(#layer, #services)))
}

fn register(model: &Model) -> TokenStream {
    if !model.register {
        return TokenStream::new();
    }
    let self_ty = &model.block.self_ty;
    quote! {
        __g::inventory::submit! {
            __g::Registration::of::<#self_ty>(__g::core::module_path!())
        }
    }
}
