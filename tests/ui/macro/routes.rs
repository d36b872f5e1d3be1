//! Routes that say too little, or what axum cannot take.

use group::service;

#[derive(Default)]
struct NoAddress;

#[service]
impl NoAddress {
    #[get("/morning")]
    async fn morning(&self) {}

    #[post("/morning")]
    async fn evening(&self) {}
}

#[derive(Default)]
struct NoAddressOfRouter;

#[service]
impl NoAddressOfRouter {
    async fn start(&self) {}

    fn router(&self, routes: group::axum::Router) -> group::axum::Router {
        routes
    }
}

#[derive(Default)]
struct NoRoutes;

#[service(http = "127.0.0.1:8080")]
impl NoRoutes {
    async fn start(&self) {}
}

#[derive(Default)]
struct NoRoutesNoStart;

#[service(http = "127.0.0.1:8080")]
impl NoRoutesNoStart { async fn morning(&self) {} }

const PATH: &str = "/";

#[derive(Default)]
struct Paths;

#[service(http = "127.0.0.1:0")]
impl Paths {
    #[get]
    async fn bare(&self) {}

    #[get()]
    async fn empty(&self) {}

    #[get(PATH)]
    async fn constant(&self) {}

    #[get = "/"]
    async fn assigned(&self) {}

    #[post("/", "/index")]
    async fn two(&self) {}

    #[put("users")]
    async fn relative(&self) {}

    #[delete("")]
    async fn nowhere(&self) {}

    #[patch("/users/:id")]
    async fn colon(&self) {}

    #[any("/files/*rest")]
    async fn star(&self) {}
}

#[derive(Default)]
struct Twice;

#[service(http = "127.0.0.1:0")]
impl Twice {
    #[get("/morning")]
    async fn morning(&self) {}

    #[get("/morning")]
    async fn good_morning(&self) {}

    #[post("/morning")]
    async fn post_morning(&self) {}
}

#[derive(Default)]
struct Methods;

#[service(http = "127.0.0.1:0")]
impl Methods {
    #[get("/a")]
    async fn exclusive(&mut self) {}

    #[get("/b")]
    async fn by_value(self) {}

    #[post("/b")]
    async fn shared(self: std::rc::Rc<Self>) {}

    #[get("/c")]
    async fn generic<T>(&self) {}

    #[get("/d")]
    async fn hidden(&self, _name: impl Into<String>) {}

    #[get("/e")]
    unsafe fn dangerous(&self) {}
}

#[derive(Default)]
struct Routers;

#[service(http = "127.0.0.1:0")]
impl Routers {
    #[get("/a")]
    async fn a(&self) {}

    async fn router() {}
}

#[derive(Default)]
struct Braces;

#[service(http = "127.0.0.1:0")]
impl Braces {
    #[get("/a/{id")]
    async fn unclosed(&self) {}

    #[get("/a/id}")]
    async fn unopened(&self) {}

    #[get("/b/{*rest}/c")]
    async fn goes_on(&self) {}

    #[get("/b/{rest*}")]
    async fn star_behind(&self) {}

    #[get("/b/{r*st}")]
    async fn star_between(&self) {}

    #[get("/c/{}")]
    async fn nameless(&self) {}

    #[get("/c/{*}")]
    async fn nameless_rest(&self) {}

    #[get("/d/{a}{b}")]
    async fn two_at_once(&self) {}

    #[get("/d/{name}.txt")]
    async fn suffix(&self) {}

    #[get("/e/<id>")]
    async fn of_another_framework(&self) {}

    #[get("/f?id={id}")]
    async fn query(&self) {}

    #[get("/g/{id}/{id}")]
    async fn one_name(&self) {}
}

#[derive(Default)]
struct Alike;

#[service(http = "127.0.0.1:0")]
impl Alike {
    #[get("/users/{id}")]
    async fn user(&self) {}

    #[delete("/users/{name}")]
    async fn delete(&self) {}

    #[get("/files/{*path}")]
    async fn file(&self) {}

    #[get("/files/{id}/size")]
    async fn size(&self) {}

    #[get("/files/{*rest}")]
    async fn rest(&self) {}
}

#[derive(Default)]
struct Called;

#[service(http = "127.0.0.1:0")]
impl Called {
    #[get("/start")]
    async fn start(&self) {}

    #[post("/stop")]
    async fn stop(&self) {}

    #[get("/health")]
    async fn health(&self) -> &'static str {
        "well"
    }

    #[get("/new")]
    fn new() -> Self {
        Called
    }
}

#[derive(Default)]
struct NoMethods;

#[service(http = "127.0.0.1:0")]
impl NoMethods {
    #[get("/limit")]
    #[doc(hidden)]
    pub const LIMIT: u8 = 3;

    #[every("1s")]
    const PERIOD: u8 = 3;
}

fn uses() {
    group::Group::new()
        .add_type::<NoAddress>()
        .add_type::<NoAddressOfRouter>()
        .add_type::<NoRoutes>()
        .add_type::<NoRoutesNoStart>()
        .add_type::<Paths>()
        .add_type::<Twice>()
        .add_type::<Methods>()
        .add_type::<Routers>()
        .add_type::<Called>()
        .add_type::<NoMethods>();
    let _ = (NoMethods::LIMIT, NoMethods::PERIOD);
}

fn main() {}
