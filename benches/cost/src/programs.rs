//! The programs that are built.

use std::fmt::Write as _;

/// What is here cargo would build incrementally, and from a registry, as a user has it, it does not.
const AS_DEPENDENCIES: &str = "
[profile.dev.package]
group-core.incremental = false
group-macros.incremental = false
service-group.incremental = false
";

/// A program and what it depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Grouped,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Grouped => "grouped",
        }
    }

    /// With its dependencies as a user would write them; `root` is this repository.
    pub(crate) fn manifest(self, root: &str) -> String {
        let dependencies = match self {
            Self::Plain => {
                // What `axum::serve` needs, and nothing more.
                "axum = \"0.8\"\ntokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\", \"signal\"] }"
                    .to_owned()
            }
            Self::Grouped => format!("service-group = {{ path = \"{root}\" }}"),
        };
        let profile = if self == Self::Grouped { AS_DEPENDENCIES } else { "" };
        format!(
            "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n\n\
             [profile.dev]\ndebug = 0\n{profile}\n[workspace]\n"
        )
    }

    pub(crate) fn hello(self) -> &'static str {
        match self {
            Self::Plain => {
                r#"use axum::{Router, routing::get};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let routes = Router::new().route("/", get(|| async { "hello" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    let stop = async { tokio::signal::ctrl_c().await.expect("signals can be had") };
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}
"#
            }
            Self::Grouped => {
                r#"use group::service;

#[derive(Default)]
struct Hello;

#[service(http = "127.0.0.1:8080")]
impl Hello {
    #[get("/")]
    async fn hello(&self) -> &'static str {
        "hello"
    }
}

#[group::main]
async fn main() {}
"#
            }
        }
    }
}

/// How services are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Macro,
    Hand,
}

/// So many services, half of them with a route.
pub(crate) fn services(style: Style, count: usize) -> String {
    let mut code = String::from(match style {
        Style::Macro => MACRO_HEAD,
        Style::Hand => HAND_HEAD,
    });
    for nth in 0..count {
        let template = match (style, nth % 2) {
            (Style::Macro, 0) => MACRO_TASK,
            (Style::Macro, _) => MACRO_SERVER,
            (Style::Hand, 0) => HAND_TASK,
            (Style::Hand, _) => HAND_SERVER,
        };
        code.push_str(&template.replace("NTH", &nth.to_string()));
    }
    // The macro registers them; by hand, they are added.
    if style == Style::Hand {
        code.push_str("\npub fn add_all(group: &mut Group) {\n");
        for nth in 0..count {
            let _ = writeln!(code, "    group.add_type::<S{nth}>();");
        }
        code.push_str("}\n");
    }
    code
}

const MACRO_HEAD: &str = "use std::sync::atomic::{AtomicU64, Ordering};
use group::axum::extract::Path;
use group::{Shutdown, service};
";

const MACRO_TASK: &str = "
#[derive(Default)]
pub struct SNTH { count: AtomicU64 }

#[service(stop_timeout = \"5s\")]
impl SNTH {
    async fn start(&self, shutdown: Shutdown) -> Result<(), std::io::Error> {
        self.count.fetch_add(1000, Ordering::Relaxed);
        shutdown.requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), std::io::Error> {
        println!(\"{}\", self.count.load(Ordering::Relaxed));
        Ok(())
    }
}
";

const MACRO_SERVER: &str = "
#[derive(Default)]
pub struct SNTH { count: AtomicU64 }

#[service(http = \"127.0.0.1:0\")]
impl SNTH {
    #[get(\"/users/{id}\")]
    async fn user(&self, Path(id): Path<u64>) -> String {
        self.count.fetch_add(1000, Ordering::Relaxed);
        format!(\"{id}\")
    }

    async fn stop(&self) {
        println!(\"{}\", self.count.load(Ordering::Relaxed));
    }
}
";

const HAND_HEAD: &str = "use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use group::axum::Router;
use group::axum::extract::Path;
use group::axum::routing::get;
use group::{BoxError, Context, FromContext, Group, Route, Service, Shutdown, Spec};
";

const HAND_TASK: &str = "
#[derive(Default)]
pub struct SNTH { count: AtomicU64 }

impl SNTH {
    async fn start(&self, shutdown: Shutdown) -> Result<(), std::io::Error> {
        self.count.fetch_add(1000, Ordering::Relaxed);
        shutdown.requested().await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), std::io::Error> {
        println!(\"{}\", self.count.load(Ordering::Relaxed));
        Ok(())
    }
}

impl Service for SNTH {
    fn spec() -> Spec {
        Spec::of::<Self>().stop_timeout(Duration::from_secs(5)).starts_with::<Shutdown>()
    }

    async fn build(_: Context) -> Result<Self, BoxError> {
        Ok(Self::default())
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        Ok(Self::start(&self, Shutdown::from_context(&cx)?).await?)
    }

    async fn stop(&self) -> Result<(), BoxError> {
        Ok(Self::stop(self).await?)
    }
}
";

const HAND_SERVER: &str = "
#[derive(Default)]
pub struct SNTH { count: AtomicU64 }

impl SNTH {
    async fn user(&self, Path(id): Path<u64>) -> String {
        self.count.fetch_add(1000, Ordering::Relaxed);
        format!(\"{id}\")
    }

    async fn stop(&self) {
        println!(\"{}\", self.count.load(Ordering::Relaxed));
    }
}

impl Service for SNTH {
    fn spec() -> Spec {
        Spec::of::<Self>().http(\"127.0.0.1:0\").route(Route::new(\"GET\", \"/users/{id}\"))
    }

    async fn build(_: Context) -> Result<Self, BoxError> {
        Ok(Self::default())
    }

    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let this = Arc::clone(&self);
        let user = get(move |id: Path<u64>| {
            let this = Arc::clone(&this);
            async move { this.user(id).await }
        });
        let routes = Router::new().route(\"/users/{id}\", user);
        group::http::serve(&cx, cx.http_address().unwrap_or_default(), routes).await
    }

    async fn stop(&self) -> Result<(), BoxError> {
        Self::stop(self).await;
        Ok(())
    }
}
";
