//! Every mistake that a block can have although its parts can be read.

use proc_macro2::{Ident, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Lifetime, Type};

use super::attrs::{cfgs, is_layer, is_own, is_route, is_service, is_ticker};
use super::model::{Model, Route};
use super::nearly::CALLED;
use super::signature::{
    InBrackets, check_callable, check_receiver, check_receiver_of_grpc, check_receiver_of_route, check_reference,
    check_result, flat, takes_and_returns_one, unwrapped,
};
use super::{borrow, nearly};
use crate::args::check_address;
use crate::block::{Block, Item, Method};
use crate::errors::{Errors, written};
use crate::syntax::{self, nearest};

/// Names that a user may give to `start` although they are not similar to it.
const ALSO_START: &[&str] = &["run", "serve", "launch", "on_start"];

/// Checks the block before it is read. Returns false if its type cannot be a service.
pub(super) fn check_block(block: &Block, errors: &mut Errors) -> bool {
    if !check_head(block, errors) {
        return false;
    }
    for item in &block.items {
        let Item::Other(attrs, _) = item else { continue };
        for attr in attrs.iter().filter(|attr| is_own(attr)) {
            let word = attr.path().to_token_stream();
            errors.at(attr, format!("`#[{word}]` goes on a method"));
        }
    }
    nearly::check(block, errors);
    true
}

/// Checks everything that was read.
pub(super) fn check(model: &Model, errors: &mut Errors) {
    check_addresses(model, errors);
    check_mount(model, errors);
    check_serve(model, errors);
    check_runtime(model, errors);
    check_after(model, errors);
    check_role(model, errors);
    check_attributes(model, errors);
    check_methods(model, errors);
    check_tickers(model, errors);
    check_routes(model, errors);
    check_registration(model, errors);
    if model.is_legible {
        check_purpose(model, errors);
    }
}

// The block's head.

fn check_head(block: &Block, errors: &mut Errors) -> bool {
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
        return false;
    }
    if !matches!(self_ty, Type::Path(_) | Type::Macro(_)) {
        errors.at(&block.self_ty, "a service is a struct or an enum of yours");
        return false;
    }
    let mut lifetimes: Vec<Lifetime> = block.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    lifetimes.extend(anonymous_lifetimes(self_ty));
    for lifetime in &lifetimes {
        errors.at(lifetime, "a service lives as long as its group: it can borrow only 'static data");
    }
    lifetimes.is_empty()
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

// Arguments.

fn check_addresses(model: &Model, errors: &mut Errors) {
    if let Some(name) = model.spec.name.as_ref().filter(|name| !syntax::is_name(&name.value())) {
        errors.at(name, "a service's name is lower-case letters, digits, - and _");
    }
    for address in model.spec.http.iter().chain(&model.spec.grpc) {
        errors.keep(check_address(address));
    }
}

fn check_mount(model: &Model, errors: &mut Errors) {
    let has_address = match &model.spec.http {
        // A text that is no address may be meant as the type of a service.
        Some(address) => check_address(address).is_ok(),
        None => model.key("http").is_none(),
    };
    match (&model.spec.http_on, model.key("prefix")) {
        (None, Some(key)) if has_address => {
            let message = "`prefix` is for routes that are mounted on another service, as in `http = Gateway`";
            errors.at(key, message);
        }
        (Some(on), _) if is_itself(on, model.block) => {
            errors.at(on, "a service cannot be mounted on itself: `http = \"127.0.0.1:8080\"` is its address");
        }
        _ => {
            if let Some(prefix) = model.spec.prefix.as_ref().filter(|prefix| !syntax::is_prefix(&prefix.value())) {
                errors.at(prefix, "expected a path, as in `prefix = \"/api\"`");
            }
        }
    }
}

/// Only a server of its own has connections.
fn check_serve(model: &Model, errors: &mut Errors) {
    let Some(key) = model.key("serve") else { return };
    if let Some(host) = &model.spec.http_on {
        let message = format!("`serve` is for a service with an address of its own: say it of `{}`", written(host));
        errors.at(key, message);
    } else if model.key("http").or(model.key("grpc")).is_none() {
        errors.at(key, "`serve` is for a server: say `http` or `grpc`, too, as in `http = \"127.0.0.1:8080\"`");
    }
}

