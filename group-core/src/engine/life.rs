//! One service's life, in one task: built, started, told to stop, dropped.
//!
//! The lifecycle decides what happens; the task carries it out and reports the result to the driver. Requests to the task
//! are flags of the [`Member`](crate::running::member::Member): the driver sets one and wakes the task, which looks there.
//!
//! # Protocol
//!
//! The task reports silently ([`Post::put_silently`](crate::running::message::Post::put_silently)), and runs the driver at
//! the end of its poll, for all that it has reported. Not earlier: `start` may block the thread, and the driver's work would
//! wait behind it. A task that is aborted by its runtime cannot run the driver, so it wakes the driver's task.
//!
//! The task is written as steps, not as an `async fn`: that would be three times as large, for as long as the service runs.

use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::{Poll, ready};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::base::error::BoxError;
use crate::base::panic::{caught_now, flatten, poll_caught};
use crate::engine::start::Start;
use crate::running::children::Children;
use crate::running::holds::Unfired;
use crate::running::instance::BoxFuture;
use crate::running::member::Value;
use crate::running::message::News;
use crate::service::context::Context;
use crate::service::{Beginning, Building, DynService};

/// A service's task, from `new` to its drop. However it ends, even aborted before its first poll, it reports every panic
/// to the driver, and at last that the service is gone.
pub(crate) struct Life(Option<Alive>);

/// The parts of a task that is not over.
struct Alive {
    run: Run,
    cx: Context,
}

impl Life {
    pub(crate) fn new(beginning: Beginning, cx: Context) -> Self {
        cx.member().begin_own_task();
        let is_value = matches!(beginning, Beginning::Made(_));
        let run = Run { step: Step::Unbuilt(Some(beginning)), start: None, service: None, listened: false, is_value };
        Self(Some(Alive { run, cx }))
    }

    /// Drops what is left of the service. The caller then runs or wakes the driver.
    fn end(&mut self) -> Option<Context> {
        let Alive { mut run, cx } = self.0.take()?;
        {
            let _polls = cx.member().polls_own();
            run.end(&cx);
            cx.let_go();
        }
        Some(cx)
    }
}

impl Future for Life {
    type Output = ();

    /// Runs the driver at the end, not in between: the service's code may block the thread, and the driver would wait.
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(Alive { run, cx }) = &mut self.0 else { return Poll::Ready(()) };
        if run.poll(cx, task).is_pending() {
            cx.drive();
            return Poll::Pending;
        }
        if let Some(cx) = self.end() {
            cx.drive();
        }
        Poll::Ready(())
    }
}

/// A runtime aborts a task by dropping it.
impl Drop for Life {
    fn drop(&mut self) {
        if let Some(cx) = self.end() {
            cx.wake_driver();
        }
    }
}

/// The state of the task.
struct Run {
    step: Step,
    /// The run of `start`, until it is over.
    start: Option<Start>,
    /// The service, once it is built.
    service: Option<Arc<dyn DynService>>,
    /// True if a [`Shutdown`](crate::Shutdown) was taken before `start` ran: it then counts for each run.
    listened: bool,
    /// True if it was added as a value.
    is_value: bool,
}

enum Step {
    Unbuilt(Option<Beginning>),
    Building(Building),
    /// `start` runs, until it ends or a stop is asked for.
    Running,
    /// `start` has ended by itself, and may run again, until a stop is asked for.
    Ended,
    /// `start` listens to the stop request, and is waited for.
    Finishing,
    /// `stop` runs, beside a `start` that does not listen to the stop request.
    Stopping(BoxFuture<Option<Result<(), BoxError>>>),
    /// `stop` has returned, and `start` is waited for.
    Returning,
    /// `start` and `stop` are over, and the tasks are waited for that were spawned since then.
    WindingUp(BoxFuture<()>),
    /// Nothing is left to do.
    Over,
}

