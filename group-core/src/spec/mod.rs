//! The declaration of a service: everything that the group must know before it builds it.

#[cfg(feature = "cron")]
pub(crate) mod cron;
pub(crate) mod edge;
pub(crate) mod name;
pub(crate) mod needs;
pub(crate) mod own_runtime;
pub(crate) mod place;
pub(crate) mod restart;
pub(crate) mod route;
pub(crate) mod serve;
pub(crate) mod view;

#[cfg(all(feature = "cli", feature = "grpc"))]
use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::base::syntax;
use crate::base::syntax::Address;
use crate::base::text::Limit;
#[cfg(feature = "config")]
use crate::config::read::Check;
#[cfg(feature = "config")]
use crate::config::settings::Settings;
use crate::lifecycle::interface::{Role, Rules};
#[cfg(feature = "cron")]
use crate::spec::cron::Cron;
use crate::spec::edge::{After, Target};
use crate::spec::name::Name;
use crate::spec::needs::{Needed, Needs};
use crate::spec::own_runtime::OwnRuntime;
#[cfg(feature = "cron")]
use crate::spec::place::Place;
use crate::spec::restart::Restart;
use crate::spec::route::Route;
use crate::spec::serve::Serving;
use crate::spec::view::View;

/// The default time for a service to be built and ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The default time for a service to stop.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The default time for a group to stop: from the request until everything must be over. Kubernetes kills a process 30 s after
/// its request; the difference is left for the exit of the process.
pub(crate) const GROUP_STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// An address with a free port, which other machines cannot reach.
const FREE_PORT: &str = "127.0.0.1:0";

/// The declaration of a service: its name, the services that it starts after, its limits.
///
/// Each method is named like the argument of `#[service(…)]` that does the same. It takes the spec by value and returns
/// it, because [`Service::spec`](crate::Service::spec) builds one in a single expression.
///
/// ```
/// use group::{BoxError, Context, Service, Spec};
/// use std::{sync::Arc, time::Duration};
///
/// struct Mailer;
///
/// impl Service for Mailer {
///     fn spec() -> Spec {
///         Spec::of::<Self>().stop_timeout(Duration::from_secs(5)).after_named("database")
///     }
///
///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
///         cx.shutdown().requested().await;
///         Ok(())
///     }
/// }
///
/// assert_eq!(Mailer::spec().get_name(), "mailer");
/// ```
///
/// Its `Display` is one line with everything, also the defaults:
///
/// ```
/// use group::{Role, Spec};
///
/// let spec = Spec::new("migration").role(Role::Once).after_named("database");
/// assert_eq!(
///     spec.to_string(),
///     "migration: once, after `database`, restart never, start_timeout 1m, stop_timeout 10 s"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) name: Name,
    pub(crate) rules: Rules,
    pub(crate) blocking: Blocking,
    /// Boxed, because many services have none, and each would have to reserve space for them.
    details: Option<Box<Details>>,
}

/// The parts of a service's end that may block their thread, and are given one where they may.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Blocking {
    pub(crate) stop: bool,
    pub(crate) drop: bool,
}

/// The parts of a declaration that many services do not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) about: Option<Cow<'static, str>>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) edges: Vec<After>,
    /// The types as which others can take it, beside its own.
    pub(crate) views: Vec<View>,
    /// The needs of the parameters of `start`, and of those of `new`.
    pub(crate) start_needs: Needs,
    pub(crate) build_needs: Needs,
    /// The types that `reload` takes of the new settings.
    #[cfg(feature = "config")]
    pub(crate) reload_checks: Vec<Check>,
    pub(crate) http: Option<Cow<'static, str>>,
    /// The service on which it is mounted, instead of an address of its own.
    pub(crate) http_on: Option<Target>,
    pub(crate) prefix: Option<Cow<'static, str>>,
    /// True if it has no routes of its own: it serves only those that are mounted on it.
    pub(crate) serves_others: bool,
    pub(crate) grpc: Option<Cow<'static, str>>,
    pub(crate) serves_grpc: bool,
    /// The URL of the service, if it runs elsewhere.
    pub(crate) remote: Option<Cow<'static, str>>,
    pub(crate) routes: Vec<Route>,
    /// The cron expressions of its tickers, each with the place of its declaration.
    #[cfg(feature = "cron")]
    pub(crate) crons: Vec<(Cron, Place)>,
    pub(crate) restart: Restart,
    /// True if it is a group.
    pub(crate) is_group: bool,
    /// `None` as the group says.
    pub(crate) serve: Option<Serving>,
    /// `None` for the runtime of the group.
    pub(crate) runtime: Option<OwnRuntime>,
    #[cfg(feature = "config")]
    pub(crate) settings: Arc<Settings>,
}

