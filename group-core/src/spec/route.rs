//! The routes that a service declares.

use std::fmt;
use std::panic::Location;

/// One route of an HTTP service, as its [`Spec`](crate::Spec) lists it, for code that must know the routes before they
/// are served. A `Route` serves nothing itself.
///
/// The macro adds every `#[get("/path")]` and the like, with the method's documentation. Routes that
/// the `router` method adds are not in the list.
///
/// Each method takes it by value, because it is built in a single expression.
///
/// ```
/// use group::{Service, service};
///
/// #[derive(Default)]
/// struct Users;
///
/// #[service(http = "127.0.0.1:8080")]
/// impl Users {
///     /// One user.
///     #[get("/users/{id}")]
///     async fn user(&self) {}
/// }
///
/// let spec = Users::spec();
/// let [user] = spec.get_routes() else { panic!("there is one route") };
/// assert_eq!(user.to_string(), "GET /users/{id}");
/// assert_eq!(user.get_doc(), "One user.");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Route {
    method: &'static str,
    path: &'static str,
    doc: &'static str,
    place: &'static Location<'static>,
}

impl Route {
    /// A route that is declared on the calling line. The method is written as in a request, such as `GET`, or `ANY`
    /// for all methods that have no route of their own on this path.
    ///
    /// ```
    /// use group::{Route, Spec};
    ///
    /// let spec = Spec::new("users").http("127.0.0.1:8080").route(Route::new("GET", "/users"));
    /// assert_eq!(spec.get_routes()[0].place().file(), file!());
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn new(method: &'static str, path: &'static str) -> Self {
        Self { method, path, doc: "", place: Location::caller() }
    }

    /// Sets the description. The macro takes the method's doc comment.
    ///
    /// ```
    /// use group::Route;
    ///
    /// let route = Route::new("GET", "/users").doc("All users.");
    /// assert_eq!(route.get_doc(), "All users.");
    /// ```
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// The method: `GET`, `POST` and so on, or `ANY`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// The path, in axum's syntax: `/users/{id}`.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The description; empty by default.
    #[must_use]
    pub const fn get_doc(&self) -> &'static str {
        self.doc
    }

    /// The place of its declaration.
    #[must_use]
    pub const fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

/// `GET /users/{id}`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
