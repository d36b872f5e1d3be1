//! Methods whose names are one slip away from one that the group calls.

use group::service;

#[derive(Default)]
pub struct Hooks;

#[service]
impl Hooks {
    pub async fn strat(&self) {}

    pub async fn stpo(&self, _port: u16) {}

    pub(crate) fn relaod(&self) {}

    #[must_use]
    pub async fn heath(&self) -> bool {
        true
    }
}

#[derive(Default)]
pub struct Makers;

#[service(http = "127.0.0.1:0")]
impl Makers {
    pub fn nwe(_port: u16) -> Self {
        Makers
    }

    pub fn routr(&self, routes: group::axum::Router) -> group::axum::Router {
        routes
    }

    pub fn grcp(&self) {}
}

#[derive(Default)]
struct Helpers;

#[service(http = "127.0.0.1:0")]
impl Helpers {
    async fn stop(&self) {
        self.stops();
    }

    /// There is a `stop`.
    fn stops(&self) {}

    /// A constructor takes no `self`.
    fn now(&self) {}

    fn _reload(&self) {}

    #[get("/")]
    async fn route(&self) {
        self.now();
    }

    #[every("1s")]
    async fn star(&self) {}

    fn step(&self) {}
}

impl Helpers {
    fn start(&self) {
        self.step();
    }
}

fn main() {
    group::Group::new().add_type::<Hooks>().add_type::<Makers>().add_type::<Helpers>();
    Helpers.start();
}
