//! What a `#[service]` block says, once everything in it is checked.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericParam, Generics, Ident, Lifetime, Lit, LitStr, Meta, MetaList,
    ReceiverKind, Safety, Type,
};

use super::path::Path;
use super::ticker::{self, Ticker};
use super::{is_own, is_service, unwrapped};
use super::{lent, nearly};
use crate::args::Arg;
use crate::block::{Block, Item, Method};
use crate::errors::{Errors, written};
use crate::syntax::{self, Address, NoAddress, nearest};

/// The arguments of `#[service(…)]`.
pub(super) const ARGUMENTS: &[&str] = &[
    "name",
    "after",
    "http",
    "prefix",
    "grpc",
    "role",
    "restart",
    "critical",
    "start_timeout",
    "stop_timeout",
    "register",
    "crate",
];

/// The arguments of `restart(…)`; the first three stand alone.
const RESTART_ARGUMENTS: &[&str] = &["never", "on_failure", "always", "max", "within", "backoff"];

const RESTARTS: &[&str] = &["never", "on-failure", "always"];

const ROLES: &[&str] = &["task", "daemon", "once", "main"];

/// The attributes that make a method a route.
pub(super) const ROUTES: &[&str] = &["get", "post", "put", "delete", "patch", "head", "options", "any"];

/// The methods of a service that only others are mounted on.
const PLAIN: &[&str] = &["new", "stop", "health", "reload"];

/// What a user may have called `start`, without looking like it.
const ALSO_START: &[&str] = &["run", "serve", "launch", "on_start"];

const ROUTE_EXAMPLE: &str = "expected a path, as in `#[get(\"/users/{id}\")]`";

/// A `#[service]` block.
pub(super) struct Model<'a> {
    pub(super) block: &'a Block,
    pub(super) spec: Spec,
    pub(super) register: bool,
    /// One for each `#[cfg]` variant.
    pub(super) new: Vec<&'a Method>,
    pub(super) start: Vec<&'a Method>,
    pub(super) stop: Vec<&'a Method>,
    pub(super) health: Vec<&'a Method>,
    pub(super) reload: Vec<&'a Method>,
    pub(super) router: Vec<&'a Method>,
    pub(super) grpc: Vec<&'a Method>,
    pub(super) routes: Vec<Route<'a>>,
    /// What is put around all of them.
    pub(super) layers: Vec<Expr>,
    pub(super) tickers: Vec<Ticker<'a>>,
}

/// What the arguments say of how the group treats the service.
#[derive(Default)]
pub(super) struct Spec {
    pub(super) name: Option<LitStr>,
    /// With whether they are optional.
    pub(super) after: Vec<(Type, bool)>,
    pub(super) http: Option<LitStr>,
    /// The service on which it is mounted, instead of an address.
    pub(super) http_on: Option<Type>,
    pub(super) prefix: Option<LitStr>,
    pub(super) grpc: Option<LitStr>,
    pub(super) role: Option<String>,
    pub(super) restart: Option<Restart>,
    pub(super) critical: Option<bool>,
    pub(super) start_timeout: Option<Duration>,
    pub(super) stop_timeout: Option<Duration>,
}

/// Whether, how often and after how long it is started again.
pub(super) struct Restart {
    /// As in `Restart::on_failure`.
    pub(super) when: String,
    pub(super) max: Option<usize>,
    pub(super) within: Option<Duration>,
    pub(super) backoff: Option<(Duration, Duration)>,
}

/// A method that answers requests.
pub(super) struct Route<'a> {
    /// The attribute's name, and so axum's function.
    pub(super) verb: Ident,
    pub(super) path: Path,
    pub(super) method: &'a Method,
    pub(super) layers: Vec<Expr>,
}

