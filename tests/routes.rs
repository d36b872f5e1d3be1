//! Routes: what a service says of them, and what is wrapped around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use group::axum::extract::{Request, State};
use group::axum::http::StatusCode;
use group::axum::middleware::{Next, from_fn, from_fn_with_state};
use group::axum::response::{IntoResponse, Response};
use group::axum::{Extension, Router, routing};
use group::{Group, Route, Running, Service, Spec, service};
use reqwest::Method;

#[derive(Default)]
struct Users;

/// The lines of the routes below, counted from the block's first.
const BLOCK: u32 = line!() + 2;

#[service(register = false, http = "127.0.0.1:0")]
impl Users {
    /// All users.
    ///
    ///     and code
    #[get("/users")]
    async fn all(&self) {}

    #[doc = "One user."]
    #[any("/users/{id}")]
    #[cfg(not(any()))]
    async fn one(&self) {}

    #[cfg(any())]
    #[get("/gone")]
    async fn gone(&self) {}

    #[put("/a")]
    #[post("/b")]
    async fn two(&self) {}
}

#[test]
fn routes_are_listed_with_what_is_said_of_them() {
    let spec = Users::spec();
    let listed: Vec<_> = spec.get_routes().iter().map(|route| (route.to_string(), route.get_doc())).collect();
    let expected = [
        ("GET /users".to_owned(), "All users.\n\n    and code"),
        ("ANY /users/{id}".to_owned(), "One user."),
        ("PUT /a".to_owned(), ""),
        ("POST /b".to_owned(), ""),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn a_route_is_placed_where_it_is_written() {
    let spec = Users::spec();
    let places = spec.get_routes().iter().map(Route::place);
    let lines: Vec<u32> = places.clone().map(|place| place.line() - BLOCK).collect();
    assert_eq!(lines, [5, 9, 17, 18]);
    assert!(places.clone().all(|place| place.file() == file!() && place.column() == 7));
}

#[test]
fn routes_are_listed_by_hand_too() {
    let spec = Spec::new("users").route(Route::new("GET", "/users").doc("All users."));
    let [route] = spec.get_routes() else { panic!("there is one") };
    assert_eq!((route.method(), route.path(), route.get_doc()), ("GET", "/users", "All users."));
    assert_eq!(route.place().line(), line!() - 3);
}

// Layers.

/// Says who was asked, in the order of their answers.
async fn say(name: &'static str, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().append("passed", group::axum::http::HeaderValue::from_static(name));
    response
}

async fn inner(request: Request, next: Next) -> Response {
    say("inner", request, next).await
}

async fn outer(request: Request, next: Next) -> Response {
    say("outer", request, next).await
}

async fn around_all(request: Request, next: Next) -> Response {
    say("all", request, next).await
}

async fn refuse(_: Request, _: Next) -> Response {
    StatusCode::UNAUTHORIZED.into_response()
}

async fn count(State(Layered { asked }): State<Layered>, request: Request, next: Next) -> Response {
    asked.fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

#[derive(Clone, Default)]
struct Layered {
    asked: Arc<AtomicUsize>,
}

#[service(register = false, http = "127.0.0.1:0")]
#[layer(from_fn(around_all))]
impl Layered {
    #[get("/plain")]
    async fn plain(&self) {}

    #[layer(from_fn(outer))]
    #[get("/layered")]
    #[post("/layered")]
    #[layer(from_fn(inner))]
    async fn layered(&self) {}

    #[any("/refused")]
    #[layer(from_fn(refuse))]
    async fn refused(&self) {}

    #[get("/guarded")]
    #[layer(from_fn(refuse))]
    async fn guarded(&self) {}

    #[layer(from_fn_with_state(Self::clone(&self), count))]
    #[layer(Extension(self.asked.clone()))]
    #[get("/counted")]
    async fn counted(&self, Extension(asked): Extension<Arc<AtomicUsize>>) -> String {
        asked.load(Ordering::Relaxed).to_string()
    }

    fn router(&self, routes: Router) -> Router {
        routes.route("/added", routing::get(|| async {}))
    }
}

/// The status, who was passed, and the body.
async fn ask(running: &Running, method: Method, path: &str) -> (u16, Vec<String>, String) {
    let address = running.local_addr("layered").expect("it listens");
    let url = format!("http://{address}{path}");
    let response = reqwest::Client::new().request(method, url).send().await.expect("it answers");
    let passed = response.headers().get_all("passed").iter();
    let passed = passed.map(|name| name.to_str().expect("it is text").to_owned()).collect();
    (response.status().as_u16(), passed, response.text().await.expect("it has a body"))
}

#[tokio::test]
async fn layers_are_put_around_routes_the_first_outermost() {
    let running = Group::new().add(Layered::default()).start().await.expect("it starts");
    let asked = async |method, path| ask(&running, method, path).await;
    let passed = async |method, path| asked(method, path).await.1;

    assert_eq!(passed(Method::GET, "/plain").await, ["all"]);
    assert_eq!(passed(Method::GET, "/layered").await, ["inner", "outer", "all"]);
    assert_eq!(passed(Method::POST, "/layered").await, ["inner", "outer", "all"]);
    assert_eq!(passed(Method::GET, "/added").await, ["all"], "what `router` adds is wrapped too");

    assert_eq!(asked(Method::PUT, "/refused").await.0, 401);
    assert_eq!(asked(Method::GET, "/guarded").await.0, 401);
    assert_eq!(asked(Method::PUT, "/guarded").await.0, 405, "the layer is around one method only");

    assert_eq!(asked(Method::GET, "/counted").await.2, "1", "a layer may use `self`");
    assert!(running.stop().await.is_clean());
}
