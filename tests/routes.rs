//! Routes: what a service says of them, and what is wrapped around them.

use group::{Route, Service, Spec, service};

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
    let listed: Vec<_> = spec.routes().iter().map(|route| (route.to_string(), route.doc())).collect();
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
    let places = spec.routes().iter().map(Route::place);
    let lines: Vec<u32> = places.clone().map(|place| place.line() - BLOCK).collect();
    assert_eq!(lines, [5, 9, 17, 18]);
    assert!(places.clone().all(|place| place.file() == file!() && place.column() == 7));
}

#[test]
fn routes_are_listed_by_hand_too() {
    let spec = Spec::new("users").route(Route::new("GET", "/users").with_doc("All users."));
    let [route] = spec.routes() else { panic!("there is one") };
    assert_eq!((route.method(), route.path(), route.doc()), ("GET", "/users", "All users."));
    assert_eq!(route.place().line(), line!() - 3);
}
