//! The environment variables that begin with `GROUP_`.

use std::collections::BTreeMap;
use std::ffi::OsString;

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
pub(crate) fn read() -> Environment {
    let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
    std::env::vars_os().filter_map(named).filter(|(name, _)| name.starts_with("GROUP_")).collect()
}

/// In which form the order is to be printed, if it is.
pub(crate) fn order_form(environment: &Environment) -> Option<String> {
    Some(environment.get(ORDER_VARIABLE)?.to_string_lossy().into_owned())
}
