//! The environment variables that begin with `GROUP_`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::base::text::is_slip;

/// The environment variable that prints the order instead of starting the group.
pub(crate) const ORDER_VARIABLE: &str = "GROUP_ORDER";

/// The environment variable that names another file.
#[cfg(feature = "config")]
pub(crate) const FILE_VARIABLE: &str = "GROUP_CONFIG";

/// Returns how the variables of a service begin: `GROUP_MAIL_QUEUE`, or `GROUP_BILLING__LEDGER` for `billing/ledger`.
pub(crate) fn prefix_of(service: &str) -> String {
    format!("GROUP_{service}").replace('-', "_").replace('/', "__").to_uppercase()
}

/// Returns the name of the variable that sets a key of a service, as in `GROUP_MAILER__PORT`.
#[cfg(any(feature = "cli", feature = "grpc"))]
pub(crate) fn variable_of(service: &str, key: &str) -> String {
    format!("{}__{}", prefix_of(service), key.to_uppercase())
}

/// Returns the service that a variable is for, and the key that it sets. Of several services, the longest name is meant,
/// which leaves the shortest key.
pub(crate) fn service_of<'v, 'n>(variable: &'v str, names: &[&'n str]) -> Option<(&'n str, &'v str)> {
    let key_in = |name: &str| variable.strip_prefix(&prefix_of(name))?.strip_prefix("__");
    let meant = names.iter().filter_map(|name| Some((*name, key_in(name)?)));
    meant.min_by_key(|(_, key)| key.len())
}

/// Returns the mistake of a variable that misspells a service. Any other that is for no service here may be inherited from
/// another program.
pub(crate) fn misspelt_service(variable: &str, names: &[&str]) -> Option<String> {
    let (name, _) = variable.trim_start_matches("GROUP_").split_once("__")?;
    let meant = names.iter().find(|known| is_slip(&name.to_lowercase(), &known.replace('-', "_")))?;
    Some(format!("{variable} is for a service that is not in this group; did you mean `{meant}`?"))
}

/// The variables that begin with `GROUP_`.
pub(crate) type Environment = BTreeMap<String, OsString>;

/// Reads them. No other function reads the environment.
pub(crate) fn read() -> Environment {
    let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
    std::env::vars_os().filter_map(named).filter(|(name, _)| name.starts_with("GROUP_")).collect()
}

/// Returns the form in which the order is to be printed, if it is to be printed.
pub(crate) fn order_form(environment: &Environment) -> Option<String> {
    Some(environment.get(ORDER_VARIABLE)?.to_string_lossy().into_owned())
}
