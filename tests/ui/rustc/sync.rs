//! A service that threads cannot share is one mistake, whatever it does; one that they cannot have, either,
//! is two to rustc.

use group::service;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[derive(Default)]
struct Morning(Cell<u8>);

#[service]
impl Morning {
    async fn start(&self) {
        self.0.set(3);
    }
}

#[derive(Default)]
struct Noon(RefCell<u8>);

#[service(http = "127.0.0.1:0")]
impl Noon {
    #[get("/")]
    async fn index(&self) -> String {
        self.0.borrow().to_string()
    }

    #[post("/")]
    fn set(&self) {
        self.0.replace(3);
    }

    #[every("1s")]
    async fn tick(&self) {
        self.0.replace(3);
    }

    async fn start(&self) {}

    async fn stop(&self) {}
}

#[derive(Default)]
struct Evening(Option<Rc<u8>>);

#[service]
impl Evening {
    fn start(&self) {
        let _ = &self.0;
    }
}

struct Cache<T>(T);

#[service(register = false)]
impl<T> Cache<T> {
    async fn start(&self) {
        let _ = &self.0;
    }
}

#[derive(Default)]
struct AfterAll;

/// Those are services, so nothing more is to be said here.
#[service(after(Morning, optional(Noon), Evening))]
impl AfterAll {
    async fn start(&self) {}
}

#[derive(Default)]
struct Gateway(Cell<u8>);

#[service(http = "127.0.0.1:0")]
impl Gateway {}

#[derive(Default)]
struct Mounted;

#[service(http = Gateway)]
impl Mounted {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct AfterCache;

#[service(after(Cache<Cell<u8>>))]
impl AfterCache {
    async fn start(&self) {}
}

fn main() {
    group::Group::new().add(Cache(Cell::new(3)));
}
