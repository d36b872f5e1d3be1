//! Conflicting routes of one address.
//!
//! axum panics when conflicting routes are put into one router, and does not name their services. So they are found
//! and reported here, before anything is started.

use std::collections::HashMap;

use matchit::InsertError;

use crate::base::error::BoxError;
use crate::spec::route::Route;

/// One route that is served on an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served<'a> {
    pub(crate) service: &'a str,
    /// The path under which the service is mounted; empty if it has none.
    pub(crate) prefix: &'a str,
    pub(crate) route: &'a Route,
}

/// The method of a route that takes every request to its path.
const ANY: &str = "ANY";

impl Served<'_> {
    fn path(&self) -> String {
        match (self.prefix, self.route.path()) {
            ("", path) => path.to_owned(),
            (prefix, "/") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}{path}"),
        }
    }

    /// Returns the method and the whole path, as in `GET /users`.
    fn name(&self) -> String {
        format!("`{} {}`", self.route.method(), self.path())
    }

    /// Returns the service of the route, and its place in the code.
    fn owner(&self) -> String {
        let place = self.route.place();
        format!("`{}` ({}:{})", self.service, place.file(), place.line())
    }

    /// Returns true if both answer the same requests. Within one service, `any` takes only the methods that have no
    /// route; between services, it takes all.
    fn meets(&self, other: &Self) -> bool {
        let (one, two) = (self.route.method(), other.route.method());
        one == two || (self.service != other.service && (one == ANY || two == ANY))
    }

    /// Explains why it cannot be served beside an earlier route.
    fn clash(&self, first: &Self) -> BoxError {
        if self.name() == first.name() {
            return format!("{} is served by {} and by {}", self.name(), first.owner(), self.owner()).into();
        }
        let why = match (self.path(), first.path()) {
            (path, other) if path == other => "`any` takes all methods",
            (path, other) if shape(&path) == shape(&other) => "parameters in the same place need the same name",
            _ => "their paths cannot be told apart",
        };
        let (name, owner) = (self.name(), self.owner());
        format!("{} of {} and {name} of {owner} conflict: {why}", first.name(), first.owner()).into()
    }

    fn is_no_route(&self, why: &str) -> BoxError {
        format!("{} cannot be a route of {}: {why}", self.name(), self.owner()).into()
    }
}

/// Returns a path without the names of its parameters.
fn shape(path: &str) -> Vec<(&str, bool)> {
    let without = |(before, parameter): (_, &str)| (before, parameter.starts_with('*'));
    path.split('/').map(|segment| segment.split_once('{').map_or((segment, false), without)).collect()
}

