//! Nothing is built here. Cargo refuses two packages with one `links` in a program, and a second
//! copy of this one would keep a second registry, each with half of the services.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