impl<'a> Model<'a> {
    /// Checks everything. `None` when not even the type can be a service.
    pub(super) fn check(block: &'a Block, args: &[Arg], errors: &mut Errors) -> Option<Self> {
        check_type(block, errors)?;
        check_other_items(block, errors);
        nearly::check(block, errors);
        let mut model = Self {
            block,
            spec: Spec::default(),
            register: true,
            new: named(block, "new"),
            start: named(block, "start"),
            stop: named(block, "stop"),
            health: named(block, "health"),
            reload: named(block, "reload"),
            router: named(block, "router"),
            grpc: grpc_methods(block),
            routes: Vec::new(),
            layers: read_layers(&block.attrs, errors),
            tickers: ticker::read(block, errors),
        };
        let before = errors.is_empty();
        model.read_args(args, errors);
        model.check_mount(args, errors);
        model.check_after(errors);
        model.check_restart(args, errors);
        model.check_role(args, errors);
        model.check_tickers(args, errors);
        model.check_attributes(errors);
        model.check_methods(errors);
        model.read_routes(errors);
        model.check_registration(args, errors);
        // Where an argument is misread, what seems to be missing may be there.
        if before {
            model.check_purpose(args, errors);
        }
        Some(model)
    }

    fn read_args(&mut self, args: &[Arg], errors: &mut Errors) {
        for arg in args {
            match arg.key.to_string().as_str() {
                "name" => self.spec.name = errors.keep(arg.string("morning").and_then(check_name)),
                "after" => self.spec.after = arg.types("after(Database, optional(Cache))", Some("optional"), errors),
                "http" => match arg.ty() {
                    Some(ty) => self.spec.http_on = Some(ty),
                    None => self.spec.http = errors.keep(arg.string("127.0.0.1:8080").and_then(check_address)),
                },
                "prefix" => self.spec.prefix = errors.keep(arg.string("/api")),
                "grpc" => self.spec.grpc = read_grpc(arg, errors),
                "role" => self.spec.role = errors.keep(arg.word(ROLES)),
                "restart" => self.spec.restart = read_restart(arg, errors),
                "critical" => self.spec.critical = errors.keep(arg.bool()),
                "start_timeout" => self.spec.start_timeout = errors.keep(arg.duration()),
                "stop_timeout" => self.spec.stop_timeout = errors.keep(arg.duration()),
                "register" => self.register = errors.keep(arg.bool()).unwrap_or(true),
                _ => {}
            }
        }
    }

    fn check_mount(&self, args: &[Arg], errors: &mut Errors) {
        let given = |key: &str| args.iter().find(|arg| arg.key == key);
        // It may be mounted where `http` is misread.
        let has_address = self.spec.http.is_some() || given("http").is_none();
        match (&self.spec.http_on, given("prefix")) {
            (None, Some(prefix)) if has_address => {
                let message = "`prefix` is for routes that are mounted on another service, as in `http = Gateway`";
                errors.at(&prefix.key, message);
            }
            (Some(on), _) if is_same(on, &self.block.self_ty) => {
                errors.at(on, "a service cannot be mounted on itself: `http = \"127.0.0.1:8080\"` is its address");
            }
            _ => {
                errors.keep(self.spec.prefix.as_ref().map_or(Ok(()), check_prefix));
            }
        }
    }

    /// Longer ways round, rustc finds.
    fn check_after(&self, errors: &mut Errors) {
        let text = |ty: &Type| unwrapped(ty).to_token_stream().to_string();
        let itself = text(&self.block.self_ty);
        let mut seen: Vec<String> = Vec::new();
        for (ty, _) in &self.spec.after {
            let name = text(ty);
            if name == "Self" || name == itself {
                errors.at(ty, "a service cannot start after itself");
            } else if seen.contains(&name) {
                errors.at(ty, format!("`{}` is listed twice", written(ty)));
            }
            seen.push(name);
        }
    }

    /// What is started again whenever it has ended can neither be done nor end the group.
    fn check_restart(&self, args: &[Arg], errors: &mut Errors) {
        let always = self.spec.restart.as_ref().is_some_and(|restart| restart.when == "always");
        let restart = args.iter().find(|arg| arg.key == "restart");
        if let (true, Some(restart), Some(role @ ("once" | "main"))) = (always, restart, self.spec.role.as_deref()) {
            let message = format!("a `{role}` service ends when it is done, so it cannot be restarted always");
            errors.at(&restart.key, message);
        }
    }

