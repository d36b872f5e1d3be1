//! From the model to code: calls into `group::__private`, and no logic.
//!
//! Tokens that the user wrote keep their spans, so that rustc points at them and an editor finds
//! each once; what is made up here has the attribute's.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Type};

use super::model::{Model, Route, cfgs};
use crate::block::Method;
use crate::duration;

impl Model<'_> {
    pub(super) fn expand(&self, facade: &TokenStream) -> TokenStream {
        let (spec, build, start, stop) = (self.spec(), self.build(), self.start(), self.stop());
        let register = self.register();
        self.wrap(
            facade,
            &quote! {
                fn spec() -> __g::Spec { #spec }
                #build
                #start
                #stop
            },
            &register,
        )
    }

    /// A service that is never run, for a block that does not compile.
    pub(super) fn expand_dummy(&self, facade: &TokenStream) -> TokenStream {
        let start = quote! {
            async fn start(self: __g::Arc<Self>, _: __g::Context) -> __g::Result {
                __g::core::unreachable!()
            }
        };
        self.wrap(facade, &start, &TokenStream::new())
    }

    fn wrap(&self, facade: &TokenStream, methods: &TokenStream, register: &TokenStream) -> TokenStream {
        let cfgs = cfgs(&self.block.attrs);
        let (impl_generics, _, where_clause) = self.block.generics.split_for_impl();
        let self_ty = &self.block.self_ty;
        quote! {
            #(#cfgs)*
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

    fn spec(&self) -> TokenStream {
        let mut calls = TokenStream::new();
        let spec = &self.spec;
        if let Some(name) = &spec.name {
            calls.extend(quote!(.name(#name)));
        }
        for (ty, optional) in &spec.after {
            calls.extend(if *optional { quote!(.optional::<#ty>()) } else { quote!(.after::<#ty>()) });
        }
        if let Some(http) = &spec.http {
            calls.extend(quote!(.http(#http)));
        }
        if let Some(role) = &spec.role {
            let role = format_ident!("{}", capitalised(role));
            calls.extend(quote!(.role(__g::Role::#role)));
        }
        if let Some(limit) = spec.start_timeout.map(duration) {
            calls.extend(quote!(.start_timeout(#limit)));
        }
        if let Some(limit) = spec.stop_timeout.map(duration) {
            calls.extend(quote!(.stop_timeout(#limit)));
        }
        let needs = self.start.iter().map(|method| with_params(method, &quote!(starts_with)));
        let build_needs = self.new.iter().map(|method| with_params(method, &quote!(builds_with)));
        quote! {
            let spec = __g::Spec::of::<Self>() #calls;
            #(#needs)*
            #(#build_needs)*
            spec
        }
    }

    fn build(&self) -> TokenStream {
        let self_ty = &self.block.self_ty;
        let variants = self.new.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let params = method.params().map(|ty| take(ty, &quote!(TakenByNew)));
            let name = &method.sig.ident;
            let wait = wait(method);
            let output = method.output().map_or_else(|| quote!(()), |ty| quote!(#ty));
            quote! {
                #(#cfgs)*
                fn build(cx: __g::Context) -> impl __g::Future<Output = __g::Result<Self>> + __g::Send {
                    async move {
                        <#output as __g::Made<Self>>::into_result(Self::#name(#(#params),*) #wait)
                    }
                }
            }
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
            fn build(_: __g::Context) -> impl __g::Future<Output = __g::Result<Self>> + __g::Send { #default }
        }
    }

    fn start(&self) -> TokenStream {
        if self.spec.http.is_some() {
            return self.start_http();
        }
        let variants = self.start.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let started = call_start(method);
            quote! {
                #(#cfgs)*
                fn start(self: __g::Arc<Self>, cx: __g::Context) -> impl __g::Future<Output = __g::Result> + __g::Send {
                    #started
                }
            }
        });
        quote!(#(#variants)*)
    }

    fn start_http(&self) -> TokenStream {
        let routes = self.routes.iter().map(route);
        let wrappers = self.router.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let name = &method.sig.ident;
            quote!(#(#cfgs)* let routes = Self::#name(&self, routes);)
        });
        let starts = self.start.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let started = call_start(method);
            quote! {
                #(#cfgs)*
                let beside = __g::Some({ let cx = cx.clone(); #started });
            }
        });
        let nothing = unless_any(&self.start);
        quote! {
            fn start(self: __g::Arc<Self>, cx: __g::Context) -> impl __g::Future<Output = __g::Result> + __g::Send {
                async move {
                    let routes = __g::http::Router::new();
                    #(#routes)*
                    #(#wrappers)*
                    #(#starts)*
                    #nothing
                    let beside = __g::None::<__g::http::Nothing>;
                    __g::http::run(&cx, routes, beside).await
                }
            }
        }
    }

    fn stop(&self) -> TokenStream {
        let variants = self.stop.iter().map(|method| {
            let cfgs = cfgs(&method.attrs);
            let name = &method.sig.ident;
            let wait = wait(method);
            let outcome = outcome(method);
            quote! {
                #(#cfgs)*
                fn stop(&self) -> impl __g::Future<Output = __g::Result> + __g::Send {
                    async move { #outcome(Self::#name(self) #wait) }
                }
            }
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
                __g::Registration::of::<#self_ty>(
                    __g::core::module_path!(),
                    __g::core::file!(),
                    __g::core::line!(),
                    __g::core::column!(),
                )
            }
        }
    }
}

/// A future that calls the user's `start`. It expects `self` and `cx`.
fn call_start(method: &Method) -> TokenStream {
    let name = &method.sig.ident;
    let outcome = outcome(method);
    let params = method.params().map(|ty| take(ty, &quote!(TakenByStart)));
    if method.is_async() {
        return quote! {{
            let this = __g::Arc::clone(&self);
            async move { #outcome(Self::#name(&this, #(#params),*).await) }
        }};
    }
    // Parameters are taken here, so that readiness is held back before the thread runs.
    let names: Vec<_> = (0..method.params().count()).map(|nth| format_ident!("param{nth}")).collect();
    quote! {{
        let this = __g::Arc::clone(&self);
        async move {
            #(let #names = #params;)*
            __g::on_thread(&cx, move || #outcome(Self::#name(&this, #(#names),*))).await
        }
    }}
}

fn route(Route { verb, path, method }: &Route<'_>) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let name = &method.sig.ident;
    let wait = wait(method);
    let types: Vec<_> = method.params().collect();
    let names: Vec<_> = (0..types.len()).map(|nth| format_ident!("param{nth}")).collect();
    let receiver = method.sig.receiver().map(|_| quote!(&this,));
    let this = method.sig.receiver().map(|_| quote!(let this = __g::Arc::clone(&self);));
    quote! {
        #(#cfgs)*
        let routes = routes.route(#path, {
            #this
            __g::http::#verb(move |#(#names: #types),*| async move { Self::#name(#receiver #(#names),*) #wait })
        });
    }
}

/// Takes a parameter from `cx`. The call goes through the type's own tokens, so that rustc
/// underlines all of it.
fn take(ty: &Type, by: &TokenStream) -> TokenStream {
    quote!(<#ty as __g::#by>::take(&cx)?)
}

fn outcome(method: &Method) -> TokenStream {
    let output = method.output().map_or_else(|| quote!(()), |ty| quote!(#ty));
    quote!(<#output as __g::ServiceResult>::into_result)
}

fn wait(method: &Method) -> Option<TokenStream> {
    method.is_async().then(|| quote!(.await))
}

fn with_params(method: &Method, with: &TokenStream) -> TokenStream {
    let cfgs = cfgs(&method.attrs);
    let params = method.params();
    quote! {
        #(#cfgs)*
        let spec = spec #(.#with::<#params>())*;
    }
}

/// The condition under which none of these methods is there. Without any, there is none.
fn unless_any(methods: &[&Method]) -> TokenStream {
    if methods.is_empty() {
        return TokenStream::new();
    }
    let conditions = methods.iter().map(|method| {
        let all = cfgs(&method.attrs).map(condition);
        quote!(all(#(#all),*))
    });
    quote!(#[cfg(not(any(#(#conditions),*)))])
}

/// What stands between the parentheses of `#[cfg(…)]`.
fn condition(attr: &Attribute) -> TokenStream {
    match &attr.meta {
        syn::Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
