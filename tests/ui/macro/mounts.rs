//! Services that cannot be mounted.

use group::service;

#[derive(Default)]
struct Gateway;

/// To be mounted on is enough.
#[service(http = "127.0.0.1:8080")]
impl Gateway {
    async fn stop(&self) {}
}

#[derive(Default)]
struct OnItself;

#[service(http = OnItself)]
impl OnItself {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct OnSelf;

#[service(http = Self)]
impl OnSelf {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct ServesNothing;

#[service(http = Gateway)]
impl ServesNothing {
    async fn stop(&self) {}
}

#[derive(Default)]
struct Prefixes;

#[service(http = Gateway, prefix = "api")]
impl Prefixes {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct TooMany;

#[service(http = Gateway, prefix = "/api/")]
impl TooMany {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct NotMounted;

#[service(http = "127.0.0.1:8080", prefix = "/api")]
impl NotMounted {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct NotMountedEither;

#[service(http = "127.0.0.1:8080", prefix = "api")]
impl NotMountedEither {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Number;

#[service(http = 8080)]
impl Number {
    #[get("/")]
    async fn index(&self) {}
}

fn uses() {
    group::Group::new()
        .add_type::<Gateway>()
        .add_type::<OnItself>()
        .add_type::<OnSelf>()
        .add_type::<ServesNothing>()
        .add_type::<Prefixes>()
        .add_type::<TooMany>()
        .add_type::<NotMounted>()
        .add_type::<NotMountedEither>()
        .add_type::<Number>();
}

fn main() {}
