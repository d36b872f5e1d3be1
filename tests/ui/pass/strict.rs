//! No warning in the user's crate comes from us, and no unsafe code either.

#![deny(warnings, missing_docs, unreachable_pub, unused, let_underscore_drop, single_use_lifetimes)]
#![deny(elided_lifetimes_in_paths, explicit_outlives_requirements, missing_debug_implementations)]
#![deny(unused_qualifications, unused_results, unused_lifetimes, variant_size_differences, trivial_casts)]
#![deny(non_local_definitions, rust_2018_idioms, unused_import_braces)]
#![forbid(unsafe_code)]

use group::axum::extract::{Path, Query};
use group::{Ready, Shutdown, service};
use std::sync::Arc;

/// A database.
#[derive(Debug)]
pub struct Database {
    rows: usize,
}

#[service(start_timeout = "3s", stop_timeout = "1m 30s", role = "daemon")]
impl Database {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Never.
    pub async fn new() -> std::io::Result<Self> {
        Ok(Self { rows: 3 })
    }

    /// Runs.
    #[deprecated = "the group calls it"]
    pub async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    #[must_use]
    fn rows(&self) -> usize {
        self.rows
    }
}

#[derive(Debug)]
struct Api {
    database: Arc<Database>,
}

#[service(name = "api", http = "127.0.0.1:0", after(Database))]
impl Api {
    fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    async fn start(&self) {}

    #[get("/{id}")]
    async fn get(&self, Path(id): Path<usize>, Query(_): Query<Vec<(String, String)>>) -> String {
        format!("{id} of {}", self.database.rows())
    }

    #[get("/")]
    fn root(&self) {}

    #[post("/")]
    fn post(_body: String) {}

    fn router(&self, routes: group::axum::Router) -> group::axum::Router {
        routes
    }

    async fn stop(&self) {}
}

#[derive(Debug, Default)]
struct Stopper;

#[service(after(Api))]
impl Stopper {
    async fn start(&self, handle: group::Handle) {
        handle.stop();
    }
}

#[derive(Debug, Default)]
struct Blocking;

#[service]
impl Blocking {
    fn start(&self, ready: Ready, shutdown: Shutdown) -> Result<(), String> {
        ready.fire();
        shutdown.wait();
        Ok(())
    }

    fn stop(&self) {}
}

#[group::main]
async fn main(group: &mut group::Group) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let _: &mut group::Group = group.provide(3_u8);
    Ok(())
}
