//! The builder: services go in, a running group comes out.

mod assemble;
mod check;
#[cfg(feature = "config")]
mod configuration;
pub(crate) mod declaration;
mod environment;
mod launch;
mod options;
pub(crate) mod order;
pub(crate) mod registry;
#[cfg(feature = "http")]
mod route_clash;
mod settings;

use std::any::TypeId;
#[cfg(feature = "grpc")]
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::error::Failure;
use crate::base::syntax::nearest;
use crate::engine::driver::Mailbox;
use crate::engine::watch::Watch;
use crate::group::assemble::assembled;
#[cfg(feature = "config")]
use crate::group::declaration::File;
use crate::group::declaration::{Declaration, Declared};
use crate::group::environment::{Environment, ORDER_VARIABLE};
use crate::group::order::Order;
#[cfg(feature = "grpc")]
use crate::grpc::serve::Serve;
use crate::lifecycle::interface::Stage;
use crate::lifecycle::plan::Schedule;
use crate::record::report::{Outcome, Report, StartError};
use crate::record::service_report::Ending;
use crate::running::handle::Running;
use crate::running::shared::Provided;
use crate::service::function::{Function, ServiceFn};
use crate::service::{Factory, Service, built, made};
use crate::spec::Spec;
#[cfg(feature = "grpc")]
use crate::spec::needs::Called;
use crate::spec::place::Place;

/// What the body of `main` did wrong.
const RUN_BY_MAIN: &str =
    "`#[group::main]` runs this group after the body of `main`, which must neither `run` nor `start` it";

/// A set of services that live and die together.
///
/// It is built like a [`std::process::Command`]: each method takes `&mut self` and returns it, because the body of
/// `#[group::main]` is handed a group to add to; and [`run`](Self::run) or [`start`](Self::start) takes out what
/// was added.
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
    /// Whether `#[group::main]` runs it after the body of `main`.
    pub(crate) is_mains: bool,
    /// The variables that begin with `GROUP_`, if the environment was read.
    environment: Option<Environment>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.declared.services.iter().map(|service| service.spec.get_name());
        f.debug_list().entries(names).finish()
    }
}

impl Group {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// The group of all services that `#[service]` registered, in every crate that this program
    /// links. Those that no edge orders stand by crate name, file and line.
    ///
    /// A crate that is never named is never linked: name it, as in `use billing as _;`.
    pub fn registered() -> Self {
        Self { declared: Declaration { services: registry::all(), ..Declaration::default() }, ..Self::default() }
    }

    /// Adds a service. Services are started in the order in which they were added, unless their
    /// [`Spec`]s say otherwise.
    #[track_caller]
    pub fn add<S: Service>(&mut self, service: S) -> &mut Self {
        self.declare::<S>(S::spec().without_build_needs(), made(service))
    }

    /// Adds a service under another name than its own, as for a second one of the same type.
    #[track_caller]
    pub fn add_as<S: Service>(&mut self, name: impl Into<String>, service: S) -> &mut Self {
        self.declare::<S>(S::spec().without_build_needs().name(name.into()), made(service))
    }

    /// Adds a service that the group makes when it is its turn, with [`Service::build`].
    #[track_caller]
    pub fn add_type<S: Service>(&mut self) -> &mut Self {
        self.declare::<S>(S::spec(), built::<S>())
    }

    /// Adds an async function as a service. Its parameters are taken from the group, each by its
    /// type: [`Shutdown`](crate::Shutdown), [`Ready`](crate::Ready), `Arc<T>`, and every other
    /// [`FromContext`](crate::FromContext). One that takes no `Shutdown` is dropped at its next
    /// await when the group stops.
    #[track_caller]
    pub fn add_fn<F, Args>(&mut self, name: impl Into<String>, function: F) -> &mut Self
    where
        F: ServiceFn<Args>,
        Args: 'static,
    {
        let spec = F::needs(Spec::new(name.into()));
        self.declare::<Function<F, Args>>(spec, made(Function::new(function)))
    }

    #[track_caller]
    fn declare<S: Service>(&mut self, spec: Spec, factory: Factory) -> &mut Self {
        let (type_id, place) = (TypeId::of::<S>(), Place::here());
        self.declared.services.push(Declared { spec, type_id, place, factory: Some(factory), only_called: false });
        self
    }

