//! Units for systemd.

use std::fmt::Write as _;
use std::process::Command;

use crate::cli::manifest::process::{Process, Socket, remarks};

/// Returns the units of all processes, each below the name of its file, as `systemctl cat` prints them.
pub(super) fn units(processes: &[Process]) -> String {
    let units = processes.iter().flat_map(|process| {
        let sockets = sockets(process);
        let names: Vec<String> = sockets.iter().map(|(name, _)| name.clone()).collect();
        let service = (format!("{}.service", process.name), service(process, &names));
        std::iter::once(service).chain(sockets)
    });
    let units: Vec<String> = units.map(|(name, unit)| format!("# /etc/systemd/system/{name}\n{unit}")).collect();
    units.join("\n")
}

fn service(process: &Process, sockets: &[String]) -> String {
    let Process { name, path, args, environment, .. } = process;
    let command: Vec<String> =
        std::iter::once(&path.display().to_string()).chain(args).map(|word| quoted(&word.replace('$', "$$"))).collect();
    let mut unit = remarks([process]);
    let after = process.calls.iter().flat_map(|called| [" ", called, ".service"]).collect::<String>();
    let _ = write!(
        unit,
        "[Unit]\n\
         Description={name}\n\
         Wants=network-online.target\n\
         After=network-online.target{after}\n\
         \n\
         [Service]\n\
         {}\
         ExecStart={}\n",
        Protocol::of_this_machine().lines(process.reloads),
        command.join(" ")
    );
    if process.file.is_some()
        && let Ok(directory) = std::env::current_dir()
    {
        let _ = writeln!(unit, "WorkingDirectory={}", directory.display().to_string().replace('%', "%%"));
    }
    for (variable, value) in environment {
        let _ = writeln!(unit, "Environment={}", quoted(&format!("{variable}={value}")));
    }
    if !sockets.is_empty() {
        let _ = writeln!(unit, "Sockets={}", sockets.join(" "));
    }
    let _ = write!(
        unit,
        "# Longer than GROUP_STOP_TIMEOUT, and the last words of the program.\n\
         TimeoutStopSec={}s\n\
         # SIGTERM to the program alone: it stops its children when no service needs them any more.\n\
         KillMode=mixed\n\
         Restart=on-failure\n\
         RestartSec=1s\n\
         # An invalid setup, which starting again does not mend.\n\
         RestartPreventExitStatus=78\n\
         LimitNOFILE=20000\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        process.killed_after()
    );
    unit
}

/// How systemd hears of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// It does not.
    Silent,
    /// It is told when the program is ready, and how a reload goes.
    NotifyReload,
    /// As in systemd before 253, which would ignore the other type, and then be told nothing.
    Notify,
}

impl Protocol {
    /// The first version of systemd that knows `notify-reload`.
    const KNOWS_RELOAD: u32 = 253;

    /// Returns what the systemd of this machine understands; without one, what most do.
    fn of_this_machine() -> Self {
        if !cfg!(feature = "systemd") {
            return Self::Silent;
        }
        // "systemd 257 (257.13-1)"
        let output = Command::new("systemctl").arg("--version").output().ok();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let version = text.split_whitespace().nth(1).and_then(|version| version.parse::<u32>().ok());
        match version {
            Some(version) if version < Self::KNOWS_RELOAD => Self::Notify,
            _ => Self::NotifyReload,
        }
    }

    /// The lines of a unit. Never both `notify-reload` and `ExecReload`: each reload would be two.
    fn lines(self, reloads: bool) -> String {
        let text = match self {
            Self::Silent => {
                "# The program does not speak the protocol of `Type=notify`: it lacks the feature `systemd`.\nType=exec\n"
            }
            Self::NotifyReload => {
                "# For systemd before 253: Type=notify, and ExecReload=/bin/kill -HUP $MAINPID\nType=notify-reload\n"
            }
            Self::Notify => "# From systemd 253 on, better: Type=notify-reload, and no ExecReload.\nType=notify\n",
        };
        let reload = if reloads && self != Self::NotifyReload { "ExecReload=/bin/kill -HUP $MAINPID\n" } else { "" };
        // Pinged from the runtime of the group, so that one that is stuck is ended.
        let watchdog = if self == Self::Silent { "" } else { "WatchdogSec=30s\n" };
        [text, reload, watchdog].concat()
    }
}

/// The sockets that systemd holds while the program is restarted, so that nobody is refused: one unit for all addresses,
/// and one for each listener that has a name.
fn sockets(process: &Process) -> Vec<(String, String)> {
    let name = &process.name;
    if !cfg!(feature = "listenfd") {
        return Vec::new();
    }
    let (by_address, by_name): (Vec<&Socket>, Vec<&Socket>) =
        process.sockets.iter().partition(|socket| socket.address.is_some());
    let by_address: Vec<String> = by_address.iter().filter_map(|socket| listen_stream(socket)).collect();
    let mut units = Vec::new();
    if !by_address.is_empty() {
        units.push((format!("{name}.socket"), socket(&by_address.concat(), name)));
    }
    for Socket { service, name: descriptor, .. } in by_name {
        let descriptor = descriptor.as_deref().unwrap_or_default();
        let mut lines = format!(
            "# Put its address here: `{service}` takes the listener `fd:{descriptor}`, wherever that listens.\n\
             ListenStream=/run/{name}-{service}.sock\n"
        );
        // A number is the place of a descriptor, and no name.
        if descriptor.parse::<usize>().is_err() {
            let _ = writeln!(lines, "FileDescriptorName={descriptor}");
        }
        units.push((format!("{name}-{service}.socket"), socket(&lines, name)));
    }
    units
}

/// The line for a socket with an address. A host name is none for systemd.
fn listen_stream(Socket { address, .. }: &Socket) -> Option<String> {
    let address = address.as_deref()?;
    let is_literal = address.starts_with('/') || address.parse::<std::net::SocketAddr>().is_ok_and(|at| at.port() != 0);
    is_literal.then(|| format!("ListenStream={address}\n"))
}

fn socket(lines: &str, service: &str) -> String {
    format!("[Socket]\n{lines}Service={service}.service\n\n[Install]\nWantedBy=sockets.target\n")
}

/// A word of a command, or an assignment, as systemd reads it.
fn quoted(word: &str) -> String {
    let escaped = word.replace('%', "%%");
    if escaped.chars().all(|letter| !letter.is_whitespace() && !"\"'\\;".contains(letter)) {
        return escaped;
    }
    format!("\"{}\"", escaped.replace('\\', "\\\\").replace('"', "\\\""))
}
