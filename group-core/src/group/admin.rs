//! Adds the admin service to a group.

use std::any::TypeId;
use std::time::Duration;

use crate::admin::access::Token;
use crate::admin::service::{Admin, NAME};
use crate::group::Group;
use crate::group::declaration::{Declaration, Declared};
use crate::group::environment::Environment;
use crate::lifecycle::interface::Role;
use crate::service::made;
use crate::spec::Spec;
use crate::spec::place::Place;

/// The environment variable with the token. It has no place in a file, which is shared and printed more easily.
const TOKEN_VARIABLE: &str = "GROUP_ADMIN_TOKEN";

/// The time that the admin service may take to stop. It ends by itself a second after its turn has come.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// The admin service. Needs the feature `admin`.
impl Group {
    /// Adds the admin service, at this address: `/livez`, `/readyz` and `/startupz` for probes, and, for those who have the
    /// [token](Self::admin_token), `POST /stop`, `POST /reload`, and `POST /services/NAME/restart`, as well as `…/stop` and
    /// `…/start`.
    ///
    /// It is a [sidecar](crate::Role::Sidecar) with a thread of its own: it is up before the first service is built, and
    /// down after the last one is gone. Needs the feature `admin`. The environment variable `GROUP_ADMIN` overrides the
    /// address in [`run`](Self::run) and `#[group::main]`; `off` leaves the service out.
    ///
    /// ```
    /// use group::{Group, Shutdown};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group.add_fn("worker", |shutdown: Shutdown| async move { shutdown.requested().await }).admin("127.0.0.1:0");
    /// let running = group.start().await.unwrap();
    /// println!("curl http://{}/readyz", running.local_addr("group-admin").unwrap());
    /// assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    pub fn admin(&mut self, address: impl Into<String>) -> &mut Self {
        self.declared.admin = Some(address.into());
        self
    }

    /// Sets the secret that the control of the group needs, as `authorization: Bearer …`. Without one, it cannot be
    /// steered from outside, and an [admin](Self::admin) address that is not a loopback one serves nothing but probes,
    /// metrics and status. Needs the feature `admin`. The environment variable `GROUP_ADMIN_TOKEN` overrides it in
    /// [`run`](Self::run) and `#[group::main]`.
    ///
    /// ```
    /// # let mut group = group::Group::new();
    /// # let secret = "from a file, or a vault";
    /// group.admin("127.0.0.1:9900").admin_token(secret);
    /// ```
    pub fn admin_token(&mut self, token: impl Into<String>) -> &mut Self {
        self.declared.admin_token = Some(Token::new(token.into()));
        self
    }
}

impl Declaration {
    /// Adds the admin service, if there is to be one.
    pub(super) fn add_admin(&mut self, environment: Option<&Environment>) {
        let Some(address) = self.admin.take() else { return };
        if let Some(token) = environment.and_then(|environment| environment.get(TOKEN_VARIABLE)) {
            match token.to_str() {
                Some(token) if !token.is_empty() => self.admin_token = Some(Token::new(token.to_owned())),
                _ => self.mistakes.push(format!("{TOKEN_VARIABLE} is empty, or not text: nobody could have it").into()),
            }
        }
        let spec = Spec::new(NAME).http(address).role(Role::Sidecar).stop_timeout(STOP_TIMEOUT);
        let factory = Some(made(Admin::new(self.admin_token.take())));
        let (type_id, place) = (TypeId::of::<Admin>(), Place::here());
        self.services.push(Declared {
            spec,
            type_id,
            place,
            factory,
            only_called: false,
            runs_once: false,
            inner: None,
        });
    }
}