/// The details of a service that has none: the defaults.
static NO_DETAILS: LazyLock<Details> = LazyLock::new(Details::default);

impl Spec {
    /// A service of this name.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self::named(name.into().into())
    }

    pub(crate) fn named(name: Name) -> Self {
        Self { name, rules: Rules { role: Role::Task, critical: true }, blocking: Blocking::default(), details: None }
    }

    /// Returns true if it has more than a name, a role, and whether it is critical.
    pub(crate) fn has_details(&self) -> bool {
        self.details.is_some()
    }

    pub(crate) fn details(&self) -> &Details {
        self.details.as_deref().unwrap_or_else(|| &NO_DETAILS)
    }

    pub(crate) fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// A service that is named like its type, in kebab-case: `order-queue` for `OrderQueue`.
    #[must_use]
    pub fn of<S>() -> Self {
        Self::named(Name::of_type(std::any::type_name::<S>()))
    }

    /// Sets the name: lower-case letters, digits, `-` and `_`, unique in the group.
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into().into();
        self
    }

    /// Describes it, as Markdown: the doc comments of a `#[service]` block. The help of the command line shows the first
    /// line.
    #[must_use]
    pub fn about(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.details_mut().about = Some(text.into());
        self
    }

    /// Declares that the service can be taken as an `Arc<T>`, too: as a trait object. Services that take one start after
    /// it, as those that take an `Arc` of the service itself. In a group, one service provides a type.
    ///
    /// ```
    /// use group::{BoxError, Context, Group, Service, Shutdown, Spec};
    /// use std::sync::Arc;
    ///
    /// trait Store: Send + Sync {
    ///     fn name(&self) -> String;
    /// }
    ///
    /// struct Postgres;
    ///
    /// impl Store for Postgres {
    ///     fn name(&self) -> String {
    ///         "in Postgres".to_owned()
    ///     }
    /// }
    ///
    /// impl Service for Postgres {
    ///     fn spec() -> Spec {
    ///         Spec::of::<Self>().provides::<Self, dyn Store>(|store| store)
    ///     }
    ///
    ///     async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
    ///         cx.shutdown().requested().await;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("users", |store: Arc<dyn Store>, shutdown: Shutdown| async move {
    ///         println!("users are stored {}", store.name());
    ///         shutdown.requested().await;
    ///     })
    ///     .add(Postgres);
    /// let report = group.start().await.unwrap().stop().await;
    /// assert_eq!(report.services()[0].name(), "postgres");
    /// # }
    /// ```
    #[must_use]
    pub fn provides<S, T>(mut self, cast: fn(Arc<S>) -> Arc<T>) -> Self
    where
        S: Send + Sync + 'static,
        T: ?Sized + Send + Sync + 'static,
    {
        self.details_mut().views.push(View::new(cast));
        self
    }

    /// Starts after the service of this name, which the group must have.
    #[must_use]
    pub fn after_named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.edge(Target::Name(name.into().into()), false)
    }

    /// Starts after the service of this name if the group has one.
    #[must_use]
    pub fn after_optional_named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.edge(Target::Name(name.into().into()), true)
    }

    /// Puts `path` before its name, and before those that it names: all of them are inside of another service.
    pub(crate) fn put_inside(&mut self, path: &str) {
        let inside = |name: &mut Name| *name = format!("{path}{name}").into();
        inside(&mut self.name);
        let Some(details) = &mut self.details else { return };
        for target in details.edges.iter_mut().map(|after| &mut after.target).chain(&mut details.http_on) {
            if let Target::Name(name) = target {
                inside(name);
            }
        }
    }

    pub(crate) fn edge(mut self, target: Target, optional: bool) -> Self {
        self.details_mut().edges.push(After { target, optional });
        self
    }

    pub(crate) fn build_needs(self, say: fn(&mut Needs)) -> Self {
        self.needs(say, |details| &mut details.build_needs)
    }

    pub(crate) fn start_needs(self, say: fn(&mut Needs)) -> Self {
        self.needs(say, |details| &mut details.start_needs)
    }

    fn needs(mut self, say: fn(&mut Needs), of: impl FnOnce(&mut Details) -> &mut Needs) -> Self {
        let mut needs = Needs::default();
        say(&mut needs);
        if !needs.is_empty() {
            of(self.details_mut()).append(needs);
        }
        self
    }

    /// Serves HTTP on this address: `host:port` or `unix:/path`, or, with the feature `listenfd`, a listener that the
    /// process inherits, `fd:name` or `fd:0`. Port 0 takes a free port. An HTTP service has [`Role::Daemon`], unless it is a
    /// [`Role::Sidecar`]: if its `start` returns before the stop, it has failed.
    #[must_use]
    pub fn http(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        let details = self.details_mut();
        (details.http, details.http_on) = (Some(address.into()), None);
        self.set_server();
        self
    }

    /// Serves HTTP on the address of the service of this name. See [`http_on`](Self::http_on).
    #[must_use]
    pub fn http_on_named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.mounted_on(Target::Name(name.into().into()))
    }

    /// A server runs until it is stopped.
    fn set_server(&mut self) {
        if self.rules.role != Role::Sidecar {
            self.rules.role = Role::Daemon;
        }
    }

    pub(crate) fn mounted_on(mut self, target: Target) -> Self {
        let details = self.details_mut();
        (details.http, details.http_on) = (None, Some(target));
        self.set_server();
        self
    }

    /// Serves gRPC on this address, as [`http`](Self::http) does HTTP. A service that serves both has only the address
    /// of `http`, and [`serves_grpc`](Self::serves_grpc).
    #[must_use]
    pub fn grpc(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        self.details_mut().grpc = Some(address.into());
        self.serves_grpc()
    }

    /// Serves gRPC without an address of its own: together with its routes if it has an [HTTP address](Self::http),
    /// otherwise only for this group, through `group::grpc::Channel`.
    #[must_use]
    pub fn serves_grpc(mut self) -> Self {
        self.details_mut().serves_grpc = true;
        self.set_server();
        self
    }

    /// Sets the path, such as `/api`, under which its routes are mounted on another service: see
    /// [`http_on`](Self::http_on). None by default. Handlers see the path without the prefix, as under axum's
    /// [`Router::nest`](https://docs.rs/axum/0.8/axum/struct.Router.html#method.nest).
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.details_mut().prefix = Some(prefix.into());
        self
    }

    /// Sets where its connections are served. By default as [`Group::serve`](crate::Group::serve) says, which is
    /// [`Serving::Shared`] by default.
    ///
    /// With [`Serving::PerCore`], each processor has a listener and a thread of its own, and a connection stays on its
    /// thread with its requests. That is for machines with many processors. It takes more time for a handler that waits for
    /// what other services do on the group's runtime, since each wake goes from one thread to another: measure it. A
    /// service that is mounted on another one is served where that is, and what is not a server runs on the group's
    /// runtime in any case.
    ///
    /// ```
    /// use group::{Serving, Spec};
    ///
    /// let spec = Spec::new("gateway").http("127.0.0.1:8080").serve(Serving::PerCore);
    /// assert_eq!(spec.get_serve(), Some(Serving::PerCore));
    /// ```
    #[must_use]
    pub fn serve(mut self, serve: Serving) -> Self {
        self.details_mut().serve = Some(serve);
        self
    }

    /// Declares that the service runs elsewhere, and serves gRPC at this URL: `http://host:port`, or `unix:/path`. The
    /// group does not run it, and every `group::grpc::Channel` to it connects to the URL.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn remote(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.details_mut().remote = Some(url.into());
        self
    }

    /// Replaces its address by a free port of this machine, if it has one.
    pub(crate) fn take_free_port(&mut self) {
        // An invalid address stays, to be reported.
        let Some(details) = &mut self.details else { return };
        let addresses = details.http.iter_mut().chain(&mut details.grpc);
        for address in addresses.filter(|address| is_address(address)) {
            *address = FREE_PORT.into();
        }
    }

    /// The scheme that stands before its address in the log.
    pub(crate) fn scheme(&self) -> &'static str {
        let Details { http, grpc, .. } = self.details();
        match (http, grpc) {
            (Some(_), _) => "http://",
            (None, Some(_)) => "grpc://",
            (None, None) => "",
        }
    }

    /// Adds a route to the list of those that it serves. This does not serve it: see [`Route`].
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.details_mut().routes.push(route);
        self
    }

    /// Declares a cron expression, so that a mistake in it is an invalid setup of the group, and is reported before
    /// anything is built. This runs nothing: [`Context::cron`](crate::Context::cron) does.
    #[cfg(feature = "cron")]
    #[must_use]
    #[track_caller]
    pub fn cron(mut self, cron: impl Into<Cron>) -> Self {
        self.details_mut().crons.push((cron.into(), Place::here()));
        self
    }

    /// Sets the meaning of the end of its `start`. [`Role::Task`] by default.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.rules.role = role;
        self
    }

    /// Sets whether the group stops when the service fails: `true` by default. The failure of a service that is not
    /// critical only degrades the group, and never makes its end unclean. But any service that does not stop in time,
    /// and is aborted, makes the end unclean.
    #[must_use]
    pub fn critical(mut self, critical: bool) -> Self {
        self.rules.critical = critical;
        self
    }

    /// Sets the restart policy. [`Restart::never`] by default.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.details_mut().restart = restart;
        self
    }

    /// Gives it a tokio runtime of its own, whose threads are named after it: with [`None`], it runs on that of the group,
    /// which is the default. All of the service runs there: `new`, `start`, its server, its tasks, its blocking tasks,
    /// `stop`. If it blocks all threads of its runtime, the other services run on. Only what others call of it directly
    /// runs where they are: routes that are mounted on another service, and gRPC calls that do not go over a network.
    ///
    /// The runtime begins with the service, and ends when that is gone. Then it does not wait for a task that was spawned
    /// past the [`Context`](crate::Context), with `tokio::spawn`: such a task is dropped at its next await. A wake from
    /// one runtime to another takes longer than one within it, so this is for services that block their threads or need
    /// them for long. Paused time (`#[group::test(paused)]`) does not stand still there.
    ///
    /// ```
    /// use group::{OwnRuntime, Spec};
    ///
    /// let spec = Spec::new("resizer").runtime(OwnRuntime::new().worker_threads(2));
    /// assert_eq!(spec.get_runtime(), Some(&OwnRuntime::new().worker_threads(2)));
    /// ```
    #[must_use]
    pub fn runtime(mut self, runtime: impl Into<Option<OwnRuntime>>) -> Self {
        self.details_mut().runtime = runtime.into();
        self
    }

    /// Says that its `stop` blocks its thread, so that it is run on a thread where it may, as by
    /// [`spawn_blocking`](https://docs.rs/tokio/1/tokio/task/fn.spawn_blocking.html). It cannot be aborted there: past its
    /// limit, the group ends without it. `#[service]` says so of each `fn stop` without `async`.
    #[must_use]
    pub fn blocking_stop(mut self, blocks: bool) -> Self {
        self.blocking.stop = blocks;
        self
    }

    /// Says that it blocks its thread when it is dropped, as pools and clients without async do, some of which panic on a
    /// thread that runs tasks. It is dropped on a thread where it may block, within its
    /// [`stop_timeout`](Self::stop_timeout).
    ///
    /// ```
    /// use group::Spec;
    ///
    /// let spec = Spec::new("pool").blocking_drop(true);
    /// assert!(spec.has_blocking_drop());
    /// ```
    #[must_use]
    pub fn blocking_drop(mut self, blocks: bool) -> Self {
        self.blocking.drop = blocks;
        self
    }

    /// Sets the time within which it must be built and ready. 60 s by default. After that it has failed, and is not
    /// restarted; if it is not critical, the group goes on and drops its `start`.
    #[must_use]
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.details_mut().start_timeout = Some(limit);
        self
    }

    /// Sets the time within which it must stop. 10 s by default. The group's own `stop_timeout` also limits it;
    /// with [`Duration::MAX`], it alone does. With [`Duration::ZERO`] the group waits for nothing: `start` is dropped
    /// at its next await and `stop` does not run, and neither is a failure.
    #[must_use]
    pub fn stop_timeout(mut self, limit: Duration) -> Self {
        self.details_mut().stop_timeout = Some(limit);
        self
    }

    /// The time within which it must be built and ready: what was set, or the default.
    pub(crate) fn start_limit(&self) -> Duration {
        // Each service in a group has a limit of its own.
        let default = if self.details().is_group { Duration::MAX } else { START_TIMEOUT };
        self.details().start_timeout.unwrap_or(default)
    }

    /// The time within which it must stop: what was set, or the default.
    pub(crate) fn stop_limit(&self) -> Duration {
        let default = if self.details().is_group { GROUP_STOP_TIMEOUT } else { STOP_TIMEOUT };
        self.details().stop_timeout.unwrap_or(default)
    }

    /// Returns true if it calls this service over gRPC.
    #[cfg(all(feature = "cli", feature = "grpc"))]
    pub(crate) fn calls(&self, service: TypeId) -> bool {
        let Details { build_needs, start_needs, .. } = self.details();
        build_needs.all_called().iter().chain(start_needs.all_called()).any(|called| called.type_id == service)
    }

    /// Returns true if it is only dropped when its turn to stop comes.
    pub(crate) fn is_dropped_at_once(&self) -> bool {
        self.details().stop_timeout == Some(Duration::ZERO)
    }

    /// Removes the needs of `new`: a service that was added as a value is not built.
    pub(crate) fn without_build_needs(mut self) -> Self {
        if let Some(details) = &mut self.details {
            details.build_needs = Needs::default();
        }
        self
    }
}

