//! Clients that we did not write, while the server gets SIGTERM: every request that reached a handler is answered.
//! The server counts the requests that it took, and the client the complete answers that it got; a client cannot
//! say of every failed request whether the server had it.
//!
//!     RUNS=50 cargo test --release -p traffic --test clients_of_others

mod common;

use std::io::Write as _;
use std::process::{Command, Output};
use std::thread;

use common::{a_while, runs, taken_by};
use programs::{Ended, Program};
use traffic::LONG;

/// The number of curl processes at once, each for one kind of answer.
const CURLS: [(&str, usize); 4] = [("short", 5), ("long", LONG), ("short", 5), ("long", LONG)];

/// curl could not connect.
const REFUSED: i32 = 7;

fn is_installed(program: &str) -> bool {
    let installed = Command::new(program).arg("--version").output().is_ok();
    if !installed {
        let skipped = format!("the requests of {program} are SKIPPED: it is not installed");
        writeln!(std::io::stderr(), "{skipped}").expect("stderr is open");
    }
    installed
}

/// Lets a client ask a server that is stopped meanwhile. Returns the output of the client, and the server's count.
fn stopped_while<T>(client: impl FnOnce(&str) -> T, said: impl FnOnce(T) -> Vec<Ended>) -> (Vec<Ended>, usize) {
    let mut server = Program::start(env!("CARGO_BIN_EXE_grouped"), &[], &[]);
    let client = client(&server.address_of("web"));
    server.prints("asked");
    thread::sleep(a_while());
    server.signal("TERM");
    let server = server.end();
    assert_eq!(server.code, Some(0), "{server:#?}");
    (said(client), taken_by(&server))
}

/// Asks again and again on as few connections as it can, until something fails.
fn curl_again_and_again(address: &str) -> Vec<Program> {
    let ask = |(path, _): (&str, usize)| {
        let urls = format!("http://{address}/{path}?[1-1000000]");
        // The last is for stderr, because curl buffers its output to a pipe.
        let told = "%{stderr}got %{http_code} %{size_download}\n";
        let args = ["--silent", "--show-error", "--fail-early", "--output", "/dev/null", "--write-out", told, &urls];
        Program::start("curl", &args, &[])
    };
    CURLS.map(ask).into()
}

#[test]
fn curl_gets_every_answer_on_connections_that_are_kept() {
    for _ in 0..runs() {
        let end = |curls: Vec<Program>| curls.into_iter().map(Program::end).collect();
        let (curls, taken) = stopped_while(curl_again_and_again, end);
        let mut answered = 0;
        for (curl, (path, bytes)) in curls.iter().zip(CURLS) {
            // Another code would mean that a connection was reset, or an answer cut off. When one that was
            // kept is closed under a request, curl asks again and is refused: it does not tell, the counts do.
            assert_eq!(curl.code, Some(REFUSED), "{path}: {:#?}", curl.logged.last());
            let whole = format!("got 200 {bytes}");
            answered += curl.logged.iter().filter(|line| **line == whole).count();
            let others: Vec<_> =
                curl.logged.iter().filter(|line| line.starts_with("got 2") && **line != whole).collect();
            assert!(others.is_empty(), "{path}: {others:?}");
        }
        assert_eq!(taken, answered, "all that was taken is answered");
    }
}

/// Asks over HTTP/2, each time with a process and a connection of its own, until it is refused: curl cannot
/// keep such a connection before its version 8. Returns how often it was answered.
fn curl_over_http2(address: &str, path: &str, bytes: usize) -> usize {
    for answered in 0.. {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--http2-prior-knowledge", "--output", "/dev/null"]);
        curl.args(["--write-out", "%{http_version} %{http_code} %{size_download}"]);
        let Output { status, stdout, stderr } =
            curl.arg(format!("http://{address}/{path}")).output().expect("curl is installed");
        if status.code() == Some(REFUSED) {
            return answered;
        }
        let (said, error) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success() && said == format!("2 200 {bytes}"), "{path}: {said}: {error}");
    }
    unreachable!("the server is stopped before")
}

#[test]
fn curl_gets_every_answer_over_http2() {
    for _ in 0..runs() {
        let mut answered = 0;
        let ask = |address: &str| {
            CURLS.map(|(path, bytes)| {
                let address = address.to_owned();
                thread::spawn(move || curl_over_http2(&address, path, bytes))
            })
        };
        let (_, taken) = stopped_while(ask, |curls| {
            answered = curls.map(|curl| curl.join().expect("every answer is whole")).iter().sum();
            Vec::new()
        });
        assert_eq!(taken, answered, "all that was taken is answered");
    }
}

/// The counts that h2load prints.
#[derive(Debug)]
struct Requests {
    /// Sent, or about to be.
    started: usize,
    /// Answered, or known to be in vain.
    done: usize,
    /// Answered to the end, with a 2xx.
    succeeded: usize,
    /// Answered with another status.
    other_statuses: usize,
}

impl Requests {
    /// Reads `requests: 9 total, 8 started, 8 done, 8 succeeded, …` and `status codes: 8 2xx, 0 3xx, …`.
    fn of(h2load: &Ended) -> Self {
        let number = |line: &str, of: &str| -> usize {
            let line = h2load.printed.iter().find_map(|said| said.strip_prefix(line));
            let mut numbers = line.expect("h2load has counted").split(',').map(str::trim);
            let number = numbers.find_map(|number| number.strip_suffix(of)).expect("it is there").trim();
            number.parse().expect("is a number")
        };
        let (requests, codes) = ("requests:", "status codes:");
        Self {
            started: number(requests, "started"),
            done: number(requests, "done"),
            succeeded: number(requests, "succeeded"),
            other_statuses: ["3xx", "4xx", "5xx"].map(|code| number(codes, code)).iter().sum(),
        }
    }
}

/// h2load reports the requests that remain when the server is gone as failed.
const MORE_THAN_ANYBODY_TAKES: &str = "100000000";

fn h2load(protocol: &'static [&'static str]) {
    if !is_installed("h2load") {
        return;
    }
    for _ in 0..runs() {
        let ask = |address: &str| {
            let urls = ["short", "long"].map(|path| format!("http://{address}/{path}"));
            let args = [&["-n", MORE_THAN_ANYBODY_TAKES, "-c", "8", &urls[0], &urls[1]], protocol].concat();
            Program::start("h2load", &args, &[])
        };
        let (said, taken) = stopped_while(ask, |h2load| vec![h2load.end()]);
        let requests = Requests::of(&said[0]);
        assert_eq!(taken, requests.succeeded, "all that was taken is answered: {:#?}", said[0]);
        assert_eq!(requests.other_statuses, 0, "{requests:?}");
        if protocol.contains(&"--h1") {
            // Over HTTP/1.1 one that was sent and not answered was lost, also when no handler had it. Over
            // HTTP/2 the server may have said that it will not have it, and h2load does not tell.
            assert_eq!(requests.started, requests.succeeded, "{requests:?}");
        }
        assert!(requests.started >= requests.done && requests.done >= requests.succeeded, "{requests:?}");
    }
}

#[test]
fn h2load_gets_every_answer() {
    h2load(&["--h1"]);
}

#[test]
fn h2load_gets_every_answer_over_http2() {
    h2load(&["-m", "16"]);
}
