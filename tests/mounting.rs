//! Several services on one address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use group::axum::extract::{OriginalUri, Path, Request};
use group::axum::http::{HeaderValue, Uri};
use group::axum::middleware::{Next, from_fn};
use group::axum::response::Response;
use group::axum::{Router, routing};
use group::{
    BoxError, Context, Group, Outcome, Ready, Report, Restart, Schedule, Service, Shutdown, Spec, State, http, service,
};
use test_support::{fails_to_start, until_state};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What the services of one test did, in order.
type Journal = test_support::Journal<&'static str>;

/// Marks each response that passes through it.
async fn trace(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert("traced", HeaderValue::from_static("yes"));
    response
}

#[derive(Default)]
struct Users {
    journal: Journal,
    entered: Arc<Notify>,
    may_answer: Arc<Notify>,
}

#[service(register = false, http = Gateway, prefix = "/api")]
impl Users {
    #[get("/users/{id}")]
    async fn one(&self, Path(id): Path<u64>, uri: Uri, OriginalUri(original): OriginalUri) -> String {
        format!("user {id} at {uri} of {original}")
    }

    #[get("/held")]
    async fn held(&self) -> &'static str {
        self.entered.notify_one();
        self.may_answer.notified().await;
        self.journal.write("held is answered");
        "answered"
    }

    #[get("/until-stop")]
    async fn until_stop(&self, shutdown: Shutdown) -> &'static str {
        self.entered.notify_one();
        shutdown.requested().await;
        "the gateway stops"
    }

    async fn stop(&self) {
        self.journal.write("users stop");
    }
}

#[derive(Default)]
struct Admin {
    journal: Journal,
}

#[service(register = false, http = Gateway)]
impl Admin {
    async fn start(&self, shutdown: Shutdown) {
        self.journal.write("admin starts");
        shutdown.requested().await;
        self.journal.write("admin is asked");
    }

    #[get("/admin")]
    async fn index(&self) -> &'static str {
        "admin"
    }
}

#[derive(Default)]
struct Gateway {
    journal: Journal,
}

#[service(register = false, http = "127.0.0.1:0")]
#[layer(from_fn(trace))]
impl Gateway {
    async fn stop(&self) {
        self.journal.write("the gateway stops");
    }
}

/// The gateway is declared first; it starts last all the same.
fn group(journal: &Journal) -> Group {
    let journal = || journal.clone();
    let mut group = Group::new();
    group
        .add(Gateway { journal: journal() })
        .add(Users { journal: journal(), ..Users::default() })
        .add(Admin { journal: journal() });
    group
}

/// The status, whether it passed the layer, and the body.
async fn ask(address: SocketAddr, path: &str) -> (u16, bool, String) {
    let response = reqwest::get(format!("http://{address}{path}")).await.expect("an answer");
    let (status, traced) = (response.status().as_u16(), response.headers().contains_key("traced"));
    (status, traced, response.text().await.expect("a whole answer"))
}

/// Sends a request in a task of its own.
fn asked(address: SocketAddr, path: &'static str) -> JoinHandle<(u16, bool, String)> {
    // Longer than an answer takes, so that the test of a broken group fails and does not hang.
    tokio::spawn(async move { timeout(Duration::from_secs(20), ask(address, path)).await.expect("it hangs") })
}

/// The report of a group that must not come up.
async fn refused(group: &mut Group) -> Report {
    let report = fails_to_start(group).await;
    assert_eq!((report.outcome(), report.exit_code()), (Outcome::BadGroup, 78), "{report}");
    report
}

#[tokio::test]
async fn services_are_served_on_the_address_of_another_with_its_layers_around_them() {
    let running = group(&Journal::default()).start().await.unwrap();
    let address = running.local_addr("gateway").unwrap();
    assert_eq!(running.local_addr("users"), Some(address));
    assert_eq!(running.local_addr("admin"), Some(address));

    let user = "user 1 at /users/1 of /api/users/1".to_owned();
    assert_eq!(ask(address, "/api/users/1").await, (200, true, user));
    assert_eq!(ask(address, "/admin").await, (200, true, "admin".into()));
    assert_eq!(ask(address, "/users/1").await, (404, true, String::new()));
    let report = running.stop().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.service("users").unwrap().local_addr(), Some(address));
}

