//! Services made by `#[service]`, seen from outside.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use group::axum::Router;
use group::axum::extract::{Path, Query};
use group::axum::http::{HeaderMap, StatusCode};
use group::axum::response::IntoResponse;
use group::{
    BoxError, Context, Cron, Group, Handle, Ready, Report, Restart, Role, Running, Service, Shutdown, Spec, service,
};
use reqwest::{Client, Method};
use test_support::{Journal, fails_to_start};
use tokio::time::Instant;

async fn started(group: &mut Group) -> (Running, Journal) {
    let journal = Journal::default();
    let running = group.provide(journal.clone()).start().await.expect("the group starts");
    (running, journal)
}

fn names(report: &Report) -> Vec<&str> {
    report.services().iter().map(group::ServiceReport::name).collect()
}

fn cause(report: &Report) -> String {
    report.cause().expect("something went wrong").to_string()
}

// What `start` takes.

struct TakesNothing;

#[service(register = false)]
impl TakesNothing {
    async fn start(&self) {
        pending::<()>().await;
    }
}

struct TakesShutdown;

#[service(register = false)]
impl TakesShutdown {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }
}

struct TakesReady;

#[service(register = false)]
impl TakesReady {
    async fn start(&self, ready: Ready) {
        ready.fire();
        pending::<()>().await;
    }
}

struct TakesShutdownAndReady;

#[service(register = false)]
impl TakesShutdownAndReady {
    async fn start(&self, shutdown: Shutdown, ready: Ready) {
        ready.fire();
        shutdown.requested().await;
    }
}

struct TakesReadyAndShutdown;

#[service(register = false)]
impl TakesReadyAndShutdown {
    async fn start(&self, ready: Ready, shutdown: Shutdown) {
        tokio::task::yield_now().await;
        ready.fire();
        shutdown.requested().await;
    }
}

struct TakesContext;

#[service(register = false)]
impl TakesContext {
    async fn start(&self, cx: Context, journal: Arc<Journal>) {
        journal.write(cx.name());
        cx.shutdown().requested().await;
    }
}

struct TakesHandle;

#[service(register = false)]
impl TakesHandle {
    async fn start(&self, handle: Handle, ready: Ready) {
        ready.fire();
        handle.stop();
        handle.stopping().await;
    }
}

