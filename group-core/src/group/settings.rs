//! Applies the configuration file and the environment to a group.

#[cfg(feature = "config")]
use std::collections::BTreeMap;
#[cfg(feature = "config")]
use std::sync::{Arc, Mutex};

#[cfg(feature = "config")]
use serde::de::DeserializeOwned;

#[cfg(any(feature = "config", feature = "grpc"))]
use crate::base::error::BoxError;
#[cfg(feature = "config")]
use crate::base::lock;
#[cfg(feature = "config")]
use crate::config::wrong::SettingsError;
#[cfg(feature = "config")]
use crate::group::configuration::Configuration;
use crate::group::declaration::Declaration;
#[cfg(any(feature = "config", feature = "grpc"))]
use crate::group::declaration::Declared;
#[cfg(feature = "config")]
use crate::group::environment;
use crate::group::environment::Environment;
#[cfg(all(feature = "grpc", not(feature = "config")))]
use crate::group::environment::{misspelt_service, variable_of};
use crate::group::options::SETTINGS;
#[cfg(feature = "config")]
use crate::running::new_settings::NewSettings;
#[cfg(feature = "config")]
use crate::running::reloads::Reread;

impl Declaration {
    /// Applies all settings, adds what they ask for, and warns of variables that set nothing.
    pub(super) fn settle(&mut self, environment: Option<&Environment>) {
        self.apply_settings(environment);
        #[cfg(feature = "admin")]
        self.add_admin(environment);
        if let Some(environment) = environment {
            self.warn_of_strays(environment);
        }
    }

    /// Applies the configuration file over the settings in the code, the environment over both, and the command line over all.
    pub(crate) fn apply_settings(&mut self, environment: Option<&Environment>) {
        #[cfg(feature = "grpc")]
        self.place_remotes();
        #[cfg(feature = "config")]
        let configuration = self.apply_config(environment);
        #[cfg(feature = "grpc")]
        self.find_remotes(environment);
        #[cfg(feature = "cli")]
        self.leave_out();
        #[cfg(feature = "config")]
        if let Some(configuration) = configuration {
            let mistakes = configuration.check(self);
            self.add_mistakes(mistakes);
        }
        if let Some(environment) = environment {
            self.apply_environment(environment);
        }
        #[cfg(all(feature = "admin", feature = "cli"))]
        self.apply_chosen_admin();
        self.check_drain_delay();
    }

    #[cfg(all(feature = "admin", feature = "cli"))]
    fn apply_chosen_admin(&mut self) {
        let Some(address) = self.choice.admin.clone() else { return };
        if let Err(expected) = self.set("admin", &address) {
            self.mistakes.push(format!("--admin is text: expected {expected}").into());
        }
    }

    fn apply_environment(&mut self, environment: &Environment) {
        for key in SETTINGS {
            let name = format!("GROUP_{}", key.to_uppercase());
            let Some(value) = environment.get(&name) else { continue };
            if let Err(expected) = self.set(key, &value.to_string_lossy()) {
                self.mistakes.push(format!("{name} is text: expected {expected}").into());
            }
        }
    }

    /// Declares services that are only called, and notes the addresses that are given in code.
    #[cfg(feature = "grpc")]
    fn place_remotes(&mut self) {
        self.inner_groups().for_each(Self::place_remotes);
        let in_code: Vec<_> = std::mem::take(&mut self.remotes);
        let needs = self
            .services
            .iter()
            .flat_map(|service| [&service.spec.details().build_needs, &service.spec.details().start_needs]);
        let called = needs.flat_map(|needs| needs.all_called().iter().copied());
        for called in called.chain(in_code.iter().map(|(called, _)| *called)).collect::<Vec<_>>() {
            if !self.services.iter().any(|service| service.type_id == called.type_id) {
                self.services.push(Declared::only_called(called));
            }
        }
        for (called, url) in in_code {
            for service in self.services.iter_mut().filter(|service| service.type_id == called.type_id) {
                service.spec.details_mut().remote = Some(url.clone());
                service.spec.details_mut().serves_grpc = true;
            }
        }
    }

