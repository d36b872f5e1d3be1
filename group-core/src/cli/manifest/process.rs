//! One process of a deployment, in plain data.

use std::net::IpAddr;
#[cfg(any(feature = "config", feature = "serde"))]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "admin")]
use crate::admin::service::NAME;
use crate::base::error::BoxError;
use crate::base::syntax::{Address, address};
use crate::cli::chosen::Chosen;
use crate::cli::manifest::kind::Kind;
use crate::cli::manifest::text::setting;
#[cfg(feature = "config")]
use crate::config::settings::USUAL_FILE;
use crate::group::Group;
#[cfg(feature = "config")]
use crate::group::declaration::File;
#[cfg(feature = "config")]
use crate::group::environment::FILE_VARIABLE;
use crate::group::environment::variable_of;
#[cfg(feature = "serde")]
use crate::group::options::REPORT_VARIABLE;
use crate::group::planned::Planned;
use crate::lifecycle::interface::Role;
use crate::record::report::Report;
use crate::spec::GROUP_STOP_TIMEOUT;
use crate::spec::Spec;

/// The time after the end of the group's budget until the process is killed: for its last words, and for a busy machine.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The time that a load balancer is given to hear that the process is not ready. A `preStop` hook mostly sleeps as long.
const DRAIN_DELAY: Duration = Duration::from_secs(5);

/// The port of an admin service that has no address.
#[cfg(feature = "admin")]
const ADMIN_PORT: u16 = 9900;

/// All services in one process, or those that one `--only` chooses.
pub(super) struct Process {
    /// `shop`, or `shop-api` if there are several processes.
    pub(super) name: String,
    /// The name of the program's file.
    pub(super) program: String,
    /// The program's file.
    pub(super) path: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) ports: Vec<Port>,
    /// True if it serves clients, for whom it may stay a while after the request to stop.
    has_traffic: bool,
    pub(super) sockets: Vec<Socket>,
    /// The time from the request to stop until it must be over.
    pub(super) stop_timeout: Duration,
    /// The port of the admin service, if there is one.
    pub(super) admin: Option<u16>,
    /// The longest time that its services may take to start.
    pub(super) start_limit: Duration,
    /// The names of the processes that it calls.
    pub(super) calls: Vec<String>,
    /// True if a service takes new settings, or reloads otherwise.
    pub(super) reloads: bool,
    /// The file with the settings, if it is read from the working directory.
    pub(super) file: Option<String>,
    /// Notes for the person who deploys it.
    pub(super) remarks: Vec<String>,
}

/// A port on which a service serves.
pub(super) struct Port {
    /// `http` or `grpc`.
    pub(super) scheme: &'static str,
    pub(super) number: u16,
}

/// A listener that may be handed over.
pub(super) struct Socket {
    pub(super) service: String,
    /// The address; `None` if only its name is known.
    pub(super) address: Option<String>,
    /// The name of the descriptor, if the service asks for one.
    pub(super) name: Option<String>,
}

impl Process {
    /// The seconds from the request to stop until it is killed.
    pub(super) fn killed_after(&self) -> u64 {
        let limit = self.stop_timeout.saturating_add(LAST_WORDS);
        limit.as_secs() + u64::from(limit.subsec_nanos() > 0)
    }
}

/// The remarks of some processes, as comments.
pub(super) fn remarks<'a>(processes: impl IntoIterator<Item = &'a Process>) -> String {
    let remarks = processes.into_iter().flat_map(|process| &process.remarks);
    remarks.flat_map(|remark| ["# ", remark, "\n"]).collect()
}

