//! Services that are mounted on what is no service.

use group::service;

struct Plain;

#[derive(Default)]
struct OnPlain;

#[service(http = Plain)]
impl OnPlain {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct OnNothing;

#[service(http = Missing, prefix = "/api")]
impl OnNothing {
    #[get("/")]
    async fn index(&self) {}
}

fn uses() {
    group::Group::new().add_type::<OnPlain>().add_type::<OnNothing>();
}

fn main() {}
