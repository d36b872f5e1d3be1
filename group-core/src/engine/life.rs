//! One service's life, in one task: built, started, told to stop, dropped.
//!
//! What happens is decided elsewhere: this carries it out and tells the driver what came of it. Whoever has
//! something to say to the task says it to the [`Member`](crate::member::Member), and wakes the task, which looks there.
//!
//! Steps and no `async fn`: that would be three times as large, for as long as the service runs.

use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::task::{Poll, ready};

use crate::base::error::BoxError;
use crate::base::panic::{caught_now, flatten, poll_caught};
use crate::engine::start::{Readiness, Start};
use crate::running::children::Children;
use crate::running::holds::Unfired;
use crate::running::instance::BoxFuture;
use crate::running::message::News;
use crate::service::context::Context;
use crate::service::{DynService, Factory};

/// A service's task, from `new` to its drop. However it ends, even aborted before it ever ran, the
/// driver hears of every panic and that it is gone, and nothing of it is left by then.
pub(crate) struct Life(Option<Alive>);

/// Until it is over.
struct Alive {
    run: Run,
    cx: Context,
}

impl Life {
    pub(crate) fn new(factory: Factory, cx: Context) -> Self {
        cx.member().count_own_task();
        let run = Run { step: Step::Unbuilt(Some(factory)), start: None, service: None, listened: false };
        Self(Some(Alive { run, cx }))
    }

    /// Drops what is left of it. Once it has, the driver is to look, or to be woken.
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

