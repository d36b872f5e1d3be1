//! The environment variables that begin with `GROUP_`.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The environment variable that prints the order instead of starting the group.
pub(crate) const ORDER_VARIABLE: &str = "GROUP_ORDER";

/// Returns the name of the variable that sets a key of a service, as in `GROUP_MAILER__PORT`.
#[cfg(feature = "grpc")]
pub(crate) fn variable_of(service: &str, key: &str) -> String {
    format!("GROUP_{service}__{key}").replace('-', "_").to_uppercase()
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