/// Returns the processes that are asked for: one, or one for each `--only`.
///
/// # Errors
///
/// With the report, if the setup of one is invalid.
pub(super) fn all(group: &Group, kind: Kind, chosen: &Chosen) -> Result<Vec<Process>, Report> {
    let question = Asked { group, kind, chosen };
    let everything = [Vec::new()];
    let lists = if chosen.only.is_empty() { &everything[..] } else { &chosen.only };
    let parts = (0..).zip(lists).map(|(place, _)| Part::of(group, place, lists)).collect::<Result<Vec<_>, _>>()?;
    let mut mistakes = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if parts[..at].iter().any(|other| other.name == part.name) {
            mistakes.push(
                format!("two `--only` begin with `{}`: each is a process with a name of its own", part.only[0]).into(),
            );
        }
    }
    let processes = parts.iter().map(|part| part.process(&question, &parts, &mut mistakes)).collect();
    if mistakes.is_empty() { Ok(processes) } else { Err(Report::bad_group(mistakes)) }
}

/// The services of one process, in order.
struct Part<'a> {
    name: String,
    program: String,
    path: PathBuf,
    only: &'a [String],
    planned: Planned,
    /// Its place among all.
    place: u16,
}

impl<'a> Part<'a> {
    fn of(group: &Group, place: u16, all: &'a [Vec<String>]) -> Result<Self, Report> {
        let only = all[usize::from(place)].as_slice();
        let planned = group.planned_as(|declared| {
            declared.choice.only = only.to_vec();
            #[cfg(feature = "config")]
            {
                declared.trusts_settings = true;
            }
            #[cfg(feature = "grpc")]
            declared.call_elsewhere(|service| {
                let is_in = |list: &[String]| list.iter().any(|name| name == service);
                !is_in(only) && all.iter().any(|list| is_in(list))
            });
        })?;
        let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/local/bin/group"));
        let program = path.file_stem().map_or_else(|| "group".to_owned(), |name| name.to_string_lossy().into_owned());
        let name = match only {
            [first, ..] if all.len() > 1 => label(&format!("{program}-{first}")),
            _ => label(&program),
        };
        Ok(Self { name, program, path, only, planned, place })
    }

    fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.planned.assembly.all_specs().into_iter()
    }

    /// Returns where this service serves, if it does so here.
    #[cfg(feature = "grpc")]
    fn port(&self, service: &str) -> Option<(&str, u16)> {
        let spec = self.specs().find(|spec| spec.get_name() == service)?;
        host_and_port(spec.get_http().or(spec.get_grpc())?).filter(|(_, port)| *port != 0)
    }

    fn process(&self, question: &Asked<'_>, parts: &[Part<'_>], mistakes: &mut Vec<BoxError>) -> Process {
        let Planned { declared, assembly } = &self.planned;
        let mut process = Process {
            name: self.name.clone(),
            program: self.program.clone(),
            path: self.path.clone(),
            args: Vec::new(),
            environment: Vec::new(),
            ports: Vec::new(),
            has_traffic: false,
            sockets: Vec::new(),
            stop_timeout: declared.stop_timeout.unwrap_or(GROUP_STOP_TIMEOUT),
            admin: None,
            start_limit: assembly.longest_start(),
            calls: Vec::new(),
            reloads: assembly.members.iter().any(|one| question.group.declared.has_reload(one.spec.get_name())),
            file: None,
            remarks: Vec::new(),
        };
        process.take_args(self.only, question);
        let (admin, services): (Vec<&Spec>, Vec<&Spec>) = self.specs().partition(|spec| is_admin(spec));
        for spec in services {
            process.take_address(spec, question);
        }
        process.take_admin(admin.first().and_then(|spec| spec.get_http()), self.place, question);
        process.take_limits(declared.drain_delay, question);
        #[cfg(feature = "serde")]
        process.take_report(declared.report_file().path(), question.kind);
        #[cfg(feature = "grpc")]
        self.take_calls(&mut process, question.kind, parts, mistakes);
        #[cfg(not(feature = "grpc"))]
        let _ = (parts, mistakes);
        process
    }

    /// Tells the process where the services run that it calls.
    #[cfg(feature = "grpc")]
    fn take_calls(&self, process: &mut Process, kind: Kind, parts: &[Part<'_>], mistakes: &mut Vec<BoxError>) {
        for called in &self.planned.assembly.elsewhere {
            let name = called.spec.get_name();
            let Some(caller) = self.specs().find(|spec| spec.calls(called.type_id)) else { continue };
            let runs_there = |part: &&Part<'_>| part.only.iter().any(|service| service == name);
            let url = match parts.iter().find(runs_there) {
                None => called.spec.get_remote().unwrap_or_default().to_owned(),
                Some(other) => {
                    let Some((host, port)) = other.port(name) else {
                        let caller = caller.get_name();
                        mistakes.push(format!("`{caller}` calls `{name}`, which has no address for other processes: give it one, as in `grpc = \"127.0.0.1:50051\"`").into());
                        continue;
                    };
                    process.calls.push(other.name.clone());
                    let host = match kind {
                        Kind::Systemd if is_everywhere(host) => "127.0.0.1",
                        Kind::Systemd => host,
                        _ => &other.name,
                    };
                    format!("http://{host}:{port}")
                }
            };
            process.environment.push((variable_of(name, "remote"), url));
        }
    }
}

