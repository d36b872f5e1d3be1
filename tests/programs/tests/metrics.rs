//! The metrics of a program, read by clients that are not ours.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use programs::{Ended, Program};

/// A program that shows its metrics, and where it listens.
struct Metered {
    program: Program,
    ops: String,
    gateway: String,
}

impl Metered {
    fn start() -> Self {
        let mut program = Program::start(env!("CARGO_BIN_EXE_metered"), &[], &[]);
        let (ops, gateway) = (program.address_of("ops"), program.address_of("gateway"));
        program.logs("8 services are ready");
        Self { program, ops, gateway }
    }

    /// Asks the gateway with curl, which prints the status of each answer.
    fn ask(&self, args: &[&str], path: &str) -> String {
        curl(&[&["--output", "/dev/null", "--write-out", "%{http_code} "], args].concat(), &self.gateway, path)
    }

    fn tell_ops(&self, path: &str) {
        curl(&["--request", "POST"], &self.ops, path);
    }

    fn metrics(&self) -> Metrics {
        Metrics(curl(&[], &self.ops, "/metrics"))
    }

    /// Waits until the metrics have this sample.
    fn until(&self, sample: &str, value: &str) -> Metrics {
        for _ in 0..3000 {
            let metrics = self.metrics();
            if metrics.value(sample) == Some(value) {
                return metrics;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{sample} is not {value}:\n{}", self.metrics().around(sample));
    }
}

/// The text of the metrics.
#[derive(Debug)]
struct Metrics(String);

impl Metrics {
    /// The value of a sample, which is a name with its labels.
    fn value(&self, sample: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
    }

    fn number(&self, sample: &str) -> f64 {
        self.value(sample)
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no {sample}:\n{}", self.around(sample)))
    }

    /// What the metrics say of a sample that is not as it should be.
    fn around(&self, sample: &str) -> String {
        self.samples(sample.split('{').next().unwrap_or_default()).join("\n")
    }

    /// The samples whose name and labels begin so, each as a line.
    fn samples(&self, beginning: &str) -> Vec<&str> {
        self.0.lines().filter(|line| line.starts_with(beginning)).collect()
    }
}

fn curl(args: &[&str], address: &str, path: &str) -> String {
    let url = format!("http://{address}{path}");
    let asked =
        Command::new("curl").args(["--silent", "--show-error", "--max-time", "20"]).args(args).arg(url).output();
    String::from_utf8(asked.expect("curl is installed").stdout).expect("is text")
}

/// What `promtool check metrics` says of a text; nothing, if it is content.
fn promtool(metrics: &str) -> String {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().expect("promtool is installed");
    tool.stdin.take().expect("is piped").write_all(metrics.as_bytes()).expect("it reads");
    let said = tool.wait_with_output().expect("is ours to wait for");
    assert!(said.status.success() || !said.stderr.is_empty() || !said.stdout.is_empty(), "{said:?}");
    String::from_utf8([said.stdout, said.stderr].concat()).expect("is text")
}

#[test]
fn each_request_is_counted_once_by_service_method_route_and_status() {
    let metered = Metered::start();
    assert_eq!(metered.ask(&[], "/users/[0-9]"), format!("404 {}", "200 ".repeat(9)));
    assert_eq!(metered.ask(&["--request", "POST"], "/users/1"), "201 ");
    assert_eq!(metered.ask(&["--head"], "/users/1"), "200 ");
    assert_eq!(metered.ask(&["--request", "PUT"], "/users/1"), "405 ");
    assert_eq!(metered.ask(&[], "/panics"), "500 ");
    assert_eq!(metered.ask(&[], "/billing/invoices/[1-3]"), "200 200 200 ");
    let metrics = metered.metrics();
    let mut requests = metrics.samples("group_http_requests_total{service=\"gateway\"");
    requests.extend(metrics.samples("group_http_requests_total{service=\"billing\""));
    requests.sort_unstable();
    assert_eq!(
        requests,
        [
            r#"group_http_requests_total{service="billing",method="GET",route="/billing/invoices/{id}",status="200"} 3"#,
            r#"group_http_requests_total{service="gateway",method="GET",route="/panics",status="500"} 1"#,
            r#"group_http_requests_total{service="gateway",method="GET",route="/users/{id}",status="200"} 9"#,
            r#"group_http_requests_total{service="gateway",method="GET",route="/users/{id}",status="404"} 1"#,
            r#"group_http_requests_total{service="gateway",method="HEAD",route="/users/{id}",status="200"} 1"#,
            r#"group_http_requests_total{service="gateway",method="POST",route="/users/{id}",status="201"} 1"#,
            r#"group_http_requests_total{service="gateway",method="PUT",route="/users/{id}",status="405"} 1"#,
        ]
    );
    let of_users = |name: &str, bucket: &str| {
        let labels = format!(r#"service="gateway",method="GET",route="/users/{{id}}"{bucket}"#);
        metrics.number(&format!("group_http_request_duration_seconds_{name}{{{labels}}}"))
    };
    assert_eq!((of_users("count", ""), of_users("bucket", r#",le="+Inf""#)), (10.0, 10.0));
    assert!(of_users("sum", "") > 0.0);
    let by_router = r#"group_http_requests_total{service="ops",method="GET",route="/metrics",status="200"}"#;
    assert_eq!(metered.metrics().value(by_router), Some("1"), "the first look, not this one");
}

#[test]
fn paths_and_methods_that_are_unknown_are_counted_as_one() {
    let metered = Metered::start();
    let asked = metered.ask(&[], "/no/such/path/[1-1000]");
    assert_eq!(asked, "404 ".repeat(1000));
    for method in ["BREW", "PROPFIND", "GETT"] {
        assert_eq!(metered.ask(&["--request", method], "/users/1"), "405 ");
    }
    let metrics = metered.metrics();
    let mut requests = metrics.samples("group_http_requests_total{service=\"gateway\"");
    requests.sort_unstable();
    assert_eq!(
        requests,
        [
            r#"group_http_requests_total{service="gateway",method="GET",route="_OTHER",status="404"} 1000"#,
            r#"group_http_requests_total{service="gateway",method="_OTHER",route="/users/{id}",status="405"} 3"#,
        ]
    );
    // The first bucket, 14 others, the sum and the count.
    assert_eq!(metrics.samples("group_http_request_duration_seconds").len() % 17, 0);
    let accepted = metrics.value(r#"group_http_connections_accepted_total{service="gateway"}"#);
    assert_eq!(accepted, Some("4"), "one for a thousand paths, one for each method");
}

#[test]
fn the_program_and_its_process_are_shown() {
    let metered = Metered::start();
    let metrics = metered.metrics();
    assert_eq!(metrics.value(r#"group_program_info{name="programs",version="0.0.0"}"#), Some("1"));
    let number = |name: &str| -> f64 { metrics.value(name).expect(name).parse().expect("is a number") };
    assert!(number("process_cpu_seconds_total") < 60.0);
    assert!(number("process_start_time_seconds") <= number("group_start_time_seconds") + 1.0);
    assert!(number("process_resident_memory_bytes") > 1e6);
    assert!(number("process_virtual_memory_bytes") > number("process_resident_memory_bytes"));
    assert!(number("process_open_fds") > 5.0 && number("process_open_fds") < number("process_max_fds"));
    assert!(number("process_threads") > 1.0);
}

#[test]
fn what_services_do_is_counted() {
    let metered = Metered::start();
    metered.ask(&["--request", "POST"], "/users/[1-2]");
    metered.until(r#"group_service_state{service="sweeper",state="failed"}"#, "1");
    metered.until(r#"group_service_state{service="flaky",state="ready"}"#, "1");
    let metrics = metered.until(r#"group_messages_total{service="orders",outcome="finished"}"#, "2");
    for (sample, value) in [
        (r#"group_build_info{version="0.1.0",profile="debug"}"#, "1"),
        (r#"group_phase{phase="running"}"#, "1"),
        (r#"group_phase{phase="lame_duck"}"#, "0"),
        ("group_ready", "1"),
        (r#"group_service_state{service="sweeper",state="ready"}"#, "0"),
        (r#"group_service_restarts_total{service="flaky"}"#, "1"),
        (r#"group_service_restarts_total{service="gateway"}"#, "0"),
        (r#"group_ticks_total{service="sweeper",ticker="sweep",outcome="finished"}"#, "2"),
        (r#"group_ticks_total{service="sweeper",ticker="sweep",outcome="failed"}"#, "1"),
        (r#"group_messages_total{service="orders",outcome="failed"}"#, "1"),
        (r#"group_messages_total{service="orders",outcome="abandoned"}"#, "0"),
        (r#"group_messages_in_flight{service="orders"}"#, "1"),
        (r#"group_heartbeats_total{service="pulse"}"#, "3"),
        (r#"group_heartbeats_missed_total{service="pulse"}"#, "0"),
        (r#"group_http_connections_open{service="gateway"}"#, "0"),
        (r#"group_http_requests_in_flight{service="ops"}"#, "1"),
        ("shop_orders_total", "2"),
        ("shop_tables", "12"),
    ] {
        assert_eq!(metrics.value(sample), Some(value), "{sample}:\n{}", metrics.around(sample));
    }
    let now = Command::new("date").arg("+%s").output().expect("there is `date`").stdout;
    let now: f64 = String::from_utf8_lossy(&now).trim().parse().expect("is a number");
    let last = metrics.number(r#"group_tick_last_finished_timestamp_seconds{service="sweeper",ticker="sweep"}"#);
    let begun = metrics.number("group_start_time_seconds");
    assert!((begun..=begun + 60.0).contains(&last) && (now - 60.0..now + 1.0).contains(&begun), "{begun} {last} {now}");
    assert!(metrics.number(r#"group_service_start_seconds{service="gateway"}"#) > 0.0);
    assert_eq!(metrics.value(r#"group_service_stop_seconds{service="gateway"}"#), None);
    let workers = metrics.number("group_runtime_workers");
    assert!(workers >= 1.0 && metrics.number("group_runtime_alive_tasks") >= 8.0);
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let busy = metrics.samples("group_runtime_worker_busy_seconds_total{").len() as f64;
    assert!((busy - workers).abs() < 0.5);
}

#[test]
fn a_stop_is_seen_from_a_service_that_is_stopped_later() {
    let metered = Metered::start();
    let clients = ["/slow", "/never"].map(|path| {
        let url = format!("http://{}{path}", metered.gateway);
        Command::new("curl").args(["--silent", "--max-time", "20", &url]).spawn().expect("curl is installed")
    });
    metered.until(r#"group_http_requests_in_flight{service="gateway"}"#, "2");
    metered.program.signal("TERM");
    metered.until(r#"group_service_state{service="gateway",state="stopping"}"#, "1");
    metered.tell_ops("/let-gateway-answer");
    let draining = metered.until(r#"group_http_connections_drained_total{service="gateway"}"#, "1");
    assert_eq!(draining.value(r#"group_http_connections_cut_total{service="gateway"}"#), Some("0"));
    assert_eq!(
        (draining.value("group_ready"), draining.value(r#"group_phase{phase="stopping"}"#)),
        (Some("0"), Some("1"))
    );
    metered.until(r#"group_service_state{service="orders",state="gone"}"#, "1");
    let stopped = metered.until(r#"group_service_state{service="flaky",state="gone"}"#, "1");
    for (sample, value) in [
        (r#"group_http_connections_drained_total{service="gateway"}"#, "1"),
        (r#"group_http_connections_cut_total{service="gateway"}"#, "1"),
        (r#"group_http_connections_open{service="gateway"}"#, "0"),
        (r#"group_http_requests_in_flight{service="gateway"}"#, "0"),
        (r#"group_http_requests_total{service="gateway",method="GET",route="/slow",status="200"}"#, "1"),
        (r#"group_http_requests_total{service="gateway",method="GET",route="/never",status="499"}"#, "1"),
        (r#"group_messages_total{service="orders",outcome="abandoned"}"#, "1"),
        (r#"group_messages_in_flight{service="orders"}"#, "0"),
        (r#"group_service_state{service="gate",state="stopping"}"#, "1"),
    ] {
        assert_eq!(stopped.value(sample), Some(value), "{sample}:\n{}", stopped.around(sample));
    }
    let took = stopped.number(r#"group_service_stop_seconds{service="gateway"}"#);
    assert!((1.0..10.0).contains(&took), "{took}");
    metered.tell_ops("/open-gate");
    let Ended { code, .. } = metered.program.end();
    assert_eq!(code, Some(3), "the gateway and the consumer were aborted");
    for mut client in clients {
        client.wait().expect("is ours to wait for");
    }
}

#[test]
fn promtool_is_content() {
    let metered = Metered::start();
    metered.ask(&[], "/users/[0-9]");
    metered.until(r#"group_service_state{service="sweeper",state="failed"}"#, "1");
    let Metrics(text) = metered.metrics();
    assert_eq!(promtool(&text), "");
    assert_ne!(promtool(&text.replace("_total", "_counter")), "", "it looks at all");
}

#[test]
fn a_client_that_reads_open_metrics_gets_it() {
    let metered = Metered::start();
    let ask = |args: &[&str]| curl(&[&["--include"], args].concat(), &metered.ops, "/metrics");
    let plain = ask(&[]);
    assert!(plain.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{plain}");
    assert!(plain.contains("# TYPE group_service_restarts_total counter\n") && !plain.contains("# EOF"), "{plain}");
    // The header that Prometheus sends.
    let accept = "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                  text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let open = ask(&["--header", accept]);
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), "{open}");
    assert!(open.contains("# TYPE group_service_restarts counter\n"), "{open}");
    assert!(open.contains("# UNIT group_service_start_seconds seconds\n"), "{open}");
    assert!(open.ends_with("\n# EOF\n"), "{open}");
}
