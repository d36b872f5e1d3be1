//! A server is stopped by SIGTERM while a client sends requests as fast as it can: not one request that was
//! accepted may be lost. `RUNS=300` tries it more often, and `plain` shows the same for plain axum and plain
//! tonic:
//!
//!     RUNS=300 cargo test --release -p traffic -- --nocapture --include-ignored --test-threads 1

mod common;

use common::{a_while, runs, taken_by};
use programs::Program;

/// HTTP, and gRPC: of each, the server in a group, the plain one, and the ways to ask it.
const SERVERS: [(&str, &str, &[&str]); 2] = [
    (env!("CARGO_BIN_EXE_grouped"), env!("CARGO_BIN_EXE_plain"), &["keep-alive", "new", "http2"]),
    (env!("CARGO_BIN_EXE_grouped_calls"), env!("CARGO_BIN_EXE_plain_calls"), &["grpc", "grpc-streams"]),
];

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

fn stopped_under_load(server: &str, way: &str) -> Total {
    let mut total = Total::default();
    for _ in 0..runs() {
        let mut server = Program::start(server, &[], &[]);
        let address = server.address_of("web");
        let mut client = Program::start(env!("CARGO_BIN_EXE_client"), &[&address, way], &[]);
        client.prints("asking");
        std::thread::sleep(a_while());
        server.signal("TERM");
        let (server, client) = (server.end(), client.end());
        assert_eq!(server.code, Some(0), "{server:#?}");
        assert_eq!(client.code, Some(0), "{client:#?}");
        total.add(taken_by(&server), &client.printed);
    }
    let Total { runs, runs_that_lost, taken, answered, lost, .. } = &total;
    println!("| {way} | {runs} | {taken} | {answered} | {} | {runs_that_lost} |", lost.len());
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

#[test]
fn no_request_that_was_accepted_is_lost() {
    for (grouped, _, ways) in SERVERS {
        for way in ways {
            let total = stopped_under_load(grouped, way);
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
#[ignore = "for comparison"]
fn plain() {
    for (_, plain, ways) in SERVERS {
        for way in ways {
            stopped_under_load(plain, way);
        }
    }
}
