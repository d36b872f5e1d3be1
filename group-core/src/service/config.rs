//! A service's settings as a parameter.

use std::cell::RefCell;
use std::ops::Deref;

use serde::de::DeserializeOwned;

use crate::base::error::BoxError;
use crate::config::read::Unknown;
use crate::config::settle::read;
use crate::service::context::Context;
use crate::service::from_context::FromContext;
use crate::spec::Spec;
use crate::spec::needs::Needs;

/// A service's settings, as a parameter of `new` or `start`, with the feature `config`. Its field is public, so that
/// the parameter can destructure it, as axum's extractors: `Config(settings): Config<Settings>`.
///
/// The settings come from the table `[services.<name>]` in `group.toml`, or in the file that the environment
/// variable `GROUP_CONFIG` names. Environment variables of the form `GROUP_<NAME>__<KEY>` override the file:
/// `GROUP_MAILER__SMTP__PORT` is `smtp.port` of `mailer`. Only [`Group::run`](crate::Group::run) and
/// `#[group::main]` read these; [`config_str`](crate::Group::config_str) and
/// [`config_file`](crate::Group::config_file) give a group settings of its own.
///
/// All settings are read before any service is built. Values that are missing, unknown, or of the wrong type are
/// reported all at once, with the file and the line, or the variable. One exception: if a missing value has a type that
/// accepts only some texts or numbers, such as an address, the mistakes after it are reported once it is there.
/// A key without a field in `T` is a mistake, whether or not `T` denies unknown fields; inside of types that
/// serde buffers (`flatten`, `untagged`) such a key cannot be detected.
///
/// A `reload` can take it, too: `async fn reload(&self, Config(settings): Config<Settings>)` is given the settings as
/// they are now. By hand, that is [`Service::reload_with`](crate::Service::reload_with).
///
/// The same table has keys for the group itself: `http`, `start_timeout`, `stop_timeout`,
/// `critical` and `restart`, as in `#[service(…)]`. If `T` has a field of such a name, the field gets the value, too.
///
/// ```
/// use group::{Config, Group, service};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct MailerConfig {
///     port: u16,
///     #[serde(default)]
///     hosts: Vec<String>,
/// }
///
/// struct Mailer(MailerConfig);
///
/// #[service(register = false)]
/// impl Mailer {
///     fn new(Config(settings): Config<MailerConfig>) -> Self {
///         Mailer(settings)
///     }
///
///     async fn start(&self) {
///         println!("{} hosts, port {}", self.0.hosts.len(), self.0.port);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let wrong = Group::new()
///     .add_type::<Mailer>()
///     .config_str("[services.mailer]\nport = 70000\nhost = 'localhost'")
///     .start()
///     .await
///     .unwrap_err();
/// let said: Vec<String> = wrong.report().failures().iter().map(ToString::to_string).collect();
/// assert_eq!(
///     said,
///     [
///         "config_str:2: `services.mailer.port` is out of range: expected a whole number from 0 to 65535",
///         "config_str:3: unknown key `services.mailer.host`: did you mean `hosts`?",
///     ]
/// );
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Config<T>(pub T);

impl<T> Deref for Config<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> FromContext for Config<T> {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        let unknown = RefCell::new(Unknown::new());
        Ok(Config(read(&cx.member().settings(), &unknown)?))
    }

    fn needs(needs: &mut Needs) {
        needs.config(|settings, unknown| read::<T>(settings, unknown).map(drop));
    }
}

impl Spec {
    /// Declares that [`reload_with`](crate::Service::reload_with) takes the service's settings as a `T`: so the file and the
    /// environment are read again before a reload, and tried with this type. Needs the feature `config`.
    #[must_use]
    pub fn reloads_with<T: DeserializeOwned>(mut self) -> Self {
        self.details_mut().reload_checks.push(|settings, unknown| read::<T>(settings, unknown).map(drop));
        self
    }
}
