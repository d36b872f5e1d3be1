//! Guides to its use and to its internals.

#![doc = include_str!("links.md")]
#![doc = include_str!("../docs/README.md")]

/// Makes a module of a page in `docs/`.
macro_rules! page {
    ($name:ident, $about:literal) => {
        page!($name, $about, concat!("../docs/", stringify!($name), ".md"));
    };
    ($name:ident, $about:literal, $path:expr) => {
        #[doc = $about]
        #[doc = include_str!("links.md")]
        #[doc = include_str!($path)]
        pub mod $name {}
    };
}

page!(stopping, "What happens between the request to stop and the exit code.");
page!(traffic, "The evidence that no request is lost.");
page!(settings, "The settings in the environment and in `group.toml`.");
page!(command_line, "The options of a program, and the files with which it is deployed.", "../docs/command-line.md");
page!(metrics, "Every metric that a program shows to Prometheus.");
page!(operating, "How to look at a running program, and steer it.");
page!(control, "How one service is stopped, started and restarted, while the rest runs on.");
page!(nesting, "How a whole group is a service of another one.");
page!(status, "What a group tells of itself: `/status` and `/events`.");
page!(deploying, "The settings for Kubernetes, Docker and systemd.");
page!(troubleshooting, "Help when a program does not compile or does not start.");
page!(cost, "Its costs, measured.");
page!(design, "Its promises, and its design.");
page!(architecture, "The layout of the code.");
page!(lifecycle, "The rules by which a group starts and stops, and the proof of each.");
page!(macros, "The code that `#[service]` and `#[group::main]` emit.");
