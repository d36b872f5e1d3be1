//! The declaration of a group: everything that is set before it starts.

use std::any::TypeId;
#[cfg(feature = "grpc")]
use std::borrow::Cow;
#[cfg(feature = "config")]
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "admin")]
use crate::admin::access::Token;
use crate::base::error::BoxError;
use crate::group::environment::service_of;
#[cfg(feature = "config")]
use crate::group::environment::{Environment, FILE_VARIABLE};
use crate::lifecycle::interface::Role;
use crate::lifecycle::plan::Schedule;
use crate::record::report_file::ReportFile;
use crate::running::guards::Guards;
#[cfg(feature = "metrics")]
use crate::running::metrics::Metrics;
use crate::running::shared::Provided;
use crate::service::Factory;
use crate::spec::Spec;
#[cfg(feature = "grpc")]
use crate::spec::needs::Called;
use crate::spec::place::Place;
use crate::spec::serve::Serving;

/// A service that was added to a group.
pub(crate) struct Declared {
    pub(crate) spec: Spec,
    pub(crate) type_id: TypeId,
    pub(crate) place: Place,
    /// `None` if the service is not to be built: in a copy that is only put in order, and for a service that is only
    /// called.
    pub(crate) factory: Option<Factory>,
    /// True if it is listed only because others call it: it is not a member of the group.
    pub(crate) only_called: bool,
    /// True if its `start` can run only once.
    pub(crate) runs_once: bool,
    /// The group that it is, until that is assembled.
    pub(crate) inner: Option<Box<Declaration>>,
}

impl Declared {
    /// Declares a service that is called, and is not a member of the group.
    #[cfg(feature = "grpc")]
    #[track_caller]
    pub(crate) fn only_called(called: Called) -> Self {
        Self {
            spec: Spec::named((called.name)()).serves_grpc(),
            type_id: called.type_id,
            place: Place::here(),
            factory: None,
            only_called: true,
            runs_once: false,
            inner: None,
        }
    }

    /// Copies it, without the factory: the copy is only put in order.
    pub(crate) fn without_factory(&self) -> Self {
        let Self { ref spec, type_id, place, factory: _, only_called, runs_once, ref inner } = *self;
        let inner = inner.as_ref().map(|inner| Box::new(inner.without_factories()));
        Self { spec: spec.clone(), type_id, place, factory: None, only_called, runs_once, inner }
    }

    /// Returns true unless it has no `reload`, nor has a service inside of it.
    fn has_reload(&self) -> bool {
        let has_inside = || self.inner.as_ref().is_some_and(|inner| inner.have_reload());
        self.factory.as_ref().is_some_and(Factory::has_reload) || has_inside()
    }

    pub(super) fn is_sidecar(&self) -> bool {
        self.spec.rules.role == Role::Sidecar
    }

    pub(super) fn runs_elsewhere(&self) -> bool {
        self.spec.details().remote.is_some()
    }
}

/// Everything that is set of a group before it starts.
#[derive(Default)]
pub(crate) struct Declaration {
    pub(crate) services: Vec<Declared>,
    pub(crate) provided: Vec<Provided>,
    pub(crate) guards: Guards,
    pub(crate) schedule: Schedule,
    pub(crate) serve: Serving,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) drain_delay: Duration,
    pub(crate) drain_quiet: Option<Duration>,
    pub(crate) report_file: ReportFile,
    pub(crate) on_free_ports: bool,
    /// The address of the admin service.
    #[cfg(feature = "admin")]
    pub(crate) admin: Option<String>,
    #[cfg(feature = "admin")]
    pub(crate) admin_token: Option<Token>,
    /// The metrics of the program itself.
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Metrics,
    /// Services that run elsewhere, and their URLs.
    #[cfg(feature = "grpc")]
    pub(crate) remotes: Vec<(Called, Cow<'static, str>)>,
    #[cfg(feature = "config")]
    pub(crate) config: File,
    /// True if the settings of services are not tried: they may be where the program will run.
    #[cfg(feature = "config")]
    pub(crate) trusts_settings: bool,
    /// What the command line chooses.
    #[cfg(feature = "cli")]
    pub(crate) choice: Choice,
    /// The services of other programs that read the same file.
    pub(crate) elsewhere: Vec<String>,
    /// The sections of the file that the program itself has read.
    pub(crate) sections: Vec<String>,
    pub(crate) mistakes: Vec<BoxError>,
}

