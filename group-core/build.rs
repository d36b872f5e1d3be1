//! This script builds nothing: it exists because `links` in Cargo.toml requires a build script. Cargo refuses a program
//! with two packages of the same `links`. So a program has only one version of this package, and one registry of services;
//! with two versions, each registry would have a part of the services.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
