//! The admin service of a real process, asked by a client that is not ours.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use programs::Program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_administered");

/// A place where a service of the program waits for the test.
struct Gate(TcpListener);

impl Gate {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("there is a free port"))
    }

    fn address(&self) -> String {
        self.0.local_addr().expect("it is bound").to_string()
    }

    /// Waits until the service is here.
    fn is_reached(&self) -> TcpStream {
        self.0.accept().expect("the service comes").0
    }
}

/// The program, and the address of its admin service.
fn start(env: &[(&str, &str)]) -> (Program, String) {
    let mut program = Program::start(PROGRAM, &[], env);
    let address = program.address_of("group-admin");
    (program, address)
}

/// The code and the body of an answer; 0 if there was none.
fn ask(address: &str, path: &str) -> (u16, String) {
    ask_with(address, path, &[])
}

fn ask_with(address: &str, path: &str, options: &[&str]) -> (u16, String) {
    let url = format!("http://{address}{path}");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "20", "--write-out", "\n%{http_code}"]).args(options).arg(url);
    let answer = String::from_utf8(curl.output().expect("curl is installed").stdout).expect("is text");
    let (body, code) = answer.rsplit_once('\n').expect("the code is written");
    (code.parse().expect("is a number"), body.to_owned())
}

fn codes(address: &str) -> [u16; 3] {
    ["/livez", "/readyz", "/startupz"].map(|path| ask(address, path).0)
}

/// Asks until the answer has this code.
fn until(address: &str, path: &str, code: u16) -> String {
    let begun = Instant::now();
    loop {
        let (answered, body) = ask(address, path);
        if answered == code {
            return body;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{path} is still answered with {answered}: {body}");
        std::thread::yield_now();
    }
}

#[test]
fn probes_are_answered_from_before_the_first_service_is_built_until_the_last_is_gone() {
    let (start_gate, stop_gate) = (Gate::new(), Gate::new());
    let (program, admin) = start(&[("GATE_START", &start_gate.address()), ("GATE_STOP", &stop_gate.address())]);
    let mut building = start_gate.is_reached();
    assert_eq!(codes(&admin), [200, 503, 503]);
    assert_eq!(ask(&admin, "/readyz").1, "not ready: starting, not ready\n");
    building.write_all(b"!").unwrap();
    until(&admin, "/readyz", 200);
    assert_eq!(codes(&admin), [200, 200, 200]);
    assert_eq!(ask(&admin, "/livez").1, "live\n");
    program.signal("TERM");
    let mut stopping = stop_gate.is_reached();
    assert_eq!(codes(&admin), [200, 503, 200]);
    assert_eq!(ask(&admin, "/readyz").1, "not ready: stopping, not ready\n");
    stopping.write_all(b"!").unwrap();
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ask(&admin, "/livez").0, 0);
    let gone: Vec<_> = ended.logged.iter().filter(|line| line.contains(" stopped (")).collect();
    assert!(gone.last().unwrap().contains("group-admin"), "{ended:#?}");
}