impl Declaration {
    /// The groups that are services of this one.
    pub(super) fn inner_groups(&mut self) -> impl Iterator<Item = &mut Self> {
        self.services.iter_mut().filter_map(|service| service.inner.as_deref_mut())
    }

    /// Returns true unless no service has a `reload`.
    pub(super) fn have_reload(&self) -> bool {
        #[cfg(feature = "cli")]
        let mut services =
            self.services.iter().zip(self.kept()).filter(|(_, is_kept)| *is_kept).map(|(service, _)| service);
        #[cfg(not(feature = "cli"))]
        let mut services = self.services.iter();
        services.any(Declared::has_reload)
    }

    /// Returns true if the service of this name has a `reload`.
    #[cfg(feature = "cli")]
    pub(crate) fn has_reload(&self, name: &str) -> bool {
        let service = self.services.iter().find(|service| service.spec.get_name() == name);
        service.is_some_and(Declared::has_reload)
    }

    /// Returns the service or the section of the program that a variable is for, and the key that it sets: here, or in
    /// another program that reads the same file.
    pub(super) fn owner_of<'v>(&self, variable: &'v str) -> Option<(&str, &'v str)> {
        let services = self.services.iter().map(|service| service.spec.get_name());
        let others = self.elsewhere.iter().chain(&self.sections).map(String::as_str);
        service_of(variable, &services.chain(others).collect::<Vec<_>>())
    }

    /// Returns the source of the configuration. The command line comes over the environment, and that over the code.
    #[cfg(feature = "config")]
    pub(crate) fn source(&self, environment: Option<&Environment>) -> File {
        #[cfg(feature = "cli")]
        if let Some(path) = &self.choice.config {
            return File::Path(path.clone());
        }
        match environment.and_then(|variables| variables.get(FILE_VARIABLE)) {
            Some(path) => File::Path(path.into()),
            None => self.config.clone(),
        }
    }

    /// Copies everything that decides the order, without the factories of the services.
    pub(super) fn without_factories(&self) -> Self {
        Self {
            services: self.services.iter().map(Declared::without_factory).collect(),
            provided: self.provided.iter().map(Provided::without_value).collect(),
            schedule: self.schedule,
            serve: self.serve,
            stop_timeout: self.stop_timeout,
            drain_delay: self.drain_delay,
            drain_quiet: self.drain_quiet,
            #[cfg(feature = "admin")]
            admin: self.admin.clone(),
            report_file: self.report_file.clone(),
            #[cfg(feature = "grpc")]
            remotes: self.remotes.clone(),
            #[cfg(feature = "config")]
            config: self.config.clone(),
            #[cfg(feature = "cli")]
            choice: self.choice.clone(),
            elsewhere: self.elsewhere.clone(),
            sections: self.sections.clone(),
            mistakes: self.mistakes.iter().map(|mistake| mistake.to_string().into()).collect(),
            ..Self::default()
        }
    }
}

/// The services that are chosen, by name, and the settings.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// If there are any, only these run, those that they need, and the sidecars.
    pub(crate) only: Vec<String>,
    /// These do not run.
    pub(crate) without: Vec<String>,
    /// The file with the settings.
    #[cfg(feature = "config")]
    pub(crate) config: Option<PathBuf>,
    /// The address of the admin service, or `off`.
    #[cfg(feature = "admin")]
    pub(crate) admin: Option<String>,
}

#[cfg(feature = "cli")]
impl Choice {
    /// Returns true if all services are chosen.
    pub(super) fn has_all_services(&self) -> bool {
        self.only.is_empty() && self.without.is_empty()
    }
}

/// The source of the configuration.
#[cfg(feature = "config")]
#[derive(Clone, Debug, Default)]
pub(crate) enum File {
    /// `group.toml` in the working directory, if it exists.
    #[default]
    Usual,
    /// This file, which must exist.
    Path(PathBuf),
    /// This text.
    Text(String),
}
