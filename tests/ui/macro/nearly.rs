//! Attributes that are nearly those of `#[service]`: one mistake each, and at the attribute.

use group::service;

#[derive(Default)]
struct Verb;

#[service(http = "127.0.0.1:0")]
impl Verb {
    #[gett("/")]
    #[layer(3)]
    async fn index(&self) {}
}

#[derive(Default)]
struct Ticks;

#[service]
impl Ticks {
    #[evry("1s")]
    async fn tick(&self) {}
}

#[derive(Default)]
struct Crons;

#[service]
impl Crons {
    #[crom("0 3 * * *")]
    async fn tick(&self) {}
}

#[derive(Default)]
struct Route;

#[service(http = "127.0.0.1:0")]
impl Route {
    #[route(GET, "/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct OfTheCrate;

#[service(http = "127.0.0.1:0")]
impl OfTheCrate {
    #[group::get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Conditional;

#[service(http = "127.0.0.1:0")]
impl Conditional {
    #[cfg_attr(all(), doc(hidden), get("/"))]
    async fn index(&self) {}

    #[group::every("1s")]
    const PERIOD: u8 = 3;
}

fn uses() {
    group::Group::new()
        .add_type::<Verb>()
        .add_type::<Ticks>()
        .add_type::<Crons>()
        .add_type::<Route>()
        .add_type::<OfTheCrate>()
        .add_type::<Conditional>();
    let _ = Conditional::PERIOD;
}

fn main() {}
