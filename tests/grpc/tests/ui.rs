//! The compiler errors for mistakes with `grpc`, word for word, and code that must compile. See `tests/ui.rs` of
//! the workspace.

use std::env;
use std::process::Command;

use trybuild::TestCases;

/// The compiler version whose messages are in `tests/ui/rustc`.
const PINNED: &str = "1.95.";

#[test]
fn what_must_compile_does() {
    TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn mistakes_in_our_words() {
    TestCases::new().compile_fail("tests/ui/macro/*.rs");
}

#[test]
fn mistakes_in_words_of_rustc() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc can be run");
    if String::from_utf8_lossy(&output.stdout).contains(PINNED) {
        TestCases::new().compile_fail("tests/ui/rustc/*.rs");
    }
}