    /// A server is not done before the group stops.
    fn check_role(&self, args: &[Arg], errors: &mut Errors) {
        let given = |key: &str| args.iter().find(|arg| arg.key == key);
        let serves = given("http").or_else(|| given("grpc")).is_some();
        let message = match self.spec.role.as_deref() {
            Some("once") => "a `once` service is ready when it is done, and a server never is",
            Some("main") => "a `main` service ends the group when it is done, and a server never is",
            Some("task") => "a `task` may be done while the group runs, and a server never is: drop `role`",
            _ => return,
        };
        if let Some(role) = given("role").filter(|_| serves) {
            errors.at(&role.key, message);
        }
    }

    fn check_tickers(&self, args: &[Arg], errors: &mut Errors) {
        let role = args.iter().find(|arg| arg.key == "role");
        if let (false, Some(arg), Some(role @ ("once" | "main"))) =
            (self.tickers.is_empty(), role, self.spec.role.as_deref())
        {
            errors.at(&arg.key, format!("a `{role}` service ends when it is done, and a ticker never is"));
        }
    }

    /// The methods that take nothing but `&self`.
    pub(super) fn hooks(&self) -> impl Iterator<Item = &'a Method> {
        self.stop.iter().chain(&self.health).chain(&self.reload).copied()
    }

    fn check_attributes(&self, errors: &mut Errors) {
        for attr in self.block.attrs.iter().filter(|attr| is_service(attr)) {
            errors.at(attr, "`#[service]` is already on this block");
        }
        for attr in self.block.attrs.iter().filter(|attr| is_layer(attr) && !self.serves() && !self.serves_others()) {
            errors.at(attr, "a layer is put around routes, and there are none: add a method with `#[get(\"/path\")]`");
        }
    }

    fn check_methods(&self, errors: &mut Errors) {
        for method in self.start.iter().chain(&self.router) {
            check_receiver(method, errors);
        }
        // What calls them has but a reference.
        for method in self.hooks() {
            check_reference(method, errors);
        }
        for method in &self.new {
            if let Some(FnArg::Receiver(receiver)) = method.sig.inputs.first() {
                errors.at(receiver, "`new` makes the service, so there is no `self` yet");
            }
            if method.output().is_none() {
                errors.at(&method.sig.ident, "`new` must return `Self` or `Result<Self, E>`");
            }
            check_result(method, "`Self` or `Result<Self, E>`", errors);
        }
        for method in self.start.iter().copied().chain(self.hooks()) {
            check_result(method, "`()` or `Result<(), E>`", errors);
        }
        for method in self.new.iter().chain(&self.start).chain(&self.router).copied().chain(self.hooks()) {
            check_callable(method, errors);
        }
        for method in self.hooks() {
            for param in method.params() {
                errors.at(param, format!("`{}` takes nothing but `&self`", method.sig.ident));
            }
        }
        for method in self.router.iter().filter(|method| !passes_on(method)) {
            let message = "`router` takes the routes and returns them: `fn router(&self, routes: Router) -> Router`";
            errors.at(&method.sig.ident, message);
        }
        self.check_grpc_methods(errors);
    }

    fn check_grpc_methods(&self, errors: &mut Errors) {
        for method in &self.grpc {
            check_receiver_of_grpc(method, errors);
            check_callable(method, errors);
            if !passes_on(method) {
                let message = "`grpc` takes the services and returns them: \
                               `fn grpc(self: Arc<Self>, services: Routes) -> Routes`";
                errors.at(&method.sig.ident, message);
            }
        }
    }

    fn read_routes(&mut self, errors: &mut Errors) {
        for method in self.block.methods() {
            let layers = read_layers(&method.attrs, errors);
            check_layers_of(method, errors);
            for attr in &method.attrs {
                let Some(verb) = route_method(attr) else { continue };
                check_receiver_of_route(method, errors);
                check_callable(method, errors);
                check_name_of_route(method, errors);
                lent::check(method, errors);
                let Some(path) = errors.keep(route_path(attr)) else { continue };
                match self.clash(&verb, &path, method) {
                    Some(message) => errors.at(&path.literal, message),
                    None => self.routes.push(Route { verb, path, method, layers: layers.clone() }),
                }
            }
        }
    }

    /// Why this route cannot be served beside those before it.
    fn clash(&self, verb: &Ident, path: &Path, method: &Method) -> Option<String> {
        // A twin under `#[cfg]` may be there instead.
        let always = |method: &Method| cfgs(&method.attrs).next().is_none();
        let mut others = self.routes.iter().filter(|other| always(method) && always(other.method));
        others.find_map(|other| {
            let (mine, theirs, name) = (path.value(), other.path.value(), &other.method.sig.ident);
            if mine == theirs && *verb == other.verb {
                let verb = verb.to_string().to_uppercase();
                Some(format!("`{verb} {mine}` is already served by `{name}`"))
            } else {
                let why = path.clash(&other.path)?;
                Some(format!("`{mine}` cannot be served beside `{theirs}`, the path of `{name}`: {why}"))
            }
        })
    }

    fn check_registration(&self, args: &[Arg], errors: &mut Errors) {
        let refused = args.iter().any(|arg| arg.key == "register") && !self.register;
        if !self.block.generics.params.is_empty() && !refused {
            errors.at(
                InBrackets(&self.block.generics),
                "a generic service cannot register itself: the registry holds concrete types\n\
                 help: write `#[service(register = false)]` here and name the concrete type: \
                 `#[group::main(services(Cache<u8>))]`",
            );
        }
    }

    fn first_route(&self) -> Option<&'a Attribute> {
        self.block.methods().flat_map(|method| &method.attrs).find(|attr| route_method(attr).is_some())
    }

    fn serves(&self) -> bool {
        self.first_route().is_some() || !self.router.is_empty()
    }

    /// Whether it has nothing but an address, for others to be mounted on.
    pub(super) fn serves_others(&self) -> bool {
        let is_plain = |method: &Method| PLAIN.contains(&method.sig.ident.unraw().to_string().as_str());
        self.spec.http.is_some()
            && self.block.items.iter().all(|item| match item {
                Item::Method(method) => is_plain(method),
                Item::Macro(_) => false,
                Item::Other(..) | Item::Unknown(_) => true,
            })
    }

    /// Whether the service does anything, and the arguments fit what it does.
    fn check_purpose(&self, args: &[Arg], errors: &mut Errors) {
        let (first_route, serves) = (self.first_route(), self.serves());
        let http = args.iter().find(|arg| arg.key == "http");
        let grpc = args.iter().find(|arg| arg.key == "grpc");
        self.check_purpose_of_grpc(http, grpc, errors);
        match (first_route, http) {
            (Some(route), None) if grpc.is_some() => {
                errors.at(route, "routes need `http`: write it in place of `grpc`, for one address serves both");
            }
            (Some(route), None) => {
                errors.at(route, "routes need an address: `#[service(http = \"127.0.0.1:8080\")]`");
            }
            (None, Some(http)) if !serves && !self.serves_others() && self.grpc.is_empty() => {
                errors.at(&http.key, "nothing is served here: add a method with `#[get(\"/path\")]`");
            }
            (None, None) if serves => {
                let ident = &self.router[0].sig.ident;
                errors.at(ident, "`router` needs an address: `#[service(http = \"127.0.0.1:8080\")]`");
            }
            // Mistakes elsewhere may be all that hides it.
            (None, None) if self.does_nothing() && errors.is_empty() => {
                self.say_that_start_is_missing(errors);
            }
            _ => {}
        }
    }

    fn does_nothing(&self) -> bool {
        self.start.is_empty() && self.tickers.is_empty() && self.grpc.is_empty()
    }

    fn check_purpose_of_grpc(&self, http: Option<&Arg>, grpc: Option<&Arg>, errors: &mut Errors) {
        let is_mounted = self.spec.http_on.is_some();
        match (self.grpc.first(), grpc) {
            (_, Some(grpc)) if http.is_some() && !(is_mounted && self.spec.grpc.is_none()) => {
                errors.at(&grpc.key, "one address serves both: remove `grpc`, and its services are where `http` is");
            }
            (None, Some(grpc)) => {
                let message = "no gRPC is served here: add `fn grpc(self: Arc<Self>, services: Routes) -> Routes`";
                errors.at(&grpc.key, message);
            }
            (Some(method), None) if is_mounted => {
                let message = "gRPC is not mounted on another service: \
                               add `grpc` to the arguments to serve this group alone";
                errors.at(&method.sig.ident, message);
            }
            (Some(method), None) if http.is_none() => {
                let message = "`grpc` needs an address: `#[service(grpc = \"127.0.0.1:50051\")]`, \
                               or `#[service(grpc)]` to serve this group alone";
                errors.at(&method.sig.ident, message);
            }
            _ => {}
        }
    }

    fn say_that_start_is_missing(&self, errors: &mut Errors) {
        let misspelt = self.block.methods().find(|method| {
            let name = method.sig.ident.to_string();
            let is_method = matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_)));
            is_method && name != "stop" && (ALSO_START.contains(&name.as_str()) || nearest(&name, ["start"]).is_some())
        });
        if let Some(method) = misspelt {
            return errors.at(&method.sig.ident, "did you mean `start`?");
        }
        let mut message =
            "this service does nothing: give it `async fn start(&self)`, or routes and `http = \"…\"`".to_owned();
        if self.block.items.iter().any(|item| matches!(item, Item::Macro(_))) {
            message.push_str(
                "; one that a macro in this block makes is not visible here: write it out, \
                 or implement `group::Service` by hand",
            );
        }
        if self.block.methods().next().is_some() {
            message.push_str("\nhelp: the methods of a service belong in one `#[service]` block");
        }
        let (impl_token, self_ty) = (&self.block.impl_token, &self.block.self_ty);
        errors.at(quote!(#impl_token #self_ty), message);
    }
}

