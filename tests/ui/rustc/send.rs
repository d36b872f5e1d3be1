//! Futures that cannot move between threads.

use group::service;
use std::rc::Rc;

async fn wait() {}

#[derive(Default)]
struct Start;

#[service]
impl Start {
    async fn start(&self) {
        let shared = Rc::new(3);
        wait().await;
        drop(shared);
    }
}

#[derive(Default)]
struct Stop;

#[service]
impl Stop {
    async fn start(&self) {}

    async fn stop(&self) {
        let shared = Rc::new(3);
        wait().await;
        drop(shared);
    }
}

struct New;

#[service]
impl New {
    async fn new() -> Self {
        let shared = Rc::new(3);
        wait().await;
        drop(shared);
        New
    }

    async fn start(&self) {}
}

#[derive(Default)]
struct Route;

#[service(http = "127.0.0.1:0")]
impl Route {
    #[get("/")]
    async fn index(&self) {
        let shared = Rc::new(3);
        wait().await;
        drop(shared);
    }
}

#[derive(Default)]
struct Beside;

#[service(http = "127.0.0.1:0")]
impl Beside {
    #[get("/")]
    async fn index(&self) {}

    async fn start(&self) {
        let shared = Rc::new(3);
        wait().await;
        drop(shared);
    }
}

#[derive(Default)]
struct Ticks;

#[service]
impl Ticks {
    #[every("1s")]
    async fn tick(&self) {
        let shared = Rc::new(3);
        wait().await;
        drop(shared);
    }
}

fn uses() {
    group::Group::new().add_type::<Start>().add_type::<Stop>().add_type::<New>().add_type::<Route>().add_type::<Beside>().add_type::<Ticks>();
}

fn main() {}
