//! `#[group::main]` and `#[group::test]`: the function is parsed, checked and expanded.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, FnArg, Ident, LitStr, Path, Signature, Type, Visibility};

use crate::args::{self, Arg, SERVE, check_address};
use crate::code::{self, duration, serving};
use crate::errors::{Errors, written};

const OTHER_RUNTIME: &str = "the group brings its own runtime: remove this attribute";

const SCHEDULES: &[&str] = &["strict", "graph"];

const FLAVORS: &[&str] = &["multi_thread", "current_thread"];

const PROVIDED: &str = "expected a list of values, as in `provide(Clock::at(3))`";

const REPLACED: &str = "expected a list of services, as in `replace(Database::in_memory())`";

/// The two macros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    /// The arguments of the attribute.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Main => &[
                "services",
                "crates",
                "schedule",
                "serve",
                "stop_timeout",
                "drain_delay",
                "drain_quiet",
                "admin",
                "report_to",
                "flavor",
                "worker_threads",
                "cli",
                "crate",
            ],
            Self::Test => {
                &["services", "crates", "config", "provide", "replace", "paused", "flavor", "worker_threads", "crate"]
            }
        }
    }

    fn goes_on(self) -> &'static str {
        match self {
            Self::Main => "`#[group::main]` goes on `async fn main`",
            Self::Test => "`#[group::test]` goes on an `async fn`",
        }
    }

    fn must_be_async(self) -> &'static str {
        match self {
            Self::Main => "the group's `main` must be `async`",
            Self::Test => "a group's test must be `async`",
        }
    }

    fn parameters(self) -> &'static str {
        match self {
            Self::Main => "`main` can take one parameter, `&mut Group`",
            Self::Test => "a group's test takes one parameter: `&mut Group`, or `Running` for one that is started",
        }
    }
}

pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = args::parse(arguments, kind.arguments(), &mut errors);
    let settings = Settings::read(kind, &arguments, &mut errors);
    let Ok(entry) = syn::parse2::<Entry>(item.clone()) else {
        errors.at(first_word(item), kind.goes_on());
        let errors = errors.into_tokens();
        let main = (kind == Kind::Main).then(|| {
            quote!(
                fn main() {}
            )
        });
        return quote!(#item #errors #main);
    };
    let mut mistakes = Errors::default();
    entry.check(kind, &mut mistakes);
    // If only arguments are wrong, the function is expanded without them.
    let entry = if mistakes.is_empty() { entry.expand(kind, &settings) } else { entry.expand_dummy(kind) };
    let (errors, mistakes) = (errors.into_tokens(), mistakes.into_tokens());
    quote!(#entry #errors #mistakes)
}

/// The arguments.
#[derive(Default)]
struct Settings {
    services: Option<Vec<Type>>,
    crates: Vec<Ident>,
    graph: bool,
    /// Where connections are served.
    serve: Option<String>,
    stop_timeout: Option<Duration>,
    drain_delay: Option<Duration>,
    drain_quiet: Option<Duration>,
    /// The address, and the place of the word.
    admin: Option<(LitStr, Span)>,
    /// The path of the file, and the place of the word.
    report_to: Option<(LitStr, Span)>,
    /// The settings of a test, and the place of the word.
    config: Option<(LitStr, Span)>,
    /// The values that a test provides.
    provided: Vec<Expr>,
    /// The services that a test puts in the place of others.
    replaced: Vec<Expr>,
    /// The place of the word.
    paused: Option<Span>,
    current_thread: bool,
    worker_threads: Option<usize>,
    cli: Option<bool>,
    krate: Option<Path>,
}

impl Settings {
    fn read(kind: Kind, args: &[Arg], errors: &mut Errors) -> Self {
        let mut settings = Self { current_thread: kind == Kind::Test, ..Self::default() };
        for arg in args {
            match arg.key.to_string().as_str() {
                "services" => settings.services = Some(read_services(arg, errors)),
                "crates" => settings.crates = read_crates(arg, errors),
                "schedule" => {
                    settings.graph = errors.keep(arg.word(SCHEDULES)).is_some_and(|schedule| schedule == "graph");
                }
                "serve" => settings.serve = errors.keep(arg.word(SERVE)),
                "stop_timeout" => settings.stop_timeout = errors.keep(arg.duration()),
                "drain_delay" => settings.drain_delay = errors.keep(arg.duration()),
                "drain_quiet" => settings.drain_quiet = errors.keep(arg.duration()),
                "admin" => settings.admin = errors.keep(read_admin(arg)),
                "report_to" => {
                    let file = errors.keep(arg.string("/var/log/app.json"));
                    settings.report_to = file.map(|file| (file, arg.key.span()));
                }
                "config" => {
                    let toml = errors.keep(arg.string("services.mailer.sender = 'a@b.c'"));
                    settings.config = toml.map(|toml| (toml, arg.key.span()));
                }
                "provide" => settings.provided = arg.some(PROVIDED, errors),
                "replace" => settings.replaced = arg.some(REPLACED, errors),
                "paused" => settings.paused = errors.keep(arg.alone()).map(|()| arg.key.span()),
                "flavor" => {
                    settings.current_thread =
                        errors.keep(arg.word(FLAVORS)).is_some_and(|flavor| flavor == "current_thread");
                }
                "worker_threads" => settings.worker_threads = errors.keep(arg.count()),
                "cli" => settings.cli = errors.keep(arg.bool()),
                "crate" => settings.krate = errors.keep(arg.path("renamed")),
                _ => {}
            }
        }
        if let Some(arg) = args.iter().find(|arg| arg.key == "crates" && settings.services.is_some()) {
            errors
                .at(&arg.key, "`services` lists exactly what runs, so `crates` would add nothing: remove one of them");
        }
        if let Some(arg) = args.iter().find(|arg| arg.key == "worker_threads" && settings.current_thread) {
            errors.at(&arg.key, "`worker_threads` needs the `multi_thread` flavor");
        }
        if let Some(arg) = args.iter().find(|arg| arg.key == "paused" && !settings.current_thread) {
            errors.at(&arg.key, "`paused` needs the `current_thread` flavor");
        }
        settings
    }
}

fn read_admin(arg: &Arg) -> syn::Result<(LitStr, Span)> {
    let address = arg.string("127.0.0.1:9900")?;
    check_address(&address)?;
    Ok((address, arg.key.span()))
}

fn read_services(arg: &Arg, errors: &mut Errors) -> Vec<Type> {
    let mut services: Vec<Type> = Vec::new();
    for (service, _) in arg.types("services(Database, Api)", None, errors) {
        let text = service.to_token_stream().to_string();
        if services.iter().any(|other| other.to_token_stream().to_string() == text) {
            errors.at(&service, format!("`{}` is listed twice", written(&service)));
        } else {
            services.push(service);
        }
    }
    if arg.lists_nothing() {
        errors.at(
            &arg.key,
            "an empty group has nothing to run: list a service, or remove `services` to run all that are linked",
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
        errors.at(&arg.key, "no crate is named here: name one, as in `crates(billing)`, or remove `crates`");
    }
    crates
}

/// The user's function. Its body is not parsed.
struct Entry {
    attrs: Vec<Attribute>,
    visibility: Visibility,
    sig: Signature,
    body: TokenStream,
}

impl Parse for Entry {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        Ok(Self {
            attrs: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            sig: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl Entry {
    fn check(&self, kind: Kind, errors: &mut Errors) {
        let Signature { asyncness, fn_token, ident, generics, inputs, .. } = &self.sig;
        if kind == Kind::Main && ident != "main" {
            let message = format!("`#[group::main]` makes the program's entry point: name it `main`, not `{ident}`");
            errors.at(ident, message);
        }
        if asyncness.is_none() {
            match self.expanded_by() {
                Some(attribute) => errors.push(syn::Error::new(attribute, OTHER_RUNTIME)),
                None => errors.at(fn_token, kind.must_be_async()),
            }
        }
        if !generics.params.is_empty() {
            errors.at(generics, format!("`{ident}` cannot be generic"));
        }
        for input in inputs.iter().skip(1) {
            errors.at(input, kind.parameters());
        }
        match inputs.first() {
            Some(FnArg::Receiver(receiver)) => errors.at(receiver, kind.parameters()),
            None if kind == Kind::Test => errors.at(ident, kind.parameters()),
            _ => {}
        }
        for attr in self.attrs.iter().filter(|attr| is_foreign(attr)) {
            errors.at(attr, OTHER_RUNTIME);
        }
        for attr in self.attrs.iter().filter(|attr| attr.path().is_ident("test")) {
            errors.at(attr, "`#[group::test]` makes it a test: remove this attribute");
        }
    }

    /// The attribute above that expanded this function, if one did: its tokens have the attribute's place.
    fn expanded_by(&self) -> Option<Span> {
        let body = self.body.clone().into_iter().next();
        let Some(TokenTree::Group(braces)) = body else { return None };
        let first = braces.stream().into_iter().next()?.span();
        first.source_text().is_some_and(|text| text.starts_with("#[")).then_some(first)
    }

    /// A function that does nothing, and within it the user's function, so that rustc checks its body.
    fn expand_dummy(&self, kind: Kind) -> TokenStream {
        let Self { attrs, visibility, sig, body } = self;
        let attrs = attrs.iter().filter(|attr| !is_foreign(attr) && !attr.path().is_ident("test"));
        let function = sig.receiver().is_none().then(|| quote!(#(#attrs)* #visibility #sig #body));
        match kind {
            Kind::Test => quote!(#function),
            Kind::Main if sig.ident == "main" => quote!(#visibility fn main() { #function }),
            Kind::Main => quote!(#function fn main() {}),
        }
    }

    fn expand(&self, kind: Kind, settings: &Settings) -> TokenStream {
        let Self { attrs, visibility, sig, body } = self;
        let facade = code::facade(settings.krate.as_ref());
        // rustc reports an unknown crate at the whole item, which has the place of the name.
        let crates = settings.crates.iter().map(|name| quote_spanned!(name.span()=> use ::#name as _;));
        let run = match kind {
            Kind::Main => self.run_main(settings),
            Kind::Test => self.run_test(settings),
        };
        let head = match kind {
            Kind::Main => quote!(#visibility fn main() -> ::std::process::ExitCode),
            Kind::Test => {
                let name = &sig.ident;
                quote!(#[::core::prelude::v1::test] #visibility fn #name())
            }
        };
        quote! {
            #(#attrs)*
            #head {
                use #facade::__private as __g;
                #(#crates)*
                #[allow(clippy::unused_async)]
                #sig #body
                #run
            }
        }
    }

    fn run_main(&self, settings: &Settings) -> TokenStream {
        let group = settings.group();
        let schedule = settings.graph.then(|| quote!(group.schedule(__g::Schedule::Graph);));
        let serve = settings.serve.as_deref().map(serving).map(|serving| quote!(group.serve(#serving);));
        let stop_timeout = settings.stop_timeout.map(duration).map(|limit| quote!(group.stop_timeout(#limit);));
        let drain_delay = settings.drain_delay.map(duration).map(|delay| quote!(group.drain_delay(#delay);));
        let drain_quiet = settings.drain_quiet.map(duration).map(|quiet| quote!(group.drain_quiet(#quiet);));
        // Without the feature, rustc reports the user's word.
        let given = |name: &str, argument: &Option<(LitStr, Span)>| {
            let (value, at) = argument.as_ref()?;
            let (name, word) = (format_ident!("{name}"), quote_spanned!(*at=> ()));
            Some(quote!(__g::#name(&mut group, #value, #word);))
        };
        let (admin, report_to) = (given("admin", &settings.admin), given("report_to", &settings.report_to));
        let (threads, program) = (settings.threads(), settings.program());
        let output = code::output(&self.sig.output);
        let parameter = self.parameter().map(|ty| quote!(<#ty as __g::TakenByMain>::take(group)));
        quote! {
            let mut group = #group;
            #schedule
            #serve
            #stop_timeout
            #drain_delay
            #drain_quiet
            #admin
            #report_to
            #threads.main(#program, group, async |group: &mut __g::Group| {
                <#output as __g::ReturnedByMain>::into_result(main(#parameter).await)
            })
        }
    }

    fn run_test(&self, settings: &Settings) -> TokenStream {
        let (group, threads, output, name) =
            (settings.group(), settings.threads(), code::output(&self.sig.output), &self.sig.ident);
        // The user's test may have the same name: this one is hygienic.
        let trial = format_ident!("trial", span = Span::mixed_site());
        let parameter = self.parameter().map(|ty| quote!(<#ty as __g::TakenByTest>::take(#trial).await?));
        let group = settings.changed(&group);
        quote! {
            #threads.test(#group, async |#trial: &mut __g::Trial| {
                <#output as __g::ReturnedByTest>::into_result(#name(#parameter).await)
            })
        }
    }

    fn parameter(&self) -> Option<&Type> {
        match self.sig.inputs.first() {
            Some(FnArg::Typed(parameter)) => Some(&parameter.ty),
            _ => None,
        }
    }
}

impl Settings {
    /// The group with the listed services, or with all that are registered.
    fn group(&self) -> TokenStream {
        let Some(services) = &self.services else { return quote!(__g::Group::registered()) };
        quote! {{
            let mut group = __g::Group::new();
            #(<#services as __g::Mentioned>::add_to(&mut group);)*
            group
        }}
    }

    /// The group of a test, with the settings and the values that the test gives it.
    fn changed(&self, group: &TokenStream) -> TokenStream {
        let Self { config, provided, replaced, .. } = self;
        // The values may use any name: this one is hygienic.
        let this = format_ident!("group", span = Span::mixed_site());
        // Without the feature, rustc reports the user's word.
        let config = config.as_ref().map(|(toml, at)| {
            let word = quote_spanned!(*at=> ());
            quote!(__g::config(&mut #this, #toml, #word);)
        });
        if config.is_none() && provided.is_empty() && replaced.is_empty() {
            return group.clone();
        }
        quote! {{
            let mut #this = #group;
            #config
            #(#this.provide(#provided);)*
            #(#this.replace(#replaced);)*
            #this
        }}
    }

    /// The program, as its command line presents it.
    fn program(&self) -> TokenStream {
        let reads_arguments = self.cli.unwrap_or(true);
        // Without cargo, the variables are not set.
        quote! {
            __g::Program {
                name: ::core::option_env!("CARGO_PKG_NAME"),
                version: ::core::option_env!("CARGO_PKG_VERSION"),
                about: ::core::option_env!("CARGO_PKG_DESCRIPTION"),
                reads_arguments: #reads_arguments,
            }
        }
    }

    fn threads(&self) -> TokenStream {
        let current_thread = self.current_thread;
        let worker_threads = self.worker_threads.map_or_else(|| quote!(__g::None), |count| quote!(__g::Some(#count)));
        // Without the feature, rustc reports the user's word.
        let paused = self.paused.map(|at| quote_spanned!(at=> ()));
        let paused = paused.map_or_else(|| quote!(false), |word| quote!(__g::paused(#word)));
        // The crate of the program decides what a panic does: its libraries may have been built with another profile.
        let aborts = quote!(::core::cfg!(panic = "abort"));
        quote! {
            __g::Threads {
                current_thread: #current_thread, worker_threads: #worker_threads, paused: #paused, aborts: #aborts
            }
        }
    }
}

/// `#[tokio::main]`, `#[tokio::test]` and similar ones.
fn is_foreign(attr: &Attribute) -> bool {
    let path = attr.path();
    path.segments.len() > 1 && path.segments.last().is_some_and(|last| last.ident == "main" || last.ident == "test")
}

/// The word that says what an item is.
fn first_word(item: &TokenStream) -> TokenStream {
    let is_word = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if !is_modifier(word));
    item.clone().into_iter().find(is_word).map_or_else(|| item.clone(), TokenTree::into_token_stream)
}

fn is_modifier(word: &Ident) -> bool {
    word == "pub" || word == "unsafe" || word == "crate"
}
