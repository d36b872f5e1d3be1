//! One service's life, in one task: built, started, told to stop, dropped.
//!
//! What happens is decided elsewhere: this carries it out and tells the driver what came of it. Whoever has
//! something to say to the task says it to the [`Member`](crate::member::Member), and wakes the task, which looks there.
//!
//! Steps and no `async fn`: that would be three times as large, for as long as the service runs.

use std::future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use tokio::time::sleep;

use crate::holds::{Holds, Unfired};
use crate::instance::BoxFuture;
use crate::member::Children;
use crate::message::News;
use crate::panic::{caught_now, flatten, poll_caught};
use crate::service::{DynService, Factory};
use crate::{BoxError, Context};

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
        cx.begin();
        let run = Run { step: Step::Unbuilt(Some(factory)), start: None, service: None, heard: false };
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

/// Nothing is left of a service but itself.
pub(crate) fn gone(cx: &Context) {
    // What failed too late for anybody to wait for it.
    if let Some(children) = cx.member().take_children() {
        children.take_failures().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
    }
    if let Err(panicked) = caught_now(|| cx.member().leave()) {
        cx.tell_silently(News::Failed(panicked));
    }
    cx.tell_silently(News::Gone);
}

/// What the task does.
struct Run {
    step: Step,
    /// While it runs.
    start: Option<Start>,
    /// Once it is built.
    service: Option<Arc<dyn DynService>>,
    /// Whether anybody took a [`Shutdown`](crate::Shutdown) before `start` ran.
    heard: bool,
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
            member.is_woken_by(task.waker());
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
                self.heard = cx.member().hears();
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
        cx.member().set_hears(self.heard);
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
        if cx.member().hears() && !cx.member().spec.is_dropped_at_once() {
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

/// One run of `start` and of what it spawns: the service has ended when all of it has, and it has failed
/// when any of it has.
struct Start {
    /// `start`, and then what waits for the rest.
    work: Option<BoxFuture<Result<(), BoxError>>>,
    winds_up: bool,
    /// Until all is over.
    failed: Option<Box<Failed>>,
    readiness: Readiness,
}

/// What a run of `start` failed with: what came first, and then the rest.
#[derive(Default)]
struct Failed {
    /// Until it is told.
    error: Option<BoxError>,
    besides: Vec<BoxError>,
    /// While servers finish what they have in hand.
    drained: Option<BoxFuture<()>>,
}

impl Failed {
    fn tell(&mut self, cx: &Context) {
        self.error.take().into_iter().for_each(|error| cx.tell_silently(News::Failed(error)));
        self.besides.drain(..).for_each(|error| cx.tell_silently(News::AlsoFailed(error)));
    }
}

enum Readiness {
    /// `start` was not polled: that is when it takes its own.
    Unknown,
    Held(Holds),
    Settled,
}

impl Start {
    fn of(service: Arc<dyn DynService>, cx: &Context) -> Self {
        let start = caught_now(|| service.start(cx.clone()));
        let work = start.unwrap_or_else(|panicked| Box::pin(future::ready(Err(panicked))));
        Self { work: Some(work), winds_up: false, failed: None, readiness: Readiness::Unknown }
    }

    fn poll(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Result<(), Box<Failed>>> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = poll_caught(work.as_mut(), task).map(flatten);
        if self.winds_up {
            self.note(ready!(polled));
            // Another run of it spawns anew.
            let children = cx.member().take_children();
            for error in children.map(|children| children.take_failures()).unwrap_or_default() {
                self.note(Err(error));
            }
            return Poll::Ready(self.result());
        }
        // Once it is asked to stop, what has not failed may still finish.
        let has_failed = self.failed.is_some() || cx.member().has_failed_children();
        match polled {
            Poll::Ready(result) => self.end(result, cx, task),
            Poll::Pending if has_failed && !cx.member().is_asked_to_stop() => {
                ready!(self.poll_drained(cx, task));
                self.end(Ok(()), cx, task)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// What a server has in hand is finished before it is dropped for what has failed beside it. That is told at once.
    fn poll_drained(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(children) = cx.member().children().filter(|children| children.are_serving()) else {
            return Poll::Ready(());
        };
        for error in children.take_failures() {
            self.note(Err(error));
        }
        self.readiness = Readiness::Settled;
        let Some(failed) = &mut self.failed else { return Poll::Ready(()) };
        failed.tell(cx);
        children.close_servers();
        let drained = || Box::pin(drained(children, cx.clone())) as _;
        failed.drained.get_or_insert_with(drained).as_mut().poll(task)
    }

    /// Drops `start` with this result, and waits for what it has spawned.
    fn end(
        &mut self,
        result: Result<(), BoxError>,
        cx: &Context,
        task: &mut task::Context<'_>,
    ) -> Poll<Result<(), Box<Failed>>> {
        self.note(result);
        let dropped = caught_now(|| self.work = None);
        self.note(dropped);
        let Some(children) = cx.member().children() else { return Poll::Ready(self.result()) };
        if self.failed.is_some() && !cx.member().is_asked_to_stop() {
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

    /// It has failed like this, although it goes on. What it has failed with before, if it has, says more.
    fn give_up(
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

    /// Ready once, when nothing holds it back any more.
    fn poll_ready(&mut self, cx: &Context, task: &mut task::Context<'_>) -> Poll<Result<(), Unfired>> {
        if let Readiness::Unknown = self.readiness {
            self.readiness = Readiness::Held(cx.member().take_holds());
        }
        let Readiness::Held(holds) = &mut self.readiness else { return Poll::Pending };
        let ready = ready!(holds.poll(task));
        self.readiness = Readiness::Settled;
        Poll::Ready(ready)
    }
}

/// Waits until no server is left, for as long as the service may take to stop. If `start` is to run again meanwhile,
/// its time to become ready has not begun.
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

/// Waits for what a service has spawned, once its `start` is over.
async fn wind_up(children: Arc<Children>, cx: Context) -> Result<(), BoxError> {
    let member = cx.member();
    let mut ended = pin!(children.ended());
    future::poll_fn(|task| {
        // The others would go on without one that has failed.
        if member.has_failed_children() && !member.is_asked_to_stop() {
            children.abort();
        }
        ended.as_mut().poll(task)
    })
    .await;
    Ok(())
}

fn tell_failed(result: Result<(), BoxError>, cx: &Context) {
    if let Err(error) = result {
        cx.tell_silently(News::Failed(error));
    }
}