/// The getters.
///
/// ```
/// use group::{Restart, Role, Spec};
/// use std::time::Duration;
///
/// let spec = Spec::new("mailer")
///     .role(Role::Daemon)
///     .after_named("database")
///     .after_optional_named("cache")
///     .restart(Restart::on_failure())
///     .stop_timeout(Duration::from_secs(3));
///
/// assert_eq!((spec.get_name(), spec.get_role()), ("mailer", Role::Daemon));
/// let after: Vec<_> = spec.get_after().collect();
/// assert_eq!(after, [("database".into(), false), ("cache".into(), true)]);
/// assert_eq!(spec.get_restart(), Restart::on_failure());
/// assert_eq!(spec.get_stop_timeout(), Some(Duration::from_secs(3)));
/// assert_eq!(spec.get_start_timeout(), None); // nothing was set, so it is the default
/// assert!(spec.is_critical());
/// ```
impl Spec {
    /// Tries each type of settings that `new`, `start` and `reload` take.
    #[cfg(feature = "config")]
    pub(crate) fn config_checks(&self) -> Vec<Check> {
        let Details { build_needs, start_needs, reload_checks, .. } = self.details();
        build_needs.configs().iter().chain(start_needs.configs()).chain(reload_checks).copied().collect()
    }

    /// The name.
    #[must_use]
    pub fn get_name(&self) -> &str {
        self.name.as_str()
    }

