//! A crate without a prelude, where every name that a macro could mean is something else.

#![no_implicit_prelude]
#![forbid(unsafe_code)]

mod hostile {
    #![allow(dead_code, non_camel_case_types)]

    use ::group::service;

    pub struct Box;
    pub struct Result;
    pub struct Option;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct Err;
    pub struct Vec;
    pub struct String;
    pub struct Arc;
    pub struct Pin;
    pub struct Context;
    pub struct Spec;
    pub struct Group;
    pub struct str;
    pub struct bool;
    pub struct u32;
    pub trait Send {}
    pub trait Sync {}
    pub trait Future {}
    pub trait Service {}
    pub trait Default {}
    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod group {}
    pub mod axum {}
    pub mod tokio {}
    pub mod inventory {}

    pub struct Database;

    #[service(start_timeout = "3s", role = "daemon")]
    impl Database {
        async fn new() -> ::std::io::Result<Self> {
            ::std::io::Result::Ok(Database)
        }

        async fn start(&self, shutdown: ::group::Shutdown) {
            shutdown.requested().await;
        }

        fn stop(&self) {}
    }

    #[derive(::std::default::Default)]
    pub struct Blocking;

    #[service(after(Database))]
    impl Blocking {
        fn start(&self, ready: ::group::Ready, shutdown: ::group::Shutdown) {
            ready.fire();
            shutdown.wait();
        }
    }

    #[derive(::std::default::Default)]
    pub enum Api {
        #[default]
        Only,
    }

    #[service(name = "api", http = "127.0.0.1:0", after(Blocking, optional(Database)), stop_timeout = "1s")]
    impl Api {
        #[get("/{name}")]
        async fn name(
            &self,
            ::group::axum::extract::Path(name): ::group::axum::extract::Path<::std::string::String>,
            body: ::std::string::String,
        ) -> (::group::axum::http::StatusCode, ::std::string::String) {
            let _ = body;
            (::group::axum::http::StatusCode::OK, name)
        }

        fn router(&self, routes: ::group::axum::Router) -> ::group::axum::Router {
            routes
        }

        async fn start(&self, handle: ::group::Handle) {
            handle.stop();
        }
    }

    pub struct Cache<T>(T);

    #[service(register = false)]
    impl<T: ::std::marker::Send + ::std::marker::Sync + 'static> Cache<T> {
        async fn start(&self) {
            let _ = &self.0;
        }
    }
}

#[::group::main(services(hostile::Database, hostile::Api, hostile::Blocking), stop_timeout = "9s", worker_threads = 1)]
async fn main(group: &mut ::group::Group) -> ::std::result::Result<(), ::std::string::String> {
    group.add(hostile_cache());
    ::std::result::Result::Ok(())
}

fn hostile_cache() -> impl ::group::Service {
    struct Local;

    #[::group::service(register = false)]
    impl Local {
        async fn start(&self) {}
    }

    Local
}
