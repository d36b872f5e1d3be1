//! A file for Docker Compose.

use std::fmt::Write as _;

use crate::cli::manifest::process::{Port, Process, remarks};
use crate::cli::manifest::text::{List, Quoted};

pub(super) fn file(processes: &[Process]) -> String {
    let mut text = remarks(processes);
    text.push_str("services:\n");
    for process in processes {
        let _ = writeln!(text, "  {}:\n    image: {}", process.name, process.program);
        if !process.args.is_empty() {
            let args: Vec<String> = process.args.iter().map(|arg| literal(arg)).collect();
            let _ = writeln!(text, "    command: {}", List(&args));
        }
        text.push_str("    environment:\n");
        for (variable, value) in &process.environment {
            let _ = writeln!(text, "      {variable}: {}", Quoted(&literal(value)));
        }
        if !process.ports.is_empty() {
            let ports = process.ports.iter().map(|Port { number, .. }| format!("{number}:{number}"));
            let _ = writeln!(text, "    ports: {}", List(&ports.collect::<Vec<_>>()));
        }
        if !process.calls.is_empty() {
            // Compose stops in the reverse of this order.
            let _ = writeln!(text, "    depends_on: {}", List(&process.calls));
        }
        let _ = writeln!(
            text,
            "    # Longer than GROUP_STOP_TIMEOUT, and the last words of the program; it would be 10 s.\n    \
             stop_grace_period: {}s\n    \
             restart: on-failure",
            process.killed_after()
        );
    }
    text
}

/// Text in which Compose puts no variables.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
