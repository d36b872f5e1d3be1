//! The answer to `--check`: what was checked.

use std::fmt::Write as _;
#[cfg(feature = "config")]
use std::path::Path;

use crate::base::text::count;
#[cfg(feature = "config")]
use crate::config::settings::USUAL_FILE;
use crate::group::Group;
#[cfg(feature = "config")]
use crate::group::declaration::File;
use crate::group::order::{Order, printed};
use crate::group::planned::Planned;
use crate::record::report::Report;
use crate::spec::Spec;

impl Group {
    /// Checks the settings, the order and the form of the addresses, and prints on stdout what was checked. Mistakes are
    /// logged, as those of a start are.
    pub(super) fn print_check(&self) -> Report {
        match self.planned() {
            Ok(planned) => printed(&self.checked(&planned)),
            Err(report) => report,
        }
    }

    /// Says what was checked. No value is shown: it may be a secret.
    fn checked(&self, planned: &Planned) -> String {
        let specs = || planned.assembly.members.iter().map(|member| &member.spec);
        let mut text = String::new();
        let mut line = |what: &str, items: Vec<String>, between: &str| {
            if !items.is_empty() {
                let _ = writeln!(text, "{what:10} {}", items.join(between));
            }
        };
        line("settings", self.sources(planned), ", ");
        let order = Order::of(&planned.assembly);
        line("order", order.starts().iter().map(|wave| wave.join(", ")).collect(), " -> ");
        line("addresses", specs().filter_map(address).collect(), ", ");
        let elsewhere = planned.assembly.elsewhere.iter().filter_map(|service| {
            Some(format!("{} at {}", service.spec.get_name(), service.spec.details().remote.as_deref()?))
        });
        line("elsewhere", elsewhere.collect(), ", ");
        let _ = writeln!(text, "valid: {}", count(specs().count(), "service"));
        text
    }

    /// The file and the variables that set something.
    #[cfg_attr(not(feature = "config"), expect(unused_variables, reason = "there is no file"))]
    fn sources(&self, planned: &Planned) -> Vec<String> {
        #[cfg(feature = "config")]
        let file = planned.file_name(self);
        #[cfg(not(feature = "config"))]
        let file = None;
        let variables = self.environment.iter().flatten().map(|(variable, _)| variable);
        file.into_iter().chain(variables.filter(|variable| self.declared.is_set_by(variable)).cloned()).collect()
    }
}

#[cfg(feature = "config")]
impl Planned {
    /// The name of the file with the settings, if there is one.
    pub(super) fn file_name(&self, group: &Group) -> Option<String> {
        match self.declared.source(group.environment.as_ref()) {
            File::Usual => Path::new(USUAL_FILE).exists().then(|| USUAL_FILE.to_owned()),
            File::Path(path) => Some(path.display().to_string()),
            File::Text(_) => None,
        }
    }
}

/// The address of a service that has one, with its name.
fn address(spec: &Spec) -> Option<String> {
    let address = spec.get_http().or(spec.get_grpc())?;
    Some(format!("{}{address} ({})", spec.scheme(), spec.get_name()))
}
