//! The model of a `#[service]` block: its arguments, methods, routes and tickers. Here they are read; `checks.rs`
//! says what is wrong with them.

use std::time::Duration;

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::{Attribute, Expr, LitStr, Meta, MetaList, Type};

use super::attrs::{cfgs, is_layer, is_route, route_verb};
use super::path::Path;
use super::ticker::{self, Ticker};
use crate::args::{Arg, RUNTIMES, SERVE};
use crate::block::{Block, Item, Method};
use crate::errors::Errors;

/// The arguments of `#[service(…)]`.
pub(super) const ARGUMENTS: &[&str] = &[
    "name",
    "after",
    "provides",
    "http",
    "prefix",
    "grpc",
    "serve",
    "runtime",
    "worker_threads",
    "cpus",
    "role",
    "restart",
    "critical",
    "start_timeout",
    "stop_timeout",
    "blocking_drop",
    "register",
    "crate",
];

/// The arguments of `restart(…)`; the first three stand alone.
const RESTART_ARGUMENTS: &[&str] = &["never", "on_failure", "always", "max", "within", "backoff"];

const RESTARTS: &[&str] = &["never", "on-failure", "always"];

const ROLES: &[&str] = &["task", "daemon", "once", "main", "lead", "sidecar"];

/// The methods that a service may have which has no routes but those that are mounted on it.
const PLAIN: &[&str] = &["new", "stop", "health", "reload"];

const PROVIDES: &str = "expected a list of types, as in `provides(dyn Store)`";

const ROUTE_EXAMPLE: &str = "expected a path, as in `#[get(\"/users/{id}\")]`";

/// A `#[service]` block.
pub(super) struct Model<'a> {
    pub(super) block: &'a Block,
    args: &'a [Arg],
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
    /// The layers around all routes, the outermost first.
    pub(super) layers: Vec<Expr>,
    pub(super) tickers: Vec<Ticker<'a>>,
    /// False if an argument, an attribute or the name of a method was not understood: it may be what seems to be missing.
    pub(super) is_legible: bool,
}

/// The arguments that become the service's `Spec`.
#[derive(Default)]
pub(super) struct Spec {
    pub(super) name: Option<LitStr>,
    /// Each with a flag: is it optional?
    pub(super) after: Vec<(Type, bool)>,
    /// The types as which others can take it.
    pub(super) provides: Vec<Type>,
    pub(super) http: Option<LitStr>,
    /// The service on which it is mounted, instead of an address.
    pub(super) http_on: Option<Type>,
    pub(super) prefix: Option<LitStr>,
    pub(super) grpc: Option<LitStr>,
    /// Where its connections are served.
    pub(super) serve: Option<String>,
    /// The runtime that it runs on.
    pub(super) runtime: Option<String>,
    pub(super) worker_threads: Option<usize>,
    /// The processors to which its runtime is pinned.
    pub(super) cpus: Option<Vec<usize>>,
    pub(super) role: Option<String>,
    pub(super) restart: Option<Restart>,
    pub(super) critical: Option<bool>,
    pub(super) start_timeout: Option<Duration>,
    pub(super) stop_timeout: Option<Duration>,
    pub(super) blocking_drop: Option<bool>,
}

/// The policy of restarts.
pub(super) struct Restart {
    /// The name of the function: `Restart::on_failure`.
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
    /// The outermost first.
    pub(super) layers: Vec<Expr>,
}

impl<'a> Model<'a> {
    /// Reads everything that can be read, and reports the rest.
    pub(super) fn read(block: &'a Block, args: &'a [Arg], errors: &mut Errors) -> Self {
        let mut model = Self {
            block,
            args,
            spec: Spec::default(),
            register: true,
            new: named(block, "new"),
            start: named(block, "start"),
            stop: named(block, "stop"),
            health: named(block, "health"),
            reload: named(block, "reload"),
            router: named(block, "router"),
            grpc: named(block, "grpc").into_iter().filter(|method| !method.attrs.iter().any(is_route)).collect(),
            layers: read_layers(&block.attrs, errors),
            tickers: ticker::read(block, errors),
            routes: Vec::new(),
            is_legible: errors.is_empty(),
        };
        model.read_args(errors);
        model.routes = read_routes(block, errors);
        model
    }

