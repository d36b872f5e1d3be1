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

/// What is a test is there for `cargo test` alone, which trybuild does not run.
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
        ("tests.rs:53:8", "`grpc` needs the feature `grpc` of `service-group`"),
    ];
    assert_eq!(said.len(), wanted.len(), "{text}");
    for (place, message) in wanted {
        let is_it = |line: &&str| line.starts_with(&format!("{place}: error")) && line.contains(message);
        assert!(said.iter().any(is_it), "not {message} at {place}: {text}");
    }
}

/// Features add up, so who lacks one is a package of its own.
#[test]
fn mistakes_without_features() {
    let text = checked(&["-p", "bare"]);
    for place in ["10:18", "23:18"] {
        let message = "error: `http` needs the feature `http` of `service-group`: add `features = [\"http\"]` to it";
        let said = format!("{message}\n  --> tests/fixtures/bare/src/lib.rs:{place}\n");
        assert!(text.contains(&said), "not at {place}: {text}");
    }
    if rustc_version().starts_with(PINNED) {
        for feature in ["config", "http", "grpc"] {
            assert!(text.contains(&format!("the item is gated behind the `{feature}` feature")), "{feature}: {text}");
        }
        assert!(text.contains("due to 5 previous errors"), "{text}");
    }
}

/// What rustc says of a package with mistakes.
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