#[tokio::test]
async fn what_serves_starts_last_and_stops_first() {
    for schedule in [Schedule::Strict, Schedule::Graph] {
        let order = group(&Journal::default()).schedule(schedule).order().unwrap();
        assert_eq!(order.starts().last().unwrap(), &["gateway"]);
        assert_eq!(order.stops()[0], ["gateway"]);

        let journal = Journal::default();
        let running = group(&journal).schedule(schedule).start().await.unwrap();
        assert_eq!(journal.entries(), ["admin starts"]);
        assert!(running.stop().await.is_clean());
        let stops = &journal.entries()[1..];
        assert_eq!(stops[0], "the gateway stops");
        assert!(stops[1..].contains(&"users stop") && stops[1..].contains(&"admin is asked"), "{stops:?}");
    }
}

#[tokio::test]
async fn what_is_in_flight_is_answered_before_its_service_is_stopped() {
    let (journal, users) = (Journal::default(), Users::default());
    let (entered, may_answer) = (Arc::clone(&users.entered), Arc::clone(&users.may_answer));
    let mut group = Group::new();
    group.add(Gateway { journal: journal.clone() }).add(Users { journal: journal.clone(), ..users });
    let running = group.start().await.unwrap();
    let address = running.local_addr("users").unwrap();

    let held = asked(address, "/api/held");
    entered.notified().await;
    let until_stop = asked(address, "/api/until-stop");
    entered.notified().await;
    running.handle().stop();
    assert_eq!(until_stop.await.unwrap(), (200, true, "the gateway stops".into()));
    assert_eq!(journal.entries(), [""; 0], "nothing is stopped while a request is in flight");
    may_answer.notify_one();
    assert_eq!(held.await.unwrap(), (200, true, "answered".into()));

    let report = running.wait().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(journal.entries(), ["held is answered", "the gateway stops", "users stop"]);
}

// By hand.

/// A service that is mounted under this name, with these routes.
struct Part {
    spec: Spec,
    routes: Router,
    /// Its `start` fails when it is told to, each time.
    fail: Arc<Notify>,
}

impl Part {
    fn new(name: &'static str, routes: Router) -> Self {
        let spec = Spec::new(name).http_on_named("front");
        Self { spec, routes, fail: Arc::default() }
    }

    fn spec(self, change: impl FnOnce(Spec) -> Spec) -> Self {
        Self { spec: change(self.spec), ..self }
    }
}

impl Service for Part {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        tokio::select! {
            served = http::mount(&cx, self.routes.clone()) => served,
            () = self.fail.notified() => Err("it was told to".into()),
        }
    }
}

trait Mounting {
    /// Adds a service that others are mounted on.
    fn front(&mut self, own: Router) -> &mut Self;

    fn part(&mut self, part: Part) -> &mut Self;
}

impl Mounting for Group {
    fn front(&mut self, own: Router) -> &mut Self {
        let serve = |cx: Context| async move {
            let routes = http::mounted(&cx, own)?.layer(from_fn(trace));
            http::serve(&cx, cx.http_address().unwrap(), routes).await
        };
        self.add_fn("front", serve).configure("front", |spec| spec.http("127.0.0.1:0"))
    }

    fn part(&mut self, part: Part) -> &mut Self {
        let spec = part.spec.clone();
        let name = spec.get_name().to_owned();
        self.add_as(&name, part).configure(&name, |_| spec)
    }
}

/// Answers a GET of this path with this text.
fn text(path: &str, text: &'static str) -> Router {
    Router::new().route(path, routing::get(move || async move { text }))
}

