//! Variables that begin with `GROUP_` and set nothing. They may be misspelt, or belong to somebody else: an environment is
//! inherited, and Kubernetes adds to it.

use crate::base::syntax::nearest;
use crate::group::declaration::Declaration;
#[cfg(feature = "config")]
use crate::group::environment::prefix_of;
use crate::group::environment::{Environment, misspelt_service};
use crate::group::options::SETTINGS;

impl Declaration {
    /// Warns of each variable that sets nothing, if it looks misspelt or names a service. Any other may belong to another
    /// program.
    pub(super) fn warn_of_strays(&self, environment: &Environment) {
        let names: Vec<&str> = self.services.iter().map(|service| service.spec.get_name()).collect();
        let known: Vec<&str> = SETTINGS.iter().copied().chain(["admin_token", "config", "order"]).collect();
        for variable in environment.keys().filter(|variable| !is_of_kubernetes(variable, environment)) {
            let name = variable.trim_start_matches("GROUP_").to_lowercase();
            let is_known = known.contains(&&*name) || self.owner_of(variable).is_some();
            if is_known || misspelt_service(variable, &names).is_some() {
                continue;
            }
            let meant = self.with_underscore(variable);
            let meant =
                meant.or_else(|| Some(format!("GROUP_{}", nearest(&name, known.iter().copied())?.to_uppercase())));
            match meant {
                Some(meant) => tracing::warn!(target: "group", "{variable} is unknown: did you mean {meant}?"),
                None if name.contains("__") => {
                    tracing::warn!(target: "group", "{variable} is for a service that is not in this group, and sets nothing");
                }
                None => {}
            }
        }
    }

    /// The variable that was probably meant, where one underscore stands for two.
    #[cfg(feature = "config")]
    fn with_underscore(&self, variable: &str) -> Option<String> {
        self.services.iter().find_map(|service| {
            let prefix = prefix_of(service.spec.get_name());
            let key = variable.strip_prefix(&prefix)?.strip_prefix('_')?;
            let (settings, checks) = (&service.spec.details().settings, service.spec.config_checks());
            let known = readings(key).into_iter().find(|keys| settings.has_key(keys, &checks))?;
            Some(format!("{prefix}__{}", known.join("__").to_uppercase()))
        })
    }

    #[cfg(not(feature = "config"))]
    #[expect(clippy::unused_self, reason = "without settings, no service has keys")]
    fn with_underscore(&self, _variable: &str) -> Option<String> {
        None
    }
}

/// The keys that a text may mean in which an underscore is a part of a key, or stands between two.
#[cfg(feature = "config")]
fn readings(text: &str) -> Vec<Vec<String>> {
    /// Each word more doubles the readings.
    const MOST: usize = 6;

    let mut words = text.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase);
    if words.clone().count() > MOST {
        return Vec::new();
    }
    let first = vec![words.by_ref().take(1).collect()];
    words.fold(first, |readings: Vec<Vec<String>>, word| {
        let longer = readings.iter().filter_map(|keys| {
            let (last, before) = keys.split_last()?;
            Some([before, &[format!("{last}_{word}")]].concat())
        });
        let more = readings.iter().map(|keys| [&keys[..], std::slice::from_ref(&word)].concat());
        longer.chain(more).collect()
    })
}

/// Returns true if Kubernetes has set this variable for a Service of its own, here one whose name begins with `group-`:
/// `GROUP_STORE_SERVICE_HOST=10.0.0.7` and `GROUP_STORE_PORT=tcp://10.0.0.7:80` for `group-store`.
fn is_of_kubernetes(variable: &str, environment: &Environment) -> bool {
    let is_url = |text: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme));
    let is_set_for = |service: &str| {
        let rest = variable.strip_prefix(service).unwrap_or_default();
        rest == "PORT" || ["SERVICE_HOST", "SERVICE_PORT", "PORT_"].iter().any(|kind| rest.starts_with(kind))
    };
    environment.keys().filter_map(|name| name.strip_suffix("SERVICE_HOST")).any(is_set_for)
        || environment.get(variable).and_then(|value| value.to_str()).is_some_and(is_url)
}
