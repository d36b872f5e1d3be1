//! A manifest for Kubernetes: a Deployment and a Service for each process.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cli::manifest::process::{Port, Process, remarks};
use crate::cli::manifest::text::{List, Quoted};

/// The longest start for which Kubernetes is told to wait: a service may have no limit.
const LONGEST_START: Duration = Duration::from_secs(3600);

pub(super) fn manifest(processes: &[Process]) -> String {
    let objects = processes.iter().flat_map(|process| {
        let service = (!process.ports.is_empty()).then(|| service(process));
        std::iter::once(deployment(process)).chain(service)
    });
    format!("{}{}", remarks(processes), objects.collect::<Vec<_>>().join("---\n"))
}

fn deployment(process: &Process) -> String {
    let Process { name, program, .. } = process;
    let mut text = format!(
        "apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n  \
           name: {name}\n  \
           labels:\n    \
             app.kubernetes.io/name: {name}\n\
         spec:\n  \
           selector:\n    \
             matchLabels:\n      \
               app.kubernetes.io/name: {name}\n  \
           template:\n    \
             metadata:\n      \
               labels:\n        \
                 app.kubernetes.io/name: {name}\n    \
             spec:\n      \
               # Variables such as GROUP_API_PORT, which Kubernetes would set for a Service `group-api`.\n      \
               enableServiceLinks: false\n      \
               # Longer than GROUP_STOP_TIMEOUT, and the last words of the program.\n      \
               terminationGracePeriodSeconds: {}\n      \
               containers:\n        \
                 - name: {name}\n          \
                   image: {program}\n",
        process.killed_after()
    );
    if !process.args.is_empty() {
        let _ = writeln!(text, "          args: {}", List(&process.args));
    }
    text.push_str("          env:\n");
    for (variable, value) in &process.environment {
        if variable == "GROUP_DRAIN_DELAY" {
            text.push_str(
                "            # In place of a `preStop` hook that sleeps. It is a part of GROUP_STOP_TIMEOUT.\n",
            );
        }
        let _ = writeln!(text, "            - name: {variable}\n              value: {}", Quoted(value));
    }
    let admin = process.admin.map(|port| ("admin".to_owned(), port));
    let ports = process.ports.iter().map(|Port { scheme, number }| (format!("{scheme}-{number}"), *number));
    let ports: Vec<(String, u16)> = ports.chain(admin).collect();
    if !ports.is_empty() {
        text.push_str("          ports:\n");
    }
    for (name, number) in ports {
        let _ = writeln!(text, "            - name: {name}\n              containerPort: {number}");
    }
    if process.admin.is_some() {
        text.push_str(&probes(process));
    }
    text
}

/// The probes. While the program starts, only the first is asked; it waits longer than the program itself.
fn probes(process: &Process) -> String {
    let probes = [
        ("startupProbe", "/startupz", 2, process.start_limit.min(LONGEST_START).as_secs() / 2 + 1),
        ("readinessProbe", "/readyz", 2, 1),
        ("livenessProbe", "/livez", 10, 3),
    ];
    let probe = |(name, path, period, failures)| {
        format!(
            "          {name}:\n            \
               httpGet: {{ path: {path}, port: admin }}\n            \
               periodSeconds: {period}\n            \
               failureThreshold: {failures}\n"
        )
    };
    probes.into_iter().map(probe).collect::<Vec<_>>().concat()
}

fn service(process: &Process) -> String {
    let name = &process.name;
    let mut text = format!(
        "apiVersion: v1\n\
         kind: Service\n\
         metadata:\n  \
           name: {name}\n\
         spec:\n  \
           selector:\n    \
             app.kubernetes.io/name: {name}\n  \
           ports:\n"
    );
    for Port { scheme, number, .. } in &process.ports {
        let protocol = if *scheme == "grpc" { "kubernetes.io/h2c" } else { "http" };
        let _ = writeln!(
            text,
            "    - name: {scheme}-{number}\n      port: {number}\n      targetPort: {scheme}-{number}\n      appProtocol: {protocol}"
        );
    }
    text
}