#[tokio::test]
async fn start_takes_parameters_by_type() {
    let mut group = Group::new();
    group
        .add(TakesNothing)
        .add(TakesShutdown)
        .add(TakesReady)
        .add(TakesShutdownAndReady)
        .add(TakesReadyAndShutdown)
        .add(TakesContext);
    let (running, journal) = started(&mut group).await;
    assert_eq!(journal.entries(), ["takes-context"]);
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_handle_stops_the_group() {
    let report = Group::new().add(TakesShutdown).add(TakesHandle).run().await;
    assert!(report.is_clean(), "{report}");
}

#[derive(Default)]
struct TakesItsArc;

#[service(register = false)]
impl TakesItsArc {
    async fn start(self: Arc<Self>, shutdown: Shutdown, journal: Arc<Journal>) {
        journal.write(std::any::type_name_of_val(&self));
        shutdown.requested().await;
    }

    async fn stop(&self) {}
}

#[tokio::test]
async fn start_can_take_its_own_arc() {
    let (running, journal) = started(Group::new().add_type::<TakesItsArc>()).await;
    assert_eq!(journal.entries(), ["alloc::sync::Arc<service_macro::TakesItsArc>"]);
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
}

// Methods that are no `async fn`.

struct Blocking;

#[service(register = false)]
impl Blocking {
    fn start(&self, shutdown: Shutdown, journal: Arc<Journal>, ready: Ready) -> Result<(), String> {
        journal.write(std::thread::current().name().unwrap_or_default());
        ready.fire();
        shutdown.wait();
        journal.write("told");
        if shutdown.is_requested() { Ok(()) } else { Err("woken for nothing".into()) }
    }

    fn stop(&self) -> Result<(), fmt::Error> {
        Err(fmt::Error)
    }
}

#[tokio::test]
async fn a_plain_start_has_a_thread_of_its_own() {
    let (running, journal) = started(Group::new().add(Blocking)).await;
    assert_eq!(journal.entries(), ["blocking"]);
    let report = running.stop().await;
    assert_eq!(journal.entries(), ["blocking", "told"]);
    assert_eq!(cause(&report), format!("`blocking` failed to stop: {}", fmt::Error));
}

/// Its thread runs on after its limit, until the test releases it.
#[derive(Default)]
struct Stubborn {
    runs: AtomicUsize,
    let_go: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

#[service(register = false, restart(on_failure, backoff = "1ms..1ms"))]
impl Stubborn {
    fn start(&self, cx: Context, shutdown: Shutdown, journal: Arc<Journal>) {
        let at_once = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        journal.write(format!("{at_once} at once"));
        let let_go = self.let_go.lock().unwrap().take();
        if let Some(let_go) = let_go {
            cx.spawn(async { Err::<(), _>("what it spawned fails") });
            let_go.recv().unwrap();
        } else {
            shutdown.wait();
        }
        self.runs.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_plain_start_that_was_given_up_is_started_again_only_when_its_thread_has_ended() {
    let (let_go, held) = std::sync::mpsc::channel();
    let (running, journal) =
        started(Group::new().add(Stubborn { let_go: Mutex::new(Some(held)), ..Stubborn::default() })).await;
    let handle = running.handle();
    let restarted = async {
        let mut events = handle.events();
        while handle.status().services()[0].restarts() == 0 {
            events.recv().await.expect("the group runs");
        }
    };
    restarted.await;
    let second = tokio::time::timeout(Duration::from_millis(50), journal.until_len(2)).await;
    assert!(second.is_err(), "the first thread is not over: {:?}", journal.entries());
    let_go.send(()).unwrap();
    journal.until_len(2).await;
    assert_eq!(journal.entries(), ["1 at once", "1 at once"]);
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
}

struct Brief;

#[service(register = false)]
impl Brief {
    fn start(&self) {}
    fn stop(&self) {}
}

#[tokio::test]
async fn a_plain_start_may_return_at_once() {
    let (running, _) = started(Group::new().add(Brief)).await;
    let report = running.wait().await;
    assert!(report.is_clean(), "{report}");
}

// Constructors.

#[derive(Default)]
struct ByDefault(u8);

#[service(register = false)]
impl ByDefault {
    async fn start(&self) {
        assert_eq!(self.0, 0);
    }
}

struct BySync;

#[service(register = false)]
impl BySync {
    fn new(cx: Context, journal: Arc<Journal>) -> Self {
        journal.write(cx.name());
        Self
    }

    async fn start(&self) {}
}

struct ByAsync(Arc<Journal>);

#[service(register = false)]
impl ByAsync {
    async fn new(journal: Arc<Journal>) -> Self {
        tokio::task::yield_now().await;
        Self(journal)
    }

    async fn start(&self) {
        self.0.write("by-async");
    }
}

/// Like `anyhow::Error`, which does not implement `Error`.
struct AnyError(BoxError);

impl<E: Error + Send + Sync + 'static> From<E> for AnyError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<AnyError> for BoxError {
    fn from(error: AnyError) -> Self {
        error.0
    }
}

struct ByResult(u8);

#[service(register = false)]
impl ByResult {
    async fn new() -> Result<Self, AnyError> {
        Ok(Self("3".parse()?))
    }

    async fn start(&self) -> Result<(), AnyError> {
        assert_eq!(self.0, 3);
        Ok(())
    }
}

#[tokio::test]
async fn a_service_is_made_by_new_or_by_default() {
    let mut group = Group::new();
    group.add_type::<ByDefault>().add_type::<BySync>().add_type::<ByAsync>().add_type::<ByResult>();
    let (running, journal) = started(&mut group).await;
    let report = running.wait().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.entries(), ["by-sync", "by-async"]);
}

struct Unlucky;

#[service(register = false)]
impl Unlucky {
    fn new() -> Result<Self, String> {
        Err("no luck".to_owned())
    }

    async fn start(&self) {}
}

struct Unparsed;

#[service(register = false)]
impl Unparsed {
    async fn new() -> Result<Self, AnyError> {
        let _: u8 = "three".parse()?;
        Ok(Self)
    }

    async fn start(&self) {}
}

struct Unmakeable(u8);

#[service(register = false)]
impl Unmakeable {
    async fn start(&self) {
        assert_eq!(self.0, 3);
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_made_does_not_start() {
    let report = fails_to_start(Group::new().add_type::<Unlucky>()).await;
    assert_eq!(cause(&report), "`unlucky` could not be built: no luck");
    let report = fails_to_start(Group::new().add_type::<Unparsed>()).await;
    assert_eq!(cause(&report), "`unparsed` could not be built: invalid digit found in string");
    let report = fails_to_start(Group::new().add_type::<Unmakeable>()).await;
    assert!(cause(&report).contains("neither `new` nor `Default`"), "{report}");
}

#[tokio::test]
async fn what_was_not_registered_can_be_added_as_a_value() {
    let (running, _) = started(Group::new().add(Unmakeable(3)).add_as("another", ByResult(3))).await;
    let report = running.wait().await;
    assert!(report.is_clean(), "{report}");
}

// Order.

struct Database;

#[service(register = false)]
impl Database {
    async fn new() -> Self {
        Self
    }

    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    fn rows(&self) -> usize {
        3
    }
}

struct Accounts {
    database: Arc<Database>,
}

#[service(register = false)]
impl Accounts {
    fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    async fn start(&self) {
        assert_eq!(self.database.rows(), 3);
    }
}

struct Audit;

#[service(register = false)]
impl Audit {
    async fn start(&self, database: Arc<Database>) {
        assert_eq!(database.rows(), 3);
    }
}

#[tokio::test]
async fn a_parameter_is_an_edge() {
    let mut group = Group::new();
    group.add_type::<Accounts>().add(Audit).add_type::<Database>();
    let (running, _) = started(&mut group).await;
    assert_eq!(names(&running.stop().await), ["database", "accounts", "audit"]);
}

#[derive(Default)]
struct Cache;

#[service(register = false, after(Database))]
impl Cache {
    async fn start(&self) {}
}

#[derive(Default)]
struct Gateway;

#[service(register = false, after(Accounts, optional(Cache)))]
impl Gateway {
    async fn start(&self) {}
}

#[tokio::test]
async fn after_is_an_edge() {
    let mut group = Group::new();
    group.add_type::<Gateway>().add_type::<Cache>().add_type::<Accounts>().add_type::<Database>();
    let (running, _) = started(&mut group).await;
    let report = running.stop().await;
    let names = names(&report);
    assert_eq!((names[0], names[3]), ("database", "gateway"), "{report}");
}

#[tokio::test]
async fn only_what_is_optional_may_be_missing() {
    let mut group = Group::new();
    group.add_type::<Gateway>().add_type::<Accounts>().add_type::<Database>();
    let (running, _) = started(&mut group).await;
    assert_eq!(names(&running.stop().await), ["database", "accounts", "gateway"]);

    let report = fails_to_start(Group::new().add_type::<Cache>()).await;
    assert!(cause(&report).contains("not in this group"), "{report}");
}

struct Pool;

struct Pool2;

struct Reports;

#[service(register = false)]
impl Reports {
    fn new(_pool: Arc<Pool>) -> Self {
        panic!("nothing is built when something is missing")
    }

    async fn start(&self, _accounts: Arc<Accounts>) {}
}

#[tokio::test]
async fn what_nobody_provides_is_named_with_its_place_and_what_is_there_instead() {
    let line = line!() + 1;
    let report = fails_to_start(Group::new().add_type::<Reports>()).await;
    let place = format!("{}:{line}", file!());
    assert_eq!(report.exit_code(), 78);
    let said: Vec<String> = report.failures().iter().map(ToString::to_string).collect();
    let needs = |what: &str| {
        format!(
            "`reports` ({place}) needs an `Arc<service_macro::{what}>`, which is neither a service in this group nor provided to it: no value is provided"
        )
    };
    assert_eq!(said, [needs("Accounts"), needs("Pool")]);

    let report =
        fails_to_start(Group::new().provide(Pool2).provide(3_u8).add_type::<Reports>().add_as("pools", Unmakeable(3)))
            .await;
    assert!(cause(&report).ends_with(": only `service_macro::Pool2`, `u8` are provided"), "{report}");
    assert!(
        report.failures()[1].to_string().ends_with("`u8` are provided, and there is a service `pools`"),
        "{report}"
    );
}

// Arguments that say how the group treats the service.

struct Named;

#[service(register = false, name = "mailer")]
impl Named {
    async fn start(&self) {}
}

struct NamedAfterItsType;

#[service(register = false)]
impl NamedAfterItsType {
    async fn start(&self) {}
}

#[test]
fn a_service_has_a_name() {
    assert_eq!(Named::spec().get_name(), "mailer");
    assert_eq!(NamedAfterItsType::spec().get_name(), "named-after-its-type");
}

#[derive(Default)]
struct Everything;

#[service(
    register = false,
    name = "everything",
    http = "127.0.0.1:0",
    after(Database, optional(Cache)),
    role = "daemon",
    restart(on_failure, max = 2, within = "30s", backoff = "1s..2s"),
    critical = false,
    start_timeout = "3s",
    stop_timeout = "4s"
)]
impl Everything {
    #[get("/all")]
    async fn all(&self) {}

    #[cron("@hourly", tz = "Europe/Berlin")]
    async fn tick(&self) {}
}

struct Mounted;

#[service(register = false, http = Everything, prefix = "/api")]
impl Mounted {
    #[get("/")]
    async fn index(&self) {}
}

fn after(spec: &Spec) -> Vec<(String, bool)> {
    spec.get_after().map(|(name, optional)| (name.into_owned(), optional)).collect()
}

#[test]
fn a_spec_reads_back_what_the_arguments_say() {
    let spec = Everything::spec();
    assert_eq!((spec.get_name(), spec.get_role(), spec.is_critical()), ("everything", Role::Daemon, false));
    assert_eq!(after(&spec), [("database".to_owned(), false), ("cache".to_owned(), true)]);
    let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(2));
    let restart = Restart::on_failure().max(2).within(Duration::from_secs(30)).backoff(shortest, longest);
    assert_eq!(spec.get_restart(), restart);
    assert_eq!(
        (spec.get_start_timeout(), spec.get_stop_timeout()),
        (Some(Duration::from_secs(3)), Some(Duration::from_secs(4)))
    );
    assert_eq!((spec.get_http(), spec.get_http_on(), spec.get_prefix()), (Some("127.0.0.1:0"), None, None));
    assert_eq!(spec.get_routes().iter().map(ToString::to_string).collect::<Vec<_>>(), ["GET /all"]);
    assert!(spec.get_crons().eq([&Cron::new("@hourly").tz("Europe/Berlin")]));

    let spec = Mounted::spec();
    assert_eq!(
        (spec.get_http(), spec.get_http_on().as_deref(), spec.get_prefix()),
        (None, Some("everything"), Some("/api"))
    );
}

#[test]
fn a_spec_reads_back_what_was_set_by_hand() {
    let spec = Spec::new("by-hand");
    assert_eq!((spec.get_name(), spec.get_role(), spec.is_critical()), ("by-hand", Role::Task, true));
    assert_eq!((spec.get_http(), spec.get_http_on(), spec.get_prefix()), (None, None, None));
    assert_eq!((spec.get_grpc(), spec.get_remote()), (None, None));
    assert_eq!((spec.get_start_timeout(), spec.get_stop_timeout()), (None, None));
    assert_eq!((spec.get_restart(), spec.get_crons().count()), (Restart::never(), 0));
    assert!(after(&spec).is_empty() && spec.get_routes().is_empty());

    let spec = spec.name("inventory").after::<Database>().after_optional::<Cache>();
    let spec = spec.after_named("a").after_optional_named("b");
    assert_eq!(spec.get_name(), "inventory");
    let expected = [("database", false), ("cache", true), ("a", false), ("b", true)];
    assert_eq!(after(&spec), expected.map(|(name, optional)| (name.to_owned(), optional)));

    let spec = spec.grpc("127.0.0.1:50051").remote("http://10.0.0.7:50051");
    assert_eq!((spec.get_grpc(), spec.get_remote()), (Some("127.0.0.1:50051"), Some("http://10.0.0.7:50051")));
    assert_eq!(spec.get_role(), Role::Daemon, "as everything that serves");

    let spec = spec.http("127.0.0.1:8080");
    assert_eq!((spec.get_http(), spec.get_http_on()), (Some("127.0.0.1:8080"), None));
    let spec = spec.http_on_named("gateway").prefix("/v1");
    assert_eq!(
        (spec.get_http(), spec.get_http_on().as_deref(), spec.get_prefix()),
        (None, Some("gateway"), Some("/v1")),
        "what is said last counts"
    );

    let spec = spec.role(Role::Once).critical(false).restart(Restart::always());
    assert_eq!((spec.get_role(), spec.is_critical(), spec.get_restart()), (Role::Once, false, Restart::always()));
    let spec = spec.start_timeout(Duration::MAX).stop_timeout(Duration::ZERO);
    assert_eq!((spec.get_start_timeout(), spec.get_stop_timeout()), (Some(Duration::MAX), Some(Duration::ZERO)));
    assert!(spec.cron("0 3 * * *").get_crons().eq([&Cron::new("0 3 * * *")]));
}

struct NeverReady;

#[service(register = false, start_timeout = "1m 30s")]
impl NeverReady {
    async fn start(&self, _ready: Ready) {
        pending::<()>().await;
    }
}

struct NeverEnds;

#[service(register = false, stop_timeout = "2s 500ms")]
impl NeverEnds {
    async fn start(&self, _shutdown: Shutdown) -> ! {
        loop {
            pending::<()>().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn limits_are_kept() {
    let before = Instant::now();
    let report = fails_to_start(Group::new().add(NeverReady)).await;
    assert_eq!(before.elapsed().as_secs(), 90, "{report}");

    let (running, _) = started(Group::new().add(NeverEnds)).await;
    let before = Instant::now();
    let report = running.stop().await;
    assert_eq!(before.elapsed().as_millis() / 100, 25, "{report}");
}

struct Migration;

#[service(register = false, role = "once")]
impl Migration {
    async fn start(&self, journal: Arc<Journal>) {
        tokio::task::yield_now().await;
        journal.write("migrated");
    }
}

struct Command;

#[service(register = false, role = "main", after(Migration))]
impl Command {
    async fn start(&self, journal: Arc<Journal>) {
        journal.write("commanded");
    }
}

struct Watcher;

#[service(register = false, role = "daemon")]
impl Watcher {
    async fn start(&self, ready: Ready) {
        ready.fire();
    }
}

#[tokio::test]
async fn a_role_says_what_a_return_means() {
    let (running, journal) = started(Group::new().add(Command).add(Migration).add(TakesShutdown)).await;
    let report = running.wait().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.entries(), ["migrated", "commanded"]);

    let mut group = Group::new();
    let report = group.add(Watcher).add(TakesShutdown).run().await;
    assert!(cause(&report).contains("ended unexpectedly"), "{report}");
}

// What methods return.

type Fallible<T = (), E = String> = Result<T, E>;

trait Fails {
    type Error;
}

struct Returns;

impl Fails for Returns {
    type Error = fmt::Error;
}

#[service(register = false)]
impl Returns {
    async fn new() -> Fallible<Self> {
        Ok(Self)
    }

    async fn start(&self) -> Fallible {
        Err("tired".into())
    }

    async fn stop(&self) -> Result<(), <Self as Fails>::Error> {
        Err(fmt::Error)
    }
}

#[tokio::test]
async fn every_error_is_in_the_report() {
    let report = Group::new().add_type::<Returns>().run().await;
    let failures: Vec<_> = report.failures().iter().map(ToString::to_string).collect();
    assert_eq!(
        failures,
        ["`returns` failed to start: tired".to_owned(), format!("`returns` failed to stop: {}", fmt::Error)]
    );
}

// HTTP.

/// A group of HTTP services on free ports, and a client.
struct Served {
    running: Running,
    journal: Journal,
    client: Client,
}

impl Served {
    async fn new(group: &mut Group, names: &[&str]) -> Self {
        for name in names {
            group.configure(name, |spec| spec.http("127.0.0.1:0"));
        }
        let (running, journal) = started(group).await;
        Self { running, journal, client: Client::new() }
    }

    /// The status and the text of an answer.
    async fn ask(&self, service: &str, method: Method, path: &str, body: &str) -> (u16, String) {
        let address = self.running.local_addr(service).expect("the service listens");
        let request = self.client.request(method, format!("http://{address}{path}")).header("user", "me");
        let response = request.body(body.to_owned()).send().await.expect("the service answers");
        (response.status().as_u16(), response.text().await.expect("the answer has a body"))
    }

    async fn get(&self, service: &str, path: &str) -> (u16, String) {
        self.ask(service, Method::GET, path, "").await
    }

    async fn stop(self) {
        let report = self.running.stop().await;
        assert!(report.is_clean(), "{report}");
    }
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[derive(Default)]
struct Verbs;

#[service(register = false, http = "127.0.0.1:8080")]
impl Verbs {
    #[get("/")]
    async fn get(&self) -> &'static str {
        "get"
    }

    #[post("/")]
    fn post(&self) -> String {
        "post".into()
    }

    #[put("/")]
    async fn put() -> (StatusCode, &'static str) {
        (StatusCode::CREATED, "put")
    }

    #[delete("/")]
    fn delete() -> StatusCode {
        StatusCode::NO_CONTENT
    }

    #[patch("/")]
    async fn patch(&self) -> impl IntoResponse + use<> {
        "patch"
    }

    #[head("/head")]
    async fn head(&self) {}

    #[options("/")]
    #[expect(clippy::needless_lifetimes, reason = "a method may have lifetimes")]
    async fn options<'a>(&'a self) -> Result<&'static str, StatusCode> {
        Err(StatusCode::IM_A_TEAPOT)
    }

    #[any("/any")]
    async fn any(&self, method: group::axum::http::Method) -> String {
        method.to_string()
    }
}

#[tokio::test]
async fn every_verb_is_served() {
    let served = Served::new(Group::new().add_type::<Verbs>(), &["verbs"]).await;
    assert_eq!(served.get("verbs", "/").await, ok("get"));
    assert_eq!(served.ask("verbs", Method::POST, "/", "").await, ok("post"));
    assert_eq!(served.ask("verbs", Method::PUT, "/", "").await, (201, "put".into()));
    assert_eq!(served.ask("verbs", Method::DELETE, "/", "").await, (204, String::new()));
    assert_eq!(served.ask("verbs", Method::PATCH, "/", "").await, ok("patch"));
    assert_eq!(served.ask("verbs", Method::HEAD, "/head", "").await, ok(""));
    assert_eq!(served.ask("verbs", Method::OPTIONS, "/", "").await, (418, String::new()));
    assert_eq!(served.ask("verbs", Method::TRACE, "/any", "").await, ok("TRACE"));
    assert_eq!(served.get("verbs", "/nowhere").await.0, 404);
    served.stop().await;
}

type Pairs = Query<Vec<(String, u8)>>;

struct Extractors {
    greeting: &'static str,
}

#[service(register = false, http = "127.0.0.1:8080")]
impl Extractors {
    #[post("/{name}/{count}")]
    async fn all(
        &self,
        Path((name, count)): Path<(String, usize)>,
        Query(pairs): Pairs,
        headers: HeaderMap,
        body: String,
    ) -> String {
        let user = headers["user"].to_str().expect("it is text");
        format!("{} {name} {count} {pairs:?} {user} {body}", self.greeting)
    }

    #[post("/optional")]
    fn optional(headers: HeaderMap, body: Result<String, group::axum::extract::rejection::StringRejection>) -> String {
        format!("{} {}", headers.len(), body.is_ok())
    }

    #[post("/request")]
    async fn request(request: group::axum::extract::Request) -> String {
        request.uri().to_string()
    }
}

#[tokio::test]
async fn parameters_are_taken_from_the_request() {
    let extractors = Extractors { greeting: "hello" };
    let served = Served::new(Group::new().add(extractors), &["extractors"]).await;
    let ask = async |path, body| served.ask("extractors", Method::POST, path, body).await;
    assert_eq!(ask("/a/3?x=1&y=2", "body").await, ok(r#"hello a 3 [("x", 1), ("y", 2)] me body"#));
    assert_eq!(ask("/a/b", "").await.0, 400);
    assert_eq!(ask("/a/3?x=many", "").await.0, 400);
    assert!(ask("/optional", "text").await.1.ends_with("true"));
    assert_eq!(ask("/request?q", "").await, ok("/request?q"));
    served.stop().await;
}

struct Wrapped;

#[service(register = false, http = "127.0.0.1:8080")]
impl Wrapped {
    #[get("/inside")]
    async fn inside(&self) -> &'static str {
        "inside"
    }

    fn router(&self, routes: Router) -> Router {
        Router::new().nest("/outside", routes).fallback(|| async { "fallback" })
    }
}

struct OnlyRouter;

#[service(register = false, http = "127.0.0.1:8080")]
impl OnlyRouter {
    fn router(&self, routes: Router) -> Router {
        routes.fallback(|| async { "only" })
    }
}

#[tokio::test]
async fn a_router_wraps_the_routes() {
    let served = Served::new(Group::new().add(Wrapped).add(OnlyRouter), &["wrapped", "only-router"]).await;
    assert_eq!(served.get("wrapped", "/outside/inside").await, ok("inside"));
    assert_eq!(served.get("wrapped", "/inside").await, ok("fallback"));
    assert_eq!(served.get("only-router", "/").await, ok("only"));
    served.stop().await;
}

struct Beside;

#[service(register = false, http = "127.0.0.1:8080")]
impl Beside {
    #[get("/")]
    async fn index(&self) -> &'static str {
        "index"
    }

    async fn start(&self, journal: Arc<Journal>, shutdown: Shutdown) -> Result<(), String> {
        journal.write("beside");
        shutdown.requested().await;
        journal.write("told");
        Ok(())
    }
}

struct BlockingBeside;

#[service(register = false, http = "127.0.0.1:8080")]
impl BlockingBeside {
    #[get("/")]
    fn index() {}

    fn start(&self, journal: Arc<Journal>) {
        journal.write("on a thread");
    }

    async fn stop(&self) {}
}

#[tokio::test]
async fn start_runs_beside_the_routes() {
    let served = Served::new(Group::new().add(Beside), &["beside"]).await;
    assert_eq!(served.get("beside", "/").await, ok("index"));
    let journal = served.journal.clone();
    served.stop().await;
    assert_eq!(journal.entries(), ["beside", "told"]);

    let served = Served::new(Group::new().add(BlockingBeside), &["blocking-beside"]).await;
    assert_eq!(served.get("blocking-beside", "/").await, ok(""));
    served.stop().await;
}

// Conditions.

#[service(register = false)]
#[cfg(any())]
impl Missing {
    async fn start(&self) {}
}

#[derive(Default)]
struct Conditions {
    made_by: &'static str,
}

#[service(register = false, http = "127.0.0.1:8080")]
#[cfg(test)]
impl Conditions {
    #[cfg(any())]
    fn new(_: Missing) -> Missing {}

    #[cfg(test)]
    #[cfg(not(any()))]
    fn new() -> Self {
        Self { made_by: "new" }
    }

    #[cfg(any())]
    fn start(&self, _: Missing) {}

    #[cfg(test)]
    async fn start(&self, journal: Arc<Journal>) {
        journal.write("start");
    }

    #[cfg(any())]
    async fn stop(&self) -> Missing {}

    #[get("/")]
    #[cfg(any())]
    async fn index(&self, _: Missing) {}

    #[cfg(test)]
    #[get("/")]
    async fn index(&self) -> &'static str {
        self.made_by
    }
}