    /// The [description](Self::about).
    ///
    /// ```
    /// use group::Spec;
    ///
    /// assert_eq!(Spec::new("mailer").about("Sends mails.").get_about(), Some("Sends mails."));
    /// ```
    #[must_use]
    pub fn get_about(&self) -> Option<&str> {
        self.details().about.as_deref()
    }

    /// The [`role`](Self::role). [`http`](Self::http), [`grpc`](Self::grpc) and the like set [`Role::Daemon`],
    /// unless it is a [`Role::Sidecar`].
    #[must_use]
    pub fn get_role(&self) -> Role {
        self.rules.role
    }

    /// The [address](Self::http) on which it serves HTTP.
    ///
    /// ```
    /// use group::Spec;
    ///
    /// let spec = Spec::new("gateway").http("127.0.0.1:8080");
    /// assert_eq!(spec.get_http(), Some("127.0.0.1:8080"));
    /// ```
    #[must_use]
    pub fn get_http(&self) -> Option<&str> {
        self.details().http.as_deref()
    }

    /// Returns true if it serves on an address of its own.
    #[cfg(feature = "config")]
    pub(crate) fn has_address(&self) -> bool {
        self.details().http.is_some() || self.details().grpc.is_some()
    }

    /// Where its connections are [served](Self::serve), if it says so itself.
    #[must_use]
    pub fn get_serve(&self) -> Option<Serving> {
        self.details().serve
    }

