//! The builder of a group: it takes services, and runs or starts them.

#[cfg(feature = "admin")]
mod admin;
mod assemble;
mod check;
#[cfg(feature = "cli")]
pub(crate) mod choice;
#[cfg(feature = "config")]
mod configuration;
pub(crate) mod declaration;
pub(crate) mod environment;
mod launch;
#[cfg(feature = "metrics")]
mod metrics;
mod nest;
pub(crate) mod options;
pub(crate) mod order;
pub(crate) mod planned;
pub(crate) mod registry;
#[cfg(feature = "http")]
mod route_clash;
mod settings;
mod strays;

use std::any::TypeId;
#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::fmt;
#[cfg(feature = "serde")]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[cfg(feature = "config")]
use serde::de::DeserializeOwned;

use crate::base::error::Failure;
use crate::base::text::did_you_mean;
#[cfg(feature = "config")]
use crate::config::wrong::SettingsError;
use crate::engine::driver::Mailbox;
use crate::engine::watch::Watch;
#[cfg(feature = "config")]
use crate::group::declaration::File;
use crate::group::declaration::{Declaration, Declared};
use crate::group::environment::Environment;
#[cfg(feature = "grpc")]
use crate::grpc::serve::Serve;
use crate::lifecycle::interface::Stage;
use crate::lifecycle::plan::Schedule;
use crate::record::report::{Outcome, Report, StartError};
#[cfg(feature = "serde")]
use crate::record::report_file::ReportFile;
use crate::record::service_report::Ending;
use crate::running::handle::{Running, Unseen};
use crate::running::shared::Provided;
use crate::running::threads::is_in_service;
use crate::service::function::{Function, Repeatable, ServiceFn};
use crate::service::{Factory, Service, built, made};
use crate::spec::Spec;
#[cfg(feature = "grpc")]
use crate::spec::needs::Called;
use crate::spec::place::Place;
use crate::spec::serve::Serving;
use crate::systemd::manager::Invitation;

/// The mistake of a body of `main` that runs or starts the group itself.
const RUN_BY_MAIN: &str =
    "`#[group::main]` runs this group after the body of `main`, which must neither `run` nor `start` it";

/// The mistake of a second `run` or `start`.
const RUN_ONCE: &str = "this group was run or started already, and nothing was added to it since";

/// The mistake of a `run` in the code of a service.
const RUN_INSIDE: &str = "a service of a running group must not `run` another one, because the signals are for the first: `add_group` makes a group a service, and `start` runs one beside it";

/// The mistake of a question that nobody answers.
#[cfg(feature = "cli")]
const ONLY_RUN_ANSWERS: &str =
    "the command line asks about the group, and does not want it started: `run` answers that";

/// A set of services that start, run and stop together.
///
/// It is built like a [`std::process::Command`]: each method takes `&mut self` and returns it, because the body of
/// `#[group::main]` gets a `&mut Group` to add to. [`run`](Self::run) and [`start`](Self::start) take everything
/// that was added, and leave an empty group. To run or start that is an error, until something is added to it again.
///
/// ```
/// use group::{Group, Shutdown};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let running = Group::new()
///     .add_fn("database", |shutdown: Shutdown| async move { shutdown.requested().await })
///     .add_fn("api", |shutdown: Shutdown| async move { shutdown.requested().await })
///     .stop_timeout(Duration::from_secs(20))
///     .start()
///     .await
///     .expect("both start");
///
/// // `api` was started after `database`, and is stopped before it.
/// let report = running.stop().await;
/// assert!(report.is_clean());
/// # }
/// ```
#[derive(Default)]
#[must_use = "a group does nothing until it is run or started"]
pub struct Group {
    pub(crate) declared: Declaration,
    /// True if `#[group::main]` runs it after the body of `main`.
    pub(crate) is_mains: bool,
    /// True once it was run or started.
    was_run: bool,
    /// The variables that begin with `GROUP_`, if the environment was read.
    pub(crate) environment: Option<Environment>,
    /// The answer to a question of the command line, which is given in place of a run.
    #[cfg(feature = "cli")]
    pub(crate) instead: Option<Answer>,
    /// The service manager that wants to be told of this group, if there is one.
    pub(crate) invitation: Option<Invitation>,
    /// The groups that a test has started, if `#[group::test]` made this one; then the environment is not read.
    pub(crate) unseen: Option<Unseen>,
}

