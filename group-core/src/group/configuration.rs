//! The whole configuration, and its parts for the group and for each service.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::base::syntax;
use crate::base::syntax::nearest;
use crate::base::text::duration;
use crate::config::settings::{Origin, Settings, USUAL_FILE};
use crate::config::value;
use crate::config::value::{Kind, Table, Value};
use crate::group::declaration::{Declaration, Declared, File};
use crate::group::environment::{Environment, misspelt_service, service_of};
use crate::group::options::SETTINGS;
#[cfg(feature = "grpc")]
use crate::grpc::remote::endpoint;
use crate::lifecycle::restart::When;
use crate::spec::own_runtime::OwnRuntime;
use crate::spec::serve::Serving;
use crate::spec::{Spec, is_address};

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The tables `group` and `services`.
    tables: Table,
    variables: Environment,
    origin: Origin,
    /// The services whose table seems to be misspelt.
    misspelt: Vec<String>,
    /// The mistakes in the group's keys of a service, by its name.
    wrong: BTreeMap<String, Vec<String>>,
}

impl Configuration {
    /// Reads the file, or the text in its place. Without `variables`, the usual file is not looked for.
    ///
    /// # Errors
    ///
    /// If a file that must exist does not, or if it is not TOML.
    pub(crate) fn read(file: File, variables: Option<&Environment>) -> Result<Self, String> {
        let (text, name) = match file {
            File::Usual if variables.is_none() || !Path::new(USUAL_FILE).exists() => (String::new(), None),
            File::Usual => (read_file(Path::new(USUAL_FILE))?, Some(USUAL_FILE.into())),
            File::Path(path) => (read_file(&path)?, Some(path.display().to_string().into())),
            File::Text(text) => (text, Some("config_str".into())),
        };
        let tables = value::parse(&text, name.as_ref().unwrap_or(&Arc::default()))?;
        let origin = Origin { file: name, environment: variables.is_some() };
        Ok(Self {
            tables,
            variables: variables.cloned().unwrap_or_default(),
            origin,
            misspelt: Vec::new(),
            wrong: BTreeMap::new(),
        })
    }