    /// The name of the service on which it is [mounted](Self::http_on). For a service that was given by its type, it
    /// is the name that the type gives, even if the service has another.
    ///
    /// ```
    /// use group::Spec;
    ///
    /// let spec = Spec::new("users").http_on_named("gateway").prefix("/api");
    /// assert_eq!((spec.get_http_on().as_deref(), spec.get_prefix()), (Some("gateway"), Some("/api")));
    /// ```
    #[must_use]
    pub fn get_http_on(&self) -> Option<Cow<'_, str>> {
        self.details().http_on.as_ref().map(Target::as_text)
    }

    /// The [path](Self::prefix) under which it is mounted.
    #[must_use]
    pub fn get_prefix(&self) -> Option<&str> {
        self.details().prefix.as_deref()
    }

    /// The [address](Self::grpc) on which it serves gRPC. Also `None` if it
    /// [`serves_grpc`](Self::serves_grpc) without an address of its own.
    ///
    /// ```
    /// use group::Spec;
    ///
    /// let spec = Spec::new("inventory").grpc("127.0.0.1:50051");
    /// assert_eq!(spec.get_grpc(), Some("127.0.0.1:50051"));
    /// ```
    #[must_use]
    pub fn get_grpc(&self) -> Option<&str> {
        self.details().grpc.as_deref()
    }

    /// The URL of a service that runs [elsewhere](Self::remote).
    ///
    /// ```
    /// use group::Spec;
    ///
    /// let spec = Spec::new("inventory").serves_grpc().remote("http://10.0.0.7:50051");
    /// assert_eq!(spec.get_remote(), Some("http://10.0.0.7:50051"));
    /// ```
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn get_remote(&self) -> Option<&str> {
        self.details().remote.as_deref()
    }

    /// The [routes](Self::route) that it declares.
    ///
    /// ```
    /// use group::{Route, Spec};
    ///
    /// let spec = Spec::new("users").http("127.0.0.1:8080").route(Route::new("GET", "/users"));
    /// assert_eq!(spec.get_routes()[0].path(), "/users");
    /// ```
    #[must_use]
    pub fn get_routes(&self) -> &[Route] {
        &self.details().routes
    }

    /// The services that it starts [`after`](Self::after): the name of each, and `true` if it is
    /// [optional](Self::after_optional). For a service that was given by its type, it is the name that the type
    /// gives, even if the service has another. The parameters of `new` and `start` are not in this list.
    pub fn get_after(&self) -> impl Iterator<Item = (Cow<'_, str>, bool)> {
        self.details().edges.iter().map(|After { target, optional }| (target.as_text(), *optional))
    }

    /// The [restart policy](Self::restart).
    #[must_use]
    pub fn get_restart(&self) -> Restart {
        self.details().restart
    }

    /// Its [own runtime](Self::runtime), if it has one.
    #[must_use]
    pub fn get_runtime(&self) -> Option<&OwnRuntime> {
        self.details().runtime.as_ref()
    }

    /// Returns true if its `stop` [blocks](Self::blocking_stop).
    #[must_use]
    pub fn has_blocking_stop(&self) -> bool {
        self.blocking.stop
    }

    /// Returns true if its drop [blocks](Self::blocking_drop).
    #[must_use]
    pub fn has_blocking_drop(&self) -> bool {
        self.blocking.drop
    }

    /// The [`start_timeout`](Self::start_timeout); `None` if none was set.
    #[must_use]
    pub fn get_start_timeout(&self) -> Option<Duration> {
        self.details().start_timeout
    }

    /// The [`stop_timeout`](Self::stop_timeout); `None` if none was set.
    #[must_use]
    pub fn get_stop_timeout(&self) -> Option<Duration> {
        self.details().stop_timeout
    }

    /// Returns true if the group stops when it fails: see [`critical`](Self::critical).
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.rules.critical
    }

    /// The [cron expressions](Self::cron) that it declares.
    ///
    /// ```
    /// use group::{Cron, Spec};
    ///
    /// let spec = Spec::new("janitor").cron("0 3 * * *").cron("@hourly");
    /// assert!(spec.get_crons().eq(&[Cron::new("0 3 * * *"), Cron::new("@hourly")]));
    /// ```
    #[cfg(feature = "cron")]
    pub fn get_crons(&self) -> impl Iterator<Item = &Cron> {
        self.details().crons.iter().map(|(cron, _)| cron)
    }
}