    /// `S` runs elsewhere, at this URL: it is left out of the group if it is there, and every
    /// [`Channel`](crate::grpc::Channel) to it goes over the network. `http://host:port` and `unix:/path` are
    /// understood. What the configuration says of it, comes over this.
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
    /// A name that the group does not have is a mistake that its start reports.
    pub fn configure(&mut self, name: &str, change: impl FnOnce(Spec) -> Spec) -> &mut Self {
        // What was added last is most often what is configured.
        if let Some(service) = self.declared.services.iter_mut().rfind(|service| service.spec.get_name() == name) {
            service.spec = change(service.spec.clone());
        } else {
            let names = self.declared.services.iter().map(|service| service.spec.get_name());
            let hint = nearest(name, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.declared.mistakes.push(format!("cannot configure `{name}`, which is not in this group{hint}").into());
        }
        self
    }

    /// Provides a value to the services: each that takes an `Arc<T>` gets this one. A second value
    /// of the same type is a mistake that the start reports.
    ///
    /// Values are dropped when the last service is gone, the last one provided first.
    pub fn provide<T: Send + Sync + 'static>(&mut self, value: T) -> &mut Self {
        let value = Provided::new(value);
        if self.declared.provided.iter().any(|provided| provided.type_id == value.type_id) {
            let type_name = value.type_name;
            self.declared
                .mistakes
                .push(format!("two values of type `{type_name}` are provided: give each a type of its own").into());
        }
        self.declared.provided.push(value);
        self
    }

    /// How the order is walked. [`Schedule::Strict`] by default.
    pub fn schedule(&mut self, schedule: Schedule) -> &mut Self {
        self.declared.schedule = schedule;
        self
    }

    /// How long it may take from the request to stop until everything is over. 25 s by default.
    /// The environment variable `GROUP_STOP_TIMEOUT`, as in `40s`, overrides it in
    /// [`run`](Self::run) and `#[group::main]`.
    pub fn stop_timeout(&mut self, limit: Duration) -> &mut Self {
        self.declared.stop_timeout = Some(limit);
        self
    }

    /// After the request to stop, goes on for this long as a *lame duck*: the group is not
    /// [ready](crate::Status::is_ready) any more, so that a load balancer sends nobody here, but serves
    /// those who still come, because it has not heard of it yet. Off by default. The environment variable
    /// `GROUP_DRAIN_DELAY`, as in `5s`, overrides it where [`run`](Self::run) reads `GROUP_STOP_TIMEOUT`.
    ///
    /// No service is asked to stop meanwhile. What is in flight is answered, and every answer over
    /// HTTP/1.1 says that the connection closes; idle connections are left open until the stop, because
    /// the next request may be on its way. It ends earlier when nobody has come for 2 s, or for half of a
    /// shorter delay, neither with a connection nor with a request; when a service fails that the group
    /// cannot do without; or at a second signal, which forces the end as ever.
    ///
    /// The delay is a part of [`stop_timeout`](Self::stop_timeout), and must leave time to stop. There is none
    /// when a service has failed, when the group was not ready yet, when none of its services serves
    /// HTTP, or when the signal is Ctrl-C on a terminal.
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

    /// Puts every HTTP service on a free port of the loopback interface, whatever its address is: so
    /// tests get in the way neither of each other nor of what else runs here.
    /// [`Running::local_addr`] says which port it is.
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

    /// Takes settings from this text, which is TOML, instead of `group.toml`. See [`Config`](crate::Config).
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("mailer", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .config_str("[services.mailer]\nstop_timeout = '3s'");
    /// ```
    ///
    /// The file that `GROUP_CONFIG` names, if it does, comes in its place; what is wrong with it, the
    /// start reports.
    #[cfg(feature = "config")]
    pub fn config_str(&mut self, toml: impl Into<String>) -> &mut Self {
        self.declared.config = File::Text(toml.into());
        self
    }

    /// Takes settings from this file, which must be there, instead of `group.toml`. See
    /// [`config_str`](Self::config_str).
    #[cfg(feature = "config")]
    pub fn config_file(&mut self, path: impl Into<std::path::PathBuf>) -> &mut Self {
        self.declared.config = File::Path(path.into());
        self
    }

    /// In which order the services would start and stop. Nothing is built, no code of a service
    /// is run, and the group stays as it is.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("database", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .add_fn("api", |shutdown: Shutdown| async move { shutdown.requested().await });
    /// assert_eq!(group.order().unwrap().starts(), [["database"], ["api"]]);
    ///
    /// let running = group.start().await.unwrap();
    /// assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the group is wrong.
    pub fn order(&self) -> Result<Order, StartError> {
        let mut copy = self.declared.without_factories();
        copy.apply_settings(self.environment.as_ref());
        let Declaration { services, schedule, mistakes, .. } = copy;
        let assembly = assembled(services, &self.declared.provided, schedule, mistakes).map_err(StartError::new)?;
        Ok(Order::of(&assembly))
    }

    /// How each service that was added will be treated, in the order in which they were added.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.declared.services.iter().map(|service| &service.spec)
    }

