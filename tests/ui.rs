//! The compiler errors for mistakes with the macros, word for word, and code that must compile.
//!
//! After a change of a message: `TRYBUILD=overwrite cargo test --test ui`, then read the diff.

use std::env;
use std::io::{self, Write as _};
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
    let version = rustc_version();
    if version.starts_with(PINNED) {
        TestCases::new().compile_fail("tests/ui/rustc/*.rs");
    } else {
        // Written to stderr itself, because the test harness captures `eprintln!`.
        let skipped = "tests/ui/rustc is SKIPPED: it holds the words of";
        writeln!(io::stderr(), "{skipped} rustc {PINNED}x, and this is rustc {version}").expect("stderr is open");
    }
}

/// A `#[test]` is compiled by `cargo test` only, which trybuild does not run.
#[test]
fn mistakes_in_tests() {
    let text = checked(&["-p", "programs", "--test", "mistaken", "--message-format=short"]);
    let said: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("tests/programs/mistakes/")).collect();
    let parameter = "a group's test takes one parameter: `&mut Group`, or `Running` for one that is started";
    let wanted = [
        ("tests.rs:9:26", parameter),
        ("tests.rs:14:23", parameter),
        ("tests.rs:19:28", parameter),
        ("tests.rs:24:32", "a test cannot return `u8`"),
        ("tests.rs:29:34", "`Plain` doesn't implement `Debug`"),
        ("tests.rs:33:24", "`Plain` is not a service"),
        ("tests.rs:36:15", "`paused` needs the feature `testing` of `service-group`"),
        ("tests.rs:44:12", "`#[cron]` needs the feature `cron` of `service-group`"),
    ];
    assert_eq!(said.len(), wanted.len(), "{text}");
    for (place, message) in wanted {
        let is_it = |line: &&str| line.starts_with(&format!("{place}: error")) && line.contains(message);
        assert!(said.iter().any(is_it), "not {message} at {place}: {text}");
    }
}

/// Cargo unifies features, so code without them is a package of its own.
#[test]
fn mistakes_without_features() {
    let text = checked(&["-p", "bare"]);
    for (feature, place) in [("http", "10:18"), ("http", "23:18"), ("grpc", "36:8"), ("admin", "42:19")] {
        let message = format!(
            "`{feature}` needs the feature `{feature}` of `service-group`: add `features = [\"{feature}\"]` to it"
        );
        let mut said = text.lines().zip(text.lines().skip(1));
        let is_there = |(line, next): (&str, &str)| {
            line.starts_with("error")
                && line.ends_with(&message)
                && next.ends_with(&format!("tests/fixtures/bare/src/lib.rs:{place}"))
        };
        assert!(said.any(is_there), "{feature}: not at {place}: {text}");
    }
    if rustc_version().starts_with(PINNED) {
        for feature in ["config", "http", "grpc"] {
            assert!(text.contains(&format!("the item is gated behind the `{feature}` feature")), "{feature}: {text}");
        }
        assert!(text.contains("due to 8 previous errors"), "{text}");
    }
}

/// The output of rustc for a package with mistakes.
fn checked(arguments: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut check = Command::new(cargo);
    check.args(["check", "--features", "mistakes"]).args(arguments);
    let output = check.output().expect("cargo can be run");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// As in `1.95.0`.
fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
}