/// The methods of this name: all variants under `#[cfg]`, and one that is always there. A second
/// of those is an error that rustc reports.
fn named<'a>(block: &'a Block, name: &str) -> Vec<&'a Method> {
    let mut always = false;
    let counts = |method: &&Method| cfgs(&method.attrs).next().is_some() || !std::mem::replace(&mut always, true);
    block.methods().filter(|method| method.sig.ident.unraw() == name).filter(counts).collect()
}

/// A route may have this name, too.
fn grpc_methods(block: &Block) -> Vec<&Method> {
    let is_route = |method: &Method| method.attrs.iter().any(|attr| route_method(attr).is_some());
    named(block, "grpc").into_iter().filter(|method| !is_route(method)).collect()
}

/// Generic parameters, with their brackets.
struct InBrackets<'a>(&'a Generics);

impl ToTokens for InBrackets<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.lt_token.to_tokens(tokens);
        self.0.params.to_tokens(tokens);
        self.0.gt_token.to_tokens(tokens);
    }
}

/// Whether the block is one that can make a service at all.
fn check_type(block: &Block, errors: &mut Errors) -> Option<()> {
    let self_ty = unwrapped(&block.self_ty);
    if let Some(of_trait) = &block.of_trait {
        let is_service = of_trait.segments.last().is_some_and(|last| last.ident == "Service");
        let name = self_ty.to_token_stream();
        errors.at(
            of_trait,
            if is_service {
                format!("`{name}` is a service already: remove `#[service]`")
            } else {
                format!("`#[service]` goes on an inherent block: write `impl {name} {{ … }}`")
            },
        );
        return None;
    }
    if !matches!(self_ty, Type::Path(_) | Type::Macro(_)) {
        errors.at(&block.self_ty, "a service is a struct or an enum of yours");
        return None;
    }
    let mut lifetimes: Vec<Lifetime> = block.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    lifetimes.extend(anonymous_lifetimes(self_ty));
    for lifetime in &lifetimes {
        errors.at(lifetime, "a service lives as long as its group: it can borrow only 'static data");
    }
    lifetimes.is_empty().then_some(())
}

