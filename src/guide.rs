//! Guides to using it, and to how it works inside.

#![doc = include_str!("links.md")]
#![doc = include_str!("../docs/README.md")]

/// A page that is in `docs/`.
macro_rules! page {
    ($name:ident, $about:literal) => {
        #[doc = $about]
        #[doc = include_str!("links.md")]
        #[doc = include_str!(concat!("../docs/", stringify!($name), ".md"))]
        pub mod $name {}
    };
}

page!(stopping, "What happens between the request to stop and the exit code.");
page!(traffic, "How it is known that no request is lost.");
page!(settings, "What can be set by the environment and by `group.toml`.");
page!(deploying, "What to set in Kubernetes, Docker and systemd.");
page!(troubleshooting, "What to do when it does not compile, or does not start.");
page!(cost, "What it costs, measured.");
page!(design, "What is promised, and how it is laid out.");
page!(architecture, "Where is what in the code.");
page!(lifecycle, "By which rules a group starts and stops, and what proves each.");
page!(macros, "What becomes of `#[service]` and `#[group::main]`.");