#[tokio::test]
async fn conditions_are_kept() {
    let served = Served::new(Group::new().add_type::<Conditions>(), &["conditions"]).await;
    assert_eq!(served.get("conditions", "/").await, ok("new"));
    assert_eq!(served.journal.entries(), ["start"]);
    served.stop().await;
}

/// Without `new` and `start`.
#[derive(Default)]
struct Unconditional {
    made_by: &'static str,
}

#[service(register = false, http = "127.0.0.1:8080")]
impl Unconditional {
    #[cfg(any())]
    fn new() -> Self {
        Self { made_by: "new" }
    }

    #[cfg(any())]
    async fn start(&self) -> Result<(), Missing> {}

    #[get("/")]
    async fn index(&self) -> String {
        format!("made by {:?}", self.made_by)
    }
}

#[tokio::test]
async fn what_a_condition_takes_away_is_not_there() {
    let served = Served::new(Group::new().add_type::<Unconditional>(), &["unconditional"]).await;
    assert_eq!(served.get("unconditional", "/").await, ok("made by \"\""));
    served.stop().await;
}

// Types of all kinds.

#[derive(Default)]
enum Mode {
    #[default]
    Quiet,
    Loud(String),
}

#[group::service(register = false)]
impl Mode {
    async fn start(&self, journal: Arc<Journal>) {
        match self {
            Self::Quiet => journal.write("quiet"),
            Self::Loud(text) => journal.write(text),
        }
    }
}