/// What the macro's own attributes cannot be on.
fn check_other_items(block: &Block, errors: &mut Errors) {
    for item in &block.items {
        let Item::Other(attrs, _) = item else { continue };
        for attr in attrs.iter().filter(|attr| is_own(attr)) {
            let word = attr.path().to_token_stream();
            errors.at(attr, format!("`#[{word}]` goes on a method"));
        }
    }
}

/// Every `'_`.
fn anonymous_lifetimes(ty: &Type) -> Vec<Lifetime> {
    let tokens = flat(ty.to_token_stream());
    let lifetime = |pair: &[TokenTree]| match pair {
        [TokenTree::Punct(quote), TokenTree::Ident(name)] if quote.as_char() == '\'' && name == "_" => {
            Some(Lifetime { apostrophe: quote.span(), ident: name.clone() })
        }
        _ => None,
    };
    tokens.windows(2).filter_map(lifetime).collect()
}

/// Every token, those inside of brackets too.
fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let inside = |token| match token {
        TokenTree::Group(group) => flat(group.stream()),
        token => vec![token],
    };
    tokens.into_iter().flat_map(inside).collect()
}

/// `&self`, or `self: Arc<Self>`.
pub(super) fn check_receiver(method: &Method, errors: &mut Errors) {
    if !takes_arc(method) {
        check_reference(method, errors);
    }
}