    fn read_args(&mut self, errors: &mut Errors) {
        for arg in self.args {
            match arg.key.to_string().as_str() {
                "name" => self.spec.name = errors.keep(arg.string("morning")),
                "after" => self.spec.after = arg.types("after(Database, optional(Cache))", Some("optional"), errors),
                "provides" => self.spec.provides = arg.some(PROVIDES, errors),
                "http" => match arg.ty() {
                    Some(ty) => self.spec.http_on = Some(ty),
                    None => self.spec.http = errors.keep(arg.string("127.0.0.1:8080")),
                },
                "prefix" => self.spec.prefix = errors.keep(arg.string("/api")),
                "grpc" => self.spec.grpc = errors.keep(arg.string_or_alone("127.0.0.1:50051")).flatten(),
                "serve" => self.spec.serve = errors.keep(arg.word(SERVE)),
                "runtime" => self.spec.runtime = errors.keep(arg.word(RUNTIMES)),
                "worker_threads" => self.spec.worker_threads = errors.keep(arg.count()),
                "cpus" => self.spec.cpus = errors.keep(arg.cpus()),
                "role" => self.spec.role = errors.keep(arg.word(ROLES)),
                "restart" => self.spec.restart = read_restart(arg, errors),
                "critical" => self.spec.critical = errors.keep(arg.bool()),
                "start_timeout" => self.spec.start_timeout = errors.keep(arg.duration()),
                "stop_timeout" => self.spec.stop_timeout = errors.keep(arg.duration()),
                "blocking_drop" => self.spec.blocking_drop = errors.keep(arg.bool()),
                "register" => self.register = errors.keep(arg.bool()).unwrap_or(true),
                _ => {}
            }
        }
    }

    /// Returns true if it has a runtime of its own.
    pub(super) fn has_own_runtime(&self) -> bool {
        self.spec.runtime.as_deref() == Some("own")
    }

    /// The key of an argument, if it is given.
    pub(super) fn key(&self, key: &str) -> Option<&'a Ident> {
        self.args.iter().map(|arg| &arg.key).find(|given| *given == key)
    }

    /// The methods that take only `&self`; `reload` may take settings.
    pub(super) fn hooks(&self) -> impl Iterator<Item = &'a Method> {
        self.stop.iter().chain(&self.health).chain(&self.reload).copied()
    }

    /// The attribute of the first route, whose path may be wrong.
    pub(super) fn first_route(&self) -> Option<&'a Attribute> {
        self.block.methods().flat_map(|method| &method.attrs).find(|attr| is_route(attr))
    }

    pub(super) fn serves(&self) -> bool {
        self.first_route().is_some() || !self.router.is_empty()
    }

    /// Returns true if the block has only an address, on which other services are mounted.
    pub(super) fn serves_others(&self) -> bool {
        let is_plain = |method: &Method| PLAIN.contains(&method.sig.ident.unraw().to_string().as_str());
        self.spec.http.is_some()
            && self.block.items.iter().all(|item| match item {
                Item::Method(method) => is_plain(method),
                Item::Macro(_) => false,
                Item::Other(..) | Item::Unknown(_) => true,
            })
    }

    pub(super) fn is_generic(&self) -> bool {
        !self.block.generics.params.is_empty()
    }
}

/// The methods of this name: every variant under `#[cfg]`, and one that always exists. rustc reports a second one
/// that always exists.
fn named<'a>(block: &'a Block, name: &str) -> Vec<&'a Method> {
    let mut always = false;
    let counts = |method: &&Method| cfgs(&method.attrs).next().is_some() || !std::mem::replace(&mut always, true);
    block.methods().filter(|method| method.sig.ident.unraw() == name).filter(counts).collect()
}

fn read_routes<'a>(block: &'a Block, errors: &mut Errors) -> Vec<Route<'a>> {
    let mut routes = Vec::new();
    for method in block.methods() {
        let layers = read_layers(&method.attrs, errors);
        for attr in &method.attrs {
            let Some(verb) = route_verb(attr) else { continue };
            let Some(path) = errors.keep(read_path(attr)) else { continue };
            routes.push(Route { verb: verb.clone(), path, method, layers: layers.clone() });
        }
    }
    routes
}

fn read_path(attr: &Attribute) -> syn::Result<Path> {
    match &attr.meta {
        Meta::List(list) => {
            list.parse_args().map_err(|_| syn::Error::new_spanned(attr, ROUTE_EXAMPLE)).and_then(Path::read)
        }
        _ => Err(syn::Error::new_spanned(attr, ROUTE_EXAMPLE)),
    }
}

/// The layers of a method. Those that cannot be read are reported elsewhere.
pub(super) fn layers_of(method: &Method) -> Vec<Expr> {
    read_layers(&method.attrs, &mut Errors::default())
}

fn read_layers(attrs: &[Attribute], errors: &mut Errors) -> Vec<Expr> {
    let read = |attr: &Attribute| {
        let layer = attr.meta.require_list().and_then(MetaList::parse_args);
        layer.map_err(|_| syn::Error::new_spanned(attr, "expected one layer, as in `#[layer(from_fn(log))]`"))
    };
    attrs.iter().filter(|attr| is_layer(attr)).filter_map(|attr| errors.keep(read(attr))).collect()
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
