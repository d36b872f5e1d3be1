//! What belongs to a service beside its own task, and keeps it from being gone.

use std::sync::Arc;

use crate::base::error::BoxError;
use crate::base::panic::{caught, caught_now};
use crate::running::children::Children;
use crate::running::message::News;
use crate::service::context::Context;

/// Held by all that is left of a service beside its task: what it spawned, its connections, the thread of a blocking
/// `start`. When the last of all lets go, the service is gone.
#[derive(Debug)]
pub(crate) struct Remains {
    cx: Context,
}

impl Remains {
    /// One more, unless the service is gone.
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

/// What a service spawns lives and dies with it.
impl Context {
    /// Its task, or what holds [`Remains`] of it, lets go. Whether it is gone with that, which is told silently.
    pub(crate) fn let_go(&self) -> bool {
        let is_last = self.member().remove_part();
        if is_last {
            gone(self);
        }
        is_last
    }

    /// What this run of it has spawned, and will.
    pub(crate) fn own_children(&self) -> Arc<Children> {
        self.member().own_children()
    }

    /// Spawns a task of the service. Its failure is the service's.
    pub(crate) fn spawn_child(&self, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let children = self.own_children();
        // Nothing is left of the service only when nothing is left of what it spawned.
        let (remains, cx) = (Remains::of(self), self.clone());
        let counted = children.count_task();
        tokio::spawn(async move {
            // Dropped when the task is, and in reverse.
            let (_remains, _counted) = (remains, counted);
            // Its destructor, too, may panic.
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

    /// The same, for a task that ends by itself once the service is asked to stop.
    pub(crate) fn spawn_ticker(&self, ticker: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let ticking = self.own_children().count_ticker();
        self.spawn_child(async move {
            let _ticking = ticking;
            ticker.await
        });
    }
}

/// Nothing is left of a service but itself.
pub(crate) fn gone(cx: &Context) {
    // What failed too late for anybody to wait for it.
    if let Some(children) = cx.member().take_children() {
        children.take_failures().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
    }
    if let Err(panicked) = caught_now(|| cx.member().drop_instance()) {
        cx.tell_silently(News::Failed(panicked));
    }
    cx.tell_silently(News::Gone);
}