fn check_reference(method: &Method, errors: &mut Errors) {
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

/// Whether it takes `self: Arc<Self>`.
pub(super) fn takes_arc(method: &Method) -> bool {
    let Some(ReceiverKind::Typed(_, ty)) = method.sig.receiver().map(|receiver| &receiver.kind) else { return false };
    let Type::Path(path) = unwrapped(ty) else { return false };
    let last = path.path.segments.last().map(|last| last.to_token_stream().to_string());
    last.is_some_and(|last| last == "Arc < Self >")
}

/// tonic's services want to own what they serve.
fn check_receiver_of_grpc(method: &Method, errors: &mut Errors) {
    let message = "`grpc` must take `self: Arc<Self>`: the group owns the service and shares it";
    match method.sig.receiver() {
        Some(receiver) if takes_arc(method) || matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        Some(receiver) => errors.at(receiver, message),
        None => errors.at(&method.sig.ident, message),
    }
}

/// A route may do without the service.
fn check_receiver_of_route(method: &Method, errors: &mut Errors) {
    if matches!(method.sig.inputs.first(), Some(FnArg::Receiver(_))) {
        check_receiver(method, errors);
    }
}

/// What the group calls as well would answer requests, and run at its own time, too.
fn check_name_of_route(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    // `grpc` is the one that a route may be called.
    if name.unraw() != "grpc" && ticker::CALLED.contains(&name.unraw().to_string().as_str()) {
        errors.at(name, format!("`{name}` is called by the group: a route needs another name"));
    }
}

/// Whether the group can call it, as far as its name and parameters go.
pub(super) fn check_callable(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    let message = format!("`{name}` cannot be generic: the group has no type to put there");
    let generics = &method.sig.generics;
    if generics.params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_))) {
        errors.at(InBrackets(generics), &message);
    }
    for param in method.params().filter(|param| mentions_impl(param)) {
        errors.at(param, &message);
    }
    if let Some(attr) = method.sig.inputs.iter().flat_map(param_attrs).find(|attr| is_condition(attr)) {
        let message = format!("`{name}` is read before `#[cfg]` is decided: put it on the method, once for each case");
        errors.at(attr, message);
    }
    if let Safety::Unsafe(word) = &method.sig.safety {
        errors.at(word, format!("`{name}` cannot be `unsafe`: the group has no promise to make when it calls it"));
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

/// Whether the group can name what it returns.
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

/// Whether it is `fn(…, routes) -> …`.
fn passes_on(method: &Method) -> bool {
    !method.is_async() && method.params().count() == 1 && method.output().is_some_and(|ty| !mentions_impl(ty))
}

/// Whether there is an `impl Trait` in it.
pub(super) fn mentions_impl(ty: &Type) -> bool {
    mentions(ty, "impl")
}

fn mentions(ty: &Type, word: &str) -> bool {
    flat(ty.to_token_stream()).iter().any(|token| matches!(token, TokenTree::Ident(ident) if ident == word))
}

fn check_name(name: LitStr) -> syn::Result<LitStr> {
    if !syntax::is_name(&name.value()) {
        return Err(syn::Error::new(name.span(), "a service's name is lower-case letters, digits, - and _"));
    }
    Ok(name)
}

/// `grpc = "127.0.0.1:50051"`, or `grpc` alone.
fn read_grpc(arg: &Arg, errors: &mut Errors) -> Option<LitStr> {
    let address = errors.keep(arg.string_or_alone("127.0.0.1:50051"))??;
    errors.keep(check_address(address))
}

fn check_address(address: LitStr) -> syn::Result<LitStr> {
    let text = address.value();
    let message = match syntax::address(&text) {
        // The features are not known here: without `listenfd`, the group refuses `fd:name` at its start.
        Ok(Address::HostPort | Address::Unix | Address::HandedOver) => return Ok(address),
        Err(NoAddress::PortTooLarge) => "a port is a number up to 65535".to_owned(),
        Err(NoAddress::Unknown) => {
            let scheme = text.split_once("://").map(|(scheme, _)| format!(", without `{scheme}://`"));
            format!("expected `host:port`, as in `\"127.0.0.1:8080\"`{}", scheme.unwrap_or_default())
        }
    };
    Err(syn::Error::new(address.span(), message))
}

fn check_prefix(prefix: &LitStr) -> syn::Result<()> {
    if syntax::is_prefix(&prefix.value()) {
        Ok(())
    } else {
        Err(syn::Error::new(prefix.span(), "expected a path, as in `prefix = \"/api\"`"))
    }
}

/// Whether both are written alike.
fn is_same(one: &Type, other: &Type) -> bool {
    let text = |ty: &Type| unwrapped(ty).to_token_stream().to_string();
    text(one) == "Self" || text(one) == text(other)
}

/// The verb of a route attribute: `get`, `post` and so on.
pub(super) fn route_method(attr: &Attribute) -> Option<Ident> {
    let verb = attr.path().get_ident()?;
    ROUTES.contains(&verb.to_string().as_str()).then(|| verb.clone())
}

fn route_path(attr: &Attribute) -> syn::Result<Path> {
    match &attr.meta {
        Meta::List(list) => {
            list.parse_args().map_err(|_| syn::Error::new_spanned(attr, ROUTE_EXAMPLE)).and_then(Path::read)
        }
        _ => Err(syn::Error::new_spanned(attr, ROUTE_EXAMPLE)),
    }
}

/// Whether it is `#[layer(…)]`.
pub(super) fn is_layer(attr: &Attribute) -> bool {
    attr.path().is_ident("layer")
}

/// What is put around a route, or around all: the outermost first.
fn read_layers(attrs: &[Attribute], errors: &mut Errors) -> Vec<Expr> {
    let read = |attr: &Attribute| {
        let layer = attr.meta.require_list().and_then(MetaList::parse_args);
        layer.map_err(|_| syn::Error::new_spanned(attr, "expected one layer, as in `#[layer(from_fn(log))]`"))
    };
    attrs.iter().filter(|attr| is_layer(attr)).filter_map(|attr| errors.keep(read(attr))).collect()
}

/// Only what answers requests can have something put around it.
fn check_layers_of(method: &Method, errors: &mut Errors) {
    if method.attrs.iter().any(|attr| route_method(attr).is_some() || nearly::meant(attr).is_some()) {
        return;
    }
    for attr in method.attrs.iter().filter(|attr| is_layer(attr)) {
        let name = &method.sig.ident;
        errors.at(attr, format!("a layer is put around a route, and `{name}` is none: add `#[get(\"/path\")]`"));
    }
}

/// The conditions under which an item is there.
pub(super) fn cfgs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
}