/// Only a runtime of its own has threads of its own, and serves its connections itself.
fn check_runtime(model: &Model, errors: &mut Errors) {
    if model.has_own_runtime() {
        if let Some(key) = model.key("serve").filter(|_| model.spec.serve.as_deref() == Some("per-core")) {
            errors.at(key, "a service with a runtime of its own is served there: remove `serve`");
        }
        return;
    }
    let is_misspelt = model.spec.runtime.is_none() && model.key("runtime").is_some();
    if is_misspelt {
        return;
    }
    for key in ["worker_threads", "cpus"].iter().filter_map(|key| model.key(key)) {
        errors.at(key, format!("`{key}` is for a service with a runtime of its own: say `runtime = \"own\"`, too"));
    }
}

/// rustc finds longer cycles.
fn check_after(model: &Model, errors: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for (ty, _) in &model.spec.after {
        let text = text(ty);
        if is_itself(ty, model.block) {
            errors.at(ty, "a service cannot start after itself");
        } else if seen.contains(&text) {
            errors.at(ty, format!("`{}` is listed twice", written(ty)));
        }
        seen.push(text);
    }
}

fn is_itself(ty: &Type, block: &Block) -> bool {
    let text = text(ty);
    text == "Self" || text == self::text(&block.self_ty)
}

fn text(ty: &Type) -> String {
    unwrapped(ty).to_token_stream().to_string()
}

/// A server runs until the group stops, and so does a ticker; a service that is always restarted never ends.
fn check_role(model: &Model, errors: &mut Errors) {
    let (Some(role), Some(key)) = (model.spec.role.as_deref(), model.key("role")) else { return };
    let ends = ["once", "main", "lead"].contains(&role);
    let is_restarted = model.spec.restart.as_ref().is_some_and(|restart| restart.when == "always");
    if let Some(restart) = model.key("restart").filter(|_| ends && is_restarted) {
        let message = format!("a `{role}` service ends when it completes, so it cannot be restarted always");
        errors.at(restart, message);
    }
    let serves = model.key("http").or(model.key("grpc")).is_some();
    let message = match role {
        "once" => "a `once` service is ready when it completes, and a server never does",
        "main" => "a `main` service ends the group when it completes, and a server never does",
        "lead" => "a `lead` ends the group when it completes, and a server never does",
        "task" => "a `task` may complete while the group runs, and a server never does: remove `role`",
        _ => return,
    };
    if serves {
        errors.at(key, message);
    }
    if ends && !model.tickers.is_empty() {
        errors.at(key, format!("a `{role}` service ends when it completes, and a ticker never does"));
    }
}

fn check_registration(model: &Model, errors: &mut Errors) {
    let is_refused = model.key("register").is_some() && !model.register;
    if model.is_generic() && !is_refused {
        errors.at(
            InBrackets(&model.block.generics),
            "a generic service cannot register itself: the registry holds concrete types\n\
             help: write `#[service(register = false)]` here and name the concrete type: \
             `#[group::main(services(Cache<u8>))]`",
        );
    }
}

// Methods.

fn check_attributes(model: &Model, errors: &mut Errors) {
    for attr in model.block.attrs.iter().filter(|attr| is_service(attr)) {
        errors.at(attr, "`#[service]` is already on this block");
    }
    let has_routes = model.serves() || model.serves_others();
    for attr in model.block.attrs.iter().filter(|attr| is_layer(attr) && !has_routes) {
        errors.at(attr, "`#[layer]` needs routes, and there are none: add a method with `#[get(\"/path\")]`");
    }
}

