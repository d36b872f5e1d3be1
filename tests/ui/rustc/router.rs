//! A `router` that takes or gives something else.

use group::axum::Router;
use group::service;

#[derive(Default)]
struct Takes;

#[service(http = "127.0.0.1:0")]
impl Takes {
    fn router(&self, routes: u8) -> Router {
        let _ = routes;
        Router::new()
    }
}

#[derive(Default)]
struct Gives;

#[service(http = "127.0.0.1:0")]
impl Gives {
    fn router(&self, routes: Router) -> u8 {
        drop(routes);
        3
    }
}

#[derive(Default)]
struct State;

#[service(http = "127.0.0.1:0")]
impl State {
    fn router(&self, routes: Router<u8>) -> Router<u8> {
        routes
    }
}

fn main() {
    group::Group::new().add_type::<Takes>().add_type::<Gives>().add_type::<State>();
}