/// Prints something about a group that is not started.
#[cfg(feature = "cli")]
pub(crate) type Answer = Box<dyn FnOnce(&Group) -> Report + Send + Sync>;

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.declared.services.iter().map(|service| service.spec.get_name());
        f.debug_list().entries(names).finish()
    }
}

impl Group {
    /// Makes an empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the group of all services that `#[service]` registered, in every crate that this program links.
    /// Services that no dependency orders are sorted by crate name, file and line.
    ///
    /// A crate is linked only if the program names it, as in `use billing as _;`.
    pub fn registered() -> Self {
        Self { declared: Declaration { services: registry::all(), ..Declaration::default() }, ..Self::default() }
    }

    /// Adds a service. Services are started in the order in which they were added, unless their
    /// [`Spec`]s say otherwise.
    #[track_caller]
    pub fn add<S: Service>(&mut self, service: S) -> &mut Self {
        self.declare::<S>(S::spec().without_build_needs(), made(service))
    }

    /// Adds a service under another name than its own, for example a second service of the same type.
    #[track_caller]
    pub fn add_as<S: Service>(&mut self, name: impl Into<String>, service: S) -> &mut Self {
        self.declare::<S>(S::spec().without_build_needs().name(name.into()), made(service))
    }

    /// Adds a service that the group makes with [`Service::build`], when its turn in the start order comes.
    #[track_caller]
    pub fn add_type<S: Service>(&mut self) -> &mut Self {
        self.declare::<S>(S::spec(), built::<S>())
    }

    /// Puts this service in the place of the one of its type that is in the group already, because it was registered or
    /// added: for a test, a database in memory in place of one that `new` would connect to. Its name, its edges and its
    /// limits stay; what its `new` takes, it needs no more.
    ///
    /// ```standalone_crate
    /// use group::{Group, Shutdown, service};
    ///
    /// struct Database {
    ///     url: String,
    /// }
    ///
    /// #[service]
    /// impl Database {
    ///     async fn new() -> std::io::Result<Self> {
    ///         Err(std::io::Error::other("there is no server here"))
    ///     }
    ///
    ///     async fn start(&self, shutdown: Shutdown) {
    ///         shutdown.requested().await;
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::registered();
    /// group.replace(Database { url: "memory:".to_owned() });
    /// let running = group.start().await.unwrap();
    /// assert_eq!(running.get::<Database>().unwrap().url, "memory:");
    /// # running.stop().await;
    /// # }
    /// ```
    ///
    /// If the group has no service of this type, its start reports that as a mistake.
    pub fn replace<S: Service>(&mut self, service: S) -> &mut Self {
        let type_id = TypeId::of::<S>();
        if let Some(declared) = self.declared.services.iter_mut().find(|declared| declared.type_id == type_id) {
            declared.spec = declared.spec.clone().without_build_needs();
            declared.factory = Some(made(service));
        } else {
            let name = std::any::type_name::<S>();
            self.declared.mistakes.push(format!("cannot replace `{name}`, which is not in this group").into());
        }
        self
    }

    /// Adds an async function as a service. The group passes its parameters, each by its type:
    /// [`Shutdown`](crate::Shutdown), [`Ready`](crate::Ready), `Arc<T>`, and every other
    /// [`FromContext`](crate::FromContext). A function that takes no `Shutdown` is dropped at its next await when
    /// the group stops.
    ///
    /// The function may consume what it has captured, so it runs once: with a [restart](Spec::restart) policy, the
    /// setup of the group is invalid. [`add_restartable_fn`](Self::add_restartable_fn) adds one that is restarted.
    #[track_caller]
    pub fn add_fn<F, Args>(&mut self, name: impl Into<String>, function: F) -> &mut Self
    where
        F: ServiceFn<Args>,
        Args: 'static,
    {
        let spec = F::needs(Spec::new(name.into()));
        let factory = made(Function::new(function));
        self.declare::<Function<F, Args>>(spec, factory);
        if let Some(added) = self.declared.services.last_mut() {
            added.runs_once = true;
        }
        self
    }

