//! From the model to code: calls into `group::__private`, and no logic.
//!
//! Tokens that the user wrote keep their spans, so that rustc points at them and an editor finds
//! each once; what is made up here has the attribute's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned as _;
use syn::{Attribute, Expr, ReceiverKind, Type};

use super::model::{Model, Restart, Route, cfgs, docs, mentions_impl, takes_arc};
use super::ticker::Ticker;
use crate::block::Method;
use crate::duration;

impl Model<'_> {
    pub(super) fn expand(&self, facade: &TokenStream) -> TokenStream {
        let (spec, build, start, hooks) = (self.spec(), self.build(), self.start(), self.expand_hooks());
        let (serve, register) = (self.serve(called_grpc), self.register());
        let (after, read) = self.after().unzip();
        let read = read.filter(|_| !self.is_generic());
        self.wrap(
            facade,
            &quote! {
                #after
                fn spec() -> __g::Spec { #spec }
                #build
                #start
                #hooks
            },
            &quote!(#read #serve #register),
        )
    }

    /// A service that is never run, for a block that does not compile.
    pub(super) fn expand_dummy(&self, facade: &TokenStream) -> TokenStream {
        let start = quote! {
            async fn start(self: __g::Arc<Self>, _: __g::Context) -> __g::Result {
                __g::core::unreachable!()
            }
        };
        self.wrap(facade, &start, &self.serve(|_| quote!(__g::core::unreachable!())))
    }

    fn wrap(&self, facade: &TokenStream, methods: &TokenStream, register: &TokenStream) -> TokenStream {
        let cfgs = cfgs(&self.block.attrs);
        let (impl_generics, _, _) = self.block.generics.split_for_impl();
        let (self_ty, where_clause) = (&self.block.self_ty, self.where_clause());
        quote! {
            #(#cfgs)*
            #[allow(deprecated, unreachable_code)]
            const _: () = {
                use #facade::__private as __g;
                #[automatically_derived]
                impl #impl_generics __g::Service for #self_ty #where_clause {
                    #methods
                }
                #register
            };
        }
    }

    /// Names the constant of each service that this one starts after: those which start after one
    /// another have none, and rustc says so. It says it of the tokens at both ends of a constant,
    /// which are placed at the user's types. With it comes what reads the constant: nobody else does.
    fn after(&self) -> Option<(TokenStream, TokenStream)> {
        let types = self.spec.after.iter().map(|(ty, _)| ty);
        let all = quote!(#(#types)*).into_iter();
        let (first, last) = (all.clone().next()?.span(), all.last()?.span());
        let (word, unit, end) = (quote_spanned!(first=> const), quote_spanned!(last=> ()), quote_spanned!(last=> ;));
        let types = self.spec.after.iter().map(|(ty, _)| ty);
        let self_ty = &self.block.self_ty;
        Some((
            quote!(#word __AFTER: #unit = { #(let () = <#types as __g::Mentioned>::AFTER;)* } #end),
            quote!(#word _: #unit = <#self_ty as __g::Service>::__AFTER #end),
        ))
    }

    /// What a generic type needs of its parameters is for those to have who name them.
    fn where_clause(&self) -> TokenStream {
        let predicates = self.block.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let shared = if self.is_generic() {
            quote!(Self: __g::Send + __g::Sync + 'static)
        } else {
            quote!(for<'shared> Self: __g::Send + __g::Sync)
        };
        quote!(where #(#predicates,)* #shared,)
    }

    fn is_generic(&self) -> bool {
        !self.block.generics.params.is_empty()
    }

    fn spec(&self) -> TokenStream {
        let mut calls = TokenStream::new();
        let spec = &self.spec;
        if let Some(name) = &spec.name {
            calls.extend(quote!(.name(#name)));
        }
        if let Some(http) = &spec.http {
            calls.extend(quote!(.http(#http)));
        }
        if let Some(prefix) = &spec.prefix {
            calls.extend(quote!(.prefix(#prefix)));
        }
        match &spec.grpc {
            Some(grpc) => calls.extend(quote!(.grpc(#grpc))),
            None if !self.grpc.is_empty() => calls.extend(quote!(.serves_grpc())),
            None => {}
        }
        if let Some(role) = &spec.role {
            let role = format_ident!("{}", capitalised(role));
            calls.extend(quote!(.role(__g::Role::#role)));
        }
        if let Some(critical) = spec.critical {
            calls.extend(quote!(.critical(#critical)));
        }
        if let Some(restart) = spec.restart.as_ref().map(restart) {
            calls.extend(quote!(.restart(#restart)));
        }
        if let Some(limit) = spec.start_timeout.map(duration) {
            calls.extend(quote!(.start_timeout(#limit)));
        }
        if let Some(limit) = spec.stop_timeout.map(duration) {
            calls.extend(quote!(.stop_timeout(#limit)));
        }
        let edges = spec.after.iter().map(|(ty, optional)| {
            let after = if *optional { quote!(optional) } else { quote!(after) };
            quote!(let spec = <#ty as __g::Mentioned>::#after(spec);)
        });
        let mount = spec.http_on.iter().map(|ty| quote!(let spec = <#ty as __g::Mentioned>::http_on(spec);));
        let serves_others = self.serves_others().then(|| quote!(let spec = __g::serves_others(spec);));
        // Of a generic type, the constant has a value only where the type has its parameters.
        let in_order = self.is_generic().then(|| quote!(let () = <Self as __g::Service>::__AFTER;));
        let start_needs = self.start.iter().map(|method| needs(method, &quote!(starts_with)));
        let build_needs = self.new.iter().map(|method| needs(method, &quote!(builds_with)));
        let routes = (!self.routes.is_empty()).then(|| {
            let routes = self.routes.iter().map(listed);
            quote!(let spec = __g::routes(spec, &[#(#routes),*]);)
        });
        let crons = self.tickers.iter().filter_map(Ticker::spec);
        quote! {
            #in_order
            let spec = __g::Spec::of::<Self>();
            #(#mount)*
            let spec = spec #calls;
            #serves_others
            #(#edges)*
            #(#start_needs)*
            #(#build_needs)*
            #routes
            #(#crons)*
            spec
        }
    }

    fn build(&self) -> TokenStream {
        let self_ty = &self.block.self_ty;
        let variants = self.new.iter().map(|method| {
            let params = method.params().map(take);
            let name = &method.sig.ident;
            let wait = wait(method);
            let output = output(method);
            delegate(
                method,
                &quote!(fn build(cx: __g::Context)),
                &quote!(__g::Result<Self>),
                &quote!(<#output as __g::Made<Self>>::into_result(Self::#name(#(#params),*) #wait)),
            )
        });
        let otherwise = unless_any(&self.new);
        let default = if self.register {
            quote!(__g::ready(<#self_ty as __g::ByDefault>::by_default()))
        } else {
            // It may well be added as a value, so `Default` is not asked for.
            quote!({
                #[allow(unused_imports)]
                use __g::{ByDefaultIfCan as _, OrElseNot as _};
                __g::ready((&__g::Maker::<#self_ty>::new()).make())
            })
        };
        quote! {
            #(#variants)*
            #otherwise
            fn build(_: __g::Context) -> impl __g::Future<Output = __g::Result<Self>> { #default }
        }
    }

    fn start(&self) -> TokenStream {
        if self.spec.http.is_some() || self.spec.http_on.is_some() || !self.grpc.is_empty() {
            return self.start_http();
        }
        let head = quote!(fn start(self: __g::Arc<Self>, cx: __g::Context));
        let tickers = self.start_tickers();
        let variants = self.start.iter().map(|method| {
            let call = call_start(method);
            let cfgs = cfgs(&method.attrs);
            let future = started(method.sig.ident.span(), &quote!(#tickers #call));
            quote!(#(#cfgs)* #head #future)
        });
        let otherwise = (!self.tickers.is_empty()).then(|| {
            let condition = unless_any(&self.start);
            let future = started(Span::call_site(), &quote!(#tickers __g::only_ticks(&cx).await));
            quote!(#condition #head #future)
        });
        quote!(#(#variants)* #otherwise)
    }

    /// Expects `this` and `cx`.
    fn start_tickers(&self) -> TokenStream {
        self.tickers.iter().map(Ticker::start).collect()
    }

    fn start_http(&self) -> TokenStream {
        let routes = self.routes.iter().map(route);
        let wrappers = self.router.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let name = &method.sig.ident;
            let (param, output, this) = (passed_on(method), output(method), this(method));
            quote! {
                #(#cfgs)*
                let routes = {
                    let this = __g::Clone::clone(&self);
                    <#output as __g::http::Routes>::into(
                        Self::#name(#this, <#param as __g::http::Routes>::from(routes))
                    )
                };
            }
        });
        let services = self.grpc.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            quote!(#(#cfgs)* let routes = __g::grpc::beside(&cx, &self, routes)?;)
        });
        let starts = self.start.iter().map(|method| {
            let (cfgs, at) = (cfgs(&method.attrs), method.sig.ident.span());
            let call = call_start(method);
            // What rustc has to say of the future, it says at the user's name.
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
        });
        let tickers = (!self.tickers.is_empty()).then(|| {
            let tickers = self.start_tickers();
            quote!(let this = __g::Clone::clone(&self); #tickers)
        });
        let nothing = unless_any(&self.start);
        let layers = (!self.layers.is_empty()).then(|| {
            let wrapped = wrapped(&quote!(routes), &self.layers, &quote!(around_all));
            quote!(let routes = #wrapped;)
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
                    #nothing
                    let beside = __g::None;
                    #tickers
                    __g::Result::Ok((routes, beside))
                })
        };
        // Without the feature, what rustc has to say it says of the user's address.
        let run = quote_spanned!(self.address()=> __g::__http! { #run });
        quote! {
            fn start(self: __g::Arc<Self>, cx: __g::Context) -> impl __g::Future<Output = __g::Result> { #run }
        }
    }

    /// Where it says on what to serve.
    fn address(&self) -> Span {
        match (&self.spec.http, &self.spec.http_on) {
            (Some(address), _) => address.span(),
            (None, Some(on)) => on.span(),
            (None, None) => self.grpc.first().map_or_else(Span::call_site, |method| method.sig.ident.span()),
        }
    }

    /// What makes it a service that answers gRPC calls.
    fn serve(&self, body: impl Fn(&Method) -> TokenStream) -> TokenStream {
        let Some(first) = self.grpc.first() else { return TokenStream::new() };
        let (impl_generics, _, _) = self.block.generics.split_for_impl();
        let (self_ty, where_clause) = (&self.block.self_ty, self.where_clause());
        let condition = if_any(&self.grpc);
        let variants = self.grpc.iter().map(|method| {
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
        // Without the feature, what rustc has to say it says of the user's method.
        quote_spanned!(first.sig.ident.span()=> __g::__grpc! { #code })
    }

    /// `stop`, `health`, `reload`.
    fn expand_hooks(&self) -> TokenStream {
        let variants = self.hooks().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let (name, at) = (&method.sig.ident, method.sig.ident.span());
            // The trait's name for it, which is not the user's.
            let hook = format_ident!("{}", name.unraw());
            let (returned, outcome) = (returned(at, &quote!(__g::Result)), outcome(method));
            let body = if method.is_async() {
                quote!(__g::awaited(Self::#name(self), #outcome))
            } else {
                quote!(__g::ready(#outcome(Self::#name(self))))
            };
            quote!(#(#cfgs)* fn #hook(&self) #returned { #body })
        });
        quote!(#(#variants)*)
    }

    fn register(&self) -> TokenStream {
        if !self.register {
            return TokenStream::new();
        }
        let self_ty = &self.block.self_ty;
        quote! {
            __g::inventory::submit! {
                __g::Registration::of::<#self_ty>(__g::core::module_path!())
            }
        }
    }
}

/// The trait's method for one of the user's.
fn delegate(method: &Method, head: &TokenStream, output: &TokenStream, body: &TokenStream) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let future = future(method.sig.ident.span(), output, body);
    quote!(#(#cfgs)* #head #future)
}

/// What stands behind the parameters of a function that returns a future. What rustc has to say of
/// the future it says of the tokens at both ends of the type, and of `async move`: those are placed
/// at the user's name.
fn future(at: Span, output: &TokenStream, body: &TokenStream) -> TokenStream {
    let returned = returned(at, output);
    let async_move = quote_spanned!(at=> async move);
    quote!(#returned { #async_move { #body } })
}

/// The same, of a `start`. What is renamed within a future is in it twice.
fn started(at: Span, body: &TokenStream) -> TokenStream {
    let returned = returned(at, &quote!(__g::Result));
    let async_move = quote_spanned!(at=> async move);
    quote!(#returned { let this = self; #async_move { #body } })
}

/// The type of such a future.
fn returned(at: Span, output: &TokenStream) -> TokenStream {
    let (opaque, open, close) = (quote_spanned!(at=> impl), quote_spanned!(at=> <), quote_spanned!(at=> >));
    quote!(-> #opaque __g::Future #open Output = #output #close)
}

/// The service, as the method takes it. It expects `this`.
pub(super) fn this(method: &Method) -> TokenStream {
    if takes_arc(method) { quote!(__g::Clone::clone(&this)) } else { quote!(&this) }
}

/// Calls the user's `start`. It expects `this` and `cx`.
fn call_start(method: &Method) -> TokenStream {
    let name = &method.sig.ident;
    let (outcome, this, names) = (outcome(method), this(method), param_names(method));
    let params = method.params().map(take);
    let call = if method.is_async() {
        quote!(#outcome(Self::#name(#this, #(#names),*).await))
    } else {
        quote!(__g::on_thread(&cx, move || #outcome(Self::#name(#this, #(#names),*))).await)
    };
    // Taken here, so that readiness is held back before a thread runs, and not as what the future keeps until it ends.
    quote!(#(let #names = #params;)* #call)
}

/// Calls the user's `grpc`. It expects `self` and `services`.
fn called_grpc(method: &Method) -> TokenStream {
    let name = &method.sig.ident;
    let (param, output) = (passed_on(method), output(method));
    let is_shared = method.sig.receiver().is_some_and(|receiver| matches!(receiver.kind, ReceiverKind::Reference(..)));
    let this = if is_shared { quote!(&self) } else { quote!(self) };
    quote! {
        <#output as __g::grpc::Services>::into(
            Self::#name(#this, <#param as __g::grpc::Services>::from(services))
        )
    }
}

/// A route as the spec lists it, in the place where the user declared it.
fn listed(Route { verb, path, method, .. }: &Route<'_>) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let word = verb.to_string().to_uppercase();
    let docs = docs(&method.attrs);
    let doc = (!docs.is_empty()).then(|| quote!(.doc(#docs)));
    let path = &path.literal;
    let new = quote_spanned!(verb.span()=> __g::Route::new(#word, #path));
    quote!(#(#cfgs)* #new #doc)
}

fn route(Route { verb, path, method, layers }: &Route<'_>) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let name = &method.sig.ident;
    let wait = wait(method);
    let receiver = method.sig.receiver().map(|_| this(method)).map(|this| quote!(#this,));
    let this = method.sig.receiver().map(|_| quote!(let this = __g::Clone::clone(&self);));
    let names = param_names(method);
    let params = take_from_request(method, &names);
    let respond = match method.output() {
        // A type that cannot be written down here.
        Some(ty) if mentions_impl(ty) || !method.sig.generics.params.is_empty() => quote!(__g::http::respond),
        _ => {
            let output = output(method);
            quote!(<#output as __g::http::IntoResponse>::into_response)
        }
    };
    // What rustc has to say of the future or of the answer, it says of the tokens at both ends:
    // those are placed at the user's name.
    let at = name.span();
    let (by_value, open) = (quote_spanned!(at=> move), quote_spanned!(at=> <));
    let arguments = quote!(#receiver #(#names),*);
    let arguments = quote_spanned!(at=> (#arguments));
    let answer = quote!(#params __g::http::Answer::Ok(#respond(#open Self>::#name #arguments #wait)));
    let answer = quote_spanned!(at=> async move { #answer });
    let nothing = quote_spanned!(at=> ());
    let route = quote! {{
        use __g::Pinned as _;
        #this
        __g::http::#verb(__g::http::route(#by_value |request: __g::http::Request| #answer.pinned #nothing))
    }};
    let around = if verb == "any" { quote!(around_any) } else { quote!(around) };
    let route = wrapped(&route, layers, &around);
    let path = &path.literal;
    quote! {
        #(#cfgs)*
        let routes = routes.route(#path, #route);
    }
}

/// Puts layers around it, the first outermost.
fn wrapped(inner: &TokenStream, layers: &[Expr], around: &TokenStream) -> TokenStream {
    let wrap = |inner, layer| quote!(__g::http::#around(#layer, #inner));
    layers.iter().rev().fold(inner.clone(), wrap)
}

/// Takes a parameter from `cx`. The call goes through the type's own tokens, so that rustc
/// underlines all of it.
fn take(ty: &Type) -> TokenStream {
    quote!(<#ty as __g::FromContext>::from_context(&cx)?)
}

/// Takes the parameters of a route from `request`, the last with the body.
fn take_from_request(method: &Method, names: &[Ident]) -> TokenStream {
    let types: Vec<_> = method.params().collect();
    let (Some((last, parts)), Some((last_name, part_names))) = (types.split_last(), names.split_last()) else {
        return quote!(let _ = request;);
    };
    let take_parts = (!parts.is_empty()).then(|| {
        quote! {
            let (mut parts, body) = request.into_parts();
            #(let #part_names = __g::http::part::<#parts>(&mut parts).await?;)*
            let request = __g::http::Request::from_parts(parts, body);
        }
    });
    quote! {
        #take_parts
        let #last_name = __g::http::whole::<#last, _>(request).await?;
    }
}

fn param_names(method: &Method) -> Vec<Ident> {
    (0..method.params().count()).map(|nth| format_ident!("param{nth}")).collect()
}

pub(super) fn outcome(method: &Method) -> TokenStream {
    let output = output(method);
    quote!(<#output as __g::ServiceResult>::into_result)
}

/// The type that it returns.
fn output(method: &Method) -> TokenStream {
    match method.output() {
        None => quote!(()),
        Some(Type::Never(_)) => quote!(__g::Never),
        Some(ty) => quote!(#ty),
    }
}

/// The type that it takes and returns: where both are written alike, and wrong, that is one mistake.
fn passed_on(method: &Method) -> TokenStream {
    let output = output(method);
    let param = method.params().next().map(ToTokens::to_token_stream);
    param.filter(|param| param.to_string() != output.to_string()).unwrap_or(output)
}

pub(super) fn wait(method: &Method) -> Option<TokenStream> {
    method.is_async().then(|| quote_spanned!(method.sig.ident.span()=> .await))
}

fn needs(method: &Method, with: &TokenStream) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let params = method.params();
    quote! {
        #(#cfgs)*
        let spec = { #(let spec = __g::#with(spec, <#params as __g::FromContext>::needs);)* spec };
    }
}

/// The condition under which none of these methods is there. Without any, there is none.
fn unless_any(methods: &[&Method]) -> TokenStream {
    if methods.is_empty() {
        return TokenStream::new();
    }
    let any = any(methods);
    quote!(#[cfg(not(#any))])
}

/// The condition under which one of these methods is there.
fn if_any(methods: &[&Method]) -> TokenStream {
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

/// What stands between the parentheses of `#[cfg(…)]`.
fn condition(attr: &Attribute) -> TokenStream {
    match &attr.meta {
        syn::Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    }
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