    /// What it has told the driver is dealt with at the end: what it runs may block the thread, and should not have the
    /// driver wait behind it.
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

/// To be aborted by the runtime is to be dropped.
impl Drop for Life {
    fn drop(&mut self) {
        if let Some(cx) = self.end() {
            cx.wake_driver();
        }
    }
}

/// What the task does.
struct Run {
    step: Step,
    /// While it runs.
    start: Option<Start>,
    /// Once it is built.
    service: Option<Arc<dyn DynService>>,
    /// Whether anybody took a [`Shutdown`](crate::Shutdown) before `start` ran.
    listened: bool,
}

enum Step {
    Unbuilt(Option<Factory>),
    Building(BoxFuture<Result<Arc<dyn DynService>, BoxError>>),
    /// `start` runs, until it ends or a stop is asked for.
    Running,
    /// `start` has ended by itself, and may run again, until a stop is asked for.
    Ended,
    /// `start` hears of the stop, and is waited for.
    Finishing,
    /// `stop` runs, beside a `start` that nothing else can tell.
    Stopping(BoxFuture<Option<Result<(), BoxError>>>),
    /// `stop` has told `start`, which is waited for.
    Returning,
    /// Nothing is left to do.
    Over,
}

impl Run {
    /// Ready when it is over, or aborted.
    fn poll(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<()> {
        let member = cx.member();
        let _polls = member.polls_own();
        // Before it looks, so that it is woken by what comes after.
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

    /// What follows, when this step is done.
    fn next(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        let is_unwanted = || cx.member().is_asked_to_stop() || cx.member().is_given_up();
        match &mut self.step {
            Step::Unbuilt(_) | Step::Building(_) if is_unwanted() => Poll::Ready(Step::Over),
            Step::Unbuilt(factory) => Poll::Ready(match factory.take() {
                Some(Factory::Made(service)) => self.built(Ok(service), cx),
                Some(Factory::Make(make)) => match caught_now(|| make(cx.clone())) {
                    Ok(building) => Step::Building(building),
                    Err(panicked) => self.built(Err(panicked), cx),
                },
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
                Poll::Ready(stopped) => Poll::Ready(after_stop(stopped, cx)),
                Poll::Pending => {
                    // `stop` may wait for something that only `start` does. What goes wrong is told at
                    // once, for an abort may cut the rest off.
                    let _ = self.poll_start(cx, task);
                    Poll::Pending
                }
            },
            Step::Returning => self.poll_start(cx, task).map(|()| Step::Over),
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
        // What an earlier run of it took is gone with it.
        cx.member().set_listens_to_stop(self.listened);
        self.start = Some(Start::of(Arc::clone(service), cx));
        Step::Running
    }

    /// Runs `start`, and tells when the service is ready: once it has been polled and has not failed, and every
    /// [`Ready`](crate::Ready) that it took by then has fired.
    fn running(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        let Some(start) = &mut self.start else { return Poll::Ready(Step::Ended) };
        let mut ended = start.poll(cx, task);
        // Once it is asked to stop, it need not become ready any more.
        if ended.is_pending() && cx.member().is_asked_to_stop() {
            return self.told(cx);
        }
        match start.poll_ready(cx, task) {
            Poll::Ready(Ok(())) if !matches!(ended, Poll::Ready(Err(_))) => cx.tell_silently(News::Ready),
            // What `start` returned, if it did, says more.
            Poll::Ready(Err(Unfired)) if ended.is_pending() => {
                ended = start.give_up("its `Ready` was dropped before it was fired".into(), cx, task);
            }
            _ => {}
        }
        let result = ready!(ended);
        self.start = None;
        match result {
            Err(mut failed) => failed.tell(cx),
            // That it has ended means nothing any more.
            Ok(()) if cx.member().is_asked_to_stop() => {}
            Ok(()) => cx.tell_silently(News::Ended),
        }
        Poll::Ready(Step::Ended)
    }

    /// Drops `start`, unless it has failed and ends by itself, and waits for what it has spawned, which is aborted.
    fn give_up(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Step> {
        let Some(start) = &mut self.start else { return Poll::Ready(Step::Ended) };
        // What it serves already is finished, as when something beside it fails.
        if cx.member().children().is_some_and(|children| children.are_serving()) {
            start.failed.get_or_insert_default();
            start.readiness = Readiness::Settled;
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
    fn told(&mut self, cx: &Context) -> Poll<Step> {
        if cx.member().listens_to_stop() && !cx.member().spec.is_dropped_at_once() {
            // It has just been polled, and will be woken by what it waits for.
            self.step = Step::Finishing;
            return Poll::Pending;
        }
        Poll::Ready(self.release(cx))
    }

    /// Runs `stop`, if there is one. A `start` that hears of no stop returns for it, or else nothing can tell
    /// it, and it is dropped.
    fn release(&self, cx: &Context) -> Step {
        match (&self.service, cx.member().children()) {
            _ if cx.member().spec.is_dropped_at_once() => Step::Over,
            (Some(service), Some(children)) => {
                Step::Stopping(Box::pin(stop_after_tickers(children, Arc::clone(service), cx.clone())))
            }
            (Some(service), None) if service.has_stop() => Step::Stopping(Arc::clone(service).stop()),
            _ => Step::Over,
        }
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

    /// Drops what is left, and aborts what was spawned.
    fn end(&mut self, cx: &Context) {
        if let Some(mut failed) = self.start.as_mut().and_then(|start| start.failed.take()) {
            failed.tell(cx);
        }
        let dropped = caught_now(|| {
            // In the reverse of this order, whatever panics.
            let _service = self.service.take();
            let _step = std::mem::replace(&mut self.step, Step::Over);
            let _start = self.start.take();
        });
        tell_failed(dropped, cx);
        if let Some(children) = cx.member().children() {
            children.abort();
        }
    }
}

/// `stop` may close what tickers use.
async fn stop_after_tickers(
    children: Arc<Children>,
    service: Arc<dyn DynService>,
    cx: Context,
) -> Option<Result<(), BoxError>> {
    children.tickers_ended().await;
    children.take_failures().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
    if service.has_stop() { service.stop().await } else { None }
}

fn after_stop(stopped: Result<Option<Result<(), BoxError>>, BoxError>, cx: &Context) -> Step {
    match stopped {
        Ok(None) => Step::Over,
        Ok(Some(result)) => {
            tell_failed(result, cx);
            Step::Returning
        }
        Err(panicked) => {
            cx.tell_silently(News::Failed(panicked));
            Step::Over
        }
    }
}

fn tell_failed(result: Result<(), BoxError>, cx: &Context) {
    if let Err(error) = result {
        cx.tell_silently(News::Failed(error));
    }
}
