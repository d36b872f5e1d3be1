//! Measures the cost of builds of programs on `service-group`, beside the same programs on plain axum and by hand.
//!
//! ```text
//! cargo run --release -p cost                # five rounds of everything, about half an hour
//! cargo run --release -p cost -- 9 cold      # nine rounds of the cold build alone
//! cargo run --release -p cost -- 9 services edits
//! cargo run --release -p cost -- page        # everything, and the table of `docs/cost.md`
//! ```
//!
//! All times are CPU seconds (user and system) of everything that `cargo` started. The two
//! programs of a comparison are built in turns, and the median of the ratios of all rounds is reported with its
//! quartiles. Other work on the machine slows builds down, so a build that was disturbed by much of it is repeated.

use std::env;
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use self::programs::{Kind, Style, services};

mod programs;

/// The number of services in a file, to measure the cost of one service.
const SERVICES: usize = 200;

/// The unit of CPU time in `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;

/// The largest share of the processors that other processes may use in a sample that counts.
const DISTURBANCE: f64 = 0.05;

/// The number of tries for a sample; if all are disturbed, the least disturbed one counts.
const TRIES: usize = 4;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let parts: Vec<&str> = ["crates", "cold", "services", "edits"]
        .into_iter()
        .filter(|part| arguments.iter().any(|argument| argument == part))
        .collect();
    let has = |part: &str| parts.is_empty() || parts.contains(&part);
    let mut lines = Vec::new();
    if has("crates") {
        lines.push(count_crates());
    }
    if has("cold") {
        lines.push(build_cold(rounds));
    }
    if has("services") {
        lines.extend(["check", "build"].map(|command| build_services(command, rounds)));
    }
    if has("edits") {
        lines
            .extend([("same", "2000"), ("another", "20000")].map(|(what, edited)| edit_one_body(what, edited, rounds)));
    }
    let table = format!(
        "| what | goal | plain, or by hand | on `group` | × |  |\n|---|---|---|---|---|---|\n{}",
        lines.concat()
    );
    print!("{table}");
    if arguments.iter().any(|argument| argument == "page") {
        write_page(&table);
    }
}

/// A line of the table.
fn line(what: &str, goal: &str, [plain, ours]: [&dyn Display; 2], ratio: &dyn Display, met: Option<bool>) -> String {
    let verdict = met.map_or("", |met| if met { "met" } else { "**missed**" });
    format!("| {what} | {goal} | {plain} | {ours} | {ratio} | {verdict} |\n")
}

fn count_crates() -> String {
    let count = |kind: Kind| {
        let project = Project::new(kind.name(), kind);
        let output = project.cargo(&["tree", "-e", "normal,build", "--prefix", "none", "--format", "{p}"]);
        let mut crates: Vec<String> =
            output.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        crates.sort_unstable();
        crates.dedup();
        // The program itself.
        crates.retain(|krate| !krate.starts_with("hello "));
        crates
    };
    let (plain, ours) = (count(Kind::Plain), count(Kind::Grouped));
    let only = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|krate| !others.contains(krate)).cloned().collect()
    };
    eprintln!("only on service-group: {}", only(&ours, &plain).join(", "));
    eprintln!("only on plain axum: {}", only(&plain, &ours).join(", "));
    let (plain, ours) = (plain.len(), ours.len());
    let more = format!("{:+}", i128::try_from(ours).unwrap_or(0) - i128::try_from(plain).unwrap_or(0));
    line("crates below the hello world", "≤ 6 more", [&plain, &ours], &more, Some(ours <= plain + 6))
}

/// The hello world with everything below it, from nothing.
fn build_cold(rounds: usize) -> String {
    let projects = [Kind::Plain, Kind::Grouped].map(|kind| Project::new(kind.name(), kind));
    let compared = compare("cold build", rounds, |which| {
        projects[which].forget_builds();
        projects[which].cpu_seconds(&["build"])
    });
    compared.line("cold build of the hello world, CPU s", Some(1.08))
}

/// The cost of one more service, with all dependencies built.
fn build_services(command: &str, rounds: usize) -> String {
    let projects = by_macro_and_by_hand();
    let compared = compare(command, rounds, |which| {
        let (project, style) = &projects[which];
        let seconds = |count: usize| {
            // Cargo must see that it changed, even within one tick of the file system's clock.
            project.write("lib.rs", &format!("// {count}\n{}", services(*style, count)));
            project.cpu_seconds(&[command])
        };
        seconds(1);
        let (many, one) = (seconds(SERVICES + 1), seconds(1));
        let milliseconds =
            (many.seconds - one.seconds) / f64::from(u32::try_from(SERVICES).unwrap_or(u32::MAX)) * 1000.0;
        Sample { seconds: milliseconds, disturbance: many.disturbance }
    });
    compared.line(&format!("{command} of one more service, CPU ms"), Some(1.1))
}

/// The cost of another check of a file of services after an edit.
fn edit_one_body(what: &str, edited: &str, rounds: usize) -> String {
    let projects = by_macro_and_by_hand();
    let middle = format!("pub struct S{} ", SERVICES / 2);
    let compared = compare(what, rounds, |which| {
        let (project, style) = &projects[which];
        let code = services(*style, SERVICES);
        project.write("lib.rs", &code);
        project.cargo(&["check"]);
        let (before, after) = code.split_once(&middle).expect("it has the service in the middle");
        project.write("lib.rs", &format!("{before}{middle}{}", after.replacen("1000", edited, 1)));
        project.cpu_seconds(&["check"])
    });
    compared.line(&format!("check after an edit of {what} length in one of {SERVICES} services, CPU s"), None)
}