    /// Gives each service its settings, and sets those of the group. Returns every mistake that is of no service.
    pub(crate) fn give_out(&mut self, declared: &mut Declaration) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut group = self.table("group", &mut mistakes);
        if let Some(value) = group.remove("elsewhere") {
            match value.texts() {
                Some(names) => declared.elsewhere.extend(names),
                None => mistakes.push(value.is_not("group.elsewhere", "a list of the names of services")),
            }
        }
        set_group(group, declared, &mut mistakes);
        let mut tables = self.table("services", &mut mistakes);
        mistakes.extend(self.tables.iter().filter_map(|(key, value)| of_nobody(key, value, declared)));
        self.misspelt = self.find_services(&mut tables, declared, &mut mistakes);
        for Declared { spec, only_called, .. } in &mut declared.services {
            let table = tables.remove(spec.get_name()).unwrap_or_default();
            let place = format!("services.{}", spec.get_name());
            let settings = Settings::new(place, table, own_keys(spec), &self.origin);
            let wrong = configure(spec, &settings);
            // Without an address it is no service any more when the services are checked.
            if *only_called {
                mistakes.extend(wrong);
            } else {
                self.wrong.insert(spec.get_name().to_owned(), wrong);
            }
            spec.details_mut().settings = Arc::new(settings);
        }
        mistakes
    }

    /// Tries every `Config<T>` that a service takes. Returns every mistake that is of a service.
    pub(crate) fn check(&self, declared: &Declaration) -> Vec<String> {
        let mut mistakes = Vec::new();
        for service in &declared.services {
            let spec = &service.spec;
            mistakes.extend(self.wrong.get(spec.get_name()).into_iter().flatten().cloned());
            // A service that runs elsewhere reads its settings there, perhaps from this file, which both share.
            if !service.runs_elsewhere() && !declared.trusts_settings {
                let is_misspelt = self.misspelt.iter().any(|name| name == spec.get_name());
                spec.details().settings.check(&spec.config_checks(), is_misspelt, &mut mistakes);
            }
        }
        mistakes
    }

    /// Returns the settings of the program in the table of this name.
    ///
    /// # Errors
    ///
    /// With the mistakes in the variables that set them.
    pub(crate) fn section(mut self, name: &str) -> Result<Settings, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut tables = Table::new();
        tables.extend(self.tables.remove_entry(name));
        self.lay_variables_over(&mut tables, &[name], &mut mistakes);
        let table = tables.remove(name).unwrap_or_default();
        if mistakes.is_empty() {
            Ok(Settings::new(name.to_owned(), table, Vec::new(), &self.origin))
        } else {
            Err(mistakes)
        }
    }

    /// Takes out one of the two tables; it is empty if it is not there.
    fn table(&mut self, key: &str, mistakes: &mut Vec<String>) -> Table {
        match self.tables.remove(key) {
            Some(Value { kind: Kind::Table(table), .. }) => table,
            Some(other) => {
                mistakes.push(other.is_not(key, "a table"));
                Table::new()
            }
            None => Table::new(),
        }
    }

    /// Finds the service of each table and of each variable with `__`, and lays the variables over the tables.
    /// Returns the services whose table seems to be misspelt.
    fn find_services(&self, tables: &mut Table, declared: &Declaration, mistakes: &mut Vec<String>) -> Vec<String> {
        let names: Vec<&str> = declared.services.iter().map(|service| service.spec.get_name()).collect();
        let mut misspelt = Vec::new();
        tables.retain(|name, _| !declared.elsewhere.contains(name) || names.contains(&&**name));
        for (name, value) in tables.iter().filter(|(name, _)| !names.contains(&&***name)) {
            let near = nearest(name, names.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "if it is for another program, name it in `group.elsewhere`".to_owned(),
            };
            let subject = value.source.of(&format!("services.{name}"));
            mistakes.push(format!("{subject} is for a service that is not in this group; {hint}"));
            misspelt.extend(near.map(str::to_owned));
        }
        self.lay_variables_over(tables, &names, mistakes);
        let others = self.variables.keys().filter(|variable| declared.owner_of(variable).is_none());
        mistakes.extend(others.filter_map(|variable| misspelt_service(variable, &names)));
        misspelt
    }

    /// Lays the variables of these services, or of a section of the program, over their tables.
    fn lay_variables_over(&self, tables: &mut Table, names: &[&str], mistakes: &mut Vec<String>) {
        for (variable, text) in &self.variables {
            let Some((name, key)) = service_of(variable, names) else { continue };
            let keys: Vec<&str> = key.split("__").collect();
            if let Kind::Table(table) = &mut tables.entry(name.to_owned()).or_default().kind {
                let Some(text) = text.to_str() else {
                    mistakes.push(format!("{variable} is not UTF-8"));
                    continue;
                };
                mistakes.extend(value::lay_over(table, &keys, Value::of_variable(variable, text)).err());
            }
        }
    }
}

/// The mistake of a key beside `group` and `services`, unless it is a section of the program: any table may be one, but for
/// those that look misspelt.
fn of_nobody(key: &str, value: &Value, declared: &Declaration) -> Option<String> {
    let known = ["group", "services"].into_iter().chain(declared.sections.iter().map(String::as_str));
    if declared.sections.iter().any(|section| section == key) {
        return None;
    }
    if declared.services.iter().any(|service| service.spec.get_name() == key) {
        return Some(format!("{}: did you mean `services.{key}`?", value.source.unknown_key(key)));
    }
    let is_section = matches!(value.kind, Kind::Table(_)) && nearest(key, known.clone()).is_none();
    (!is_section).then(|| value.source.unknown(key, key, &known.collect::<Vec<_>>()))
}

