//! `#[group::main]`.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Path, ReturnType, Signature, Type, Visibility};

use crate::args::{self, Arg, facade};
use crate::duration;
use crate::errors::Errors;

/// The arguments of `#[group::main(…)]`.
const ARGUMENTS: &[&str] = &["services", "crates", "schedule", "stop_timeout", "flavor", "worker_threads", "crate"];

const OTHER_RUNTIME: &str = "the group brings its own runtime: remove this attribute";

const SCHEDULES: &[&str] = &["strict", "graph"];

const FLAVORS: &[&str] = &["multi_thread", "current_thread"];

pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = args::parse(arguments, ARGUMENTS, &mut errors);
    let settings = Settings::read(&arguments, &mut errors);
    let Ok(main) = syn::parse2::<Main>(item.clone()) else {
        errors.at(first_word(item), "`#[group::main]` goes on `async fn main`");
        let errors = errors.into_tokens();
        return quote!(#item #errors fn main() {});
    };
    let mut mistakes = Errors::default();
    main.check(&mut mistakes);
    // With wrong arguments alone, `main` is what it would be without them.
    let main = if mistakes.is_empty() { main.expand(&settings) } else { main.expand_dummy() };
    let (errors, mistakes) = (errors.into_tokens(), mistakes.into_tokens());
    quote!(#main #errors #mistakes)
}

/// What the arguments say.
#[derive(Default)]
struct Settings {
    services: Option<Vec<Type>>,
    crates: Vec<Ident>,
    graph: bool,
    stop_timeout: Option<Duration>,
    current_thread: bool,
    worker_threads: Option<usize>,
    krate: Option<Path>,
}

impl Settings {
    fn read(args: &[Arg], errors: &mut Errors) -> Self {
        let mut settings = Self::default();
        for arg in args {
            match arg.key.to_string().as_str() {
                "services" => settings.services = Some(read_services(arg, errors)),
                "crates" => settings.crates = read_crates(arg, errors),
                "schedule" => {
                    settings.graph = errors.keep(arg.word(SCHEDULES)).is_some_and(|schedule| schedule == "graph");
                }
                "stop_timeout" => settings.stop_timeout = errors.keep(arg.duration()),
                "flavor" => {
                    settings.current_thread =
                        errors.keep(arg.word(FLAVORS)).is_some_and(|flavor| flavor == "current_thread");
                }
                "worker_threads" => settings.worker_threads = errors.keep(arg.count()),
                "crate" => settings.krate = errors.keep(arg.path("renamed")),
                _ => {}
            }
        }
        if let Some(arg) = args.iter().find(|arg| arg.key == "crates" && settings.services.is_some()) {
            errors.at(&arg.key, "`services` lists exactly what runs, so `crates` would add nothing: drop one of them");
        }
        if let Some(arg) = args.iter().find(|arg| arg.key == "worker_threads" && settings.current_thread) {
            errors.at(&arg.key, "`worker_threads` needs the `multi_thread` flavor");
        }
        settings
    }
}

fn read_services(arg: &Arg, errors: &mut Errors) -> Vec<Type> {
    let mut services: Vec<Type> = Vec::new();
    for (service, _) in arg.types("services(Database, Api)", None, errors) {
        let text = service.to_token_stream().to_string();
        if services.iter().any(|other| other.to_token_stream().to_string() == text) {
            errors.at(&service, format!("`{text}` is listed twice"));
        } else {
            services.push(service);
        }
    }
    if arg.lists_nothing() {
        errors.at(
            &arg.key,
            "an empty group has nothing to run: list a service, or drop `services` to run all that are linked",
        );
    }
    services
}

fn read_crates(arg: &Arg, errors: &mut Errors) -> Vec<Ident> {
    let mut crates: Vec<Ident> = Vec::new();
    for name in arg.crates("crates(billing, orders)", errors) {
        if crates.contains(&name) {
            errors.at(&name, format!("`{name}` is listed twice"));
        } else {
            crates.push(name);
        }
    }
    if arg.lists_nothing() {
        errors.at(&arg.key, "no crate is named here: name one, as in `crates(billing)`, or drop `crates`");
    }
    crates
}

/// `async fn main`, its body unread.
struct Main {
    attrs: Vec<Attribute>,
    visibility: Visibility,
    sig: Signature,
    body: TokenStream,
}

impl Parse for Main {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        Ok(Self {
            attrs: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            sig: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl Main {
    fn check(&self, errors: &mut Errors) {
        let Signature { asyncness, fn_token, ident, generics, inputs, .. } = &self.sig;
        if ident != "main" {
            let message = format!("`#[group::main]` makes the program's entry point: name it `main`, not `{ident}`");
            errors.at(ident, message);
        }
        if asyncness.is_none() {
            match self.made_by() {
                Some(attribute) => errors.push(syn::Error::new(attribute, OTHER_RUNTIME)),
                None => errors.at(fn_token, "the group's `main` must be `async`"),
            }
        }
        if !generics.params.is_empty() {
            errors.at(generics, "`main` cannot be generic");
        }
        for input in inputs.iter().skip(1) {
            errors.at(input, "`main` can take one parameter, `&mut Group`");
        }
        if let Some(FnArg::Receiver(receiver)) = inputs.first() {
            errors.at(receiver, "`main` can take one parameter, `&mut Group`");
        }
        for attr in self.attrs.iter().filter(|attr| is_foreign_main(attr)) {
            errors.at(attr, OTHER_RUNTIME);
        }
    }

    /// The attribute that made this function, if one above did: what it makes stands where it does.
    fn made_by(&self) -> Option<Span> {
        let body = self.body.clone().into_iter().next();
        let Some(TokenTree::Group(braces)) = body else { return None };
        let first = braces.stream().into_iter().next()?.span();
        first.source_text().is_some_and(|text| text.starts_with("#[")).then_some(first)
    }

    /// A `main` that does nothing, and the user's function, so that its body is checked.
    fn expand_dummy(&self) -> TokenStream {
        let Self { attrs, visibility, sig, body } = self;
        let attrs = attrs.iter().filter(|attr| !is_foreign_main(attr));
        let function = sig.receiver().is_none().then(|| quote!(#(#attrs)* #visibility #sig #body));
        if sig.ident == "main" { quote!(#visibility fn main() { #function }) } else { quote!(#function fn main() {}) }
    }

    fn expand(&self, settings: &Settings) -> TokenStream {
        let Self { attrs, visibility, sig, body } = self;
        let Settings { services, crates, graph, stop_timeout, current_thread, worker_threads, krate } = settings;
        let facade = facade(krate.as_ref());
        let group = if let Some(services) = services {
            quote! {{
                let mut group = __g::Group::new();
                #(<#services as __g::Mentioned>::add_to(&mut group);)*
                group
            }}
        } else {
            quote!(__g::Group::registered())
        };
        // rustc says of the whole item that there is no such crate.
        let crates = crates.iter().map(|name| quote_spanned!(name.span()=> use ::#name as _;));
        let schedule = graph.then(|| quote!(group.schedule(__g::Schedule::Graph);));
        let stop_timeout = stop_timeout.map(duration).map(|limit| quote!(group.stop_timeout(#limit);));
        let worker_threads = worker_threads.map_or_else(|| quote!(__g::None), |count| quote!(__g::Some(#count)));
        let output = match &sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => quote!(__g::Never),
            ReturnType::Type(_, ty) => quote!(#ty),
        };
        let parameter = match sig.inputs.first() {
            Some(FnArg::Typed(parameter)) => {
                let ty = &parameter.ty;
                Some(quote!(<#ty as __g::TakenByMain>::take(group)))
            }
            _ => None,
        };
        quote! {
            #(#attrs)*
            #visibility fn main() -> ::std::process::ExitCode {
                use #facade::__private as __g;
                #(#crates)*
                #[allow(clippy::unused_async)]
                #sig #body
                let mut group = #group;
                #schedule
                #stop_timeout
                let settings = __g::Main { current_thread: #current_thread, worker_threads: #worker_threads };
                settings.run(group, async |group: &mut __g::Group| {
                    <#output as __g::ReturnedByMain>::into_result(main(#parameter).await)
                })
            }
        }
    }
}

/// `#[tokio::main]` and its like.
fn is_foreign_main(attr: &Attribute) -> bool {
    let path = attr.path();
    path.segments.len() > 1 && path.segments.last().is_some_and(|last| last.ident == "main")
}

/// The word that says what an item is.
fn first_word(item: &TokenStream) -> TokenStream {
    let is_word = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if !is_modifier(word));
    item.clone().into_iter().find(is_word).map_or_else(|| item.clone(), TokenTree::into_token_stream)
}

fn is_modifier(word: &Ident) -> bool {
    word == "pub" || word == "unsafe" || word == "crate"
}