fn by_macro_and_by_hand() -> [(Project, Style); 2] {
    [("hand", Style::Hand), ("macro", Style::Macro)].map(|(name, style)| {
        let project = Project::new(name, Kind::Grouped);
        fs::remove_file(project.source("main.rs")).expect("it is there");
        (project, style)
    })
}

/// One measurement.
#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    /// The share of the processors that other processes used.
    disturbance: f64,
}

/// The two sides of a comparison, with a sample of each per round: the base, and the program on `group`.
struct Compared {
    rounds: Vec<[Sample; 2]>,
}

impl Compared {
    fn line(&self, what: &str, goal: Option<f64>) -> String {
        let median = |which: usize| Spread::of(self.rounds.iter().map(|round| round[which].seconds)).median;
        let ratio = Spread::of(self.rounds.iter().map(|[theirs, ours]| ours.seconds / theirs.seconds));
        let disturbed = self.rounds.iter().flatten().filter(|sample| sample.disturbance > DISTURBANCE).count();
        if disturbed > 0 {
            eprintln!("{what}: {disturbed} of {} samples are disturbed", 2 * self.rounds.len());
        }
        let met = goal.map(|goal| ratio.median <= goal);
        let goal = goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal} ×"));
        line(what, &goal, [&format!("{:.2}", median(0)), &format!("{:.2}", median(1))], &ratio, met)
    }
}

/// Measures both in turns, this many times.
fn compare(what: &str, rounds: usize, measure: impl Fn(usize) -> Sample) -> Compared {
    let take = |which: usize| {
        let mut best = measure(which);
        for _ in 1..TRIES {
            if best.disturbance <= DISTURBANCE {
                break;
            }
            thread::sleep(Duration::from_secs(5));
            let again = measure(which);
            if again.disturbance < best.disturbance {
                best = again;
            }
        }
        best
    };
    let round = |nth: usize| {
        let round = [take(0), take(1)];
        eprintln!("{what}, round {}: {:.2} and {:.2}", nth + 1, round[0].seconds, round[1].seconds);
        round
    };
    Compared { rounds: (0..rounds.max(1)).map(round).collect() }
}

/// The median and the quartiles of some figures.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    /// Of one figure at least.
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let quartile = |nth: usize| figures[(figures.len() - 1) * nth / 4];
        Self { low: quartile(1), median: quartile(2), high: quartile(3) }
    }
}

/// As in `1.08 (1.05–1.12)`.
impl Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.low, self.high)
    }
}

/// Puts the table where it belongs.
fn write_page(table: &str) {
    let page = repository().join("docs/cost.md");
    let old = fs::read_to_string(&page).expect("it can be read");
    let (begin, end) = ("<!-- build -->\n", "<!-- /build -->");
    let (head, rest) = old.split_once(begin).expect("it has the mark where the table begins");
    let (_, tail) = rest.split_once(end).expect("it has the mark where the table ends");
    fs::write(&page, format!("{head}{begin}{table}{end}{tail}")).expect("it can be written");
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

/// A package of its own, that has a target directory of its own.
struct Project {
    directory: PathBuf,
}

impl Project {
    fn new(name: &str, kind: Kind) -> Self {
        let root = repository();
        let project = Self { directory: root.join("target/cost").join(name) };
        fs::create_dir_all(project.directory.join("src")).expect("a directory");
        fs::write(project.directory.join("Cargo.toml"), kind.manifest(&root.to_string_lossy())).expect("a file");
        // The same versions for both, and those of this repository.
        fs::copy(root.join("Cargo.lock"), project.directory.join("Cargo.lock")).expect("a file");
        project.write("main.rs", kind.hello());
        project
    }

    fn source(&self, name: &str) -> PathBuf {
        self.directory.join("src").join(name)
    }

    fn write(&self, name: &str, code: &str) {
        fs::write(self.source(name), code).expect("it can be written");
    }

    fn forget_builds(&self) {
        let target = self.directory.join("target");
        if target.exists() {
            fs::remove_dir_all(target).expect("it can be removed");
        }
    }

    fn cargo(&self, arguments: &[&str]) -> String {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // What was set for this program is not the business of those.
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(&self.directory).stderr(Stdio::piped());
        let output = command.output().expect("cargo can be run");
        assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn cpu_seconds(&self, arguments: &[&str]) -> Sample {
        let (begun, ours, all) = (Instant::now(), of_children(), of_all());
        self.cargo(arguments);
        let (ours, all) = (of_children() - ours, of_all() - all);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let capacity = begun.elapsed().as_secs_f64() * f64::from(u32::try_from(processors).unwrap_or(u32::MAX));
        Sample { seconds: ours, disturbance: (all - ours).max(0.0) / capacity }
    }
}

/// The CPU seconds of all child processes that have ended, and of theirs. Linux tells them.
fn of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this needs Linux's /proc");
    // The name, in parentheses, may have spaces.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    // `cutime` and `cstime` are the 16th and 17th of all, the first two being before.
    seconds(fields.split_whitespace().skip(13).take(2))
}

/// Those of all processes.
fn of_all() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("this needs Linux's /proc");
    let line = stat.lines().next().unwrap_or_default();
    // `user`, `nice` and `system`.
    seconds(line.split_whitespace().skip(1).take(3))
}

fn seconds<'a>(ticks: impl Iterator<Item = &'a str>) -> f64 {
    ticks.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / TICKS_PER_SECOND
}