/// Sets the group's own settings.
fn set_group(table: Table, declared: &mut Declaration, mistakes: &mut Vec<String>) {
    for (key, value) in table {
        let full = format!("group.{key}");
        if !SETTINGS.contains(&&*key) {
            mistakes.push(value.source.unknown(&full, &key, &[SETTINGS, &["elsewhere"]].concat()));
        } else if let Err(expected) = declared.set(&key, &value.word().unwrap_or_default()) {
            mistakes.push(value.is_not(&full, &expected));
        }
    }
}

/// Returns the keys of a service's table that are for the group, named like the methods of [`Spec`].
fn own_keys(spec: &Spec) -> Vec<&'static str> {
    let mut own = vec!["start_timeout", "stop_timeout", "critical", "restart"];
    if spec.get_runtime().is_some() {
        own.extend(["runtime", "worker_threads"]);
        if cfg!(feature = "cpus") {
            own.push("cpus");
        }
    }
    if spec.details().http.is_some() {
        own.push("http");
    }
    if spec.details().grpc.is_some() {
        own.push("grpc");
    }
    if spec.has_address() {
        own.push("serve");
    }
    if cfg!(feature = "grpc") && spec.details().serves_grpc {
        own.push("remote");
    }
    own
}

/// Sets the group's keys of a service's table. Returns every mistake.
fn configure(spec: &mut Spec, settings: &Settings) -> Vec<String> {
    let mut mistakes = Vec::new();
    let Kind::Table(table) = &settings.table.kind else { return mistakes };
    for key in settings.own.iter().copied() {
        let Some(value) = table.get(key) else { continue };
        if let Err(expected) = set(spec, key, value.word().as_deref().unwrap_or_default()) {
            let key = settings.key(&[key.to_owned()]);
            mistakes.push(value.is_not(&key, &expected));
        }
    }
    mistakes
}

/// Sets one of the group's keys.
///
/// # Errors
///
/// With the text of what was expected.
fn set(spec: &mut Spec, key: &str, text: &str) -> Result<(), String> {
    match key {
        "http" => {
            if !is_address(text) {
                return Err("`host:port`, as in `127.0.0.1:8080`".to_owned());
            }
            spec.details_mut().http = Some(text.to_owned().into());
        }
        "grpc" => {
            if !is_address(text) {
                return Err("`host:port`, as in `127.0.0.1:50051`".to_owned());
            }
            spec.details_mut().grpc = Some(text.to_owned().into());
        }
        #[cfg(feature = "grpc")]
        "remote" => {
            endpoint(text)?;
            spec.details_mut().remote = Some(text.to_owned().into());
        }
        "serve" => spec.details_mut().serve = Some(Serving::from_word(text).ok_or("`shared` or `per-core`")?),
        "runtime" => {
            spec.details_mut().runtime = match text {
                "own" => Some(spec.get_runtime().cloned().unwrap_or_default()),
                "shared" => None,
                _ => return Err("`own` or `shared`".to_owned()),
            }
        }
        "worker_threads" => {
            let number = text.parse().ok().filter(|number| *number > 0).ok_or("a number of at least 1")?;
            own_runtime(spec)?.worker_threads = Some(number);
        }
        "cpus" => {
            let cpus = syntax::cpus(text).ok_or("processors, as in `0-3,8`")?;
            own_runtime(spec)?.cpus = cpus;
        }
        "start_timeout" => spec.details_mut().start_timeout = Some(duration(text)?),
        "stop_timeout" => spec.details_mut().stop_timeout = Some(duration(text)?),
        "critical" => spec.rules.critical = text.parse().map_err(|_| "`true` or `false`")?,
        "restart" => {
            spec.details_mut().restart.policy.when = match text {
                "never" => When::Never,
                "on-failure" => When::OnFailure,
                "always" => When::Always,
                _ => return Err("`never`, `on-failure` or `always`".to_owned()),
            }
        }
        _ => {}
    }
    Ok(())
}

/// # Errors
///
/// If the service has no runtime of its own.
fn own_runtime(spec: &mut Spec) -> Result<&mut OwnRuntime, String> {
    let other = "nothing, because the service has no runtime of its own (`runtime = \"own\"`)";
    spec.details_mut().runtime.as_mut().ok_or_else(|| other.to_owned())
}

fn read_file(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
