//! `/status`, `/events` and the pictures, asked for over HTTP from outside.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use programs::staged::Staged;
use serde_json::{Value, json};

const WATCHED: &str = env!("CARGO_BIN_EXE_watched");

/// The page that says what `/status` and `/events` have.
const DOCS: &str = include_str!("../../../docs/status.md");

/// Clients of its admin service.
trait Asked {
    fn ask(&self, path: &str) -> TcpStream;
    fn answer(&self, path: &str) -> (String, String);
    fn status(&self) -> Value;
    fn events(&self) -> Box<dyn Iterator<Item = (String, Value)>>;
}

impl Asked for Staged {
    /// Asks for a page, and returns the connection. Its answer is not read.
    fn ask(&self, path: &str) -> TcpStream {
        let mut client = TcpStream::connect(&self.address).expect("it listens");
        client.set_read_timeout(Some(Duration::from_secs(30))).expect("it is no zero");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        client.write_all(request.as_bytes()).expect("it reads");
        client
    }

    /// The head and the body of an answer.
    fn answer(&self, path: &str) -> (String, String) {
        let mut answer = String::new();
        self.ask(path).read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it is HTTP");
        (head.to_owned(), body.to_owned())
    }

    fn status(&self) -> Value {
        let (head, body) = self.answer("/status");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/json"), "{head}");
        serde_json::from_str(&body).expect("it is JSON")
    }

    /// The events from now on, each with its kind.
    fn events(&self) -> Box<dyn Iterator<Item = (String, Value)>> {
        let mut lines = BufReader::new(self.ask("/events")).lines().map_while(Result::ok);
        let mut kind = String::new();
        Box::new(std::iter::from_fn(move || {
            loop {
                let line = lines.next()?;
                if let Some(named) = line.strip_prefix("event: ") {
                    named.clone_into(&mut kind);
                } else if let Some(data) = line.strip_prefix("data: ") {
                    return Some((kind.clone(), serde_json::from_str(data).expect("it is JSON")));
                }
            }
        }))
    }
}

/// The service of a name in a status.
fn service<'a>(status: &'a Value, name: &str) -> &'a Value {
    let services = status["services"].as_array().expect("it is a list");
    services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
}

#[test]
fn the_status_is_asked_for_at_any_moment() {
    let mut staged = Staged::start(WATCHED, "status", 0);
    let status = staged.status();
    assert_eq!((&status["phase"], &status["ready"]), (&json!("starting"), &json!(false)));
    assert_eq!(
        (&status["program"], &status["pid"]),
        (&json!("watched"), &json!(staged.program.id().parse::<u32>().ok()))
    );
    assert_eq!(service(&status, "cache")["waits_for"], json!(["database"]));
    staged.steps(["start-database", "start-cache", "start-mailer"]);
    staged.program.logs("services are ready");
    let status = staged.status();
    assert_eq!((&status["phase"], &status["ready"]), (&json!("running"), &json!(true)));
    assert_eq!(service(&status, "mailer")["after"], json!(["cache"]));
    staged.program.signal("TERM");
    staged.program.logs("stopping");
    let status = staged.status();
    assert_eq!((&status["phase"], &status["stopped_by"]), (&json!("stopping"), &json!("SIGTERM")));
    assert_eq!((&status["outcome"], &status["exit_code"]), (&json!("clean"), &json!(0)));
    assert!(status["time_left_ms"].as_f64() > Some(1000.0), "{status}");
}

#[test]
fn events_are_told_as_they_happen_and_the_last_one_is_the_end() {
    let staged = Staged::started(WATCHED, "events", 0);
    let mut events = staged.events();
    let (kind, status) = events.next().expect("the status comes first");
    assert_eq!((&*kind, &status["phase"]), ("status", &json!("running")));
    staged.steps(["fail-mailer"]);
    let told = |kind: &str| (kind.to_owned(), json!({"event": kind}));
    let state =
        |name: &str, state: &str| ("service".to_owned(), json!({"event": "service", "name": name, "state": state}));
    assert_eq!(events.next(), Some(state("mailer", "failed")));
    assert_eq!(
        events.next(),
        Some(("group_stopping".to_owned(), json!({"event": "group_stopping", "stopped_by": "`mailer` failed"})))
    );
    staged.steps(["stop-cache", "stop-database"]);
    let rest: Vec<_> = events.collect();
    assert!(rest.contains(&state("database", "gone")) && !rest.contains(&told("group_stopped")), "{rest:?}");
    let (kind, end) = rest.last().expect("the end is told");
    assert_eq!((&**kind, &end["outcome"], &end["exit_code"]), ("end", &json!("run_failed"), &json!(1)));
    assert_eq!(end["cause"]["error"], "<b>the line is dead</b>");
}

