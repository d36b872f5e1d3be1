//! A Dockerfile. Several processes are one image.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::cli::manifest::process::{Process, remarks};
use crate::cli::manifest::text::{List, Quoted};

pub(super) fn file(processes: &[Process]) -> String {
    let Some(first) = processes.first() else { return String::new() };
    let program = &first.program;
    let mut text = remarks(processes);
    let _ = writeln!(text, "FROM debian:stable-slim\nCOPY target/release/{program} /usr/local/bin/{program}");
    if let Some(file) = &first.file {
        let _ = writeln!(text, "WORKDIR /etc/{program}\nCOPY {file} .");
    }
    for (variable, value) in shared(processes) {
        let _ = writeln!(text, "ENV {variable}={}", Quoted(&value.replace('$', "\\$")));
    }
    let ports: BTreeSet<u16> = processes.iter().flat_map(|process| &process.ports).map(|port| port.number).collect();
    for port in ports {
        let _ = writeln!(text, "EXPOSE {port}");
    }
    let killed_after = processes.iter().map(Process::killed_after).max().unwrap_or_default();
    let _ = writeln!(
        text,
        "# Docker kills after 10 s, which is too soon: `docker run --stop-timeout {killed_after}`.\n\
         # In this form, with brackets, no shell stands between Docker and the program, which must hear SIGTERM.\n\
         ENTRYPOINT {}",
        List(&[format!("/usr/local/bin/{program}")])
    );
    if let [only] = processes
        && !only.args.is_empty()
    {
        let _ = writeln!(text, "CMD {}", List(&only.args));
    }
    text
}

/// The variables that all processes have with the same value: the others are said where the image is run.
fn shared(processes: &[Process]) -> impl Iterator<Item = &(String, String)> {
    let variables = processes.iter().take(1).flat_map(|process| &process.environment);
    variables.filter(|variable| processes.iter().all(|process| process.environment.contains(variable)))
}