    /// Reads from the environment where services run, and drops those that are only called and have no address.
    #[cfg(feature = "grpc")]
    fn find_remotes(&mut self, environment: Option<&Environment>) {
        // With the feature `config`, the configuration has read all variables of services.
        #[cfg(not(feature = "config"))]
        for (variable, url) in environment.into_iter().flatten().filter(|(name, _)| name.ends_with("__REMOTE")) {
            let url = url.to_string_lossy().into_owned();
            let is_it = |service: &&mut Declared| variable_of(service.spec.get_name(), "remote") == *variable;
            if let Some(service) = self.services.iter_mut().find(is_it) {
                service.spec.details_mut().remote = Some(url.into());
                continue;
            }
            let names: Vec<&str> = self.services.iter().map(|service| service.spec.get_name()).collect();
            self.mistakes.extend(misspelt_service(variable, &names).map(BoxError::from));
        }
        #[cfg(feature = "config")]
        let _ = environment;
        self.drop_only_called();
    }

    /// Drops the services that are only called and have no address.
    #[cfg(feature = "grpc")]
    fn drop_only_called(&mut self) {
        self.inner_groups().for_each(Self::drop_only_called);
        self.services.retain(|service| !service.only_called || service.spec.details().remote.is_some());
    }

    #[cfg(feature = "config")]
    fn apply_config(&mut self, environment: Option<&Environment>) -> Option<Configuration> {
        match Configuration::read(self.source(environment), environment) {
            Ok(mut configuration) => {
                let mistakes = configuration.give_out(self);
                self.add_mistakes(mistakes);
                Some(configuration)
            }
            Err(mistake) => {
                self.add_mistakes(vec![mistake]);
                None
            }
        }
    }

    #[cfg(feature = "config")]
    fn add_mistakes(&mut self, mistakes: Vec<String>) {
        // The body of `main` may have told one already, when it read a section.
        let known: Vec<String> = self.mistakes.iter().map(ToString::to_string).collect();
        self.mistakes.extend(mistakes.into_iter().filter(|mistake| !known.contains(mistake)).map(BoxError::from));
    }

    /// Returns what reads the file and the environment again, if a service takes its new settings.
    #[cfg(feature = "config")]
    pub(super) fn reread(&self, reads_environment: bool) -> Option<Reread> {
        if !self.take_new_settings() {
            return None;
        }
        let declared = Mutex::new(self.without_factories());
        Some(Box::new(move || {
            let mut now = lock(&declared).without_factories();
            now.apply_settings(reads_environment.then(environment::read).as_ref());
            if !now.mistakes.is_empty() {
                return Err(SettingsError(now.mistakes.iter().map(ToString::to_string).collect()));
            }
            let mut settings = BTreeMap::new();
            now.add_settings("", &mut settings);
            Ok(settings)
        }))
    }

    /// Returns true if a `reload` of a service takes new settings.
    #[cfg(feature = "config")]
    fn take_new_settings(&self) -> bool {
        self.services.iter().any(|service| {
            let takes = !service.spec.details().reload_checks.is_empty();
            takes || service.inner.as_ref().is_some_and(|inner| inner.take_new_settings())
        })
    }

    /// Adds the settings of each service, by its name after this path.
    #[cfg(feature = "config")]
    fn add_settings(&self, path: &str, to: &mut BTreeMap<String, NewSettings>) {
        for Declared { spec, inner, .. } in &self.services {
            let name = format!("{path}{}", spec.get_name());
            if let Some(inner) = inner {
                inner.add_settings(&format!("{name}/"), to);
            }
            to.insert(name, NewSettings { settings: Arc::clone(&spec.details().settings) });
        }
    }

    /// Reads a section of the file that is for the program itself. Mistakes in it are mistakes of the group, too.
    ///
    /// # Errors
    ///
    /// With all mistakes.
    #[cfg(feature = "config")]
    pub(super) fn read_section<T: DeserializeOwned>(
        &mut self,
        name: &str,
        environment: Option<&Environment>,
    ) -> Result<T, SettingsError> {
        self.sections.push(name.to_owned());
        let read = || {
            let configuration =
                Configuration::read(self.source(environment), environment).map_err(|mistake| vec![mistake])?;
            configuration.section(name)?.tried()
        };
        read().map_err(|mistakes| {
            self.mistakes.extend(mistakes.iter().map(|mistake| BoxError::from(&**mistake)));
            SettingsError(mistakes)
        })
    }
}