struct Bag<T, const N: usize> {
    things: [T; N],
}

#[::group::service(register = false)]
impl<T, const N: usize> Bag<T, N>
where
    T: fmt::Debug + Default + Send + Sync + 'static,
{
    fn new() -> Self {
        Self { things: std::array::from_fn(|_| T::default()) }
    }

    async fn start(&self, journal: Arc<Journal>) -> Result<(), String> {
        journal.write(format!("{:?}", self.things));
        Ok(())
    }
}

#[tokio::test]
async fn enums_and_generic_types_are_services() {
    let mut group = Group::new();
    group.add_type::<Mode>().add_as("loud", Mode::Loud("loud".into()));
    group.add_type::<Bag<u8, 2>>().add_type::<Bag<String, 1>>();
    let (running, journal) = started(&mut group).await;
    let report = running.wait().await;
    assert_eq!(journal.entries(), ["quiet", "loud", "[0, 0]", "[\"\"]"]);
    assert!(report.is_clean(), "{report}");
}

macro_rules! services {
    ($($(#[$meta:meta])* $ty:ty, $name:ident, $text:literal, $limit:expr, $other:ty, $body:block;)*) => {
        $(
            #[derive(Default)]
            struct $name;

            #[service(register = false, name = $text, stop_timeout = $limit, after(optional($other)), http = "127.0.0.1:8080")]
            impl $ty {
                async fn start(&self, journal: Arc<Journal>) {
                    journal.write($text);
                }

                async fn stop(&self) $body

                $(#[$meta])*
                async fn route(&self) -> &'static str {
                    $text
                }
            }
        )*
    };
}

services! {
    #[get("/")] First, First, "first", "3s", Second, {};
    #[doc = "An index"] #[get("/")] Second, Second, "second", "1m", Database, { tokio::task::yield_now().await };
}

macro_rules! block {
    ($($block:tt)*) => {
        #[service(register = false)]
        $($block)*
    };
}

struct InMacro(u8);

block! {
    impl InMacro {
        fn new(journal: Arc<Journal>) -> Self {
            journal.write("made");
            Self(3)
        }

        async fn start(&self) {
            assert_eq!(self.0, 3);
        }
    }
}

#[tokio::test]
async fn macros_make_services() {
    let mut group = Group::new();
    group.add_type::<InMacro>().add_type::<First>().add_type::<Second>();
    let served = Served::new(&mut group, &["first", "second"]).await;
    assert_eq!(served.get("first", "/").await, ok("first"));
    assert_eq!(served.get("second", "/").await, ok("second"));
    assert_eq!(served.journal.entries(), ["made", "second", "first"]);
    served.stop().await;
}

struct r#Match;

#[service(register = false, http = "127.0.0.1:8080")]
impl r#Match {
    fn r#new() -> Self {
        Self
    }

    async fn r#start(&self, r#type: Arc<Journal>) {
        r#type.write("raw");
    }

    #[get("/{type}")]
    async fn r#type(&self, Path(r#type): Path<String>) -> String {
        r#type
    }
}