/// The question, and about which group.
#[derive(Clone, Copy)]
struct Asked<'a> {
    group: &'a Group,
    kind: Kind,
    chosen: &'a Chosen,
}

impl Process {
    fn take_args(&mut self, only: &[String], Asked { group, kind, chosen }: &Asked<'_>) {
        for (option, services) in [("--only", only), ("--without", &chosen.without)] {
            if !services.is_empty() {
                self.args.extend([option.to_owned(), services.join(",")]);
            }
        }
        #[cfg(feature = "config")]
        {
            let named = |path: &Path| match kind {
                Kind::Systemd => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string(),
                _ => path.display().to_string(),
            };
            let file = group.declared.source(group.environment.as_ref());
            if let Some(path) = &chosen.config {
                self.args.extend(["--config".to_owned(), named(path)]);
            } else if let (Some(path), true) = (group.variable(FILE_VARIABLE), matches!(file, File::Path(_))) {
                self.environment.push((FILE_VARIABLE.to_owned(), named(Path::new(&path))));
            } else if matches!(file, File::Usual) && Path::new(USUAL_FILE).exists() {
                self.file = Some(USUAL_FILE.to_owned());
            }
        }
        #[cfg(not(feature = "config"))]
        let _ = (group, kind);
        if let Some(filter) = &chosen.log {
            self.args.extend(["--log".to_owned(), filter.clone()]);
        }
    }

    /// Takes the file that the report goes to.
    #[cfg(feature = "serde")]
    fn take_report(&mut self, path: Option<&Path>, kind: Kind) {
        let Some(path) = path.map(|path| path.display().to_string()) else { return };
        if kind.is_container() {
            self.remarks
                .push(format!("The report goes to {path}: without a volume there, it is gone with the container."));
        }
        self.environment.push((REPORT_VARIABLE.to_owned(), path));
    }

    /// Takes the address of a service, so that others can reach it there.
    fn take_address(&mut self, spec: &Spec, Asked { group, kind, .. }: &Asked<'_>) {
        let (key, text) = match (spec.get_http(), spec.get_grpc()) {
            (Some(text), _) => ("http", text),
            (None, Some(text)) => ("grpc", text),
            (None, None) => return,
        };
        let service = spec.get_name();
        let variable = variable_of(service, key);
        let name = text.strip_prefix("fd:");
        if kind.is_container() && (name.is_some() || text.starts_with("unix:")) {
            self.remarks
                .push(format!("`{service}` serves on {text}, which has no port: set {variable}=0.0.0.0:<port>."));
            return;
        }
        let address = name.is_none().then(|| text.strip_prefix("unix:").unwrap_or(text).to_owned());
        self.sockets.push(Socket { service: service.to_owned(), address, name: name.map(str::to_owned) });
        let Some((host, number)) = host_and_port(text) else { return };
        if number == 0 {
            self.remarks
                .push(format!("`{service}` takes another free port each time: give it one, so that others find it."));
            return;
        }
        let public = if is_everywhere(host) { text.to_owned() } else { format!("0.0.0.0:{number}") };
        match kind {
            Kind::Systemd => self.environment.extend(group.variable(&variable).map(|text| (variable, text))),
            _ if cfg!(feature = "config") => self.environment.push((variable, public)),
            _ if is_everywhere(host) => {}
            _ => self.remarks.push(format!(
                "`{service}` serves on {text}, where nobody outside of the container reaches it: set it to {public} in the code, or enable the feature `config`."
            )),
        }
        self.has_traffic |= spec.get_role() != Role::Sidecar;
        self.ports.push(Port { scheme: key, number });
    }