#[tokio::test]
async fn services_are_mounted_by_hand_too() {
    let mut group = Group::new();
    group
        .front(text("/", "front").fallback(|| async { "nothing" }))
        .part(Part::new("one", text("/", "one")).spec(|spec| spec.prefix("/one")))
        .part(Part::new("two", text("/two", "two")));
    let running = group.start().await.unwrap();
    let address = running.local_addr("two").unwrap();
    for (path, body) in [("/", "front"), ("/one", "one"), ("/two", "two"), ("/three", "nothing")] {
        assert_eq!(ask(address, path).await, (200, true, body.into()), "{path}");
    }
    assert!(running.stop().await.is_clean());
}

#[tokio::test]
async fn what_runs_again_answers_again_and_nothing_else_suffers() {
    let part = Part::new("part", text("/part", "part"))
        .spec(|spec| spec.critical(false).restart(Restart::on_failure().max(1)));
    let fail = Arc::clone(&part.fail);
    let mut group = Group::new();
    group.front(text("/", "front")).part(part);
    let running = group.start().await.unwrap();
    let (handle, address) = (running.handle(), running.local_addr("front").unwrap());

    fail.notify_one();
    until_state(&handle, "part", State::Restarting).await;
    assert_eq!(ask(address, "/part").await, (503, true, String::new()));
    until_state(&handle, "part", State::Ready).await;
    assert_eq!(ask(address, "/part").await, (200, true, "part".into()));

    fail.notify_one();
    until_state(&handle, "part", State::Failed).await;
    assert_eq!(ask(address, "/part").await.0, 503);
    assert_eq!(ask(address, "/").await.0, 200);
    assert_eq!(ask(address, "/elsewhere").await.0, 404);
    assert!(running.stop().await.is_clean(), "the group can do without it");
}

struct Broken;

#[service(register = false, http = Gateway, critical = false)]
impl Broken {
    fn new() -> Result<Self, &'static str> {
        Err("no such table")
    }

    #[get("/broken")]
    async fn get(&self) {}

    #[any("/any")]
    async fn any(&self) {}
}

#[tokio::test]
async fn what_was_never_built_is_unavailable() {
    let running = group(&Journal::default()).add_type::<Broken>().start().await.unwrap();
    let address = running.local_addr("gateway").unwrap();
    assert_eq!(ask(address, "/broken").await, (503, true, String::new()));
    assert_eq!(ask(address, "/any").await.0, 503);
    assert_eq!(ask(address, "/admin").await.0, 200);
    assert!(running.stop().await.is_clean());
}

/// Serves until it is told to fail.
struct Restarted(Arc<Notify>);

#[service(register = false, name = "front", http = "127.0.0.1:0", restart = "on-failure")]
impl Restarted {
    async fn start(&self) -> Result<(), &'static str> {
        self.0.notified().await;
        Err("it was told to")
    }

    fn router(&self, routes: Router) -> Router {
        routes.layer(from_fn(trace))
    }
}

#[tokio::test]
async fn what_serves_and_is_started_again_serves_all_again() {
    let fail = Arc::new(Notify::new());
    let mut group = Group::new();
    group.add(Restarted(Arc::clone(&fail))).part(Part::new("part", text("/part", "part")));
    // A fixed port, because a server on a free port would get another one when it is started again.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    group.configure("front", |spec| spec.http(free.to_string()).restart(Restart::on_failure()));
    let running = group.start().await.unwrap();
    fail.notify_one();
    until_state(&running.handle(), "front", State::Restarting).await;
    until_state(&running.handle(), "front", State::Ready).await;
    assert_eq!(ask(free, "/part").await, (200, true, "part".into()));
    assert!(running.stop().await.is_clean());
}

// Mistakes.