/// One line with everything, also the defaults.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.details();
        write!(f, "{}: {}", self.name, self.rules.role)?;
        if let Some(address) = &details.http {
            write!(f, ", http {address}")?;
        }
        if let Some(on) = &details.http_on {
            write!(f, ", http on {on}")?;
        }
        if let Some(prefix) = &details.prefix {
            write!(f, ", prefix {prefix}")?;
        }
        match &details.grpc {
            Some(address) => write!(f, ", grpc {address}")?,
            None if details.serves_grpc => f.write_str(", grpc")?,
            None => {}
        }
        if let Some(url) = &details.remote {
            write!(f, ", remote {url}")?;
        }
        for After { target, optional } in &details.edges {
            write!(f, ", after {target}{}", if *optional { " (optional)" } else { "" })?;
        }
        for Needed { type_name, .. } in details.build_needs.values().iter().chain(details.start_needs.values()) {
            write!(f, ", needs `{type_name}`")?;
        }
        #[cfg(feature = "grpc")]
        for called in details.build_needs.all_called().iter().chain(details.start_needs.all_called()) {
            write!(f, ", calls `{}`", called.type_name)?;
        }
        if !self.rules.critical {
            f.write_str(", not critical")?;
        }
        let (start, stop) = (Limit(self.start_limit()), Limit(self.stop_limit()));
        write!(f, ", restart {}, start_timeout {start}, stop_timeout {stop}", details.restart)
    }
}

/// Returns true for an address on which this build can listen: `fd:name` needs the feature `listenfd`.
pub(crate) fn is_address(text: &str) -> bool {
    match syntax::address(text) {
        Ok(Address::HandedOver) => cfg!(feature = "listenfd"),
        Ok(Address::HostPort | Address::Unix) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn a_listener_that_is_handed_over_needs_the_feature() {
        assert_eq!(is_address("fd:web"), cfg!(feature = "listenfd"));
        assert!(is_address("localhost:0") && is_address("unix:/run/app.sock") && !is_address("fd:"));
    }
}
