//! The layout of `docs/design.md`, section 5: rooms on floors. A file names only files of its own room and of rooms on
//! lower floors, always the file that defines what it takes, and never `lib.rs`. So there is no circle between rooms,
//! and a reader can start at the ground.

use std::path::Path;

use rooms::{Arrow, Modules, circles};

/// The rooms, from the ground up. Those on one floor know nothing of each other.
const FLOORS: &[&[&str]] = &[
    &["lifecycle"],
    &["base"],
    &["config"],
    &["spec"],
    &["record"],
    &["draw"],
    &["running"],
    &["service", "systemd"],
    &["engine", "http", "work"],
    &["grpc", "metrics"],
    &["admin"],
    &["group"],
    &["cli"],
    // The folder `macros`, with the code that the macros call.
    &["__private"],
    &["testing"],
];

fn modules() -> Modules {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    Modules::of(&src, &[("macros", "__private")], |module| module.starts_with("lifecycle::check"))
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room(module)))
}

/// `lib.rs` only says what is public, and may name all.
fn is_wrong(arrow: &Arrow) -> bool {
    if arrow.from.is_empty() || room(&arrow.from) == room(&arrow.to) {
        return false;
    }
    // A macro is exported at the crate's root.
    let is_macro = arrow.to.is_empty() && arrow.path.starts_with("__");
    !is_macro && floor(&arrow.to).is_none_or(|to| Some(to) >= floor(&arrow.from))
}

#[test]
fn every_file_stands_in_a_room() {
    let modules = modules();
    let outside: Vec<&str> = modules.names().filter(|module| !module.is_empty() && floor(module).is_none()).collect();
    assert!(outside.is_empty(), "in no room of `FLOORS`: {outside:?}");
}

#[test]
fn arrows_go_down() {
    let wrong: Vec<Arrow> = modules().arrows().into_iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "arrows that do not go down: {wrong:#?}");
}

#[test]
fn files_do_not_go_in_circles() {
    let arrows: Vec<Arrow> = modules().arrows().into_iter().filter(|arrow| !arrow.from.is_empty()).collect();
    let circles = circles(&arrows);
    assert!(circles.is_empty(), "files that lead to each other: {circles:?}");
}

#[test]
fn an_arrow_that_is_turned_is_found() {
    let modules = modules();
    for (module, text) in [
        ("base::error", "use crate::record::report::Report;"),
        ("running::member", "fn f() { crate::service::Service::f() }"),
        ("http::io", "use crate::{base::lock, engine::driver::Driver};"),
        ("work::every", "use crate::http::server::Server;"),
        ("service::ready", "use crate::Shutdown;"),
        ("lifecycle", "use super::base;"),
    ] {
        assert!(modules.arrows_of(module, text).iter().any(is_wrong), "{module}: {text}");
    }
    for (module, text) in [
        ("http::io", "use crate::{base::lock, http::traffic::Traffic};"),
        ("group", "//! See `crate::__private`.\n#[cfg(test)] mod tests { use crate::Shutdown; }"),
        ("__private", "pub use crate::{__http, __grpc};"),
        ("", "pub use self::group::Group;"),
    ] {
        assert!(!modules.arrows_of(module, text).iter().any(is_wrong), "{module}: {text}");
    }
    let circle = |from: &str, to: &str| modules.arrows_of(from, &format!("use crate::{to}::Thing;"));
    let turned = [circle("base::sync", "base::clock"), circle("base::clock", "base::sync")].concat();
    assert_eq!(circles(&turned), [["base::clock", "base::sync"]]);
}