#[tokio::test]
async fn raw_identifiers_are_names_like_others() {
    let served = Served::new(Group::new().add_type::<Match>(), &["match"]).await;
    assert_eq!(served.get("match", "/fn").await, ok("fn"));
    assert_eq!(served.journal.entries(), ["raw"]);
    served.stop().await;
}

// The block stays what it was.

struct Ordinary {
    limit: u8,
}

/// A block with everything that a block can have.
#[service(register = false, http = "127.0.0.1:8080")]
#[allow(clippy::mixed_attributes_style, reason = "both styles must be kept")]
impl Ordinary {
    #![allow(non_upper_case_globals)]

    const lowest: u8 = { 3 };
    pub(crate) const HIGHEST: [u8; 2] = [7, 8];

    /// Makes it.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { limit: Self::lowest }
    }

    /// Runs it.
    #[deprecated = "it is the group that starts services"]
    pub(crate) async fn start(&self, journal: Arc<Journal>) {
        journal.write(format!("{}", self.limited(8_u8)));
    }

    #[expect(clippy::unused_self, reason = "an attribute of the user's")]
    fn limited<T: Into<u64>>(&self, number: T) -> u64 {
        number.into().min(Self::lowest.into())
    }

    #[must_use]
    #[get("/")]
    #[doc(hidden)]
    pub(crate) async fn index(&self) -> String {
        self.limit.to_string()
    }

    fn strat(text: &str) -> impl Iterator<Item = char> {
        text.chars().rev()
    }

    /// Ends it.
    #[inline]
    pub(crate) async fn stop(&self) {}
}

