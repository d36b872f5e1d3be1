//! The whole configuration, and its parts for the group and for each service.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::base::cpus::cpus;
use crate::base::syntax::nearest;
use crate::base::text::duration;
use crate::config::settings::{Origin, Settings, USUAL_FILE};
use crate::config::value;
use crate::config::value::{Kind, Table, Value, is_same};
use crate::group::declaration::{Declaration, Declared, File};
use crate::group::environment::{Environment, misspelt_service, service_of};
use crate::group::options::SETTINGS;
#[cfg(feature = "grpc")]
use crate::grpc::remote::endpoint;
use crate::lifecycle::restart::When;
use crate::spec::own_runtime::OwnRuntime;
use crate::spec::serve::Serving;
use crate::spec::{Spec, is_address};

/// The keys of a service that is a group which are for those inside.
const OF_GROUP: [&str; 2] = ["schedule", "serve"];

/// The key of the tables of services.
const SERVICES: &str = "services";

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The tables `group` and `services`.
    tables: Table,
    variables: Environment,
    origin: Origin,
    /// The places of the services whose table seems to be misspelt.
    misspelt: Vec<String>,
    /// The mistakes in the group's keys of a service, by its place.
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
        let mut tables = self.table(SERVICES, &mut mistakes);
        mistakes.extend(self.tables.iter().filter_map(|(key, value)| of_nobody(key, value, declared)));
        self.find_services(&mut tables, declared, &mut mistakes);
        self.give_tables_out(tables, SERVICES, declared, &mut mistakes);
        mistakes
    }

    /// Gives each service its table, and each service inside of one that is a group. `place` is the key of the tables.
    fn give_tables_out(
        &mut self,
        mut tables: Table,
        place: &str,
        declared: &mut Declaration,
        mistakes: &mut Vec<String>,
    ) {
        for Declared { spec, only_called, inner, .. } in &mut declared.services {
            let mut table = tables.remove(spec.get_name()).unwrap_or_default();
            let place = format!("{place}.{}", spec.get_name());
            if let Some(inner) = inner {
                let inside = self.take_tables_inside(&mut table, &place, inner, mistakes);
                self.give_tables_out(inside, &place, inner, mistakes);
                mistakes.extend(set_inside(&mut table, &place, inner));
            }
            let settings = Settings::new(place.clone(), table, own_keys(spec), &self.origin);
            let wrong = configure(spec, &settings);
            // Without an address it is no service any more when the services are checked.
            if *only_called {
                mistakes.extend(wrong);
            } else {
                self.wrong.insert(place, wrong);
            }
            spec.details_mut().settings = Arc::new(settings);
        }
    }

    /// Takes the tables of the services inside out of the table of the group that they are in.
    fn take_tables_inside(
        &mut self,
        table: &mut Value,
        place: &str,
        inner: &Declaration,
        mistakes: &mut Vec<String>,
    ) -> Table {
        let Kind::Table(entries) = &mut table.kind else { return Table::new() };
        let names: Vec<&str> = inner.services.iter().map(|service| service.spec.get_name()).collect();
        let mut inside = Table::new();
        for (key, value) in std::mem::take(entries) {
            let is_it = |name: &&&str| **name == key || value.source.is_variable() && is_same(name, &key);
            match (&value.kind, names.iter().find(is_it)) {
                (Kind::Table(_), Some(name)) => drop(inside.insert((*name).to_owned(), value)),
                (Kind::Table(_), None) => self.misspelt.extend(of_no_service(&key, &value, place, &names, mistakes)),
                _ => drop(entries.insert(key, value)),
            }
        }
        inside
    }

    /// Tries every `Config<T>` that a service takes. Returns every mistake that is of a service.
    pub(crate) fn check(&self, declared: &Declaration) -> Vec<String> {
        let mut mistakes = Vec::new();
        self.check_in(declared, SERVICES, declared.trusts_settings, &mut mistakes);
        mistakes
    }

    fn check_in(&self, declared: &Declaration, place: &str, trusts: bool, mistakes: &mut Vec<String>) {
        for service in &declared.services {
            let spec = &service.spec;
            let place = format!("{place}.{}", spec.get_name());
            mistakes.extend(self.wrong.get(&place).into_iter().flatten().cloned());
            // A service that runs elsewhere reads its settings there, perhaps from this file, which both share.
            if !service.runs_elsewhere() && !trusts {
                let is_misspelt = self.misspelt.contains(&place);
                spec.details().settings.check(&spec.config_checks(), is_misspelt, mistakes);
            }
            if let Some(inner) = &service.inner {
                self.check_in(inner, &place, trusts, mistakes);
            }
        }
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
    fn find_services(&mut self, tables: &mut Table, declared: &Declaration, mistakes: &mut Vec<String>) {
        let names: Vec<&str> = declared.services.iter().map(|service| service.spec.get_name()).collect();
        tables.retain(|name, _| !declared.elsewhere.contains(name) || names.contains(&&**name));
        for (name, value) in tables.iter().filter(|(name, _)| !names.contains(&&***name)) {
            self.misspelt.extend(of_no_service(name, value, SERVICES, &names, mistakes));
        }
        self.lay_variables_over(tables, &names, mistakes);
        let others = self.variables.keys().filter(|variable| declared.owner_of(variable).is_none());
        mistakes.extend(others.filter_map(|variable| misspelt_service(variable, &names)));
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

/// Tells that a table is for no service. Returns the place of the one that was probably meant.
fn of_no_service(name: &str, value: &Value, place: &str, names: &[&str], mistakes: &mut Vec<String>) -> Option<String> {
    let near = nearest(name, names.iter().copied());
    let group = place.strip_prefix("services.").map(|group| group.replace('.', "/"));
    let hint = match (near, &group) {
        (Some(near), _) => format!("; did you mean `{near}`?"),
        (None, None) => "; if it is for another program, name it in `group.elsewhere`".to_owned(),
        (None, Some(_)) => String::new(),
    };
    let subject = value.source.of(&format!("{place}.{name}"));
    let group = group.map_or_else(|| "this group".to_owned(), |group| format!("`{group}`"));
    mistakes.push(format!("{subject} is for a service that is not in {group}{hint}"));
    Some(format!("{place}.{}", near?))
}

/// Sets the keys of a group that is a service, and takes them out of its table. Returns every mistake.
fn set_inside(table: &mut Value, place: &str, inner: &mut Declaration) -> Vec<String> {
    let Kind::Table(entries) = &mut table.kind else { return Vec::new() };
    let set = |key: &str| {
        let value = entries.remove(key)?;
        let expected = inner.set(key, &value.word().unwrap_or_default()).err()?;
        Some(value.is_not(&format!("{place}.{key}"), &expected))
    };
    OF_GROUP.into_iter().filter_map(set).collect()
}

/// The mistake of a key beside `group` and `services`, unless it is a section of the program: any table may be one, but for
/// those that look misspelt.
fn of_nobody(key: &str, value: &Value, declared: &Declaration) -> Option<String> {
    let known = ["group", SERVICES].into_iter().chain(declared.sections.iter().map(String::as_str));
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
    if spec.details().is_group {
        own.extend(OF_GROUP);
    } else if spec.has_address() {
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
            let cpus = cpus(text).ok_or("processors, as in `0-3,8`")?;
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