    /// Adds an async function as a service that can run again, as a [restart](Spec::restart) policy says: each run gets
    /// a clone of the function, as it was when it was added. A function can be cloned if everything that it captured
    /// can be.
    ///
    /// ```
    /// # use group::{Group, Restart};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let queue = std::sync::Arc::new(std::sync::Mutex::new(vec!["good", "bad"]));
    /// let report = Group::new()
    ///     .add_restartable_fn("worker", move || async move {
    ///         tokio::task::yield_now().await;
    ///         match queue.lock().unwrap().pop() {
    ///             Some("bad") => Err("a bad job"),
    ///             _ => Ok(()),
    ///         }
    ///     })
    ///     .configure("worker", |spec| spec.restart(Restart::on_failure()))
    ///     .run()
    ///     .await;
    /// assert!(report.is_clean());
    /// assert_eq!(report.service("worker").unwrap().restarts(), 1);
    /// # }
    /// ```
    #[track_caller]
    pub fn add_restartable_fn<F, Args>(&mut self, name: impl Into<String>, function: F) -> &mut Self
    where
        F: ServiceFn<Args> + Clone,
        Args: 'static,
    {
        let spec = F::needs(Spec::new(name.into()));
        self.declare::<Repeatable<F, Args>>(spec, made(Repeatable::new(function)))
    }

    #[track_caller]
    fn declare<S: Service>(&mut self, spec: Spec, factory: Factory) -> &mut Self {
        let (type_id, place) = (TypeId::of::<S>(), Place::here());
        let factory = Some(factory);
        let declared = Declared { spec, type_id, place, factory, only_called: false, runs_once: false, inner: None };
        self.declared.services.push(declared);
        self
    }

    /// Declares that `S` runs elsewhere, at this URL. Needs the feature `grpc`.
    ///
    /// `S` is then left out of the group, if it was added, and every [`Channel`](crate::grpc::Channel) to it goes
    /// over the network. The URL is `http://host:port` or `unix:/path`; a URL in the configuration overrides it.
    ///
    /// ```
    /// use group::grpc::{Channel, Routes, Serve};
    /// use group::{BoxError, Context, Group, Service, Shutdown};
    /// use std::sync::Arc;
    ///
    /// struct Inventory;
    ///
    /// impl Service for Inventory {
    ///     async fn start(self: Arc<Self>, _: Context) -> Result<(), BoxError> {
    ///         Err("it runs elsewhere".into())
    ///     }
    /// }
    ///
    /// impl Serve for Inventory {
    ///     fn grpc(self: Arc<Self>, services: Routes) -> Routes {
    ///         services
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let running = Group::new()
    ///     .add_fn("gateway", |inventory: Channel<Inventory>, shutdown: Shutdown| async move {
    ///         println!("{inventory:?}");
    ///         shutdown.requested().await;
    ///     })
    ///     .remote::<Inventory>("http://10.0.0.7:50051")
    ///     .start()
    ///     .await
    ///     .unwrap();
    /// assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    #[cfg(feature = "grpc")]
    pub fn remote<S: Serve>(&mut self, url: impl Into<Cow<'static, str>>) -> &mut Self {
        self.declared.remotes.push((Called::of::<S>(), url.into()));
        self
    }

    /// Changes how the group treats the service of this name, wherever it was declared.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # use std::time::Duration;
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("mailer", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .configure("mailer", |spec| spec.stop_timeout(Duration::from_secs(3)));
    /// ```
    ///
    /// If the group has no service of this name, its start reports that as a mistake.
    pub fn configure(&mut self, name: &str, change: impl FnOnce(Spec) -> Spec) -> &mut Self {
        // From the end: most often, the service that was added last is configured.
        if let Some(service) = self.declared.services.iter_mut().rfind(|service| service.spec.get_name() == name) {
            service.spec = change(service.spec.clone());
        } else {
            let names = self.declared.services.iter().map(|service| service.spec.get_name());
            let hint = did_you_mean(name, names);
            self.declared.mistakes.push(format!("cannot configure `{name}`, which is not in this group{hint}").into());
        }
        self
    }

    /// Provides a value to the services: every service that takes an `Arc<T>` gets it. If there are two values of
    /// one type, the start reports that as a mistake.
    ///
    /// A value that is an `Arc` already is taken as it is, so a trait object can be provided:
    ///
    /// ```
    /// use group::{Group, Shutdown};
    /// use std::sync::Arc;
    ///
    /// trait Store: Send + Sync {
    ///     fn name(&self) -> String;
    /// }
    ///
    /// struct InMemory;
    ///
    /// impl Store for InMemory {
    ///     fn name(&self) -> String {
    ///         "in memory".to_owned()
    ///     }
    /// }
    ///
    /// async fn users(store: Arc<dyn Store>) {
    ///     println!("users are stored {}", store.name());
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store: Arc<dyn Store> = Arc::new(InMemory);
    /// let report = Group::new().provide(store).add_fn("users", users).run().await;
    /// assert!(report.is_clean());
    /// # }
    /// ```
    ///
    /// Values are dropped after the last service is gone, the last one provided first.
    pub fn provide<T: Send + Sync + 'static>(&mut self, value: T) -> &mut Self {
        let value = Provided::new(value);
        if self.declared.provided.iter().any(|provided| provided.clashes(&value)) {
            let type_name = value.type_name;
            self.declared
                .mistakes
                .push(format!("two values of type `{type_name}` are provided: give each a type of its own").into());
        }
        self.declared.provided.push(value);
        self
    }

