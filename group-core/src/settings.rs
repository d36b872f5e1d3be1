//! What the environment and a configuration file say of a group, laid over what its code says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

#[cfg(feature = "grpc")]
use crate::assemble::Declared;
#[cfg(feature = "config")]
use crate::config::Configuration;
use crate::group::STOP_TIMEOUT;
use crate::lifecycle::Budget;
use crate::words::{Took, duration, nearest};
use crate::{Group, Schedule};

/// What can be set from outside, named like the method that sets it: `GROUP_STOP_TIMEOUT`.
const SETTINGS: &[&str] = &["drain_delay", "schedule", "stop_timeout"];

/// The environment variable that has the order told instead of walked.
pub(crate) const ORDER_VARIABLE: &str = "GROUP_ORDER";

/// The variable that sets a key of a service: `GROUP_MAILER__PORT`.
#[cfg(feature = "grpc")]
pub(crate) fn variable_of(service: &str, key: &str) -> String {
    format!("GROUP_{service}__{key}").replace('-', "_").to_uppercase()
}

/// The variables that begin with `GROUP_`.
pub(crate) type Environment = BTreeMap<String, OsString>;

/// The only place that looks at the environment.
fn environment() -> Environment {
    let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
    std::env::vars_os().filter_map(named).filter(|(name, _)| name.starts_with("GROUP_")).collect()
}

/// A variable may be somebody else's, whatever it is called; but one that looks like one of the group's is worth a word.
fn warn_of_misspelt(environment: &Environment) {
    let known: Vec<&str> = SETTINGS.iter().copied().chain(["config", "order"]).collect();
    let alone = environment.iter().filter(|(name, _)| !name.contains("__"));
    for (variable, _) in alone {
        let name = variable.trim_start_matches("GROUP_").to_lowercase();
        if let Some(near) = nearest(&name, known.iter().copied()).filter(|near| *near != name) {
            let near = near.to_uppercase();
            tracing::warn!(target: "group", "{variable} means nothing here: did you mean GROUP_{near}?");
        }
    }
}

impl Group {
    pub(crate) fn read_environment(&mut self) {
        self.environment = Some(environment());
    }

    /// How long it may take to stop, as far as that is known before the group is run.
    pub(crate) fn stop_limit(&self) -> Duration {
        let environment = environment();
        let value = environment.get("GROUP_STOP_TIMEOUT").and_then(|value| value.to_str());
        value.and_then(|value| duration(value).ok()).or(self.stop_timeout).unwrap_or(STOP_TIMEOUT)
    }

    /// In which form the order is to be told, if it is.
    pub(crate) fn order_form(&self) -> Option<String> {
        Some(self.environment.as_ref()?.get(ORDER_VARIABLE)?.to_string_lossy().into_owned())
    }

    /// Lays over what the code says what a file says, and over that what the environment does.
    pub(crate) fn apply_settings(&mut self) {
        let environment = self.environment.take();
        #[cfg(feature = "grpc")]
        self.place_remotes();
        #[cfg(feature = "config")]
        self.apply_config(environment.as_ref());
        #[cfg(feature = "grpc")]
        self.find_remotes(environment.as_ref());
        if let Some(environment) = &environment {
            self.apply_environment(environment);
            warn_of_misspelt(environment);
        }
        self.check_drain_delay();
    }

    fn apply_environment(&mut self, environment: &Environment) {
        for key in SETTINGS {
            let name = format!("GROUP_{}", key.to_uppercase());
            let Some(value) = environment.get(&name) else { continue };
            if let Err(expected) = self.set(key, &value.to_string_lossy()) {
                self.mistakes.push(format!("{name} is `{}`: expected {expected}", value.display()).into());
            }
        }
    }

    /// A delay that would take all the time to stop is nobody's intention.
    fn check_drain_delay(&mut self) {
        let limit = self.stop_timeout.unwrap_or(STOP_TIMEOUT);
        if !self.drain_delay.is_zero() && Budget::new(limit, self.drain_delay, 1).turns().is_zero() {
            let (delay, limit) = (Took(self.drain_delay), Took(limit));
            self.mistakes.push(
                format!("drain_delay is {delay}, and stop_timeout, which it is a part of, only {limit}: no time is left to stop")
                    .into(),
            );
        }
    }

    /// Has each service that others call, and tells those of which the code says where they run.
    #[cfg(feature = "grpc")]
    fn place_remotes(&mut self) {
        let said: Vec<_> = std::mem::take(&mut self.remotes);
        let needs = self
            .services
            .iter()
            .flat_map(|service| [&service.spec.more().build_needs, &service.spec.more().start_needs]);
        let called = needs.flat_map(|needs| needs.all_called().iter().copied());
        for called in called.chain(said.iter().map(|(called, _)| *called)).collect::<Vec<_>>() {
            if !self.services.iter().any(|service| service.type_id == called.type_id) {
                self.services.push(Declared::only_called(called));
            }
        }
        for (called, url) in said {
            for service in self.services.iter_mut().filter(|service| service.type_id == called.type_id) {
                service.spec.more_mut().remote = Some(url.clone());
                service.spec.more_mut().serves_grpc = true;
            }
        }
    }

    /// Hears where services run, and forgets those of which nobody says it.
    #[cfg(feature = "grpc")]
    fn find_remotes(&mut self, environment: Option<&Environment>) {
        // What else the environment says of services, it says to the feature `config`.
        #[cfg(not(feature = "config"))]
        for (variable, url) in environment.into_iter().flatten().filter(|(name, _)| name.ends_with("__REMOTE")) {
            let url = url.to_string_lossy().into_owned();
            let is_it = |service: &&mut Declared| variable_of(service.spec.get_name(), "remote") == *variable;
            match self.services.iter_mut().find(is_it) {
                Some(service) => service.spec.more_mut().remote = Some(url.into()),
                None => self.mistakes.push(format!("{variable} is for a service that is not in this group").into()),
            }
        }
        #[cfg(feature = "config")]
        let _ = environment;
        self.services.retain(|service| service.factory.is_some() || service.spec.more().remote.is_some());
    }

    #[cfg(feature = "config")]
    fn apply_config(&mut self, environment: Option<&Environment>) {
        let mistakes = match Configuration::read(std::mem::take(&mut self.config), environment) {
            Ok(configuration) => {
                let mut services = std::mem::take(&mut self.services);
                let mistakes = configuration.give_out(&mut services, SETTINGS, |key, value| self.set(key, value));
                self.services = services;
                mistakes
            }
            Err(mistake) => vec![mistake],
        };
        self.mistakes.extend(mistakes.into_iter().map(crate::BoxError::from));
    }

    /// Sets one of [`SETTINGS`].
    ///
    /// # Errors
    ///
    /// What was expected.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "drain_delay" => self.drain_delay = duration(value)?,
            "stop_timeout" => self.stop_timeout = Some(duration(value)?),
            "schedule" => {
                self.schedule = match value {
                    "strict" => Schedule::Strict,
                    "graph" => Schedule::Graph,
                    _ => return Err("`strict` or `graph`".to_owned()),
                }
            }
            _ => {}
        }
        Ok(())
    }
}
