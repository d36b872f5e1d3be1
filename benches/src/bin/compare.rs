//! Takes the samples, and writes the tables: `cargo run --release --manifest-path benches/Cargo.toml`.
//!
//! `compare [lifecycle|process|requests|idle|page]… [--rounds N] [--tries N] [--services N]… [--only NAME]`: without words,
//! everything. What was measured is kept in `benches/target/results`, so that `page` alone writes the tables again. With
//! `--services` or `--only`, the tables of the lifecycle are printed, and nothing is kept. No timing ever makes it fail.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use benches::lifecycle::{self, Wanted};
use benches::page::{Goal, replace};
use benches::sample::Result;
use benches::{idle, process, requests};
use serde::de::DeserializeOwned;

/// The document with the tables.
const PAGE: &str = "docs/cost.md";

fn main() -> Result<()> {
    let args = Args::parse(env::args().skip(1))?;
    let programs = build()?;
    if args.is_a_trial() {
        let rows = lifecycle::measure(&programs, &args.wanted)?;
        print!("{}", about_lifecycle(&lifecycle::Results(&rows)));
        return Ok(());
    }
    let Args { wanted, .. } = &args;
    if args.wants("lifecycle") {
        keep("lifecycle", &lifecycle::measure(&programs, wanted)?)?;
    }
    if args.wants("process") {
        keep("process", &process::measure(&programs, wanted.rounds, wanted.tries)?)?;
    }
    if args.wants("requests") {
        keep("requests", &requests::measure(&programs, wanted.rounds, wanted.tries)?)?;
    }
    if args.wants("idle") {
        keep("idle", &idle::measure(&programs, wanted.rounds, wanted.tries)?)?;
    }
    write_tables()
}

struct Args {
    parts: Vec<String>,
    wanted: Wanted,
}

impl Args {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let wanted = Wanted { rounds: 9, tries: 6, sizes: Vec::new(), only: None };
        let mut parsed = Self { parts: Vec::new(), wanted };
        let wanted = &mut parsed.wanted;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} what?"));
            match arg.as_str() {
                "--rounds" => wanted.rounds = value()?.parse()?,
                "--tries" => wanted.tries = value()?.parse()?,
                "--services" => wanted.sizes.push(value()?.parse()?),
                "--only" => wanted.only = Some(value()?),
                "lifecycle" | "process" | "requests" | "idle" | "page" => parsed.parts.push(arg),
                other => return Err(format!("unknown argument `{other}`").into()),
            }
        }
        Ok(parsed)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    fn is_a_trial(&self) -> bool {
        self.wanted.only.is_some() || !self.wanted.sizes.is_empty()
    }
}

/// The other programs, too: `cargo run` builds only the one that it runs.
fn build() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = cargo.args(["build", "--release", "--bins", "--quiet", "--manifest-path"]).arg(manifest).status()?;
    if !status.success() {
        return Err("the programs do not build".into());
    }
    Ok(env::current_exe()?.parent().ok_or("a program lies in a directory")?.to_owned())
}

fn kept(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/results").join(part).with_extension("json")
}

fn keep(part: &str, rows: &impl serde::Serialize) -> Result<()> {
    let file = kept(part);
    fs::create_dir_all(file.parent().ok_or("it lies in a directory")?)?;
    Ok(fs::write(file, serde_json::to_string(rows)?)?)
}

/// Nothing, when nothing was kept.
fn read<Row: DeserializeOwned>(part: &str) -> Result<Vec<Row>> {
    let file = kept(part);
    if !file.exists() {
        return Ok(Vec::new());
    }
    Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
}

fn write_tables() -> Result<()> {
    let (lifecycle, process, requests) = (read("lifecycle")?, read("process")?, read("requests")?);
    let lifecycle = lifecycle::Results(&lifecycle);
    let process = process::Results(&process);
    let requests = requests::Results(&requests);
    let idle = read("idle")?;
    let idle = idle::Results(&idle);
    let goals = [lifecycle.goals(), process.goals(), requests.goals(), idle.goals()].concat();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    let parts = [
        ("performance", lifecycle.short_table().to_string()),
        ("goals", Goal::table(&goals).to_string()),
        ("lifecycle", about_lifecycle(&lifecycle)),
        ("process", format!("{}\n{}", process.table(), about_disturbed(process.disturbed()))),
        ("requests", format!("{}\n{}", requests.table(), about_disturbed(requests.disturbed()))),
        ("on-all", requests.table_on_all().to_string()),
        ("idle", format!("{}\n{}", idle.table(), about_disturbed(idle.disturbed()))),
    ];
    for (name, text) in parts {
        println!("{text}");
        replace(&page, name, &text)?;
    }
    Ok(())
}

fn about_lifecycle(results: &lifecycle::Results<'_>) -> String {
    let [one, two] = [1, 2].map(|threads| results.table(threads));
    let disturbed = about_disturbed(results.disturbed());
    format!("One thread:\n\n{one}\nTwo workers:\n\n{two}\n{disturbed}")
}

fn about_disturbed((disturbed, all): (usize, usize)) -> String {
    format!("Of {all} samples, {disturbed} were disturbed as often as they were taken.\n")
}
