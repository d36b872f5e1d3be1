//! axum's `State` in a route.

use std::sync::Arc;

use group::axum::extract::{self, FromRequestParts, State};
use group::axum::http::request::Parts;
use group::service;

struct Database;

#[derive(Default)]
struct Morning;

#[service(http = "127.0.0.1:0")]
impl Morning {
    #[get("/last")]
    async fn last(&self, State(_): State<Arc<Database>>) {}

    #[get("/first")]
    async fn first(&self, State(_): extract::State<Arc<Database>>, _body: String) {}

    #[post("/alone")]
    async fn alone(state: State<Database>) {
        drop(state);
    }
}

mod own {
    use super::{FromRequestParts, Parts};

    /// It is no mistake to have an extractor of this name.
    pub struct State<T>(pub T);

    impl<S: Sync> FromRequestParts<S> for State<u8> {
        type Rejection = ();

        async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ()> {
            Ok(Self(3))
        }
    }
}

#[derive(Default)]
struct Evening;

#[service(http = "127.0.0.1:0")]
impl Evening {
    #[get("/last")]
    async fn last(&self, _: own::State<u8>) {}

    #[post("/first")]
    async fn first(&self, _: own::State<u8>, _body: String) {}
}

fn main() {
    group::Group::new().add_type::<Morning>().add_type::<Evening>();
}