/// The text of the doc comments, as Markdown.
pub(super) fn docs(attrs: &[Attribute]) -> String {
    let text = |attr: &Attribute| match &attr.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<String> = attrs.iter().filter_map(text).collect();
    let lines = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// `restart = "on-failure"`, or `restart(on_failure, max = 5, within = "1m", backoff = "100ms..30s")`.
fn read_restart(arg: &Arg, errors: &mut Errors) -> Option<Restart> {
    let mut restart = Restart { when: "on_failure".to_owned(), max: None, within: None, backoff: None };
    let Some(list) = arg.list(RESTART_ARGUMENTS, errors) else {
        restart.when = errors.keep(arg.word(RESTARTS))?.replace('-', "_");
        return Some(restart);
    };
    let mut chosen = false;
    for arg in list {
        match arg.key.to_string().as_str() {
            "max" => restart.max = errors.keep(arg.count()),
            "within" => restart.within = errors.keep(arg.duration()),
            "backoff" => restart.backoff = errors.keep(arg.duration_range()),
            when => {
                errors.keep(arg.alone());
                if std::mem::replace(&mut chosen, true) {
                    errors.at(&arg.key, "choose one of `never`, `on_failure` and `always`");
                }
                when.clone_into(&mut restart.when);
            }
        }
    }
    Some(restart)
}