fn check_methods(model: &Model, errors: &mut Errors) {
    for method in &model.new {
        check_new(method, errors);
    }
    for method in &model.start {
        check_receiver(method, errors);
        check_result(method, "`()` or `Result<(), E>`", errors);
        check_callable(method, errors);
    }
    for method in model.hooks() {
        check_hook(method, errors);
    }
    for method in &model.router {
        check_receiver(method, errors);
        check_callable(method, errors);
        if !takes_and_returns_one(method) {
            let message = "`router` takes the routes and returns them: `fn router(&self, routes: Router) -> Router`";
            errors.at(&method.sig.ident, message);
        }
    }
    for method in &model.grpc {
        check_receiver_of_grpc(method, errors);
        check_callable(method, errors);
        if !takes_and_returns_one(method) {
            let message = "`grpc` takes the services and returns them: \
                           `fn grpc(self: Arc<Self>, services: Routes) -> Routes`";
            errors.at(&method.sig.ident, message);
        }
    }
}

fn check_new(method: &Method, errors: &mut Errors) {
    if let Some(receiver) = method.sig.receiver() {
        errors.at(receiver, "`new` makes the service, so there is no `self` yet");
    }
    if method.output().is_none() {
        errors.at(&method.sig.ident, "`new` must return `Self` or `Result<Self, E>`");
    }
    check_result(method, "`Self` or `Result<Self, E>`", errors);
    check_callable(method, errors);
}

/// The group calls a hook with a reference only.
fn check_hook(method: &Method, errors: &mut Errors) {
    check_reference(method, errors);
    check_result(method, "`()` or `Result<(), E>`", errors);
    check_callable(method, errors);
    // The types of its parameters are for rustc to check.
    if method.sig.ident.unraw() == "reload" {
        return;
    }
    for param in method.params() {
        errors.at(param, format!("`{}` takes only `&self`", method.sig.ident));
    }
}

fn check_tickers(model: &Model, errors: &mut Errors) {
    for method in model.block.methods() {
        let mut attrs = method.attrs.iter().filter(|attr| is_ticker(attr));
        if attrs.next().is_some() {
            check_ticker(method, errors);
        }
        for second in attrs {
            errors.at(second, "a method has one schedule: write a second method that calls this one");
        }
    }
}

fn check_ticker(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    if is_called(name) {
        return errors.at(name, format!("`{name}` is called by the group: a ticker needs another name"));
    }
    for attr in method.attrs.iter().filter(|attr| is_route(attr)) {
        errors.at(attr, format!("`{name}` ticks, so it cannot answer requests too"));
    }
    check_receiver(method, errors);
    check_callable(method, errors);
    check_result(method, "`()` or `Result<(), E>`", errors);
    for param in method.params() {
        errors.at(param, format!("`{name}` takes only `&self`: let `new` take what it needs"));
    }
}

fn check_routes(model: &Model, errors: &mut Errors) {
    for method in model.block.methods() {
        if method.attrs.iter().any(is_route) {
            check_route(method, errors);
        } else if !method.attrs.iter().any(nearly::is_nearly_own) {
            check_layers(method, errors);
        }
    }
    for (nth, route) in model.routes.iter().enumerate() {
        if let Some(message) = model.routes[..nth].iter().find_map(|earlier| clash(route, earlier)) {
            errors.at(&route.path.literal, message);
        }
    }
}

fn check_route(method: &Method, errors: &mut Errors) {
    let name = &method.sig.ident;
    check_receiver_of_route(method, errors);
    check_callable(method, errors);
    if name.unraw() != "grpc" && is_called(name) {
        errors.at(name, format!("`{name}` is called by the group: a route needs another name"));
    }
    borrow::check(method, errors);
}

/// Only a route can have layers, and gRPC.
fn check_layers(method: &Method, errors: &mut Errors) {
    if method.sig.ident.unraw() == "grpc" {
        return;
    }
    for attr in method.attrs.iter().filter(|attr| is_layer(attr)) {
        let name = &method.sig.ident;
        errors.at(attr, format!("`#[layer]` goes on a route, and `{name}` is none: add `#[get(\"/path\")]`"));
    }
}

/// Says why a route cannot be served beside an earlier one.
fn clash(route: &Route, earlier: &Route) -> Option<String> {
    // Under `#[cfg]`, only one of the two may exist.
    if [route, earlier].iter().any(|route| cfgs(&route.method.attrs).next().is_some()) {
        return None;
    }
    let (mine, theirs, name) = (route.path.value(), earlier.path.value(), &earlier.method.sig.ident);
    if mine == theirs && route.verb == earlier.verb {
        let verb = route.verb.to_string().to_uppercase();
        Some(format!("`{verb} {mine}` is already served by `{name}`"))
    } else {
        let why = route.path.clash(&earlier.path)?;
        Some(format!("`{mine}` cannot be served beside `{theirs}`, the path of `{name}`: {why}"))
    }
}