    /// Keeps a value until the last line of the log was written, and drops it then: the guard of a log writer, an exporter
    /// of telemetry, a profiler. A local variable of the body of `main` would be dropped before the first service is built.
    ///
    /// ```
    /// use group::Group;
    ///
    /// /// Writes what is left when it is dropped, as the `WorkerGuard` of `tracing-appender` does.
    /// struct WorkerGuard;
    ///
    /// impl Drop for WorkerGuard {
    ///     fn drop(&mut self) {
    ///         println!("the log is complete");
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let report = Group::new().keep(WorkerGuard).add_fn("hello", || async { println!("hello") }).run().await;
    /// assert!(report.is_clean());
    /// # }
    /// ```
    ///
    /// Guards are dropped after everything else of the group, the last one kept first, in a thread where they may block,
    /// while the runtime goes on. That is so however the group ends: also when its start has failed, and when its setup is
    /// invalid. They have what is left of the [`stop_timeout`](Self::stop_timeout). Past that, a clean end becomes
    /// an unclean one, with exit code 3, and the report names the guard. A panic of a guard is in the report as a
    /// failure that the group survived. The process does not wait for them for more than the 100 ms that a second signal
    /// leaves, nor for more than 30 ms if every thread of the runtime is blocked.
    pub fn keep<T: Send + 'static>(&mut self, guard: T) -> &mut Self {
        self.declared.guards.keep(guard);
        self
    }

    /// Sets which services may start and stop at the same time. [`Schedule::Strict`] by default.
    pub fn schedule(&mut self, schedule: Schedule) -> &mut Self {
        self.declared.schedule = schedule;
        self
    }

    /// Sets where the connections of HTTP and gRPC services are served that do not [say it
    /// themselves](crate::Spec::serve). [`Serving::Shared`] by default.
    ///
    /// The environment variable `GROUP_SERVE` (`shared` or `per-core`) overrides it in [`run`](Self::run) and
    /// `#[group::main]`.
    ///
    /// ```
    /// use group::{Group, Serving};
    ///
    /// let mut group = Group::new();
    /// group.serve(Serving::PerCore);
    /// ```
    pub fn serve(&mut self, serve: Serving) -> &mut Self {
        self.declared.serve = serve;
        self
    }

    /// Sets the limit of the time from the request to stop until everything is over. 25 s by default.
    ///
    /// The environment variable `GROUP_STOP_TIMEOUT`, as in `40s`, overrides it in [`run`](Self::run) and
    /// `#[group::main]`.
    pub fn stop_timeout(&mut self, limit: Duration) -> &mut Self {
        self.declared.stop_timeout = Some(limit);
        self
    }

    /// Sets how long the group goes on as a *lame duck* after the request to stop. Off by default.
    ///
    /// Meanwhile the group is no longer [ready](crate::Status::is_ready), so that a load balancer sends it no new
    /// clients, but it still serves clients that come before the load balancer has noticed. The environment
    /// variable `GROUP_DRAIN_DELAY`, as in `5s`, overrides it in [`run`](Self::run) and `#[group::main]`.
    ///
    /// No service is asked to stop meanwhile. Requests in flight are answered, and every answer over HTTP/1.1 says
    /// that the connection closes. Idle connections are left open until the stop, because the next request may be
    /// on its way. The delay lasts as long as it says: with little traffic, no request for a while does not mean that
    /// the load balancer has noticed. [`drain_quiet`](Self::drain_quiet) lets it end early. It also ends when a critical
    /// service fails, or at a second signal, which aborts everything, as always.
    ///
    /// The delay is a part of [`stop_timeout`](Self::stop_timeout), and must leave time to stop. There is no delay
    /// if a service has failed, if the group was not ready yet, if none of its services serves HTTP, or if the
    /// signal is Ctrl-C on a terminal.
    ///
    /// ```
    /// # use group::{Group, axum::Router, http};
    /// # use std::time::Duration;
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("web", |cx: group::Context| async move { http::serve(&cx, "127.0.0.1:0", Router::new()).await })
    ///     .drain_delay(Duration::from_secs(5));
    /// ```
    pub fn drain_delay(&mut self, delay: Duration) -> &mut Self {
        self.declared.drain_delay = delay;
        self
    }

    /// Lets a [`drain_delay`](Self::drain_delay) end early, once there was no new connection and no request for this
    /// long. Off by default. For clients that come so often that their silence means that all of them have gone.
    ///
    /// The environment variable `GROUP_DRAIN_QUIET`, as in `2s`, overrides it in [`run`](Self::run) and
    /// `#[group::main]`.
    ///
    /// ```
    /// # use group::Group;
    /// # use std::time::Duration;
    /// let mut group = Group::new();
    /// group.drain_delay(Duration::from_secs(15)).drain_quiet(Duration::from_secs(2));
    /// ```
    pub fn drain_quiet(&mut self, quiet: Duration) -> &mut Self {
        self.declared.drain_quiet = Some(quiet);
        self
    }

    /// Puts every HTTP service on a free port of the loopback interface, whatever its address is, so that tests
    /// disturb neither each other nor other programs on the machine. [`Running::local_addr`] returns the address.
    ///
    /// ```
    /// use group::{Group, service};
    ///
    /// #[derive(Default)]
    /// struct Morning;
    ///
    /// #[service(http = "0.0.0.0:80")]
    /// impl Morning {
    ///     #[get("/morning")]
    ///     async fn morning(&self) {}
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let running = Group::new().add(Morning).on_free_ports().start().await.unwrap();
    /// let address = running.local_addr("morning").unwrap();
    /// assert!(address.ip().is_loopback());
    /// assert_ne!(address.port(), 80);
    /// # running.stop().await;
    /// # }
    /// ```
    pub fn on_free_ports(&mut self) -> &mut Self {
        self.declared.on_free_ports = true;
        self
    }

    /// Takes settings from this text, in TOML, instead of from `group.toml`: see [`Config`](crate::Config). Needs the
    /// feature `config`.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("mailer", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .config_str("[services.mailer]\nstop_timeout = '3s'");
    /// ```
    ///
    /// If the environment variable `GROUP_CONFIG` names a file, [`run`](Self::run) and `#[group::main]` take that
    /// instead. The start reports mistakes in the text.
    #[cfg(feature = "config")]
    pub fn config_str(&mut self, toml: impl Into<String>) -> &mut Self {
        self.declared.config = File::Text(toml.into());
        self
    }

    /// Takes settings from this file, which must exist, instead of from `group.toml`: see
    /// [`config_str`](Self::config_str). Needs the feature `config`.
    #[cfg(feature = "config")]
    pub fn config_file(&mut self, path: impl Into<std::path::PathBuf>) -> &mut Self {
        self.declared.config = File::Path(path.into());
        self
    }

    /// Reads a section of the configuration that is for the program itself and not for one of its services: a table
    /// beside `group` and `services`, such as `[log]`. Variables come over the file, as for a service:
    /// `GROUP_LOG__LEVEL` is `level` of `log`. Needs the feature `config`.
    ///
    /// To give it to services, [`provide`](Self::provide) it.
    ///
    /// ```
    /// use group::Group;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Log {
    ///     level: String,
    /// }
    ///
    /// fn set_up(group: &mut Group) -> Result<(), group::SettingsError> {
    ///     let log: Log = group.section("log")?;
    ///     println!("the level is {}", log.level);
    ///     group.provide(log); // any service can take it as `Arc<Log>`
    ///     Ok(())
    /// }
    ///
    /// let mut group = Group::new();
    /// group.config_str("log.level = 'debug'");
    /// set_up(&mut group).unwrap();
    /// ```
    ///
    /// It reads the file and the environment that [`run`](Self::run) reads; in a `#[group::test]`, only what
    /// [`config_str`](Self::config_str) or [`config_file`](Self::config_file) says.
    ///
    /// # Errors
    ///
    /// With all mistakes in the section. They make the setup of the group invalid, too: it does not start.
    #[cfg(feature = "config")]
    pub fn section<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, SettingsError> {
        let environment = self.unseen.is_none().then(environment::read);
        self.declared.read_section(name, environment.as_ref())
    }

    /// Writes the last report to this file, as JSON, when everything is over, however the group ends: also when it is
    /// forced to end, at the deadline, and when nothing was started because the setup is invalid. The file is replaced as a
    /// whole. If it cannot be written, the log says so, and nothing else changes. Needs the feature `serde`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # use group::Group;
    /// let file = std::env::temp_dir().join(format!("report-{}.json", std::process::id()));
    /// let mut group = Group::new();
    /// group.add_fn("hello", || async { println!("hello") }).report_to(&file);
    /// assert!(group.run().await.is_clean());
    /// assert!(std::fs::read_to_string(&file).unwrap().contains(r#""outcome": "clean""#));
    /// # std::fs::remove_file(file).unwrap();
    /// # }
    /// ```
    #[cfg(feature = "serde")]
    pub fn report_to(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.declared.report_file = ReportFile::at(file.into());
        self
    }

    /// Declares services of other programs that read the same configuration file: their tables and variables are
    /// no mistakes. The file itself can declare them with the key `group.elsewhere`. Needs the feature `config`.
    ///
    /// ```
    /// # use group::Group;
    /// let mut group = Group::new();
    /// group.elsewhere(["billing", "reports"]);
    /// ```
    #[cfg(feature = "config")]
    pub fn elsewhere<N: Into<String>>(&mut self, services: impl IntoIterator<Item = N>) -> &mut Self {
        self.declared.elsewhere.extend(services.into_iter().map(Into::into));
        self
    }

    /// Returns the [`Spec`] of each service, in the order in which they were added.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.declared.services.iter().map(|service| &service.spec)
    }

    /// Returns true if no service was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declared.services.is_empty()
    }

    /// Runs the group until everything is over: starts the services, waits for a signal or for the end of a service
    /// that ends the group, and stops the services in reverse.
    ///
    /// SIGTERM, SIGINT and SIGQUIT (on Windows: Ctrl-C, Ctrl-Break and the close events) request the stop. Signals
    /// within 500 ms of the first are the same request; a later one aborts everything. If even that does not end the
    /// group within 100 ms, because its runtime is blocked, the process exits with code 128 + n. SIGHUP requests a
    /// reload, or the stop if no service has a `reload`. SIGUSR1 writes to the log what each service does and waits for,
    /// and stops nothing. When the group is over, any other of these signals ends the process again, with code 128 + n.
    ///
    /// The environment variables `GROUP_STOP_TIMEOUT`, `GROUP_DRAIN_DELAY` and `GROUP_DRAIN_QUIET` override
    /// [`stop_timeout`](Self::stop_timeout), [`drain_delay`](Self::drain_delay) and [`drain_quiet`](Self::drain_quiet). With `GROUP_ORDER=text` or
    /// `GROUP_ORDER=dot`, the [`Order`](crate::Order) is printed on stdout, and nothing is started.
    ///
    /// A thread outside of the runtime watches the deadline: if every worker is blocked, or if code goes on blocking
    /// after the end of the group, the process exits when the time to stop is up, with the exit code of the report.
    ///
    /// The first group of a process installs a panic hook, which stays until the process ends. It notes the place of
    /// each panic inside of a service, for the report, and passes every panic on to the hook that was there before. A
    /// hook that is set later must call the one that it replaces; otherwise the report lacks the places of panics.
    ///
    /// A service cannot `run` another group, as the signals are for its own: that is an invalid setup, too. It can
    /// [`start`](Self::start) one, which has no signals; and with [`add_group`](Self::add_group), a group is a service.
    ///
    /// The report of a second `run` is that of an invalid setup, with exit code 78, unless services were added since.
    ///
    /// The report contains every error, also those from before anything was started. If the future is dropped, the
    /// group is asked to stop, and nothing waits for its end.
    ///
    /// # Panics
    ///
    /// If it is polled outside of a tokio runtime whose time driver is enabled.
    pub fn run(&mut self) -> impl Future<Output = Report> + Send + use<> {
        let group = self.take();
        async move {
            let mut group = match group {
                Ok(group) => group,
                Err(report) => return report,
            };
            if is_in_service() {
                return Report::bad_group(vec![RUN_INSIDE.into()]);
            }
            group.invitation = Invitation::take();
            match Watch::install(group.declared.stop_limit(), group.declared.report_file()) {
                Ok((watch, inbox)) => {
                    let report = group.run_watched(&watch, inbox).await;
                    if report.services().iter().any(|service| service.ending() == Ending::Abandoned) {
                        watch.stay();
                    }
                    report
                }
                Err(error) => Report::bad_group(vec![format!("cannot listen for signals: {error}").into()]),
            }
        }
    }

    /// Takes everything that was added, to be run.
    ///
    /// # Errors
    ///
    /// If `#[group::main]` is to run the group, or if it was taken already.
    pub(crate) fn take(&mut self) -> Result<Self, Report> {
        if self.is_mains {
            self.declared.mistakes.push(RUN_BY_MAIN.into());
            let failure = Failure::new(None, Stage::Plan, true, RUN_BY_MAIN.into());
            return Err(Report::of_nothing(Outcome::BadGroup, vec![failure]));
        }
        self.check_not_run()?;
        let unseen = self.unseen.clone();
        Ok(std::mem::replace(self, Self { was_run: true, unseen, ..Self::default() }))
    }

    pub(crate) fn check_not_run(&self) -> Result<(), Report> {
        if self.was_run && self.is_empty() { Err(Report::bad_group(vec![RUN_ONCE.into()])) } else { Ok(()) }
    }

    /// Runs the group as [`run`](Self::run) does, with signal handlers that are installed already.
    pub(crate) async fn run_watched(mut self, watch: &Watch, inbox: Arc<Mailbox>) -> Report {
        let environment = environment::read();
        let order_form = environment::order_form(&environment);
        self.environment = Some(environment);
        if let Some(form) = order_form {
            return self.print_order_as(&form);
        }
        #[cfg(feature = "cli")]
        if let Some(answer) = self.instead.take() {
            return answer(&self);
        }
        let manager = self.invitation.take().and_then(Invitation::accept);
        watch.know_services(self.declared.have_reload() || manager.is_some());
        let is_mains = self.is_mains;
        match self.launch_or_release(inbox).await {
            Ok((running, _started)) => {
                running.handle().shared.ends_runtime.store(is_mains, Ordering::Relaxed);
                watch.attach(running.handle());
                let followed = manager
                    .map(|manager| watch.spawn(manager.follow(running.handle(), tokio::runtime::Handle::current())));
                let report = running.wait().await;
                if let Some(followed) = followed {
                    // Whatever becomes of it, the group is over.
                    let _ = followed.await;
                }
                report
            }
            Err(report) => {
                if let Some(manager) = manager {
                    manager.tell_refused(&report).await;
                }
                report
            }
        }
    }

    /// Starts the group, and returns once every service is ready. It listens for no signals and reads no environment
    /// variables: it is for tests, and for programs that do so themselves.
    ///
    /// It installs the panic hook of [`run`](Self::run), too.
    ///
    /// # Errors
    ///
    /// If the setup of the group is invalid, if the group was run or started already and nothing was added since, or if a service fails before all
    /// are ready. The services that had been started are stopped again by then.
    ///
    /// # Panics
    ///
    /// If it is polled outside of a tokio runtime whose time driver is enabled.
    pub fn start(&mut self) -> impl Future<Output = Result<Running, StartError>> + Send + use<> {
        let group = self.take();
        async move {
            let group = group.map_err(StartError::new)?;
            #[cfg(feature = "cli")]
            if group.instead.is_some() {
                return Err(StartError::new(Report::bad_group(vec![ONLY_RUN_ANSWERS.into()])));
            }
            let (running, started) = group.launch_or_release(Arc::default()).await.map_err(StartError::new)?;
            match started.await {
                Ok(()) => Ok(running),
                Err(_) => Err(StartError::new(running.wait().await)),
            }
        }
    }
}