#[tokio::test]
async fn the_block_is_still_the_types_own() {
    let journal = Arc::new(Journal::default());
    let service = Ordinary::new();
    #[expect(deprecated, reason = "the attribute is kept")]
    service.start(Arc::clone(&journal)).await;
    service.stop().await;
    assert_eq!(journal.entries(), ["3"]);
    assert_eq!(service.index().await, "3");
    assert_eq!(Ordinary::strat("abc").collect::<String>(), "cba");
    assert_eq!(Ordinary::HIGHEST.len(), 2);

    let served = Served::new(Group::new().add_type::<Ordinary>(), &["ordinary"]).await;
    assert_eq!(served.get("ordinary", "/").await, ok("3"));
    served.stop().await;
}

#[tokio::test]
async fn a_function_may_have_services_of_its_own() {
    #[derive(Default)]
    struct Local;

    #[service(register = false)]
    impl Local {
        async fn start(&self, journal: Arc<Journal>) {
            journal.write("local");
        }
    }

    let (running, journal) = started(Group::new().add_type::<Local>()).await;
    assert!(running.wait().await.is_clean());
    assert_eq!(journal.entries(), ["local"]);
}

mod registered {
    use group::Shutdown;

    /// The only service of this file that registers itself.
    #[derive(Default)]
    pub(super) struct Registered;