#[test]
fn a_reader_that_reads_nothing_does_not_hold_a_short_stop_up() {
    let (program, admin) = start(&[("GROUP_STOP_TIMEOUT", "800ms")]);
    until(&admin, "/readyz", 200);
    let mut reader = TcpStream::connect(&admin).unwrap();
    reader.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Once nobody takes these any more, an answer waits to be read.
    while reader.write_all(&b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100)).is_ok() {}
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_verbose_probe_lists_every_service_as_text_or_as_json() {
    let (_program, admin) = start(&[]);
    until(&admin, "/readyz", 200);
    let (code, text) = ask(&admin, "/readyz?verbose");
    assert_eq!(code, 200);
    for line in ["ready", "running, ready", "  group-admin  ready", "  store        ready", "  web          ready"] {
        assert!(text.lines().any(|said| said == line), "{line}: {text}");
    }
    let (_, json) = ask_with(&admin, "/readyz?verbose", &["--header", "accept: application/json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
    assert_eq!((&json["ok"], &json["asked"], &json["phase"]), (&true.into(), &"ready".into(), &"running".into()));
    let names: Vec<_> = json["services"].as_array().unwrap().iter().map(|service| service["name"].clone()).collect();
    assert_eq!(names[0], "group-admin");
    assert!(names.contains(&"web".into()), "{json}");
    let (_, brief) = ask_with(&admin, "/livez", &["--header", "accept: application/json"]);
    assert!(!brief.contains("services"), "{brief}");
    assert_eq!(ask_with(&admin, "/livez", &["--head"]).0, 200);
}

#[test]
fn a_runtime_that_is_stuck_is_not_live_and_the_probe_says_so() {
    let (mut program, admin) = start(&[]);
    let web = program.address_of("web");
    until(&admin, "/readyz", 200);
    assert_eq!(codes(&admin), [200, 200, 200]);
    // Each blocks one of the two workers. They are not waited for.
    let mut blocked = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(&web).unwrap();
        client.write_all(b"GET /block HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        blocked.push(client);
    }
    let why = until(&admin, "/livez", 503);
    assert!(why.starts_with("not live: the runtime has run no task for "), "{why}");
    program.signal("KILL");
}

#[test]
fn a_missed_heartbeat_of_a_service_that_cannot_be_ended_is_not_live() {
    let (program, admin) = start(&[("HANG", "1")]);
    assert_eq!(until(&admin, "/livez", 503), "not live: beats has missed a heartbeat\n");
    program.signal("KILL");
}

#[test]
fn prometheus_is_answered_with_metrics_of_every_service() {
    let (_program, admin) = start(&[("GROUP_ADMIN", "0.0.0.0:0")]);
    let admin = admin.replace("0.0.0.0", "127.0.0.1");
    until(&admin, "/readyz", 200);
    // Prometheus names the server as its settings do.
    let (code, metrics) = ask_with(&admin, "/metrics", &["--header", "host: shop.default.svc"]);
    assert_eq!(code, 200);
    for service in ["group-admin", "store", "web", "beats"] {
        let line = format!("group_service_state{{service=\"{service}\",state=\"ready\"}} 1");
        assert!(metrics.lines().any(|said| said == line), "{line}: {metrics}");
    }
}

#[test]
fn control_is_for_those_who_have_the_token() {
    let (mut program, admin) = start(&[("GROUP_ADMIN_TOKEN", "open sesame")]);
    until(&admin, "/readyz", 200);
    let post = |path, token: &str| {
        let header = format!("authorization: Bearer {token}");
        ask_with(&admin, path, &["--request", "POST", "--header", &header])
    };
    for path in ["/stop", "/reload"] {
        assert_eq!(ask_with(&admin, path, &["--request", "POST"]).0, 401);
        assert_eq!(post(path, "open sesam").0, 401);
        assert_eq!(ask(&admin, path).0, 401);
    }
    assert_eq!(post("/reload", "open sesame"), (200, "reloaded\n".to_owned()));
    program.prints("reloaded");
    assert_eq!(post("/services/web/restart", "open sesam").0, 401);
    assert_eq!(post("/services/web/restart", "open sesame"), (200, "restarted\n".to_owned()));
    assert_eq!(post("/services/web/stop", "open sesame"), (200, "stopped\n".to_owned()));
    let (code, why) = ask(&admin, "/readyz");
    assert!(code == 503 && why.contains("not ready"), "{why}");
    assert_eq!(post("/services/web/start", "open sesame"), (200, "started\n".to_owned()));
    assert_eq!(ask(&admin, "/readyz").0, 200);
    let unknown = "there is no service `wbe` in this group";
    assert!(matches!(post("/services/wbe/restart", "open sesame"), (404, why) if why.starts_with(unknown)));
    let (code, why) = post("/services/group-admin/restart", "open sesame");
    assert_eq!((code, &*why), (409, "this is the service that answers here\n"));
    assert_eq!(post("/stop", "open sesame"), (202, "stopping\n".to_owned()));
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!format!("{ended:?}").contains("sesame"), "the token is never shown: {ended:#?}");
}

#[test]
fn without_a_token_there_is_no_control() {
    let (program, admin) = start(&[]);
    for path in ["/stop", "/reload", "/services/web/restart"] {
        let (code, why) = ask_with(&admin, path, &["--request", "POST"]);
        assert_eq!((code, why.contains("GROUP_ADMIN_TOKEN is not set")), (403, true), "{why}");
    }
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn what_the_page_of_another_site_sends_is_refused() {
    let (_program, admin) = start(&[("GROUP_ADMIN_TOKEN", "open sesame")]);
    let stop = ["--request", "POST", "--header", "authorization: Bearer open sesame"];
    for foreign in ["host: evil.example.com", "origin: http://evil.example.com", "origin: null"] {
        let (code, why) = ask_with(&admin, "/stop", &[&stop[..], &["--header", foreign]].concat());
        assert_eq!(code, 403, "{foreign}: {why}");
    }
    until(&admin, "/readyz", 200);
    let own = format!("origin: http://{admin}");
    assert_eq!(ask_with(&admin, "/stop", &[&stop[..], &["--header", &own]].concat()).0, 202);
}

#[test]
fn an_address_that_others_can_reach_serves_only_probes_without_a_token() {
    for (token, code) in [(None, 403), (Some("open sesame"), 401)] {
        let mut env = vec![("GROUP_ADMIN", "0.0.0.0:0")];
        env.extend(token.map(|token| ("GROUP_ADMIN_TOKEN", token)));
        let (_program, admin) = start(&env);
        let admin = admin.replace("0.0.0.0", "127.0.0.1");
        until(&admin, "/readyz", 200);
        assert_eq!(ask_with(&admin, "/stop", &["--request", "POST"]).0, code);
        // The host of a probe may be any name that leads here.
        assert_eq!(ask_with(&admin, "/readyz", &["--header", "host: shop.default.svc"]).0, 200);
    }
}

#[test]
fn clients_that_are_slow_or_many_disturb_nobody_else() {
    let (mut program, admin) = start(&[]);
    let web = program.address_of("web");
    let mut silent = Vec::new();
    for number in 0..300 {
        let mut client = TcpStream::connect(&admin).unwrap();
        if number % 2 == 0 {
            client.write_all(b"GET /livez HTTP/1.1\r\nx: ").unwrap();
        }
        silent.push(client);
    }
    assert_eq!(ask(&web, "/"), (200, "hello".to_owned()));
    // The silent ones make room after the time for a head.
    assert_eq!(until(&admin, "/livez", 200), "live\n");
    let huge = format!("x: {}", "a".repeat(64 * 1024));
    assert_eq!(ask_with(&admin, "/livez", &["--header", &huge]).0, 431);
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn the_environment_moves_it_and_leaves_it_out() {
    let mut program = Program::start(PROGRAM, &[], &[("GROUP_ADMIN", "off")]);
    program.logs("services are ready");
    assert!(!program.logged.iter().any(|line| line.contains("group-admin")), "{:#?}", program.logged);
    let wrong = Program::start(PROGRAM, &[], &[("GROUP_ADMIN", "9900")]).end();
    assert_eq!(wrong.code, Some(78), "{wrong:#?}");
    let said = wrong.last_words();
    assert!(
        said.ends_with("GROUP_ADMIN is text: expected `host:port`, as in `127.0.0.1:9900`, or `off`"),
        "{wrong:#?}"
    );
    let empty = Program::start(PROGRAM, &[], &[("GROUP_ADMIN_TOKEN", "")]).end();
    assert_eq!(empty.code, Some(78), "{empty:#?}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = Program::start(PROGRAM, &[], &[("GROUP_ADMIN", &address)]).end();
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(!refused.logged_with(&format!("cannot listen on {address}")).is_empty(), "{refused:#?}");
}
