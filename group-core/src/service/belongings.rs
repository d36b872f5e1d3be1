//! The tasks that a service spawns, and what else of it must be over before it is gone.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::base::error::BoxError;
use crate::base::panic::caught;
use crate::running::children::Children;
use crate::running::log;
use crate::running::message::News;
use crate::running::remains::Remains;
use crate::service::context::Context;
use crate::service::result::ServiceResult;

/// Tasks that belong to the service: it is gone only after they are, and an abort reaches them.
impl Context {
    /// Counts one more part of the service. Returns `None` if the service is gone.
    pub(crate) fn remains(&self) -> Option<Remains> {
        Remains::of(&self.0)
    }

    /// One part of the service is over: its task, or a [`Remains`]. Returns true if it was the last one; then the
    /// service is gone, and the driver has the message but was not woken.
    pub(crate) fn let_go(&self) -> bool {
        self.0.let_go()
    }

    /// The tasks that this run of the service has spawned and will spawn.
    pub(crate) fn own_children(&self) -> Arc<Children> {
        self.member().own_children()
    }

    /// Spawns a task of the service. If it fails, the service fails. Of a service that is gone there are no tasks.
    pub(crate) fn spawn_child(&self, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let Some(remains) = self.remains() else { return log::spawned_too_late(self.name()) };
        let (children, cx) = (self.own_children(), self.clone());
        let counted = children.count_task();
        self.member().spawn(async move {
            // Moved in, so that both are dropped with the task, `_counted` first.
            let (_remains, _counted) = (remains, counted);
            // `caught` also drops the task, whose destructor may panic.
            let ended = caught(async {
                tokio::select! {
                    biased;
                    () = children.aborted() => Ok(()),
                    result = task => result,
                }
            });
            if let Err(error) = ended.await.and_then(|result| result) {
                children.fail(error);
                cx.member().wake();
            }
        });
    }

    /// Spawns a job: a task that ends by itself, such as what a handler leaves behind when it has answered. It belongs to
    /// the service: at the stop, it is waited for after `start`, before `stop` runs, which may close what the job uses.
    /// All of that is within the service's `stop_timeout`, past which it is aborted. The report
    /// [counts](crate::ServiceReport::jobs) the jobs.
    ///
    /// Unlike the tasks of [`spawn`](Self::spawn), a job may fail: the log and the report have its error or panic, and the
    /// service goes on. It goes on itself when `start` has failed and is run again.
    ///
    /// A handler takes the `Context` as a parameter; a gRPC service keeps the one that its `new` takes.
    ///
    /// ```
    /// use group::{Context, service};
    ///
    /// #[derive(Default)]
    /// struct Orders;
    ///
    /// #[service(http = "127.0.0.1:8080")]
    /// impl Orders {
    ///     #[post("/orders")]
    ///     async fn order(&self, cx: Context) -> &'static str {
    ///         cx.spawn_job(send_a_letter());
    ///         "ordered"
    ///     }
    /// }
    ///
    /// async fn send_a_letter() -> std::io::Result<()> {
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If it is called outside of a tokio runtime.
    pub fn spawn_job<F>(&self, job: F)
    where
        F: Future<Output: ServiceResult> + Send + 'static,
    {
        // A service that is gone waits for nothing any more.
        let Some(remains) = self.remains() else { return log::spawned_too_late(self.name()) };
        let (counted, cx) = (self.member().own_jobs().begin(), self.clone());
        let job = self.clone().noting_polls(async { job.await.into_result() });
        self.member().spawn(async move {
            // Moved in, so that both are dropped with the task, `_counted` first.
            let (_remains, _counted) = (remains, counted);
            let jobs = cx.member().own_jobs();
            // `caught` also drops the job, whose destructor may panic.
            let ended = caught(async {
                tokio::select! {
                    biased;
                    () = jobs.aborted() => None,
                    result = caught(job) => Some(result.and_then(|result| result)),
                }
            });
            let Some(result) = ended.await.unwrap_or_else(|panicked| Some(Err(panicked))) else { return };
            jobs.end(result.is_err());
            if let Err(error) = result {
                cx.tell(News::Survived(OfJob(error).into()));
            }
        });
    }

    /// As [`spawn_child`](Self::spawn_child), for a task that ends by itself once the service is asked to stop.
    pub(crate) fn spawn_ticker(&self, ticker: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let ticking = self.own_children().count_ticker();
        self.spawn_child(async move {
            let _ticking = ticking;
            ticker.await
        });
    }
}

/// The error of a job.
#[derive(Debug)]
struct OfJob(BoxError);

impl fmt::Display for OfJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("in a job")
    }
}

impl Error for OfJob {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
