//! The admin service itself. It runs on a thread and a runtime of its own, so that it answers when that of the group is
//! stuck, and so that its clients take no time of the services.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, post};
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::admin::access::{Token, closed, is_local, only_from_here, only_with, uncontrolled};
use crate::admin::control;
use crate::admin::pulse::Pulse;
use crate::admin::router::{for_all, for_people};
use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::http::server::Server;
use crate::running::handle::Handle;
use crate::running::holds::Held;
use crate::service::Service;
use crate::service::context::Context;

/// Its name. A user's own service may well be called `admin`.
pub(crate) const NAME: &str = "group-admin";

/// The longest time that its clients have at the stop, and a quarter of a shorter time to stop. A browser that reads no more
/// must not make the end unclean.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The time for which an idle connection stays at the stop. Nothing is lost with a request that crosses it.
const LINGER: Duration = Duration::from_millis(20);

/// The connections that may be open. Enough for every monitor and many people, and few enough to cost little.
const CONNECTIONS: usize = 256;

/// The time for the head of a request, also while all connections are taken: so slow clients make room soon.
const HEAD: Duration = Duration::from_secs(5);

/// The largest head.
const HEAD_SIZE: usize = 16 * 1024;

/// The service.
#[derive(Debug)]
pub(crate) struct Admin {
    token: Option<Token>,
}

impl Admin {
    pub(crate) fn new(token: Option<Token>) -> Self {
        Self { token }
    }

    /// The routes on an address.
    fn routes(&self, group: &Handle, pulse: Pulse, address: &str) -> Router {
        let pages = match &self.token {
            None if !is_local(address) => Router::new().fallback(closed),
            _ => for_people(group),
        };
        let control = Router::new()
            .route("/stop", post(control::stop))
            .route("/reload", post(control::reload))
            .route(&format!("/services/{NAME}/{{what}}"), post(control::this_one))
            .route("/services/{name}/stop", post(control::stop_service))
            .route("/services/{name}/start", post(control::start_service))
            .route("/services/{name}/restart", post(control::restart_service))
            .with_state(group.clone());
        let control = match &self.token {
            Some(token) => control.layer(from_fn_with_state(token.clone(), only_with)),
            None => Router::new()
                .route("/stop", any(uncontrolled))
                .route("/reload", any(uncontrolled))
                .route("/services/{name}/{what}", any(uncontrolled)),
        };
        for_all(group, pulse).merge(pages.merge(control).layer(from_fn(only_from_here)))
    }
}

impl Service for Admin {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        // Taken here: the other thread could come too late. Kept here, too: if the server fails, its error comes first.
        let ready = Arc::new(cx.held_by(Held::Server));
        let (shutdown, group_runtime, held) = (cx.shutdown(), Runtime::current(), Arc::clone(&ready));
        let ended = on_own_runtime(&cx.clone(), move || async move {
            let pulse = Pulse::of_another();
            let address = cx.http_address().unwrap_or_default();
            let last_answers = LAST_ANSWERS.min(cx.time_to_stop() / 4);
            let server = Server::new(self.routes(&cx.handle(), pulse.clone(), address))
                .linger(LINGER)
                .max_connections(CONNECTIONS)
                .header_read_timeout(HEAD)
                .max_header_size(HEAD_SIZE);
            tokio::select! {
                result = server.serve_holding(&ready, &cx, address) => result,
                () = pulse.take(&group_runtime) => Ok(()),
                () = async { shutdown.requested().await; sleep(last_answers).await } => Ok(()),
            }
        })
        .await;
        drop(held);
        ended
    }
}

/// Runs a future on a thread and a runtime of its own, until it ends or is no longer waited for.
async fn on_own_runtime<F>(cx: &Context, make: impl FnOnce() -> F + Send + 'static) -> Result<(), BoxError>
where
    F: Future<Output = Result<(), BoxError>>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut sender, ended) = oneshot::channel();
    let remains = cx.remains();
    thread::Builder::new().name(cx.name().to_owned()).spawn(move || {
        let _remains = remains;
        let run = || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = sender.closed() => Ok(()),
                    result = make() => result,
                }
            })
        };
        let result = caught_now(run).and_then(|result| result);
        // If the service was aborted, nobody waits any more.
        let _ = sender.send(result);
    })?;
    ended.await?
}
