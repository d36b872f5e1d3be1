//! What it costs to build programs on `service-group`: prints a table for `docs/performance.md`.
//!
//! ```text
//! cargo run --release -p cost            # a few runs of everything, some minutes
//! cargo run --release -p cost -- 9       # nine of each
//! cargo run --release -p cost -- 3 quick # without the cold builds
//! ```
//!
//! All times are CPU seconds (user and system) of everything that `cargo` started, so that other work
//! on the machine matters less. What is compared is built in turns, and the median is told.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::programs::{Kind, Style, services};

mod programs;

/// How many services a file has, when what one of them costs is asked.
const SERVICES: usize = 200;

/// What the system counts CPU time in.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runs = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(3);
    count_crates();
    if !arguments.iter().any(|argument| argument == "quick") {
        build_cold(runs);
    }
    build_services(runs);
    edit_one_body(runs);
}

fn count_crates() {
    let count = |kind: Kind| {
        let project = Project::new(kind.name(), kind);
        let output = project.cargo(&["tree", "-e", "normal,build", "--prefix", "none", "--format", "{p}"]);
        let mut crates: Vec<&str> =
            output.lines().filter_map(|line| line.strip_suffix(" (*)").or(Some(line))).collect();
        crates.sort_unstable();
        crates.dedup();
        crates.into_iter().map(|krate| krate.split(" (").next().unwrap_or(krate).to_owned()).collect::<Vec<_>>()
    };
    let (plain, grouped) = (count(Kind::Plain), count(Kind::Grouped));
    println!("crates of the hello world: {} on plain axum, {} on service-group", plain.len(), grouped.len());
    let only = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|krate| !others.contains(krate)).cloned().collect()
    };
    println!("  only here: {}", only(&grouped, &plain).join(", "));
    println!("  only there: {}", only(&plain, &grouped).join(", "));
}

/// The hello world with everything below it, from nothing.
fn build_cold(runs: usize) {
    let projects = [Kind::Plain, Kind::Grouped].map(|kind| Project::new(kind.name(), kind));
    let [plain, grouped] = medians(runs, |which| {
        projects[which].forget_builds();
        projects[which].cpu_seconds(&["build"])
    });
    println!("cold build of the hello world: {plain:.2} s on plain axum, {grouped:.2} s on service-group");
    println!("  {:+.1} %", (grouped / plain - 1.0) * 100.0);
}

/// What one more service costs, everything below being built.
fn build_services(runs: usize) {
    let [by_macro, by_hand] = [("macro", Style::Macro), ("hand", Style::Hand)].map(|(name, style)| {
        let project = Project::new(name, Kind::Grouped);
        fs::remove_file(project.source("main.rs")).expect("it is there");
        (project, style)
    });
    for command in ["check", "build"] {
        let per_service = |(project, style): &(Project, Style)| {
            let seconds = |count: usize| {
                // Cargo must see that it changed, even within one tick of the file system's clock.
                project.write("lib.rs", &format!("// {count}\n{}", services(*style, count)));
                project.cpu_seconds(&[command])
            };
            seconds(1);
            (seconds(SERVICES + 1) - seconds(1)) / f64::from(u32::try_from(SERVICES).unwrap_or(u32::MAX)) * 1000.0
        };
        let [ours, theirs] = medians(runs, |which| per_service([&by_macro, &by_hand][which]));
        println!("{command} per service: {ours:.2} ms by macro, {theirs:.2} ms by hand: {:.2}", ours / theirs);
    }
}

/// What it costs to check a file of services again after an edit.
fn edit_one_body(runs: usize) {
    let projects = [("macro", Style::Macro), ("hand", Style::Hand)].map(|(name, style)| {
        let project = Project::new(name, Kind::Grouped);
        fs::remove_file(project.source("main.rs")).expect("it is there");
        (project, services(style, SERVICES))
    });
    let middle = format!("pub struct S{} ", SERVICES / 2);
    for (what, edited) in [("of the same length", "2000"), ("of another length", "20000")] {
        let [ours, theirs] = medians(runs, |which| {
            let (project, code) = &projects[which];
            project.write("lib.rs", code);
            project.cpu_seconds(&["check"]);
            let (before, after) = code.split_once(&middle).expect("it has the service in the middle");
            project.write("lib.rs", &format!("{before}{middle}{}", after.replacen("1000", edited, 1)));
            project.cpu_seconds(&["check"])
        });
        println!("check after an edit {what}, {SERVICES} services: {ours:.2} s by macro, {theirs:.2} s by hand");
    }
}

/// Both in turns, so often.
fn medians(runs: usize, measure: impl Fn(usize) -> f64) -> [f64; 2] {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (which, seconds) in all.iter_mut().enumerate() {
            seconds.push(measure(which));
        }
    }
    all.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    })
}

/// A package of its own, that has a target directory of its own.
struct Project {
    directory: PathBuf,
}

impl Project {
    fn new(name: &str, kind: Kind) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there");
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

    fn cpu_seconds(&self, arguments: &[&str]) -> f64 {
        let before = of_children();
        self.cargo(arguments);
        of_children() - before
    }
}

/// The CPU seconds of all child processes that have ended, and of theirs. Linux tells them.
fn of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this needs Linux's /proc");
    // The name, in parentheses, may have spaces.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    // `cutime` and `cstime` are the 16th and 17th of all, the first two being before.
    fields.split_whitespace().skip(13).take(2).map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>()
        / TICKS_PER_SECOND
}