#[tokio::test]
async fn whoever_is_mounted_is_mounted_on_one_that_listens() {
    let part = |name| Part::new(name, Router::new());
    let said = |place: u32| format!("tests/mounting.rs:{place}");
    let not_there = line!() + 1;
    let report = refused(Group::new().add_as("part", part("part")).configure("part", |_| part("part").spec)).await;
    let message = format!("`part` ({}) is mounted on `front`, which is not in this group", said(not_there));
    assert!(report.to_string().contains(&message), "{report}");

    let mut group = Group::new();
    group.part(part("part")).add_fn("front", |shutdown: Shutdown| async move { shutdown.requested().await });
    let deaf = line!() - 1;
    let report = refused(&mut group).await;
    let message = format!("which has no address ({}): give it one, as in `http = \"127.0.0.1:8080\"`", said(deaf));
    assert!(report.to_string().contains(&message), "{report}");

    let report = refused(Group::new().part(part("front"))).await;
    assert!(report.to_string().contains("is mounted on `front`, which is itself: give it an address"), "{report}");

    let inner = part("inner").spec(|spec| spec.http_on_named("part"));
    let report = refused(Group::new().front(Router::new()).part(part("part")).part(inner)).await;
    let message = "is mounted on `part`, which is mounted on `front`";
    assert!(report.to_string().contains(message), "{report}");
    assert!(report.to_string().contains("and has no address of its own: mount it there, too"), "{report}");

    let mut group = Group::new();
    group.add_as("one", Gateway::default()).add_as("two", Gateway::default()).add(Admin::default());
    let report = refused(&mut group).await;
    assert!(report.to_string().contains("and there are several of it, `one`, `two`"), "{report}");

    let circle = part("part").spec(|spec| spec.after_named("front"));
    let report = refused(Group::new().front(Router::new()).part(circle)).await;
    assert!(report.to_string().contains("front -> part -> front"), "{report}");
}

#[tokio::test]
async fn a_prefix_is_a_path_under_which_something_is_mounted() {
    let part = Part::new("part", Router::new()).spec(|spec| spec.prefix("api/"));
    let report = refused(Group::new().front(Router::new()).part(part)).await;
    let message = "`part` cannot be mounted under `api/`: expected a path, as in `/api`";
    assert!(report.to_string().contains(message), "{report}");

    let report = refused(Group::new().front(Router::new()).configure("front", |spec| spec.prefix("/api"))).await;
    let message = "`front` has the prefix `/api` and is mounted on no service: a prefix needs `http_on`";
    assert!(report.to_string().contains(message), "{report}");
}

#[tokio::test]
async fn an_address_on_which_nothing_is_served_is_a_mistake() {
    let place = line!() + 1;
    let report = refused(Group::new().add(Gateway::default())).await;
    let message = format!("`gateway` (tests/mounting.rs:{place}) serves nothing: add a method with");
    assert!(report.to_string().contains(&message), "{report}");
}

#[derive(Default)]
struct Twin;

#[service(register = false, http = Gateway)]
impl Twin {
    #[get("/twins/{id}")]
    async fn one(&self) {}
}

const TWIN: u32 = line!() - 4;

#[derive(Default)]
struct Maker;

#[service(register = false, http = Gateway)]
impl Maker {
    #[post("/twins/{name}")]
    async fn make(&self) {}
}

const MAKER: u32 = line!() - 4;

#[derive(Default)]
struct Other;

#[service(register = false, http = Gateway, prefix = "/twins")]
impl Other {
    #[get("/{id}")]
    async fn one(&self) {}
}

const OTHER: u32 = line!() - 4;

#[tokio::test]
async fn routes_that_clash_are_told_with_both_places_before_anything_starts() {
    let mut group = group(&Journal::default());
    let report = refused(group.add(Twin).add(Maker).add(Other)).await;
    let said: Vec<String> = report.failures().iter().map(ToString::to_string).collect();
    let at = |line: u32| format!("(tests/mounting.rs:{line})");
    let (get, post, other) = (at(TWIN), at(MAKER), at(OTHER));
    assert_eq!(
        said,
        [
            format!(
                "`GET /twins/{{id}}` of `twin` {get} and `POST /twins/{{name}}` of `maker` {post} conflict: parameters in the same place need the same name"
            ),
            format!("`GET /twins/{{id}}` is served by `twin` {get} and by `other` {other}"),
        ]
    );
}