/// Returns a mistake for each route that is not a valid route, or cannot be served beside the ones before it.
pub(crate) fn find(served: &[Served<'_>]) -> Vec<BoxError> {
    let mut paths = matchit::Router::new();
    let mut by_path: HashMap<String, Vec<&Served<'_>>> = HashMap::new();
    let mut mistakes = Vec::new();
    for (nth, one) in served.iter().enumerate() {
        let path = one.path();
        if !one.route.path().starts_with('/') {
            mistakes.push(one.is_no_route("a path starts with `/`"));
        } else if let Some(others) = by_path.get_mut(&path) {
            mistakes.extend(others.iter().find(|other| one.meets(other)).map(|other| one.clash(other)));
            others.push(one);
        } else if let Err(error) = paths.insert(path.clone(), ()) {
            let first = served[..nth].iter().find(|other| are_in_conflict(&other.path(), &path));
            mistakes.push(first.map_or_else(|| one.is_no_route(&error.to_string()), |first| one.clash(first)));
        } else {
            by_path.insert(path, vec![one]);
        }
    }
    mistakes
}

/// Returns true if axum's router cannot take both paths.
fn are_in_conflict(first: &str, second: &str) -> bool {
    let mut paths = matchit::Router::new();
    let both = paths.insert(first, ()).and_then(|()| paths.insert(second, ()));
    matches!(both, Err(InsertError::Conflict { .. }))
}

#[cfg(test)]
mod tests {
    use super::Served;
    use super::find;
    use crate::spec::route::Route;

    /// Returns the mistakes of these routes, each given with its service and prefix, without the places in the code.
    fn wrong<const N: usize>(routes: [(&str, &str, &'static str, &'static str); N]) -> Vec<String> {
        let declared: Vec<Route> = routes.iter().map(|&(_, _, method, path)| Route::new(method, path)).collect();
        let served: Vec<Served<'_>> = routes
            .iter()
            .zip(&declared)
            .map(|(&(service, prefix, ..), route)| Served { service, prefix, route })
            .collect();
        let place = format!(" ({}:{})", declared[0].place().file(), declared[0].place().line());
        find(&served).iter().map(|mistake| mistake.to_string().replace(&place, "")).collect()
    }

    #[test]
    fn a_route_is_served_once() {
        assert_eq!(
            wrong([("users", "", "GET", "/users/{id}"), ("admin", "", "GET", "/users/{id}")]),
            ["`GET /users/{id}` is served by `users` and by `admin`"]
        );
        assert_eq!(
            wrong([("users", "/api", "GET", "/"), ("admin", "", "GET", "/api")]),
            ["`GET /api` is served by `users` and by `admin`"]
        );
    }

    #[test]
    fn different_methods_or_paths_do_not_conflict() {
        let none: [&str; 0] = [];
        assert_eq!(wrong([("a", "", "GET", "/x"), ("b", "", "POST", "/x"), ("b", "", "GET", "/x/y")]), none);
        assert_eq!(wrong([("a", "/a", "GET", "/{id}"), ("b", "/b", "GET", "/{name}")]), none);
        assert_eq!(wrong([("a", "", "GET", "/a/{id}"), ("b", "", "GET", "/a/new")]), none);
        assert_eq!(wrong([("a", "", "ANY", "/x"), ("a", "", "GET", "/x")]), none);
    }

    #[test]
    fn parameters_in_one_place_have_one_name() {
        assert_eq!(
            wrong([("a", "", "GET", "/a/{x}"), ("b", "", "POST", "/a/{y}")]),
            ["`GET /a/{x}` of `a` and `POST /a/{y}` of `b` conflict: parameters in the same place need the same name"]
        );
        assert_eq!(wrong([("a", "", "GET", "/a/{x}"), ("a", "", "GET", "/a/{y}")]).len(), 1);
    }

    #[test]
    fn any_takes_all_methods_of_another_service() {
        assert_eq!(
            wrong([("a", "", "ANY", "/x"), ("b", "", "GET", "/x")]),
            ["`ANY /x` of `a` and `GET /x` of `b` conflict: `any` takes all methods"]
        );
        assert_eq!(wrong([("a", "", "ANY", "/x"), ("a", "", "ANY", "/x")]).len(), 1);
    }

    #[test]
    fn a_path_beside_one_that_catches_all_is_a_conflict() {
        assert_eq!(
            wrong([("a", "", "GET", "/files/{*rest}"), ("b", "", "GET", "/files/{name}")]),
            ["`GET /files/{*rest}` of `a` and `GET /files/{name}` of `b` conflict: their paths cannot be told apart"]
        );
    }

    #[test]
    fn an_invalid_path_is_refused() {
        assert_eq!(
            wrong([("a", "/api", "GET", "users"), ("a", "", "GET", "/{x"), ("a", "", "GET", "/{*x}/y")]),
            [
                "`GET /apiusers` cannot be a route of `a`: a path starts with `/`",
                "`GET /{x` cannot be a route of `a`: Parameters must be registered with a valid name",
                "`GET /{*x}/y` cannot be a route of `a`: Catch-all parameters are only allowed at the end of a route",
            ]
        );
    }
}
