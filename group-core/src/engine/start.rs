//! One run of a service's `start`, with everything that it spawns.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;
use std::{future, task};

use tokio::time::sleep;

use crate::base::error::BoxError;
use crate::base::panic::{caught_now, flatten, poll_caught};
use crate::running::children::Children;
use crate::running::holds::Unfired;
use crate::running::instance::BoxFuture;
use crate::running::message::News;
use crate::service::DynService;
use crate::service::context::Context;

/// One run of `start` and of what it spawns: the service has ended when all of it has, and it has failed
/// when any of it has.
pub(crate) struct Start {
    /// `start`, and after it `wind_up`, which waits for the spawned tasks.
    work: Option<BoxFuture<Result<(), BoxError>>>,
    pub(super) winds_up: bool,
    /// The failures so far.
    pub(super) failed: Option<Box<Failed>>,
    /// True once the service is ready, or failed to become so.
    pub(super) is_settled: bool,
}

/// The failures of a run of `start`: the first one, and the rest.
#[derive(Default)]
pub(crate) struct Failed {
    /// The first one, until it is reported.
    error: Option<BoxError>,
    besides: Vec<BoxError>,
    /// The wait while servers finish the requests in flight.
    drained: Option<BoxFuture<()>>,
}

impl Failed {
    pub(super) fn tell(&mut self, cx: &Context) {
        cx.member().note_failure();
        self.error.take().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
        self.besides.drain(..).for_each(|error| cx.tell_silently(News::AlsoFailed(error)));
    }
}

impl Start {
    pub(super) fn of(service: Arc<dyn DynService>, cx: &Context) -> Self {
        let start = caught_now(|| service.start(cx.clone()));
        let work = start.unwrap_or_else(|panicked| Box::pin(future::ready(Err(panicked))));
        Self { work: Some(work), winds_up: false, failed: None, is_settled: false }
    }

    pub(super) fn poll(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Result<(), Box<Failed>>> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = poll_caught(work.as_mut(), task).map(flatten);
        if self.winds_up {
            self.note(ready!(polled));
            // Another run starts with no spawned tasks.
            let children = cx.member().take_children();
            for error in children.map(|children| children.take_failures()).unwrap_or_default() {
                self.note(Err(error));
            }
            return Poll::Ready(self.result());
        }
        let has_failed = self.failed.is_some() || cx.member().has_failed_children();
        match polled {
            Poll::Ready(result) => self.end(result, cx, task),
            Poll::Pending if has_failed && !may_finish(cx) => {
                ready!(self.poll_drained(cx, task));
                self.end(Ok(()), cx, task)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Reports the failure of a spawned task at once, and waits until the servers have finished the requests in flight.
    fn poll_drained(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(children) = cx.member().children().filter(|children| children.are_serving()) else {
            return Poll::Ready(());
        };
        for error in children.take_failures() {
            self.note(Err(error));
        }
        self.is_settled = true;
        let Some(failed) = &mut self.failed else { return Poll::Ready(()) };
        failed.tell(cx);
        children.close_servers();
        let drained = || Box::pin(drained(children, cx.clone())) as _;
        failed.drained.get_or_insert_with(drained).as_mut().poll(task)
    }

    /// Drops `start` with this result, and waits for the tasks that it has spawned.
    pub(super) fn end(
        &mut self,
        result: Result<(), BoxError>,
        cx: &Context,
        task: &mut task::Context<'_>,
    ) -> Poll<Result<(), Box<Failed>>> {
        self.note(result);
        let dropped = caught_now(|| self.work = None);
        self.note(dropped);
        let Some(children) = cx.member().children() else { return Poll::Ready(self.result()) };
        if self.failed.is_some() && !may_finish(cx) {
            children.abort();
        }
        self.work = Some(Box::pin(wind_up(children, cx.clone())));
        self.winds_up = true;
        self.poll(cx, task)
    }

    fn note(&mut self, result: Result<(), BoxError>) {
        let Err(error) = result else { return };
        match &mut self.failed {
            Some(failed) => failed.besides.push(error),
            None => self.failed = Some(Box::new(Failed { error: Some(error), ..Failed::default() })),
        }
    }

    fn result(&mut self) -> Result<(), Box<Failed>> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Ends a `start` that still runs, with this failure. A failure from before comes first.
    pub(super) fn give_up(
        &mut self,
        error: BoxError,
        cx: &Context,
        task: &mut task::Context<'_>,
    ) -> Poll<Result<(), Box<Failed>>> {
        match cx.member().children() {
            Some(children) if self.winds_up => {
                if !children.are_aborted() {
                    self.note(Err(error));
                    children.abort();
                }
                self.poll(cx, task)
            }
            _ => self.end(Err(error), cx, task),
        }
    }

    /// Returns true if the service is not ready because of a `Ready` that has not fired.
    pub(super) fn is_held(&mut self, cx: &Context, task: &mut task::Context<'_>) -> bool {
        self.poll_ready(cx, task).is_pending() && !self.is_settled
    }

    /// Ready once, when every `Ready` has fired that `start` took in its first poll.
    pub(super) fn poll_ready(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Result<(), Unfired>> {
        if self.is_settled {
            return Poll::Pending;
        }
        let ready = ready!(cx.member().poll_holds(task));
        self.is_settled = true;
        Poll::Ready(ready)
    }
}

/// During a stop, a `start` may still finish although a task of it has failed, unless it was given up.
fn may_finish(cx: &Context) -> bool {
    cx.member().is_asked_to_stop() && !cx.member().is_given_up()
}

/// Waits until no server is left, but no longer than the service may take to stop. Extends the start timeout meanwhile, as
/// the time of a `start` that is to run again has not begun.
async fn drained(children: Arc<Children>, cx: Context) {
    let to_start = cx.member().spec.start_limit();
    let puts_off = async {
        loop {
            sleep((to_start / 2).max(Duration::from_millis(1))).await;
            cx.extend(to_start);
        }
    };
    tokio::select! {
        biased;
        () = children.servers_ended() => {}
        () = sleep(cx.time_to_stop()) => {}
        () = puts_off => {}
    }
    cx.extend(to_start);
}

/// Waits for the tasks that a service has spawned, once its `start` is over.
async fn wind_up(children: Arc<Children>, cx: Context) -> Result<(), BoxError> {
    let member = cx.member();
    let mut ended = pin!(children.ended());
    future::poll_fn(|task| {
        // Without this, the others would go on beside the one that has failed.
        if member.has_failed_children() && !may_finish(&cx) {
            children.abort();
        }
        ended.as_mut().poll(task)
    })
    .await;
    Ok(())
}