#[tokio::test]
async fn the_same_route_on_another_address_is_no_clash() {
    let mut group = Group::new();
    group.add_as("one", Layered).add_as("two", Layered);
    assert!(group.start().await.unwrap().stop().await.is_clean());
}

struct Layered;

#[service(register = false, http = "127.0.0.1:0")]
impl Layered {
    #[get("/")]
    async fn index(&self) {}
}

#[tokio::test]
async fn routes_that_nobody_lists_and_clash_are_a_failed_start() {
    let mut group = Group::new();
    group
        .front(text("/", "front"))
        .part(Part::new("one", text("/one", "one")))
        .part(Part::new("two", text("/two", "two").route("/one", routing::get(|| async {}))));
    let report = group.start().await.expect_err("it does not start").into_report();
    assert_eq!(report.exit_code(), 2, "{report}");
    assert_eq!(
        report.failures()[0].to_string(),
        "`front` failed to start: the routes of `one` and `two` cannot be served together: \
         Overlapping method route. Handler for `GET /one` already exists"
    );

    let fallback = || Router::new().fallback(|| async {});
    let report = Group::new().front(fallback()).part(Part::new("one", fallback())).start().await;
    let report = report.expect_err("it does not start").into_report();
    assert_eq!(
        report.failures()[0].to_string(),
        "`front` failed to start: the routes of `one` and `front` cannot be served together: \
         Cannot merge two `Router`s that both have a fallback"
    );
}

#[tokio::test]
async fn what_is_mounted_is_not_forgotten() {
    let mut group = Group::new();
    let serve = |cx: Context| async move { http::serve(&cx, "127.0.0.1:0", Router::new()).await };
    group.add_fn("front", serve).configure("front", |spec| spec.http("127.0.0.1:0"));
    group.part(Part::new("part", Router::new()));
    let report = group.start().await.expect_err("it does not start").into_report();
    assert_eq!(
        report.failures()[0].to_string(),
        "`front` failed to start: `part` is mounted on `front`, which does not serve it: add it with `http::mounted`"
    );

    let alone = Part::new("alone", Router::new()).spec(|_| Spec::new("alone"));
    let report = Group::new().part(alone).start().await.expect_err("it does not start").into_report();
    assert_eq!(
        report.failures()[0].to_string(),
        "`alone` failed to start: `alone` is mounted on no service: its spec needs `http_on`"
    );
}

#[test]
fn it_is_told_where_a_service_is_mounted() {
    let spec = Users::spec().to_string();
    assert!(spec.starts_with("users: daemon, http on `gateway`, prefix /api, restart never"), "{spec}");
}

/// Serves, and never says that its own `start` is ready.
struct Hesitant;

#[service(register = false, http = "127.0.0.1:0")]
impl Hesitant {
    #[get("/alone")]
    async fn index(&self) {}

    async fn start(&self, ready: Ready, shutdown: Shutdown) {
        shutdown.requested().await;
        drop(ready);
    }
}

/// As [`Hesitant`], on the address of another service.
struct HesitantGuest;

#[service(register = false, http = Gateway)]
impl HesitantGuest {
    #[get("/mounted")]
    async fn index(&self) {}

    async fn start(&self, ready: Ready, shutdown: Shutdown) {
        shutdown.requested().await;
        drop(ready);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_beside_routes_that_never_fires_its_ready_is_named() {
    for (name, is_mounted) in [("hesitant", false), ("hesitant-guest", true)] {
        let mut group = Group::new();
        if is_mounted {
            group.add(Gateway::default()).add(HesitantGuest);
        } else {
            group.add(Hesitant);
        }
        group.on_free_ports().configure(name, |spec| spec.start_timeout(Duration::from_secs(3)));
        let report = fails_to_start(&mut group).await;
        let told = report.cause().expect("it did not start").to_string();
        let late = "failed to start: it is not ready after 3 s (start_timeout): its `Ready` was not fired";
        assert_eq!(told, format!("`{name}` {late}"));
    }
}