#[test]
fn readers_that_are_slow_or_leave_are_no_burden() {
    let mut staged = Staged::started(WATCHED, "slow", 0);
    let slow: Vec<TcpStream> = (0..20).flat_map(|_| [staged.ask("/events"), staged.ask("/events?page")]).collect();
    for _ in 0..20 {
        drop((staged.ask("/events"), staged.ask("/events?page")));
    }
    for _ in 0..50 {
        staged.steps(["fail-cache"]);
        staged.program.logs("cache: restarting in");
        staged.steps(["start-cache"]);
        staged.program.logs("cache is ready");
    }
    assert_eq!(service(&staged.status(), "cache")["restarts"], json!(50));
    staged.steps(["stop-database", "stop-cache", "stop-mailer"]);
    staged.program.signal("TERM");
    staged.program.logs("SIGTERM: stopping");
    drop(slow);
    let ended = staged.program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn the_pictures_are_files_of_their_own() {
    let staged = Staged::started(WATCHED, "pictures", 0);
    for (path, part) in [("/graph.svg", "<tspan>mailer</tspan>"), ("/timeline.svg", ">mailer</text>")] {
        let (head, body) = staged.answer(path);
        assert!(head.contains("content-type: image/svg+xml") && head.contains("default-src 'none'"), "{head}");
        assert!(body.starts_with("<svg xmlns=") && body.ends_with("</svg>") && body.contains(part), "{body}");
    }
}

#[test]
fn the_timeline_keeps_the_start_every_restart_and_the_stop() {
    let mut staged = Staged::started(WATCHED, "timeline", 0);
    // The samples of the legend are among them.
    let bars = |staged: &Staged, class: &str| {
        let (_, svg) = staged.answer("/timeline.svg");
        svg.matches(&format!("<rect class=\"bar {class}\"")).count() - 1
    };
    // Of mailer and web, which wait for the same, only the later one decides how long the start takes.
    assert_eq!((bars(&staged, "start chain"), bars(&staged, "down"), bars(&staged, "stop")), (4, 0, 0));
    for restarts in 1..=3 {
        staged.steps(["fail-cache"]);
        staged.program.logs("cache: restarting in");
        staged.steps(["start-cache"]);
        staged.program.logs("cache is ready");
        assert_eq!(bars(&staged, "down"), restarts);
    }
    staged.steps(["stop-mailer"]);
    staged.program.signal("TERM");
    staged.program.logs("mailer stopped");
    staged.program.logs("web stopped");
    while service(&staged.status(), "cache")["state"] != "stopping" {}
    let (_, svg) = staged.answer("/timeline.svg");
    let stops = svg.matches("<rect class=\"bar stop\"").count() + svg.matches("<rect class=\"bar stop chain\"").count();
    assert_eq!((stops - 1, bars(&staged, "down"), bars(&staged, "start chain")), (3, 3, 4), "{svg}");
}

#[test]
fn nothing_foreign_can_run_in_the_page() {
    let staged = Staged::started(WATCHED, "policy", 0);
    let (head, body) = staged.answer("/");
    let policy = head.lines().find(|line| line.starts_with("content-security-policy: ")).expect("there is one");
    assert!(policy.contains("default-src 'none'; script-src 'nonce-") && !policy.contains("unsafe"), "{policy}");
    // One file: it names nothing but addresses of this server.
    let (html, _script) = body.split_once("<script").expect("there is one");
    for attribute in ["href=\"", "src=\""] {
        for rest in html.split(attribute).skip(1) {
            let name = rest.split('"').next().unwrap_or_default();
            assert!(name.is_empty() || name.starts_with(['#', '/']) || name.starts_with("data:"), "{name}");
        }
    }
}

/// The words in code marks in the first column of the docs' tables, below a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let (_, rest) = DOCS.split_once(heading).expect("there is this heading");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| {
        row.split(" | ").next().unwrap_or_default().split(", ").map(|key| key.trim_matches('`').to_owned())
    })
    .collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("it has keys").keys().cloned().collect()
}

#[test]
fn the_docs_list_every_key() {
    let staged = Staged::started(WATCHED, "docs", 0);
    let status = staged.status();
    assert_eq!(documented("## The group"), keys(&status));
    assert_eq!(documented("## A service"), keys(&status["services"][0]));
}
