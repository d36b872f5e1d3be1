//! A server is stopped by SIGTERM while a client sends requests as fast as it can, from near and from 10 ms away: not one
//! request that was accepted may be lost. `RUNS=300` tries it more often, and `plain` shows the same for plain axum and plain
//! tonic:
//!
//!     RUNS=300 cargo test --release -p traffic -- --nocapture --include-ignored --test-threads 1

mod common;

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

use common::{a_while, runs, taken_by};
use programs::Program;
use traffic::far::{FAR, HERE, far_away};

/// HTTP, and gRPC: of each, the server in a group, the plain one, and the ways to ask it.
const SERVERS: [(&str, &str, &[&str]); 2] = [
    (env!("CARGO_BIN_EXE_grouped"), env!("CARGO_BIN_EXE_plain"), &["keep-alive", "new", "http2", "http2-slow", FROZEN]),
    (env!("CARGO_BIN_EXE_grouped_calls"), env!("CARGO_BIN_EXE_plain_calls"), &["grpc", "grpc-streams"]),
];

/// Over HTTP/2, by a client that does nothing for a while around the stop.
const FROZEN: &str = "http2-frozen";

/// A client that has been answered is waited for a little longer (`linger`).
const FROZEN_FOR: Duration = Duration::from_millis(100);

/// Where connections are served (`GROUP_SERVE`).
const SERVE: [&str; 2] = ["shared", "per-core"];

/// Where the client is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    Near,
    Far,
}

/// The counts that a client prints at its end, over all runs.
#[derive(Debug, Default)]
struct Total {
    runs: usize,
    runs_that_lost: usize,
    /// By the server's own count.
    taken: usize,
    answered: usize,
    /// By the client itself.
    given_up: usize,
    lost: Vec<String>,
}

fn start(server: &str, way: &str, client: Client, serve: &str) -> (Program, String) {
    let host = if client == Client::Far { HERE } else { Ipv4Addr::LOCALHOST };
    let own = if way.starts_with("grpc") { "GROUP_WEB__GRPC" } else { "GROUP_WEB__HTTP" };
    let listen = format!("{host}:0");
    let mut server = Program::start(server, &[], &[(own, &listen), ("LISTEN", &listen), ("GROUP_SERVE", serve)]);
    let mut address = server.address_of("web");
    if client == Client::Far {
        address = address.replace(&HERE.to_string(), &FAR.to_string());
    }
    (server, address)
}

fn stopped_under_load(server: &str, way: &str, from: Client, serve: &str) -> Total {
    let mut total = Total::default();
    for _ in 0..runs() {
        let (server, address) = start(server, way, from, serve);
        let asks = if way == FROZEN { "http2" } else { way };
        let mut client = Program::start(env!("CARGO_BIN_EXE_client"), &[&address, asks], &[]);
        client.prints("asking");
        sleep(a_while());
        if way == FROZEN {
            client.signal("STOP");
        }
        server.signal("TERM");
        if way == FROZEN {
            sleep(FROZEN_FOR);
            client.signal("CONT");
        }
        let (server, client) = (server.end(), client.end());
        assert_eq!(server.code, Some(0), "{server:#?}");
        assert_eq!(client.code, Some(0), "{client:#?}");
        total.add(taken_by(&server), &client.printed);
    }
    let Total { runs, runs_that_lost, taken, answered, lost, .. } = &total;
    println!("| {way}, {from:?}, {serve} | {runs} | {taken} | {answered} | {} | {runs_that_lost} |", lost.len());
    total.lost.dedup();
    for lost in total.lost.iter().take(5) {
        println!("  {lost}");
    }
    total
}

impl Total {
    fn add(&mut self, taken: usize, client: &[String]) {
        self.taken += taken;
        let counts = client.iter().find_map(|line| {
            let (answered, rest) = line.strip_prefix("answered ")?.split_once(" given up ")?;
            let (given_up, lost) = rest.split_once(" lost ")?;
            Some((answered, given_up, lost))
        });
        let (answered, given_up, lost) = counts.expect("the client has counted");
        self.given_up += given_up.parse::<usize>().expect("is a number");
        self.runs += 1;
        self.runs_that_lost += usize::from(lost != "0");
        self.answered += answered.parse::<usize>().expect("is a number");
        self.lost.extend(client.iter().filter_map(|line| line.strip_prefix("lost: ")).map(str::to_owned));
    }
}

fn nothing_is_lost(from: Client, serve: &str) {
    for (grouped, _, ways) in SERVERS {
        for way in ways {
            let total = stopped_under_load(grouped, way, from, serve);
            assert!(total.lost.is_empty(), "{way}: {:#?}", total.lost);
            // Each request that the server had is answered. Over HTTP/2 it may have had some that the client gave up.
            let may_be_missing = if matches!(*way, "keep-alive" | "new") { 0 } else { total.given_up };
            assert!(total.taken >= total.answered, "{way}: {total:#?}");
            assert!(total.taken - total.answered <= may_be_missing, "{way}: {total:#?}");
            assert!(total.answered > 100 * total.runs, "{way}: there was no load: {}", total.answered);
        }
    }
}

#[test]
fn no_request_that_was_accepted_is_lost() {
    nothing_is_lost(Client::Near, SERVE[0]);
}

#[test]
fn nor_is_one_that_is_served_on_its_own_processor() {
    nothing_is_lost(Client::Near, SERVE[1]);
}

#[test]
fn nor_is_one_of_a_client_that_is_far_away() {
    far_away("nor_is_one_of_a_client_that_is_far_away", || {
        for serve in SERVE {
            nothing_is_lost(Client::Far, serve);
        }
    });
}

fn by_plain(from: Client) {
    for (_, plain, ways) in SERVERS {
        for way in ways {
            stopped_under_load(plain, way, from, SERVE[0]);
        }
    }
}

#[test]
#[ignore = "for comparison"]
fn plain() {
    by_plain(Client::Near);
}

#[test]
#[ignore = "for comparison"]
fn plain_from_far_away() {
    far_away("plain_from_far_away", || by_plain(Client::Far));
}