fn is_called(name: &Ident) -> bool {
    CALLED.contains(&name.unraw().to_string().as_str())
}

// The purpose of the service.

/// The service must do something, and the arguments must fit what it does.
fn check_purpose(model: &Model, errors: &mut Errors) {
    let (http, grpc) = (model.key("http"), model.key("grpc"));
    check_purpose_of_grpc(model, errors);
    match (model.first_route(), http) {
        (Some(route), None) => errors.at(route, address_is_missing(grpc)),
        (None, Some(http)) if !model.serves() && !model.serves_others() && model.grpc.is_empty() => {
            errors.at(http, "nothing is served here: add a method with `#[get(\"/path\")]`");
        }
        (None, None) => match model.router.first() {
            Some(router) => {
                let message = "`router` needs an address: `#[service(http = \"127.0.0.1:8080\")]`";
                errors.at(&router.sig.ident, message);
            }
            // It may be missing only because of another mistake.
            None if does_nothing(model) && errors.is_empty() => say_that_start_is_missing(model.block, errors),
            None => {}
        },
        _ => {}
    }
}

fn address_is_missing(grpc: Option<&Ident>) -> &'static str {
    if grpc.is_some() {
        "routes need `http`: write it in place of `grpc`, because one address serves both"
    } else {
        "routes need an address: `#[service(http = \"127.0.0.1:8080\")]`"
    }
}

fn does_nothing(model: &Model) -> bool {
    model.start.is_empty() && model.tickers.is_empty() && model.grpc.is_empty()
}

fn check_purpose_of_grpc(model: &Model, errors: &mut Errors) {
    let (http, grpc) = (model.key("http"), model.key("grpc"));
    let is_mounted = model.spec.http_on.is_some();
    match (model.grpc.first(), grpc) {
        (_, Some(grpc)) if http.is_some() && !(is_mounted && model.spec.grpc.is_none()) => {
            errors.at(grpc, "one address serves both: remove `grpc`, and its services are served at that of `http`");
        }
        (None, Some(grpc)) => {
            let message = "no gRPC is served here: add `fn grpc(self: Arc<Self>, services: Routes) -> Routes`";
            errors.at(grpc, message);
        }
        (Some(method), None) if is_mounted => {
            let message = "gRPC is not mounted on another service: \
                           add `grpc` to the arguments to serve only this group";
            errors.at(&method.sig.ident, message);
        }
        (Some(method), None) if http.is_none() => {
            let message = "`grpc` needs an address: `#[service(grpc = \"127.0.0.1:50051\")]`, \
                           or `#[service(grpc)]` to serve only this group";
            errors.at(&method.sig.ident, message);
        }
        _ => {}
    }
}

fn say_that_start_is_missing(block: &Block, errors: &mut Errors) {
    let misspelt = block.methods().find(|method| {
        let name = method.sig.ident.to_string();
        let is_method = method.sig.receiver().is_some();
        is_method && name != "stop" && (ALSO_START.contains(&name.as_str()) || nearest(&name, ["start"]).is_some())
    });
    if let Some(method) = misspelt {
        return errors.at(&method.sig.ident, "did you mean `start`?");
    }
    let mut message =
        "this service does nothing: give it `async fn start(&self)`, or routes and `http = \"…\"`".to_owned();
    if block.items.iter().any(|item| matches!(item, Item::Macro(_))) {
        message.push_str(
            "; a method that a macro in this block generates is not visible here: write it out, \
             or implement `group::Service` by hand",
        );
    }
    if block.methods().next().is_some() {
        message.push_str("\nhelp: the methods of a service belong in one `#[service]` block");
    }
    let (impl_token, self_ty) = (&block.impl_token, &block.self_ty);
    errors.at(quote!(#impl_token #self_ty), message);
}