    #[group::service]
    impl Registered {
        async fn start(&self, shutdown: Shutdown) {
            shutdown.requested().await;
        }
    }
}

#[tokio::test]
async fn a_service_registers_itself() {
    let (running, _) = started(&mut Group::registered()).await;
    assert!(running.get::<registered::Registered>().is_some());
    assert_eq!(names(&running.stop().await), ["registered"]);
}

/// Names that the macro must not confuse with its own.
mod hostile {
    #![allow(dead_code, reason = "the names are only there to be in the way")]

    pub(super) struct Option;
    pub(super) struct Some;
    pub(super) struct None;
    pub(super) struct Ok;
    pub(super) struct Err;
    pub(super) struct Result;
    pub(super) struct Box;
    pub(super) struct Arc;
    pub(super) struct Context;
    pub(super) struct Spec;
    pub(super) trait Send {}
    pub(super) trait Sync {}
    pub(super) trait Clone {}
    pub(super) trait Future {}
    pub(super) trait Default {}
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) mod group {}
    pub(super) mod inventory {}

    pub(super) struct Service;

    #[::group::service(register = false, http = "127.0.0.1:8080", start_timeout = "3s", role = "daemon")]
    impl Service {
        async fn new(_cx: ::group::Context) -> ::std::result::Result<Self, ::std::string::String> {
            ::std::result::Result::Ok(Self)
        }

        async fn start(&self, _shutdown: ::group::Shutdown) {}

        #[post("/{name}")]
        async fn route(
            &self,
            ::group::axum::extract::Path(name): ::group::axum::extract::Path<::std::string::String>,
            body: ::std::string::String,
        ) -> ::std::string::String {
            name + &body
        }

        fn router(&self, routes: ::group::axum::Router) -> ::group::axum::Router {
            routes
        }

        fn stop(&self) {}
    }
}

