//! What rustc says to those who misuse the macros, word for word, and what must compile.
//!
//! After a change of a message: `TRYBUILD=overwrite cargo test --test ui`, then read the diff.

use std::env;
use std::io::{self, Write as _};
use std::process::Command;

use trybuild::TestCases;

/// The compiler whose words are in `tests/ui/rustc`.
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
    let version = rustc_version();
    if version.starts_with(PINNED) {
        TestCases::new().compile_fail("tests/ui/rustc/*.rs");
    } else {
        // Past the harness, which would keep it to itself.
        let skipped = "tests/ui/rustc is SKIPPED: it holds the words of";
        writeln!(io::stderr(), "{skipped} rustc {PINNED}x, and this is rustc {version}").expect("stderr is open");
    }
}

/// As in `1.95.0`.
fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
}