    /// Takes the address of the admin service. Kubernetes asks it, so that there it is always on, unless it is refused.
    #[cfg_attr(not(feature = "admin"), expect(unused_variables, clippy::unused_self, reason = "there is none"))]
    fn take_admin(&mut self, text: Option<&str>, place: u16, Asked { kind, chosen, .. }: &Asked<'_>) {
        #[cfg(feature = "admin")]
        {
            let is_refused = chosen.admin.as_deref() == Some("off");
            if text.is_none() && (is_refused || *kind != Kind::Kubernetes) {
                return;
            }
            let is_free = |port: &u16| self.ports.iter().all(|other| other.number != *port);
            let free = || (ADMIN_PORT..=u16::MAX).find(is_free).unwrap_or(ADMIN_PORT);
            let known = text.and_then(host_and_port).filter(|(_, port)| *port != 0);
            let address = match (kind, known) {
                (Kind::Systemd, None) => return,
                // They share a network.
                (Kind::Systemd, Some((host, port))) => format!("{host}:{}", port.saturating_add(place)),
                (_, known) => {
                    let port = known.map_or_else(free, |(_, port)| port);
                    self.admin = Some(port);
                    format!("0.0.0.0:{port}")
                }
            };
            self.environment.push(("GROUP_ADMIN".to_owned(), address));
        }
    }

    /// Takes the limits of the stop, and the other settings of the group that the environment has now.
    fn take_limits(&mut self, drain_delay: Duration, Asked { group, kind, .. }: &Asked<'_>) {
        let mut delay = drain_delay;
        if *kind == Kind::Kubernetes && delay.is_zero() && self.has_traffic {
            // On top, so that the services keep their time.
            delay = DRAIN_DELAY;
            self.stop_timeout = self.stop_timeout.saturating_add(delay);
        }
        let mut limits = vec![("stop_timeout", Some(setting(self.stop_timeout)))];
        limits.push(("drain_delay", (!delay.is_zero()).then(|| setting(delay))));
        for key in ["drain_quiet", "schedule"] {
            limits.push((key, group.variable(&format!("GROUP_{}", key.to_uppercase()))));
        }
        for (key, value) in limits {
            self.environment.extend(value.map(|value| (format!("GROUP_{}", key.to_uppercase()), value)));
        }
    }
}

impl Group {
    /// Returns the value that a variable has now.
    fn variable(&self, name: &str) -> Option<String> {
        Some(self.environment.as_ref()?.get(name)?.to_string_lossy().into_owned())
    }
}

#[cfg(feature = "admin")]
fn is_admin(spec: &Spec) -> bool {
    spec.get_name() == NAME
}

#[cfg(not(feature = "admin"))]
fn is_admin(_: &Spec) -> bool {
    false
}

/// The host and the port of an address that has them.
fn host_and_port(text: &str) -> Option<(&str, u16)> {
    if address(text) != Ok(Address::HostPort) {
        return None;
    }
    let (host, port) = text.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Returns true for the address that stands for all interfaces.
fn is_everywhere(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

/// A name as Kubernetes and DNS want it: lower-case letters, digits and `-`.
fn label(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(plain).take(63).collect();
    label.trim_matches('-').to_owned()
}
