//! The parts of a service beside its own task: spawned tasks, connections, the thread of a blocking `start`. The
//! service is gone when the last part is.
//!
//! # Protocol
//!
//! - State: `remains` in the [`Member`](crate::running::member::Member) counts 1 for the service's own task and 1 for
//!   each [`Remains`].
//! - Writers: `begin` sets it to 1 before the task's first poll. A new `Remains` adds 1, unless the count is 0 already:
//!   then the service is gone, and there is no `Remains`. Each `Remains` that is dropped, and the task when it ends,
//!   takes 1 away with [`Context::let_go`], in any thread.
//! - Reader: the part that takes the last 1 away. It runs [`gone`], which drops the service and reports that to the
//!   driver.
//! - Ordering: adding is relaxed, because it publishes nothing, and a count of 0 is final. Taking away is `AcqRel`, as
//!   in `Arc`: the last part sees all that the others did before they let go.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::base::error::BoxError;
use crate::base::panic::{caught, caught_now};
use crate::running::children::Children;
use crate::running::log;
use crate::running::message::News;
use crate::service::context::Context;
use crate::service::result::ServiceResult;

/// One part of a service beside its own task. The service is gone once the task has ended and every `Remains` is
/// dropped.
#[derive(Debug)]
pub(crate) struct Remains {
    cx: Context,
}

impl Remains {
    /// Counts one more part. Returns `None` if the service is gone.
    pub(crate) fn of(cx: &Context) -> Option<Self> {
        cx.member().add_part().then(|| Self { cx: cx.clone() })
    }
}

impl Clone for Remains {
    fn clone(&self) -> Self {
        self.cx.member().add_part();
        Self { cx: self.cx.clone() }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.cx.let_go() {
            self.cx.wake_driver();
        }
    }
}

/// Tasks that belong to the service: it is gone only after they are, and an abort reaches them.
impl Context {
    /// One part of the service is over: its task, or a [`Remains`]. Returns true if it was the last one; then the
    /// service is gone, and the driver has the message but was not woken.
    pub(crate) fn let_go(&self) -> bool {
        let is_last = self.member().remove_part();
        if is_last {
            gone(self);
        }
        is_last
    }

    /// The tasks that this run of the service has spawned and will spawn.
    pub(crate) fn own_children(&self) -> Arc<Children> {
        self.member().own_children()
    }

    /// Spawns a task of the service. If it fails, the service fails. Of a service that is gone there are no tasks.
    pub(crate) fn spawn_child(&self, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let Some(remains) = Remains::of(self) else { return log::spawned_too_late(self.name()) };
        let (children, cx) = (self.own_children(), self.clone());
        let counted = children.count_task();
        tokio::spawn(async move {
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
        let Some(remains) = Remains::of(self) else { return };
        let counted = self.member().own_jobs().begin();
        let job = self.clone().noting_polls(async { job.await.into_result() });
        tokio::spawn(async move {
            // Moved in, so that both are dropped with the task, `counted` first.
            let (remains, _counted) = (remains, counted);
            let (cx, jobs) = (&remains.cx, remains.cx.member().own_jobs());
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
                cx.tell(News::JobFailed(OfJob(error).into()));
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

/// Drops the service, when no other part is left, and reports that to the driver.
pub(crate) fn gone(cx: &Context) {
    // These tasks failed after the service's own task had ended.
    if let Some(children) = cx.member().take_children() {
        children.take_failures().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
    }
    if let Err(panicked) = caught_now(|| cx.member().drop_instance()) {
        cx.tell_silently(News::Failed(panicked));
    }
    cx.tell_silently(News::Gone);
}