#[tokio::test]
async fn names_in_scope_are_not_in_the_way() {
    let served = Served::new(Group::new().add_type::<hostile::Service>(), &["service"]).await;
    assert_eq!(served.ask("service", Method::POST, "/a", "b").await, ok("ab"));
    served.stop().await;
}

mod rules {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use group::{Group, Health, Outcome, Ready, ReloadError, Shutdown, service};

    /// Fails until its restarts are used up, reloads once, and is always unhealthy.
    #[derive(Default)]
    struct Consumer {
        starts: AtomicUsize,
        reloads: Mutex<u32>,
    }

    #[service(register = false, restart(on_failure, max = 2, within = "1m", backoff = "1s..2s"))]
    impl Consumer {
        async fn start(&self, ready: Ready, shutdown: Shutdown) -> Result<(), &'static str> {
            ready.fire();
            if self.starts.fetch_add(1, Ordering::Relaxed) < 2 {
                tokio::task::yield_now().await;
                return Err("the broker hung up");
            }
            shutdown.requested().await;
            Ok(())
        }

        async fn health(&self) -> Result<(), String> {
            Err("the broker is slow".to_owned())
        }

        fn reload(&self) -> Result<(), &'static str> {
            let mut reloads = self.reloads.lock().expect("nobody panicked");
            *reloads += 1;
            if *reloads == 1 { Ok(()) } else { Err("bad settings") }
        }
    }

    /// A service that is not critical.
    #[derive(Default)]
    struct Cache;

    #[service(register = false, critical = false)]
    impl Cache {
        async fn start(&self, _: Ready) -> Result<(), &'static str> {
            Err("no memory")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn restart_critical_health_and_reload_reach_the_group() {
        let running = Group::new().add_type::<Cache>().add_type::<Consumer>().start().await.expect("can do without");
        let (handle, mut events) = (running.handle(), running.handle().events());
        while handle.status().service("consumer").expect("is there").restarts() < 2 || !handle.status().is_ready() {
            events.recv().await.expect("goes on");
        }
        assert!(handle.status().is_degraded());

        let health = handle.health().await;
        assert_eq!(*health[1].health(), Health::Unhealthy("the broker is slow".to_owned()));
        assert!(handle.reload().await.is_ok());
        assert!(matches!(handle.reload().await, Err(ReloadError::Failed(_))));

        let report = running.stop().await;
        assert_eq!((report.outcome(), report.failures().len()), (Outcome::Clean, 4), "{report}");
    }
}

// Messages.

#[derive(Default)]
struct Orders {
    lengths: Mutex<Vec<usize>>,
}

#[service(register = false)]
impl Orders {
    async fn start(&self, cx: Context) -> Result<(), group::MessageFailed> {
        let words = [String::from("tea"), String::from("coffee")];
        let messages = futures_util::stream::iter(&words);
        cx.for_each(messages, 1, |order| self.take(order)).retry(1).await?;
        Ok(())
    }

    async fn take(&self, order: &str) {
        tokio::task::yield_now().await;
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner).push(order.len());
    }

    async fn stop(&self) -> Result<(), String> {
        let lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        if *lengths == [3, 6] { Ok(()) } else { Err(format!("{lengths:?}")) }
    }
}

#[tokio::test]
async fn a_handler_of_messages_can_borrow_the_service_and_the_message() {
    let report = Group::new().add_type::<Orders>().run().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.service("orders").unwrap().messages().unwrap().finished(), 2);
}
