//! The checks of one service by itself, apart from the rest of its group.

use crate::base::affinity;
use crate::base::error::BoxError;
use crate::base::syntax;
use crate::group::declaration::Declared;
#[cfg(feature = "grpc")]
use crate::grpc::remote::endpoint;
use crate::lifecycle::interface::Role;
use crate::lifecycle::restart::{Policy, When};
use crate::spec::place::Place;
use crate::spec::serve::Serving;
use crate::spec::{Spec, is_address};
#[cfg(feature = "cron")]
use crate::work::timetable::Timetable;

/// Checks one service by itself. Its name comes after `path`.
///
/// # Errors
///
/// With the first mistake.
pub(crate) fn check(spec: &Spec, path: &str) -> Result<(), BoxError> {
    let name = &spec.name;
    if !name.as_str().strip_prefix(path).is_some_and(syntax::is_name) {
        return Err(
            format!("`{name}` cannot be a name: a service's name is lower-case letters, digits, - and _").into()
        );
    }
    if !spec.has_details() {
        return Ok(());
    }
    check_restart(spec)?;
    check_prefix(spec)?;
    check_serve(spec)?;
    check_runtime(spec)?;
    if spec.details().http.is_some() && spec.rules.role == Role::Once {
        let ready = "a `once` service is ready when it completes, and a server never completes";
        return Err(format!("`{name}` cannot serve: {ready}").into());
    }
    #[cfg(feature = "cron")]
    check_crons(spec)?;
    if let Some(address) = spec.details().http.iter().chain(&spec.details().grpc).find(|address| !is_address(address)) {
        let expected = if address.starts_with("fd:") && !cfg!(feature = "listenfd") {
            "a listener that is handed over needs the feature `listenfd`"
        } else {
            "expected `host:port`, as in `127.0.0.1:8080`"
        };
        return Err(format!("`{name}` cannot listen on `{address}`: {expected}").into());
    }
    check_grpc(spec)
}

/// A function that can run only once cannot be restarted.
///
/// # Errors
///
/// If its spec has a restart policy.
pub(crate) fn check_runs_once(service: &Declared) -> Result<(), BoxError> {
    let Declared { spec, .. } = service;
    if !spec.has_details() || spec.details().restart.policy.when == When::Never {
        return Ok(());
    }
    let Some((name, place)) = service.that_runs_once() else { return Ok(()) };
    let instead = "use `add_restartable_fn`, which runs a clone of it each time";
    Err(format!("`{name}` ({place}) cannot be restarted: a function that was added with `add_fn` runs once: {instead}")
        .into())
}

impl Declared {
    /// The service that can run only once: this one, or one inside of it.
    fn that_runs_once(&self) -> Option<(String, Place)> {
        let name = self.spec.get_name();
        if self.runs_once {
            return Some((name.to_owned(), self.place));
        }
        let (inside, place) = self.inner.as_ref()?.services.iter().find_map(Self::that_runs_once)?;
        Some((format!("{name}/{inside}"), place))
    }
}

fn check_grpc(spec: &Spec) -> Result<(), BoxError> {
    let name = &spec.name;
    let details = spec.details();
    if details.grpc.is_some() && (details.http.is_some() || details.http_on.is_some()) {
        return Err(format!("`{name}` has both `http` and `grpc`: one address serves both, so keep `http`").into());
    }
    #[cfg(feature = "grpc")]
    if let Some(url) = &details.remote {
        if !details.serves_grpc {
            return Err(format!("`{name}` cannot run elsewhere: it serves no gRPC, so it cannot be called").into());
        }
        endpoint(url).map_err(|expected| format!("`{name}` cannot run at `{url}`: expected {expected}"))?;
    }
    Ok(())
}

/// Only a server of its own has connections. A service by hand may serve at an address that its spec does not say.
fn check_serve(spec: &Spec) -> Result<(), BoxError> {
    if spec.get_serve().is_none() || spec.details().http_on.is_none() {
        return Ok(());
    }
    let (name, host) = (&spec.name, spec.get_http_on().unwrap_or_default());
    Err(format!(
        "`{name}` says where its connections are served (`serve`), but those of `{host}` are its: say it there"
    )
    .into())
}

/// # Errors
///
/// If it is a group, or its own runtime has no threads, or may not use its processors, or does not serve its connections.
fn check_runtime(spec: &Spec) -> Result<(), BoxError> {
    let (name, Some(runtime)) = (&spec.name, spec.get_runtime()) else { return Ok(()) };
    if spec.details().is_group {
        return Err(format!("`{name}` is a group, which has no runtime: give one to the services inside").into());
    }
    if runtime.get_worker_threads() == Some(0) {
        return Err(format!("`{name}` cannot run without threads: expected at least 1 (`worker_threads`)").into());
    }
    if spec.get_serve() == Some(Serving::PerCore) {
        let instead = "remove `serve`, or its own runtime";
        return Err(format!("`{name}` is served by its own runtime, so not by every processor: {instead}").into());
    }
    let cpus = runtime.get_cpus();
    Ok(affinity::check(cpus)
        .map_err(|error| format!("`{name}` cannot be pinned to the processors {cpus:?}: {error}"))?)
}

fn check_prefix(spec: &Spec) -> Result<(), BoxError> {
    let (name, Some(prefix)) = (&spec.name, &spec.details().prefix) else { return Ok(()) };
    if spec.details().http_on.is_none() {
        return Err(format!(
            "`{name}` has the prefix `{prefix}` and is mounted on no service: a prefix needs `http_on`"
        )
        .into());
    }
    if !syntax::is_prefix(prefix) {
        return Err(format!("`{name}` cannot be mounted under `{prefix}`: expected a path, as in `/api`").into());
    }
    Ok(())
}

#[cfg(feature = "cron")]
fn check_crons(spec: &Spec) -> Result<(), BoxError> {
    for (cron, place) in &spec.details().crons {
        let name = &spec.name;
        let checked = Timetable::of(cron).and_then(|times| times.check());
        checked.map_err(|reason| format!("`{name}` cannot tick ({place}): {reason}"))?;
    }
    Ok(())
}

/// A service that is always restarted never completes, so a `once` service would never be ready, and a `main` or a `lead`
/// would never end the group.
///
/// A policy whose stable period is zero would forget every restart, and so never give up.
fn check_restart(spec: &Spec) -> Result<(), BoxError> {
    let Policy { when, within, .. } = spec.details().restart.policy;
    if when != When::Never && within.is_zero() {
        let name = &spec.name;
        let never = "without a time for which it must be ready, it would never be given up";
        return Err(format!("`{name}` cannot be restarted within 0s: {never}").into());
    }
    let role = match spec.rules.role {
        _ if spec.details().restart.policy.when != When::Always => return Ok(()),
        Role::Once => "once",
        Role::Main => "main",
        Role::Lead => "lead",
        Role::Task | Role::Daemon | Role::Sidecar => return Ok(()),
    };
    let name = &spec.name;
    Err(format!("`{name}` cannot be restarted always: a `{role}` service ends when it completes").into())
}
