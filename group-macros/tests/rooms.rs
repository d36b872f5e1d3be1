//! Each file of this crate names only files that come before it in `ORDER`: so no two files need each other, and a
//! reader can start at the top.

use std::path::Path;

use rooms::{Arrow, Modules};

/// The modules from the ground up.
const ORDER: &[&str] = &[
    // Tools.
    "syntax",
    "cpus",
    "errors",
    "code",
    // Syntax.
    "args",
    "block",
    // `#[service]`: attributes and signatures, the model, its checks, its code.
    "service::attrs",
    "service::signature",
    "service::path",
    "service::nearly",
    "service::borrow",
    "service::emit",
    "service::ticker",
    "service::model",
    "service::checks",
    "service::routes",
    "service::expand",
    "service",
    // `#[group::main]` and `#[group::test]`.
    "entry",
    "",
];

/// The modules that only tests have.
const TESTS: &[&str] = &["expansion_test", "fuzz_test"];

fn modules() -> Modules {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    Modules::of(&src, &[], |module| TESTS.contains(&module))
}

#[test]
fn no_file_names_a_later_one() {
    let modules = modules();
    let (mut found, mut listed) = (modules.names().collect::<Vec<_>>(), ORDER.to_vec());
    found.sort_unstable();
    listed.sort_unstable();
    assert_eq!(found, listed, "every file has its place in `ORDER`");
    let wrong: Vec<Arrow> = modules.arrows().into_iter().filter(goes_up).collect();
    assert!(wrong.is_empty(), "arrows that go up: {wrong:#?}");
}

fn goes_up(arrow: &Arrow) -> bool {
    let place = |module: &str| ORDER.iter().position(|&other| other == module).expect("a module");
    place(&arrow.to) > place(&arrow.from)
}

#[test]
fn an_arrow_that_goes_up_is_found() {
    let modules = modules();
    for (module, text) in [
        ("service::attrs", "use super::model::Model;"),
        ("service::attrs", "use super::{emit, model::{self, Model}};"),
        ("service::model", "fn read() { super::checks::check() }"),
        ("service::model", "use super::misplaced;"),
        ("errors", "use crate::args;"),
        ("errors", "fn f() -> crate::service::model::Model {}"),
        ("block", "mod inner { use crate::entry::Kind; }"),
        ("entry", "use crate::Kind;"),
        ("service", "pub use crate::{args, entry};"),
    ] {
        assert!(modules.arrows_of(module, text).iter().any(goes_up), "{module}: {text}");
    }
    for (module, text) in [
        ("service::model", "use super::{attrs::cfgs, ticker}; use crate::{args::Arg, block};"),
        ("service::model", "//! See `super::checks`.\n#[cfg(test)] mod tests { use super::super::checks; }"),
        ("service", "use self::model::Model; fn f() { model::read() }"),
        ("", "use self::entry::Kind; use crate::service;"),
        ("syntax", "impl A { fn f(&self) { Self::g(self); std::mem::take(self) } }"),
    ] {
        assert!(!modules.arrows_of(module, text).iter().any(goes_up), "{module}: {text}");
    }
}