    /// Whether no service was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declared.services.is_empty()
    }

    /// Runs the group until everything is over: starts the services, waits for a signal or an end,
    /// stops the services in reverse.
    ///
    /// SIGTERM, SIGINT and SIGQUIT (on Windows: Ctrl-C, Ctrl-Break and the close events) ask for a
    /// stop. Any second one aborts everything; should even that not end the group within 100 ms,
    /// because its runtime is blocked, the process is exited with code 128 + n.
    ///
    /// SIGHUP asks for a reload, and where no service has one, for a stop. When the group is over, a
    /// signal ends the process again, with code 128 + n. The environment variable
    /// `GROUP_STOP_TIMEOUT` overrides [`stop_timeout`](Self::stop_timeout), `GROUP_DRAIN_DELAY`
    /// [`drain_delay`](Self::drain_delay). With `GROUP_ORDER=text` or
    /// `GROUP_ORDER=dot`, the [`Order`] is printed on stdout, and nothing is started.
    ///
    /// A thread outside the runtime holds the deadline: if something blocks every worker, or goes on
    /// blocking one after the group's end, the process is exited when the time to stop is up, with
    /// the report's exit code.
    ///
    /// What goes wrong, also before anything was started, is in the report. To drop the future is
    /// to ask for a stop that nobody awaits.
    ///
    /// # Panics
    ///
    /// When polled outside of a tokio runtime whose time is enabled.
    pub fn run(&mut self) -> impl Future<Output = Report> + Send + use<> {
        let group = self.take();
        async move {
            let group = match group {
                Ok(group) => group,
                Err(report) => return report,
            };
            match Watch::install(group.declared.stop_limit()) {
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

    /// All of it, to be run.
    ///
    /// # Errors
    ///
    /// When it is to be run by another.
    fn take(&mut self) -> Result<Self, Report> {
        if self.is_mains {
            self.declared.mistakes.push(RUN_BY_MAIN.into());
            let failure = Failure::new(None, Stage::Plan, true, RUN_BY_MAIN.into());
            return Err(Report::of_nothing(Outcome::BadGroup, vec![failure]));
        }
        Ok(std::mem::take(self))
    }

    /// As [`run`](Self::run), with signals that are listened for already.
    pub(crate) async fn run_watched(mut self, watch: &Watch, inbox: Arc<Mailbox>) -> Report {
        let environment = environment::read();
        let order_form = environment::order_form(&environment);
        self.environment = Some(environment);
        if let Some(form) = order_form {
            return self.print_order(&form);
        }
        match self.launch(inbox) {
            Ok((running, _started)) => {
                watch.attach(running.handle());
                running.wait().await
            }
            Err(report) => report,
        }
    }

    /// Starts the group, and returns when every service is ready. It listens for no signal and
    /// reads no environment variable: this is for tests, and for programs that do it themselves.
    ///
    /// # Errors
    ///
    /// When the group is wrong, or a service fails before all are ready. What had been started is
    /// stopped again by then.
    ///
    /// # Panics
    ///
    /// When polled outside of a tokio runtime whose time is enabled.
    pub fn start(&mut self) -> impl Future<Output = Result<Running, StartError>> + Send + use<> {
        let group = self.take();
        async move {
            let (running, started) = group.map_err(StartError::new)?.launch(Arc::default()).map_err(StartError::new)?;
            match started.await {
                Ok(()) => Ok(running),
                Err(_) => Err(StartError::new(running.wait().await)),
            }
        }
    }

    /// Starts the group, and returns at once.
    #[cfg(feature = "testing")]
    pub(crate) fn start_observed(&mut self) -> Result<Running, Report> {
        std::mem::take(self).launch(Arc::default()).map(|(running, _started)| running)
    }

    /// Says on stdout in which order services would start and stop, and starts none.
    fn print_order(&self, form: &str) -> Report {
        match (self.order(), form) {
            (Err(error), _) => error.into_report(),
            (Ok(order), "dot") => printed(&order.to_dot()),
            (Ok(order), "text") => printed(&format!("{order}\n")),
            (Ok(_), other) => {
                Report::bad_group(vec![format!("{ORDER_VARIABLE} is `{other}`: expected `text` or `dot`").into()])
            }
        }
    }

    fn launch(self, inbox: Arc<Mailbox>) -> Result<(Running, oneshot::Receiver<()>), Report> {
        self.declared.launch(self.environment.as_ref(), inbox)
    }
}

/// Prints on stdout; what cannot be printed has not been told.
fn printed(text: &str) -> Report {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Report::of_nothing(Outcome::Clean, Vec::new()),
        Err(error) => Report::bad_group(vec![format!("cannot write to stdout: {error}").into()]),
    }
}