impl Run {
    /// Ready when it is over, or aborted.
    fn poll(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<()> {
        let member = cx.member();
        let _polls = member.polls_own();
        // Before it reads the flags, so that it is woken by those that are set later.
        if let Step::Unbuilt(_) = self.step {
            member.set_task(task.waker());
        }
        if member.is_aborted() {
            return Poll::Ready(());
        }
        match caught_now(|| self.go_on(cx, task)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => member.stopped.set(cx.now()),
            Err(panicked) => cx.tell_silently(News::Failed(panicked)),
        }
        Poll::Ready(())
    }

    fn go_on(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<()> {
        while !matches!(self.step, Step::Over) {
            self.step = ready!(self.next(cx, task));
        }
        Poll::Ready(())
    }

    /// Ready with the next step when this one is done.
    fn next(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        let is_unwanted = || cx.member().is_asked_to_stop() || cx.member().is_given_up();
        match &mut self.step {
            Step::Unbuilt(_) | Step::Building(_) if is_unwanted() => Poll::Ready(Step::Over),
            Step::Unbuilt(beginning) => Poll::Ready(match beginning.take() {
                Some(Beginning::Made(service)) => self.built(Ok(service), cx),
                Some(Beginning::Build(building)) => Step::Building(building),
                None => Step::Over,
            }),
            Step::Building(building) => {
                let built = ready!(poll_caught(building.as_mut(), task));
                Poll::Ready(self.built(flatten(built), cx))
            }
            Step::Running if cx.member().is_given_up() => self.give_up(cx, task),
            Step::Running => self.running(cx, task),
            Step::Ended => {
                let again = ready!(cx.member().poll_again());
                Poll::Ready(if again { self.begin(cx) } else { self.release(cx) })
            }
            Step::Finishing => {
                ready!(self.poll_start(cx, task));
                Poll::Ready(self.release(cx))
            }
            Step::Stopping(stop) => match poll_caught(stop.as_mut(), task) {
                Poll::Ready(stopped) => Poll::Ready(self.after_stop(stopped, cx)),
                Poll::Pending => {
                    // `stop` may wait for `start` to do something. A failure of it is reported at once, as an abort may
                    // cut the rest off.
                    let _ = self.poll_start(cx, task);
                    Poll::Pending
                }
            },
            Step::Returning => {
                ready!(self.poll_start(cx, task));
                let rest = cx.member().has_spawned().then(|| Box::pin(wind_up(cx.clone())) as _);
                Poll::Ready(rest.map_or(Step::Over, Step::WindingUp))
            }
            Step::WindingUp(rest) => rest.as_mut().poll(task).map(|()| Step::Over),
            Step::Over => Poll::Pending,
        }
    }

    fn built(&mut self, built: Result<Arc<dyn DynService>, BoxError>, cx: &Context) -> Step {
        match built {
            Ok(service) => {
                cx.member().set_instance(Arc::clone(&service) as _);
                cx.tell_silently(News::Built);
                self.service = Some(service);
                self.listened = cx.member().listens_to_stop();
                self.begin(cx)
            }
            Err(error) => {
                cx.tell_silently(News::Failed(error));
                Step::Over
            }
        }
    }

    /// Runs `start`, for the first time or again.
    fn begin(&mut self, cx: &Context) -> Step {
        let Some(service) = &self.service else { return Step::Over };
        // A `Shutdown` that an earlier run took does not count.
        cx.member().set_listens_to_stop(self.listened);
        self.start = Some(Start::of(Arc::clone(service), cx));
        Step::Running
    }

    /// Runs `start`, and reports when the service is ready: once `start` has been polled and has not failed, and every
    /// [`Ready`](crate::Ready) that it took by then has fired.
    fn running(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        let Some(start) = &mut self.start else { return Poll::Ready(Step::Ended) };
        let mut ended = start.poll(cx, task);
        // Once it is asked to stop, it need not become ready any more.
        if ended.is_pending() && cx.member().is_asked_to_stop() && !cx.member().is_given_up() {
            return self.told(cx, task);
        }
        match start.poll_ready(cx, task) {
            Poll::Ready(Ok(())) if !matches!(ended, Poll::Ready(Err(_))) => cx.tell_silently(News::Ready),
            // If `start` has returned, its result says more.
            Poll::Ready(Err(Unfired)) if ended.is_pending() => {
                ended = start.give_up("its `Ready` was dropped before it was fired".into(), cx, task);
            }
            _ => {}
        }
        let result = ready!(ended);
        self.start = None;
        match result {
            Err(mut failed) => failed.tell(cx),
            // The end of `start` is no news during a stop.
            Ok(()) if cx.member().is_asked_to_stop() => {}
            Ok(()) => cx.tell_silently(News::Ended),
        }
        Poll::Ready(Step::Ended)
    }

    /// Drops `start`, aborts the tasks that it has spawned, and waits for them. A `start` that has failed already ends by
    /// itself.
    fn give_up(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        let Some(start) = &mut self.start else { return Poll::Ready(Step::Ended) };
        // Requests in flight are finished, as when a spawned task fails.
        if cx.member().children().is_some_and(|children| children.are_serving()) {
            start.failed.get_or_insert_default();
            start.is_settled = true;
        }
        if start.failed.is_some() {
            return self.running(cx, task);
        }
        let ended = if start.winds_up {
            start.poll(cx, task)
        } else {
            if let Some(children) = cx.member().children() {
                children.abort();
            }
            start.end(Ok(()), cx, task)
        };
        let result = ready!(ended);
        self.start = None;
        if let Err(mut failed) = result {
            failed.tell(cx);
        }
        Poll::Ready(Step::Ended)
    }

    /// A stop was asked for.
    fn told(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        if cx.member().listens_to_stop() && !cx.member().spec.is_dropped_at_once() {
            let is_held = self.start.as_mut().is_some_and(|start| start.is_held(cx, task));
            // A thread cannot be dropped, and `stop` must not run beside it.
            if is_held && !cx.member().looks_for_stop() && !cx.member().has_thread() {
                cx.member().give_up();
                return self.give_up(cx, task);
            }
            // `start` has just been polled, and waits with a waker.
            self.step = Step::Finishing;
            return Poll::Pending;
        }
        Poll::Ready(self.release(cx))
    }

    /// Runs `stop`, if there is one: it makes a `start` return that does not listen to the stop request. Without a `stop`,
    /// such a `start` is dropped.
    fn release(&self, cx: &Context) -> Step {
        cx.member().hear_stop();
        let Some(service) = self.service.as_ref().filter(|_| !cx.member().spec.is_dropped_at_once()) else {
            return Step::Over;
        };
        if cx.member().has_spawned() {
            Step::Stopping(Box::pin(stop_after_work(Arc::clone(service), cx.clone())))
        } else if service.has_stop() {
            Step::Stopping(stop(Arc::clone(service), cx))
        } else {
            Step::Over
        }
    }

    fn after_stop(&self, stopped: Result<Option<Result<(), BoxError>>, BoxError>, cx: &Context) -> Step {
        let is_returning = match stopped {
            Ok(None) => false,
            Ok(Some(Ok(()))) => true,
            Ok(Some(Err(error))) | Err(error) => {
                cx.tell_silently(News::Failed(error));
                cx.member().listens_to_stop()
            }
        };
        // Nothing else can make a `start` return that does not listen.
        if is_returning || self.start.is_none() { Step::Returning } else { Step::Over }
    }

    /// Polls `start`, if it still runs, until it is over.
    fn poll_start(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(start) = &mut self.start else { return Poll::Ready(()) };
        let result = ready!(start.poll(cx, task));
        self.start = None;
        if let Err(mut failed) = result {
            failed.tell(cx);
        }
        Poll::Ready(())
    }

    /// Drops what is left, and aborts the spawned tasks.
    fn end(&mut self, cx: &Context) {
        if let Some(mut failed) = self.start.as_mut().and_then(|start| start.failed.take()) {
            failed.tell(cx);
        }
        if let (Some(service), true) = (&self.service, self.is_value && cx.member().is_kept()) {
            cx.member().keep(Value(Box::new(Arc::clone(service))));
        }
        let dropped = caught_now(|| {
            // They are dropped in reverse order, also if one of them panics.
            let _service = self.service.take();
            let _step = std::mem::replace(&mut self.step, Step::Over);
            let _start = self.start.take();
        });
        tell_failed(dropped, cx);
        if let Some(children) = cx.member().children() {
            children.abort();
        }
        if let Some(jobs) = cx.member().jobs() {
            jobs.abort();
        }
    }
}

/// Runs `stop` after the tickers and the jobs have ended: it may close what they use.
async fn stop_after_work(service: Arc<dyn DynService>, cx: Context) -> Option<Result<(), BoxError>> {
    if let Some(children) = cx.member().children() {
        children.tickers_ended().await;
        tell_all_failed(&children, &cx);
    }
    if let Some(jobs) = cx.member().jobs() {
        jobs.ended().await;
    }
    if service.has_stop() { stop(service, &cx).await } else { None }
}

/// Runs `stop`, on a thread for it if it blocks that.
fn stop(service: Arc<dyn DynService>, cx: &Context) -> BoxFuture<Option<Result<(), BoxError>>> {
    if cx.member().spec.has_blocking_stop() { Box::pin(stop_on_thread(service, cx.clone())) } else { service.stop() }
}

async fn stop_on_thread(service: Arc<dyn DynService>, cx: Context) -> Option<Result<(), BoxError>> {
    // A thread cannot be aborted: the service is gone only once `stop` has returned.
    let remains = cx.remains();
    let runtime = Handle::current();
    let stopped = spawn_blocking(move || {
        let _remains = remains;
        let _here = cx.member().has_this_thread();
        let mut stop = service.stop();
        // A `stop` without async is over at once. In `block_on`, it could not call that itself.
        caught_now(|| stop.as_mut().now_or_never().unwrap_or_else(|| runtime.block_on(stop)))
    });
    match stopped.await {
        Ok(stopped) => stopped.unwrap_or_else(|panicked| Some(Err(panicked))),
        // The runtime is being shut down.
        Err(error) => Some(Err(error.into())),
    }
}

/// Waits for the tasks that were spawned when `start` was over: by `stop`, by another hook, or by one of them.
async fn wind_up(cx: Context) {
    if let Some(children) = cx.member().children() {
        children.ended().await;
        tell_all_failed(&children, &cx);
    }
    if let Some(jobs) = cx.member().jobs() {
        jobs.ended().await;
    }
}

fn tell_all_failed(children: &Children, cx: &Context) {
    children.take_failures().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
}

fn tell_failed(result: Result<(), BoxError>, cx: &Context) {
    if let Err(error) = result {
        cx.tell_silently(News::Failed(error));
    }
}
